"""Reads the cells of number columns: signs, spaces, decimal commas, thousands marks, units, empty cells."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Real
from typing import NamedTuple, cast

import numpy as np

MISSING = frozenset(
    {"", ".", "..", "-", "--", "---", "?", "na", "n/a", "n.a.", "n.a", "#n/a", "<na>"}
    | {"nan", "nat", "null", "none", "nil", "missing"}
)
_INFINITE = re.compile(r"[+-]?(inf|infinity|∞)", re.IGNORECASE)
_EXCEL_ERROR = re.compile(r"#(DIV/0!|VALUE!|REF!|NAME\?|NUM!|NULL!|SPILL!|CALC!)", re.IGNORECASE)
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}[-. ](?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[-. ][0-9]{1,2}",
    re.IGNORECASE,
)
_ODD = re.compile(r"[^0-9eE+\-. \n]")
_PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_CELL = re.compile(
    r"([$€£¥]?) ?([+-]?) ?([$€£¥]?) ?"  # currency and sign, in any order
    r"([0-9][0-9.,' ]*|[.,][0-9]+)([eE][+-]?[0-9]+)? ?"
    r"([%‰$€£¥]?) ?([*†‡§]*)"
)
_UNCLEAR = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
_SPACED = re.compile(r"[0-9]{1,3}(?:([ '])[0-9]{3})(?:\1[0-9]{3})*(?:[.,][0-9]*)?")
_GROUPS = {
    ".": re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})+"),
    ",": re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}"),  # also 12,34,567
}
_TIDY = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\ufe58\ufe63\uff0d", "-")
    | dict.fromkeys("\xa0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B))), " ")
    | dict.fromkeys(
        "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\xad" + "".join(map(chr, range(0x202A, 0x202F)))
    )
    | dict.fromkeys("\u2019\u02bc\xb4", "'")
    | dict.fromkeys("\xb7\u2219\u22c5", ".")  # the raised point of some journals
)


@dataclass(frozen=True)
class Fault:
    """Why a cell gives no number: the end of a sentence about the cell, and the mend."""

    message: str
    mend: str


@dataclass
class Numbers:
    """A column of numbers, NaN where a cell has a fault; the habits of writing met, and what was decided."""

    values: np.ndarray
    faults: dict[int, Fault] = field(default_factory=dict)
    habits: set[str] = field(default_factory=set)
    doubts: set[str] = field(default_factory=set)


class _Written(NamedTuple):
    """A number cell taken apart: its text with a decimal point, and what its marks give away."""

    text: str
    decimal: str = ""  # the decimal mark, where it is certain
    thousands: str = ""  # the thousands mark, where it is certain
    unclear: bool = False  # one mark before three digits: decimal or thousands
    unit: str = ""
    stars: str = ""


def shown(cell: object, limit: int = 40) -> str:
    r"""Give a cell in quotes, on one line, control characters escaped, cut to a readable length.

    >>> print(shown("a\x1b[31m\n"))
    "a\x1b[31m\n"
    """
    return f'"{escaped(as_text(cell), limit)}"'


def escaped(text: str, limit: int = 200) -> str:
    """Give a text on one line, control characters escaped, cut to a readable length."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def as_text(cell: object) -> str:
    """Give a cell of any type as the text a person would write: 3.0 as 3, a missing one as nothing."""
    if isinstance(cell, str):
        return cell
    text = str(cell)
    if cell is None or text in {"nan", "<NA>", "NaT"}:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else text


def tidy(text: str) -> str:
    """Give a cell with plain minus signs and spaces, nothing invisible, and no spreadsheet quoting."""
    plain = (text if text.isascii() else text.translate(_TIDY)).strip()
    if plain.startswith('="') and plain.endswith('"'):  # a spreadsheet's way to keep text as it is
        plain = plain[2:-1]
    return plain.lstrip("'").strip()


def is_number(cell: object) -> bool:
    """Tell whether a cell holds a number in any of the ways of writing that are known here."""
    if isinstance(cell, str):
        return _written(tidy(cell)) is not None
    return isinstance(cell, Real | Decimal) and not isinstance(cell, bool)


def read_numbers(columns: Sequence[Sequence[object]]) -> list[Numbers]:
    """Read the number columns of one table together, since one column can settle another's marks.

    A mark that can be read in two ways (``1,234``) follows the certain cells of its own column, then those
    of the other columns; where they do not settle it, the cell is a fault. ``1.234`` alone has a decimal
    point. The value of a cell is exactly ``float`` of its cleaned text.
    """
    clean = [_clean(column) for column in columns]
    if all(values is not None for values in clean):
        return [Numbers(values) for values in clean if values is not None]
    readers = [_Reader(column) for column in columns]
    decimal = {mark for reader in readers for mark in reader.decimal}
    thousands = {mark for reader in readers for mark in reader.thousands}
    for reader in readers:
        reader.settle(decimal, thousands)
    _same_unit(readers)
    return [reader.numbers for reader in readers]


