"""The report: one self-contained page, readable offline, on a phone and on paper; or PDF, or Markdown."""

from propto.reporting.html import page
from propto.reporting.write import report, write_report

__all__ = ["page", "report", "write_report"]
