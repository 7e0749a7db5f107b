"""Opens whatever holds a table (file, standard input, dataframe, columns) and gives its grid."""

from __future__ import annotations

import codecs
import difflib
import gzip
import importlib
import io
import json
import os
import re
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from propto.errors import MissingExtraError, TableError, TableProblem
from propto.pooling.tables.cells import escaped, shown
from propto.pooling.tables.delimited import read_delimited
from propto.pooling.tables.frames import grid_from_columns, grid_from_frame, grid_from_rows
from propto.pooling.tables.grid import Grid, Record, grid_from_records, header_place, names_known, refusal

Known = Callable[[str], bool]

MOST_BYTES = 2**31  # of a file, and of what is packed in it
_TOO_LARGE = "this is larger than 2 GiB", "cut it into parts, or pool many tables from a Parquet file"
_SIGNATURES = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip archive",
    b"\xd0\xcf\x11\xe0": "an old .xls workbook, or one with a password",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"ARROW1": "a Feather file",
    b"\x89HDF": "an HDF5 file",
    b"SQLite format 3": "an SQLite database",
    b"RDX": "an R data file",
    b"$FL": "an SPSS file",
    b"<stata_dta": "a Stata file",
    b"{\\rtf": "an RTF document",
    b"\x7fELF": "a program",
}
_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_ENDINGS = (".csv", ".tsv", ".txt", ".tab", ".xlsx", ".xlsm", ".parquet", ".json", ".jsonl", ".ndjson", ".gz")


def open_grid(source: Any, known: Known) -> Grid:
    """Read any source of a table as a grid; ``known`` tells which column names have a meaning here."""
    if isinstance(source, str | os.PathLike):
        if os.fspath(source) == "-":
            return _from_content("<stdin>", getattr(sys.stdin, "buffer", sys.stdin).read(), known)
        path = Path(os.fspath(source))
        return _from_content(escaped(str(path)), file_bytes(path), known)
    if hasattr(source, "read"):
        name = getattr(source, "name", None)
        return _from_content(escaped(name) if isinstance(name, str) else "<file>", _read(source), known)
    if isinstance(source, Mapping):
        return grid_from_columns("<columns>", source.items())
    if isinstance(source, list | tuple):
        return grid_from_rows("<rows>", source)
    return grid_from_frame("<dataframe>", source)


def _read(handle: Any) -> bytes | str:
    try:
        content: bytes | str = handle.read()
    except UnicodeDecodeError:
        raise refusal(
            "<file>", "the encoding of this file object is wrong", "open the file in binary mode"
        ) from None
    return content