def _clean(column: Sequence[object]) -> np.ndarray | None:
    """Convert a column without any odd cell at once, or give up."""
    if isinstance(column, np.ndarray) and column.dtype.kind in "iuf":
        values = column.astype(float)
        return values if np.isfinite(values).all() else None
    text = cast("Sequence[str]", column)
    try:
        if _ODD.search("\n".join(text)):
            return None
        values = np.array([float(cell) for cell in text])
    except (TypeError, ValueError):
        return None
    return values if np.isfinite(values).all() and not _perhaps_grouped(values) else None


def _perhaps_grouped(values: np.ndarray) -> bool:
    """Tell whether points could stand between thousands: 1.234 beside 980."""
    parts = np.abs(values[values % 1 != 0])
    if parts.size == 0 or np.abs(values).max() < 100 or parts.min() < 1 or parts.max() >= 1000:
        return False
    return np.allclose(parts * 1000, np.round(parts * 1000), rtol=0, atol=1e-6)


class _Reader:
    """Reads one column cell by cell: first what is certain, then (settle) what the marks decide."""

    def __init__(self, column: Sequence[object]) -> None:
        self.column = column
        self.numbers = Numbers(np.full(len(column), np.nan))
        self.decimal: set[str] = set()
        self.thousands: set[str] = set()
        self.unclear: dict[int, str] = {}
        self.units: dict[int, str] = {}
        for row, cell in enumerate(column):
            self._read(row, cell)

    def _read(self, row: int, cell: object) -> None:
        if not isinstance(cell, str):
            self._keep(row, _typed(cell))
            return
        text = cell if _PLAIN.fullmatch(cell) else tidy(cell)
        written = _written(text)
        if written is None:
            self.numbers.faults[row] = _fault(cell, text)
            return
        self._note(row, written)
        if written.unclear:
            self.unclear[row] = written.text
        else:
            self._keep(row, float(written.text))

    def _keep(self, row: int, value: float | Fault) -> None:
        if isinstance(value, float) and math.isinf(value):
            value = Fault("is not finite", "write a finite number, or drop the row")
        if isinstance(value, Fault):
            self.numbers.faults[row] = value
        else:
            self.numbers.values[row] = value

    def _note(self, row: int, written: _Written) -> None:
        """Remember what the cell gives away about its column."""
        if written.decimal:
            self.decimal.add(written.decimal)
        if written.thousands:
            self.thousands.add(written.thousands)
        if written.unit:
            self.units[row] = written.unit
        if written.stars:
            self.numbers.habits.add("stars behind numbers left out")

    def settle(self, decimal: set[str], thousands: set[str]) -> None:
        """Read the unclear cells by the certain ones: of this column, then of the whole table."""
        if len(decimal) > 1:
            self.numbers.doubts.add("decimal commas and decimal points are mixed")
        decimal, largest = self.decimal or decimal, float(np.nanmax(np.abs([0.0, *self.numbers.values])))
        for row, text in self.unclear.items():
            self._keep(row, self._settled(text, decimal, thousands, largest))
        if "," in self.decimal:
            self.numbers.habits.add("decimal commas")
        for mark in self.thousands:
            habits = self.numbers.habits if mark in thousands else self.numbers.doubts
            habits.add(f"{mark!r} is taken to stand between thousands")

    def _settled(self, text: str, decimal: set[str], thousands: set[str], largest: float) -> float | Fault:
        """Read ``1,234`` or ``1.234`` by the marks met elsewhere; 100 and more make thousands likely."""
        mark, whole, point = text[-4], re.sub("[.,]", "", text), text.replace(",", ".")
        if mark not in thousands and (decimal == {mark} or (not decimal and mark == ".")):
            if not decimal and largest >= 100:
                self.numbers.doubts.add("a point before three digits is taken for a decimal point")
            self.decimal.add(mark)
            return float(point)
        if mark not in decimal and (mark in thousands or largest >= 100):
            self.thousands.add(mark)
            return float(whole)
        return Fault(
            f"is {shown(text)}, which can be read as {whole} or as {point}",
            f"write {whole} or {point}, without a mark between thousands",
        )


