"""A table as it stands in its source: names, cells, and the line of every row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from propto.errors import TableError, TableProblem
from propto.pooling.tables.cells import as_text, is_number, shown
from propto.pooling.tables.names import role_of

Record = tuple[int, Sequence[object]]  # the line on which a row starts, and its fields

_RULE = frozenset("-=:+ ")
_ROWS = "give one line per group"


@dataclass(frozen=True)
class Grid:
    """Cells by column, with what was said and what was found wrong while they were read.

    Parameters
    ----------
    name
        Name of the source, for messages.
    header
        Names of the columns, stripped; empty where a column has none.
    columns
        The cells of each column, in the order of the rows.
    lines
        Line of each row in the file, counted from 1; ``None`` where rows have no lines.
    header_line
        Line of the column names.
    problems, notes, warnings
        Rows that cannot be cut into cells; what was guessed; what looks doubtful.
    """

    name: str
    header: tuple[str, ...]
    columns: Sequence[Sequence[object]]
    lines: Sequence[int] | None = None
    header_line: int | None = None
    problems: tuple[TableProblem, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def refusal(name: str, message: str, mend: str, line: int | None = None) -> TableError:
    """Make the error of a source that is no table at all."""
    return TableError(name, [TableProblem(message, line, mend=mend)])


def header_place(records: Sequence[Record], known: Callable[[str], bool]) -> int:
    """Find the record that holds the column names among the first ones.

    It is the first with two known names or more; else the first of usual width.
    """
    head = [fields for _, fields in records[:40]]
    named = [place for place, fields in enumerate(head) if names_known(fields, known) >= 2]
    if named:
        return named[0]
    widths = [len(fields) for fields in head]
    return widths.index(Counter(widths).most_common(1)[0][0]) if widths else 0


def names_known(fields: Sequence[object], known: Callable[[str], bool]) -> int:
    """Count the different known names in a record; a record with numbers has none."""
    texts = {as_text(cell).strip() for cell in fields} - {""}
    return 0 if any(is_number(text) for text in texts) else sum(map(known, texts))


def grid_from_records(
    name: str,
    records: Sequence[Record],
    known: Callable[[str], bool],
    *,
    separator: str | None = None,
    notes: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> Grid:
    """Make a grid of the records of a file: find the header, drop empty rows, report rows of another width.

    ``separator`` is the character between fields, or ``None`` where fields cannot be torn (spreadsheets).
    """
    records = [record for record in records if not _is_empty(record[1])]
    if not records:
        raise refusal(name, "there is no table in it", "give a header and one line per group")
    place = header_place(records, known)
    (header_line, fields), rows = records[place], records[place + 1 :]
    header = tuple(as_text(cell).strip() for cell in fields)
    _demand_names(name, header_line, header, known)
    said = list(notes)
    if place:
        said.append(f"the column names stand on line {header_line}; the text above them is left out")
    if separator not in (None, ",") and _has_row_names(rows, header, separator):
        header = ("", *header)
        said.append("every line has one field more than the header: the first is taken for a row name")
    problems, kept = _cut(rows, header, separator)
    if not rows:
        problems = [TableProblem("there are no rows below the column names", header_line, mend=_ROWS)]
    columns = list(zip(*(fields for _, fields in kept), strict=True)) or [() for _ in header]
    lines = [line for line, _ in kept]
    return Grid(name, header, columns, lines, header_line, tuple(problems), tuple(said), tuple(warnings))


def _is_empty(fields: Sequence[object]) -> bool:
    """Tell whether a row has no content: blanks only, or a ruled line."""
    first = as_text(fields[0]).strip() if fields else ""
    if first and not set(first) <= _RULE:
        return False
    texts = [as_text(cell).strip() for cell in fields]
    return not any(texts) or all(len(text) > 1 and set(text) <= _RULE for text in texts if text)


def _demand_names(name: str, line: int, header: Sequence[str], known: Callable[[str], bool]) -> None:
    """Refuse a table whose first row is data."""
    if any(known(text) for text in header if text) or not any(is_number(text) for text in header):
        return
    found = ", ".join(shown(text) for text in header[:6])
    message = f"the column names are missing: the first row looks like data ({found})"
    raise refusal(name, message, "put a first line above it: label,estimate,se", line)


def _has_row_names(rows: Sequence[Record], header: Sequence[str], separator: str) -> bool:
    """Tell whether R's row names stand before the first named column in every row.

    Between spaces a label of two words would look the same, so there must be no other label.
    """
    if not rows or any(len(fields) != len(header) + 1 or fields[-1] == "" for _, fields in rows):
        return False
    first = [str(fields[0]) for _, fields in rows]
    counted = first == [str(number) for number in range(1, len(rows) + 1)]
    labelled = any((role_of(name) or ("", 0))[0] == "label" for name in header)
    return counted or (len(set(first)) == len(first) and not (separator == " " and labelled))


def _cut(
    rows: Sequence[Record], header: Sequence[str], separator: str | None
) -> tuple[list[TableProblem], Sequence[Record]]:
    """Bring every row to the width of the header, and report those that do not fit."""
    width = len(header)
    if all(len(fields) == width for _, fields in rows):
        return [], rows
    needed = max((place + 1 for place, text in enumerate(header) if text), default=0)
    kept: list[Record] = []
    problems = []
    for line, fields in rows:
        if separator is None or (needed <= len(fields) and not any(fields[width:])):
            kept.append((line, (*fields, *[""] * width)[:width]))
        else:
            problems.append(_ragged(line, [as_text(cell) for cell in fields], header, separator))
    return problems, kept


def _ragged(line: int, fields: Sequence[str], header: Sequence[str], separator: str) -> TableProblem:
    """Say that a line has too many or too few fields."""
    count = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
    message = f"this line has {count}, the header has {len(header)}"
    return TableProblem(message, line, None, separator.join(fields), _ragged_mend(fields, header, separator))


def _ragged_mend(fields: Sequence[str], header: Sequence[str], separator: str) -> str:
    """Say how to bring a line to the width of the header."""
    extra = len(fields) - len(header)
    if len(fields) == 1:
        return "delete the line, or start it with # if it is a remark"
    if extra < 0:
        return "fill in the missing fields, or drop the row"
    text = next((place for place, cell in enumerate(fields) if cell and not is_number(cell)), len(fields))
    torn = fields[text : text + extra + 1]
    if any(cell and not is_number(cell) for cell in torn[1:]):
        return f"put quotes round the text: {shown((', ' if separator == ',' else separator).join(torn))}"
    if separator == " ":
        return "put quotes round labels of several words"
    if separator == ",":
        return "put quotes round fields with a comma in them, or separate the fields by semicolons"
    return "take the extra fields out"
