"""Reads the labels and numbers of the chosen columns, and gathers every row that cannot be used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np

from propto.errors import TableProblem
from propto.pooling.tables.cells import Numbers, as_text, escaped, read_numbers, shown
from propto.pooling.tables.columns import Choice
from propto.pooling.tables.grid import Grid

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")
_AFTER = (
    r"(?:[ -](?:effects?|size|estimates?|mean|average|results?|scores?|models?|studies|schools|groups|"
    r"rows?|or|rr|hr|md|smd))*\s*(?:[(\[:=,].*)?"
)
_TOTAL = re.compile(
    r"(?:(?:sub|grand )?-?totals?|overall|pooled|summary|combined|meta-?analysis|[rfc]e model|"
    r"(?:random|fixed|common)[ -]effects?|heterogeneity|prediction interval|gesamt|insgesamt)" + _AFTER,
    re.IGNORECASE | re.DOTALL,
)
_TOTAL_AT_FOOT = re.compile(r"(?:all|mean|average|sum|everyone)" + _AFTER, re.IGNORECASE | re.DOTALL)
_WORDS = {"std_error": "standard error", "variance": "variance", "sd": "standard error"}


def clean_label(cell: object) -> str:
    r"""Give a label without control characters and outer spaces.

    >>> clean_label(" Umeå\n(north) "), clean_label(3.0)
    ('Umeå (north)', '3')
    """
    text = as_text(cell)
    if text.isprintable():
        return text.strip()
    text = _UNSEEN.sub(" ", text).encode("utf-8", "replace").decode("utf-8")  # lone surrogates become ?
    return " ".join(text.split())


@dataclass
class Rows:
    """Labels and numbers of a table, estimates first, and what was found on the way."""

    grid: Grid
    choice: Choice
    label: tuple[str, ...] = ()
    values: list[np.ndarray] = field(default_factory=list)
    problems: list[TableProblem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def places(self) -> tuple[int, ...]:
        """Places of the number columns in the header, the estimate's first."""
        return (self.choice.estimate, *self.choice.std_error)

    def refuse(self, row: int, which: int, text: str, mend: str) -> None:
        """Add the problem of one cell; ``which`` counts the number columns."""
        place = self.places[which]
        words = (
            ("lower limit", "upper limit") if len(self.places) == 3 else (_WORDS.get(self.choice.error_kind),)
        )
        what = ("estimate", *words)[which]
        where = f" (row {row + 1})" if self.grid.lines is None and self.choice.label is not None else ""
        message = f"the {what} of {shown(self.label[row])}{where} {text}"
        self._add(message, row, place, mend)

    def _add(self, message: str, row: int, place: int, mend: str) -> None:
        line = None if self.grid.lines is None else self.grid.lines[row]
        value = as_text(self.grid.columns[place][row])
        self.problems.append(TableProblem(message, line, self.grid.header[place], value, mend))

    def said(self, row: int, which: int) -> str:
        """Give a cell as it stands, for a sentence."""
        return escaped(as_text(self.grid.columns[self.places[which]][row]).strip(), 40)


def read_rows(grid: Grid, choice: Choice, log: bool) -> Rows:
    """Read the rows of a grid; all that is wrong with them is in ``problems``."""
    rows = Rows(grid, choice)
    rows.label = _labels(rows)
    totals = _refuse_totals(rows)
    estimate, *errors = (grid.columns[place] for place in rows.places)
    numbers = read_numbers([estimate, *map(_without_sign, errors)])
    rows.values = [column.values for column in numbers]
    for which, column in enumerate(numbers):
        for row in sorted(column.faults.keys() - totals):
            rows.refuse(row, which, column.faults[row].message, column.faults[row].mend)
    _say_habits(rows, numbers)
    sound = np.isfinite(np.stack(rows.values)).all(axis=0)
    sound[list(totals)] = False
    _refuse_ranges(rows, sound, log)
    return rows