def _typed(cell: object) -> float | Fault:
    """Give the number of a cell that is not text."""
    if is_number(cell):
        try:
            return float(cell) if cell == cell else _fault(cell, "")  # type: ignore[arg-type]
        except (OverflowError, ArithmeticError, ValueError):  # 10**400, a signalling NaN
            return Fault("is too large, or no number", "write a finite number, or drop the row")
    return _fault(cell, tidy(as_text(cell)))


def _written(text: str) -> _Written | None:
    """Take a tidy number cell apart, or give nothing where it is not a number."""
    if _PLAIN.fullmatch(text):
        unclear = _UNCLEAR.fullmatch(text.lstrip("+-")) is not None
        return _Written(text, "." if "." in text and not unclear else "", unclear=unclear)
    cell = _CELL.fullmatch(text)
    body = _body(cell[4].strip(), bool(cell[5])) if cell else None
    units = [unit for unit in cell.group(1, 3, 6) if unit] if cell else []
    if cell is None or body is None or len(units) > 1:
        return None
    number = f"{cell[2]}{body.text}{cell[5] or ''}"
    return _Written(number, body.decimal, body.thousands, body.unclear, "".join(units), cell[7])


def _body(body: str, exponent: bool) -> _Written | None:
    """Take the digits and marks of a number apart."""
    thousands = ""
    if " " in body or "'" in body:
        spaced = _SPACED.fullmatch(body)
        if spaced is None:
            return None
        thousands = spaced[1]
        body = body.replace(thousands, "")
    points, commas = body.count("."), body.count(",")
    if points + commas == 0:
        return _Written(body, thousands=thousands)
    if points + commas == 1:
        unclear = not (thousands or exponent) and _UNCLEAR.fullmatch(body) is not None
        mark = "." if points else ","
        text = body if unclear else body.replace(mark, ".")
        return _Written(text, "" if unclear else mark, thousands, unclear)
    return None if thousands else _grouped(body)


def _grouped(body: str) -> _Written | None:
    """Take apart a number with several marks: 1,234,567 or 1.234,5."""
    last = max(".,", key=body.rfind)
    other = "," if last == "." else "."
    if body.count(last) > 1 or body.count(other) == 0:  # 1,234,567: one mark only, for the thousands
        whole = _GROUPS[last].fullmatch(body)
        return _Written(body.replace(last, ""), other, last) if whole else None
    head, _, tail = body.partition(last)
    if _GROUPS[other].fullmatch(head) is None:
        return None
    return _Written(f"{head.replace(other, '')}.{tail}", last, other)


def _fault(cell: object, text: str) -> Fault:
    """Say why a cell is not a number."""
    if text == "":
        return Fault("is empty", "fill it in, or drop the row")
    if text.casefold() in MISSING:
        return Fault(f"is missing: the cell says {shown(cell)}", "fill it in, or drop the row")
    if _INFINITE.fullmatch(text):
        return Fault(f"is {shown(cell)}, not finite", "write a finite number, or drop the row")
    if _EXCEL_ERROR.fullmatch(text):
        return Fault(f"is {shown(cell)}, an error of the spreadsheet", "mend the formula, or drop the row")
    return Fault(f"is {shown(cell)}, not a number", _mend(text))


def _mend(text: str) -> str:
    """Say how to write what stands in the cell."""
    if _DATE.search(text):
        return "this looks like a date, which spreadsheets make of numbers: write the number again"
    inside = re.findall(r"(?<!\w)-?[0-9]+(?:[.,][0-9]+)*", text)
    if len(inside) == 1 and inside[0] != text and not re.search(r"[<>≤≥±]", text):
        return f"write the number alone: {inside[0]}"
    if len(inside) > 1 and "_" not in text:
        return "write one number in a cell: give the estimate and its error or limits columns of their own"
    return "write a number, or drop the row"


def _same_unit(readers: Sequence[_Reader]) -> None:
    """Take units away where every cell has the same one; otherwise the first that differs is a fault."""
    units = {unit for reader in readers for unit in reader.units.values()}
    for unit in sorted(units)[:1]:
        for reader in readers:
            reader.numbers.habits.add(f"numbers in {unit}, the sign left out")
            rows = (row for row in range(len(reader.column)) if row not in reader.numbers.faults)
            row = next((row for row in rows if reader.units.get(row) != unit), None)
            if row is not None:
                reader.numbers.faults[row] = Fault(
                    f"is {shown(reader.column[row])}, while other cells are in {unit}",
                    "write all the numbers in the same unit, or leave the signs out everywhere",
                )
