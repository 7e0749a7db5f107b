"""The report: one self-contained page, readable offline, on a phone and on paper."""

from propto.reporting.html import page, report, write_report

__all__ = ["page", "report", "write_report"]