def implied_error(kind: str, columns: Sequence[np.ndarray], level: float, log: bool) -> np.ndarray:
    """Give the standard errors that a variance, an interval of a level, or an error itself stands for.

    NaN stands where there is none, such as for the logarithm of a negative limit.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        if kind == "variance":
            return np.sqrt(columns[0])
        if kind != "interval":
            return columns[0]
        lower, upper = map(np.log, columns) if log else columns
        return (upper - lower) / (2 * NormalDist().inv_cdf((1 + level) / 2))


def _labels(rows: Rows) -> tuple[str, ...]:
    """Give the labels; rows without one are numbered."""
    size = len(rows.grid.columns[rows.choice.estimate])
    if rows.choice.label is None:
        return tuple(f"row {row}" for row in range(1, size + 1))
    label = [clean_label(cell) for cell in rows.grid.columns[rows.choice.label]]
    empty = [row for row, text in enumerate(label) if not text]
    for row in empty:
        label[row] = f"row {row + 1}"
    if empty:
        listed = ", ".join(label[row] for row in empty[:3]) + (", ..." if len(empty) > 3 else "")
        rows.warnings.append(f"rows without a label are named by their number: {listed}")
    return tuple(label)


def _refuse_totals(rows: Rows) -> set[int]:
    """Find the rows that sum up the others; they must not be counted as groups."""
    if rows.choice.label is None:
        return set()
    found = {row for row, text in enumerate(rows.label) if _TOTAL.fullmatch(text)}
    foot = len(rows.label) - 1
    while foot in found:
        foot -= 1
    if foot >= 0 and _TOTAL_AT_FOOT.fullmatch(rows.label[foot]):
        found.add(foot)
    for row in sorted(found):
        message = f"{shown(rows.label[row])} looks like a summary of the other rows, not like a group"
        mend = "delete the row; if it is a group of its own, give it another label"
        rows._add(message, row, rows.choice.label, mend)
    return found


def _without_sign(column: Sequence[object]) -> Sequence[object]:
    """Take a plus-minus sign away from the front of errors."""
    if isinstance(column, np.ndarray) or not any(
        isinstance(cell, str) and cell.strip()[:1] in "±+" for cell in column
    ):
        return column
    return [re.sub(r"^\s*(±|\+/-)", "", cell) if isinstance(cell, str) else cell for cell in column]


def _say_habits(rows: Rows, numbers: Sequence[Numbers]) -> None:
    """State how numbers were written, each way once with the columns that have it."""
    for said, attribute in ((rows.notes, "habits"), (rows.warnings, "doubts")):
        ways = {way for column in numbers for way in getattr(column, attribute)}
        for way in sorted(ways):
            met = [
                place
                for place, column in zip(rows.places, numbers, strict=True)
                if way in getattr(column, attribute)
            ]
            said.append(f"in {' and '.join(shown(rows.grid.header[place]) for place in met)}: {way}")


def _refuse_ranges(rows: Rows, sound: np.ndarray, log: bool) -> None:
    """Refuse the numbers that cannot be: errors not above 0, limits out of order, ratios not above 0."""
    if len(rows.values) == 3:
        _refuse_intervals(rows, sound)
    else:
        for row in _where(sound & (rows.values[1] <= 0)):
            mend = f"give the standard error of {shown(rows.label[row])}, or drop the row"
            zero = "; a group known without error cannot be used" if rows.values[1][row] == 0 else ""
            rows.refuse(row, 1, f"is {rows.said(row, 1)}; it must be greater than 0", mend + zero)
    if log:
        for which in (0, 1, 2) if len(rows.values) == 3 else (0,):
            for row in _where(sound & (rows.values[which] <= 0)):
                text = f"is {rows.said(row, which)}; a ratio must be greater than 0 to have a logarithm"
                rows.refuse(row, which, text, "mend the number, or read the table without log=True (--log)")


def _refuse_intervals(rows: Rows, sound: np.ndarray) -> None:
    estimate, lower, upper = rows.values
    for row in _where(sound & (lower >= upper)):
        text = f"is {rows.said(row, 1)}, and the upper limit is {rows.said(row, 2)}, which must be greater"
        rows.refuse(row, 1, text, "give the two limits in this order, or drop the row")
    for row in _where(sound & (lower < upper) & ((estimate < lower) | (estimate > upper))):
        text = f"is {rows.said(row, 0)}, outside its interval from {rows.said(row, 1)} to {rows.said(row, 2)}"
        rows.refuse(row, 0, text, "check the three numbers: they must belong together and be on one scale")


def _where(rows: np.ndarray) -> Iterable[int]:
    return map(int, np.flatnonzero(rows))
