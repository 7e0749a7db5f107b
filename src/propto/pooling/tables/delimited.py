"""Cuts delimited text into records, each with the line it starts on, and finds what separates the fields."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from propto.errors import TableError, TableProblem
from propto.pooling.tables.cells import shown
from propto.pooling.tables.grid import Grid, Record, grid_from_records, header_place, names_known, refusal

SEPARATORS = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas", " ": "spaces"}
_HINT = re.compile(
    r"sep=([\t;|,])\s*\n", re.IGNORECASE
)  # a first line by which spreadsheets name the separator
_HEAD = 100_000  # characters looked at to find the separator


def read_delimited(name: str, text: str, known: Callable[[str], bool], notes: Sequence[str] = ()) -> Grid:
    """Read delimited text as a grid; ``known`` tells which column names have a meaning here."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise refusal(name, "the file is empty", "give a header and one line per group")
    hint = _HINT.match(text)
    text = f"#{text}" if hint else text  # a comment then, and all line numbers stay right
    separator = hint[1] if hint else find_separator(name, text, known)
    source = Lines(text)
    records = list(cut(name, source, separator))
    said = [*notes, *([] if separator == "," else [f"fields are separated by {SEPARATORS[separator]}"])]
    grid = grid_from_records(name, records, known, separator=separator, notes=said)
    return _with_comments(grid, source.comments, separator)


def find_separator(name: str, text: str, known: Callable[[str], bool]) -> str:
    """Choose the separator whose header has the most known names, then the steadiest rows below it."""
    head = text if len(text) <= _HEAD else text[: text.rfind("\n", 0, _HEAD) + 1 or _HEAD]
    scores = {separator: _score(name, head, separator, known) for separator in SEPARATORS}
    best = max(scores, key=lambda separator: scores[separator])
    if scores[best] == _ONE_COLUMN:
        message = (
            "fewer than two columns were found; commas, semicolons, tabs, bars or spaces separate fields"
        )
        raise refusal(name, message, "give a header and one line per group: label,estimate,se")
    return best


_Score = tuple[int, int, float, int]
_ONE_COLUMN: _Score = (-1, 0, 0.0, 0)


def _score(name: str, head: str, separator: str, known: Callable[[str], bool]) -> _Score:
    """Tell how well a separator fits: known names, height of the header, steadiness, width."""
    records = list(islice(cut(name, Lines(head), separator, strict=False), 60))
    place = header_place(records, known)
    width = len(records[place][1]) if records else 0
    if width < 2:
        return _ONE_COLUMN
    rows = records[place + 1 :]
    steady = sum(len(fields) == width for _, fields in rows) / max(len(rows), 1)
    return names_known(records[place][1], known), -place, steady, width


@dataclass
class Lines:
    """Hands lines to the csv reader; between records it passes over blank lines and comments."""

    text: str
    number: int = 0
    raw: list[str] = field(default_factory=list)  # lines of the present record; empty between records
    comments: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.handle = io.StringIO(self.text)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._next()
        while not self.raw and (line.isspace() or line.startswith("#")):
            if line.startswith("#"):
                self.comments.append((self.number, line.strip()))
            line = self._next()
        self.raw.append(line)
        return line

    def _next(self) -> str:
        line = next(self.handle)
        self.number += 1
        return line


def cut(name: str, lines: Lines, separator: str, strict: bool = True) -> Iterator[Record]:
    """Cut lines into records; where ``strict``, a quote that is not closed well is an error."""
    if separator == " ":
        lines = Lines(re.sub(r"(?m)[ \t]+$", "", lines.text), comments=lines.comments)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    try:
        for fields in reader:
            start = lines.number - len(lines.raw) + 1
            if strict and len(lines.raw) > 1:
                list(csv.reader(lines.raw, delimiter=separator, skipinitialspace=True, strict=True))
            lines.raw.clear()
            yield start, tuple(fields)
    except csv.Error as error:
        start = lines.number - len(lines.raw) + 1
        cell = shown("".join(lines.raw[:1]).strip())
        message, mend = (
            f"a quote that opens on this line is not closed: {cell}",
            "close the quote, or take it out",
        )
        if "limit" in str(error) and "".join(lines.raw).count('"') % 2 == 0:
            message, mend = f"a field is longer than {csv.field_size_limit():,} letters: {cell}", "shorten it"
        raise TableError(name, [TableProblem(message, start, mend=mend)]) from None


def _with_comments(grid: Grid, comments: Sequence[tuple[int, str]], separator: str) -> Grid:
    """Warn of comments that could be rows."""
    width, top = len(grid.header), grid.header_line or 0
    texts = [
        f"line {line} starts with # and is left out as a comment: {shown(text)}"
        for line, text in comments
        if line > top and text.count(separator) == width - 1
    ]
    if texts and not grid.lines:
        message = "every line below the column names starts with #, so all are comments"
        raise refusal(grid.name, message, "take the # away, or put quotes round the labels", grid.header_line)
    more = [f"{len(texts) - 3} more lines with # are left out as comments"] if len(texts) > 3 else []
    return replace(grid, warnings=(*grid.warnings, *texts[:3], *more))
