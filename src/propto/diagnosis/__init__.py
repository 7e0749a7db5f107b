"""Diagnosis: how far draws can be trusted, as estimators, a table and a verdict."""

from propto.diagnosis.evidence import compare_evidence
from propto.diagnosis.summary import summary
from propto.diagnosis.verdict import Reason, Verdict, diagnose

__all__ = ["Reason", "Verdict", "compare_evidence", "diagnose", "summary"]