def file_bytes(path: Path) -> bytes:
    """Read a file, or say in plain words why it cannot be read."""
    name = escaped(str(path))
    try:
        with path.open("rb") as file:  # at most so many, since a device has no end
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise refusal(name, "there is no such file", _near(path)) from None
    except IsADirectoryError:
        raise refusal(name, "this is a folder, not a file", _inside(path)) from None
    except PermissionError:
        raise refusal(
            name, "this file may not be read: permission denied", "ask for leave to read it"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise refusal(
            name, f"this file cannot be read: {escaped(reason)}", "give the path of a table"
        ) from None
    if len(content) > MOST_BYTES:
        raise refusal(name, *_TOO_LARGE)
    return content


def _near(path: Path) -> str:
    """Suggest the file that was probably meant."""
    if re.match("[a-z]+:/", str(path)):
        return "addresses are not fetched: save the table as a file first"
    if "\n" in str(path):
        return "to give the text of a table itself, wrap it in io.StringIO"
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {shown(str(folder))} either: check the path"
    names = [entry.name for entry in folder.iterdir()]
    close = difflib.get_close_matches(path.name.casefold(), [name.casefold() for name in names], 1, 0.5)
    like = [name for name in names if name.casefold() in close]
    return f"did you mean {shown(str(folder / like[0]), 200)}?" if like else "check the path"


def _inside(path: Path) -> str:
    """Name the tables in a folder."""
    found = sorted(entry.name for entry in path.iterdir() if entry.name.lower().endswith(_ENDINGS))
    return f"give one file; in it are {', '.join(map(shown, found[:5]))}" if found else "give one file"


def _from_content(name: str, content: bytes | str, known: Known) -> Grid:
    """Read the content of a file by what it holds, whatever its name says."""
    if isinstance(content, str):
        return _from_text(name, content, known, [])
    if not content:
        raise refusal(name, "the file is empty", "give a header and one line per group")
    if content.startswith(b"\x1f\x8b"):
        return _from_content(name, _unzipped(name, content), known)
    if content.startswith(b"PAR1"):
        return _from_parquet(name, content)
    if content.startswith(b"PK\x03\x04") and b"xl/workbook" in content:
        return _from_workbook(name, content, known)
    text, notes = decode(name, content)
    return _from_text(name, text, known, notes)


def _unzipped(name: str, content: bytes) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as archive:
            inside = archive.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise refusal(
            name, "this gzip archive is damaged", "make it again, or give the file itself"
        ) from None
    if len(inside) > MOST_BYTES:
        raise refusal(name, *_TOO_LARGE)
    if inside.startswith(b"\x1f\x8b"):
        raise refusal(name, "this gzip archive holds another one", "unpack it, and give the file itself")
    return inside


def decode(name: str, content: bytes) -> tuple[str, list[str]]:
    """Decode a text file: UTF-8, UTF-16 and UTF-32 by their marks or zeros, else Windows-1252 letters."""
    kind = next((kind for start, kind in _SIGNATURES.items() if content.startswith(start)), None)
    bom = next((bom for bom in _BOMS if content.startswith(bom)), b"")
    encoding = _BOMS.get(bom) or _zeros(content[:4000])
    notes = [] if encoding == "utf-8" else [f"the text is {encoding.upper()}"]
    try:
        text = content[len(bom) :].decode(encoding)
    except UnicodeDecodeError:
        text = content[len(bom) :].decode("utf-8", "propto.windows-1252")
        notes = ["the text is not UTF-8: its letters are read as Windows-1252"]
    text = text.rstrip("\x1a\0")
    head = text[:4000]
    controls = sum(c < " " and c not in "\t\n\r\f" for c in head)
    if kind or "\0" in head or controls > 10 + len(head) / 50:
        looks = f" (it looks like {kind})" if kind else ""
        raise refusal(name, f"this is not a text file{looks}", "give a CSV, Excel, Parquet or JSON file")
    return text, notes


def _zeros(head: bytes) -> str:
    """Guess the encoding of text without a mark from where its zero bytes stand."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > 0.3 * len(head) / 2 and min(even, odd) == 0:
        return "utf-16-le" if odd else "utf-16-be"
    return "utf-8"


def _windows(error: UnicodeError) -> tuple[str, int]:
    """Read the bytes that are not UTF-8 as Windows-1252."""
    assert isinstance(error, UnicodeDecodeError)
    wrong = error.object[error.start : error.end]
    try:
        return wrong.decode("cp1252"), error.end
    except UnicodeDecodeError:
        return wrong.decode("latin-1"), error.end


codecs.register_error("propto.windows-1252", _windows)


def _from_text(name: str, text: str, known: Known, notes: Sequence[str]) -> Grid:
    """Read JSON or delimited text."""
    text = text.removeprefix("\ufeff")
    start = text.lstrip()[:15].casefold()
    if start.startswith(("<!doctype html", "<html")):
        raise refusal(name, "this is a web page, not a table", "save the table itself as a CSV file")
    compact = "".join(text[:200].split())
    if compact.startswith(('{"', "{}", "[{", "[]", "[[")):
        return _from_json(name, text)
    return read_delimited(name, text, known, notes)


def _from_json(name: str, text: str) -> Grid:
    """Read JSON: an array of records, an object of columns, or one record on each line."""
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        if text.lstrip().startswith("["):
            raise refusal(
                name, f"this JSON cannot be read: {error.msg}", "mend the JSON", error.lineno
            ) from None
        return _from_json_lines(name, text)
    except (ValueError, RecursionError) as error:
        raise refusal(name, f"this JSON cannot be read: {_limit(error)}", "mend the JSON") from None
    if isinstance(whole, list):
        return grid_from_rows(name, whole)
    if any(isinstance(cell, list | dict) for cell in whole.values()):
        return grid_from_columns(
            name, [(k, list(c.values()) if isinstance(c, dict) else c) for k, c in whole.items()]
        )
    return grid_from_rows(name, [whole], [1])


def _limit(error: Exception) -> str:
    """Which limit of Python's reader was met."""
    return "it is nested too deeply" if isinstance(error, RecursionError) else "a number has too many digits"


def _from_json_lines(name: str, text: str) -> Grid:
    rows, lines, problems = [], [], []
    for number, line in enumerate(io.StringIO(text), 1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
            lines.append(number)
        except json.JSONDecodeError as error:
            message = f"this line is not JSON: {error.msg}"
            problems.append(
                TableProblem(message, number, None, line.strip(), "write one record on each line")
            )
        except (ValueError, RecursionError) as error:
            raise refusal(name, f"this JSON cannot be read: {_limit(error)}", "mend it", number) from None
    if problems:
        raise TableError(name, problems)
    return grid_from_rows(name, rows, lines)


def _from_parquet(name: str, content: bytes) -> Grid:
    """Read a Parquet file."""
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtraError("reading Parquet files", "parquet") from None
    try:
        file = parquet.ParquetFile(io.BytesIO(content))
        groups = map(file.metadata.row_group, range(file.metadata.num_row_groups))
        if sum(group.total_byte_size for group in groups) > MOST_BYTES:
            raise refusal(name, *_TOO_LARGE)
        frame = file.read()
    except (ValueError, OSError, NotImplementedError):
        raise refusal(name, "this Parquet file is damaged", "write it again") from None
    return grid_from_frame(name, frame)


def _from_workbook(name: str, content: bytes, known: Known) -> Grid:
    """Read the first sheet with cells of an Excel workbook; lines are the rows of the sheet."""
    import openpyxl

    _refuse_large(name, content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions, which hold no cells
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            sheets = {sheet.title: _rows(sheet) for sheet in book.worksheets}
    except Exception:  # whatever the parser meets in a file that is no workbook
        raise refusal(name, "this Excel workbook cannot be read", "save it again, or as a CSV file") from None
    title, said, doubts = _sheet({title: rows for title, rows in sheets.items() if rows}, known)
    return grid_from_records(name, sheets.get(title, []), known, notes=said, warnings=doubts)


def _refuse_large(name: str, content: bytes) -> None:
    """Refuse a workbook whose parts would grow beyond all measure."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(part.file_size for part in archive.infolist())
    except (ValueError, OSError, NotImplementedError, zipfile.BadZipFile):
        return  # which is said when the workbook itself is read
    if size > MOST_BYTES:
        raise refusal(name, *_TOO_LARGE)


def _sheet(sheets: Mapping[str, Sequence[Record]], known: Known) -> tuple[str, list[str], list[str]]:
    """Choose the sheet with known column names, or the first; say so where there are several."""
    fitting = [
        title for title, rows in sheets.items() if names_known(rows[header_place(rows, known)][1], known) > 1
    ]
    title = next(iter(fitting or sheets), "")
    text = f"the sheet {shown(title)} is read, of {', '.join(map(shown, sheets))}"
    if len(sheets) < 2:
        return title, [], []
    return (title, [text], []) if len(fitting) == 1 else (title, [], [text])


def _rows(sheet: Any) -> list[Record]:
    """Give the rows of a sheet that have cells."""
    sheet.reset_dimensions()  # some programs write wrong ones
    rows = enumerate(sheet.iter_rows(values_only=True), 1)
    return [(number, cells) for number, cells in rows if any(cell is not None for cell in cells)]
