"""What the texts of others may do in our pages, tables and terminals: be read, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import TypeVar

Cell = TypeVar("Cell")

# What makes a spreadsheet take a cell for a formula, in wide letters too.
_FORMULA = re.compile(r"\s*[=+\-@\t\r＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def content_policy(scripts: Sequence[str], style: str) -> str:
    """The value of the policy's meta element, by the hashes of a page's scripts and style."""
    allowed = " ".join(_hash(script) for script in scripts)
    rules = ("default-src 'none'", f"script-src {allowed}", f"style-src {_hash(style)}", "base-uri 'none'")
    return "; ".join((*rules, "form-action 'none'"))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def harmless_cell(cell: Cell) -> Cell | str:
    """A cell that no spreadsheet takes for a formula: texts that look like one get an apostrophe in front.

    Numbers, and texts that are plain numbers, stay as they are.

    Examples
    --------
    >>> harmless_cell('=HYPERLINK("http://example.org")'), harmless_cell("-3"), harmless_cell(-0.5)
    ('\\'=HYPERLINK("http://example.org")', '-3', -0.5)
    """
    if not isinstance(cell, str) or not _FORMULA.match(cell) or _NUMBER.fullmatch(cell):
        return cell
    return f"'{cell}"


def harmless_lines(text: str) -> str:
    r"""A text that cannot move the cursor, colour the screen or turn the direction of reading.

    Examples
    --------
    >>> print(harmless_lines("a\x1b[31m\u202e\nb"))
    a\x1b[31m\u202e
    b
    """
    return "\n".join(
        "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        for line in text.split("\n")
    )
