"""Reads a file of many tables, whole or, where it is larger than memory, piece by piece."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from propto.errors import MissingExtraError, TableError, TableProblem
from propto.pooling.stacked import Tables
from propto.pooling.tables import read_table

# Parquet files with more rows than this are read in pieces of so many.
ROWS_AT_ONCE = 2_000_000


@dataclass(frozen=True, eq=False)
class Piece:
    """Whole tables, one below the other.

    Parameters
    ----------
    names
        Name of each table, shape (tables,).
    label
        Name of each group, shape (rows,).
    tables
        The data.
    notes
        What was guessed in reading.
    """

    names: np.ndarray
    label: np.ndarray
    tables: Tables
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows as they stand: the table that each belongs to, and its group."""

    table: np.ndarray
    label: np.ndarray
    estimate: np.ndarray
    std_error: np.ndarray

    def part(self, which: Any) -> _Rows:
        return _Rows(self.table[which], self.label[which], self.estimate[which], self.std_error[which])

    def below(self, others: _Rows) -> _Rows:
        """The others first, then these."""
        pairs = [(getattr(others, name), getattr(self, name)) for name in vars(self)]
        return _Rows(*(np.concatenate(pair) for pair in pairs))


def files_of(source: Any) -> list[Any]:
    """The source, or the Parquet files of a folder in the order of their names."""
    if not isinstance(source, str | os.PathLike) or not Path(source).is_dir():
        return [source]
    files = sorted(Path(source).rglob("*.parquet"))
    if not files:
        raise TableError(str(source), [TableProblem("this folder holds no Parquet files (*.parquet)")])
    return files


def read_pieces(source: Any, by: str, **columns: Any) -> Iterator[Piece]:
    """Read many tables from one source.

    Parameters
    ----------
    source
        Whatever `read_table` takes. A Parquet file of more than 2 million rows comes in pieces; its rows
        must be sorted by table.
    by
        The column that tells the tables apart.
    **columns
        Further arguments of `read_table`.

    Yields
    ------
    Piece

    Raises
    ------
    TableError
        The source cannot be used, or a table's rows are scattered over a file that is read in pieces.
    """
    if _is_long_parquet(source):
        yield from _from_parts(_parquet_parts(source), str(source), by, columns)
        return
    rows, notes = _read(source, by, columns)
    yield _piece(rows, notes)


def _read(source: Any, by: str, columns: dict[str, Any]) -> tuple[_Rows, tuple[str, ...]]:
    """Read the rows, with the column that tells the tables apart."""
    table = read_table(source, **columns, cluster=by)
    rows = _Rows(np.array(table.cluster), np.array(table.label), table.estimate, table.std_error)
    return rows, table.notes


def _piece(rows: _Rows, notes: tuple[str, ...]) -> Piece:
    """Bring the rows of each table together; tables stay in the order of their first rows."""
    names, first, which = np.unique(rows.table, return_index=True, return_inverse=True)
    place = np.empty(len(names), dtype=np.intp)
    place[np.argsort(first)] = np.arange(len(names))
    table = place[which.ravel()]
    order = np.argsort(table, kind="stable")
    tables = Tables(
        rows.estimate[order], rows.std_error[order] ** 2, np.bincount(table, minlength=len(names))
    )
    return Piece(names[np.argsort(first)], rows.label[order], tables, notes)


def _from_parts(parts: Iterator[Any], source: str, by: str, columns: dict[str, Any]) -> Iterator[Piece]:
    """Give the whole tables of every part, and keep the last one until the next part has come."""
    kept: _Rows | None = None
    seen: set[str] = set()
    notes: tuple[str, ...] = ()
    for part in parts:
        rows, notes = _read(part, by, columns)
        rows = rows if kept is None else rows.below(kept)
        last = rows.table == rows.table[-1]
        kept = rows.part(last)
        if not last.all():
            yield _new_piece(rows.part(~last), notes, seen, source, by)
    if kept is not None:
        yield _new_piece(kept, notes, seen, source, by)


def _new_piece(rows: _Rows, notes: tuple[str, ...], seen: set[str], source: str, by: str) -> Piece:
    """A piece none of whose tables has come before."""
    piece = _piece(rows, notes)
    names = set(piece.names.tolist())
    again = sorted(names & seen)
    if again:
        message = f"the rows of {again[0]!r} are scattered over the file, which is too long to be read whole"
        raise TableError(
            source, [TableProblem(message, column=by, mend=f"sort the file by {by!r} and write it again")]
        )
    seen |= names
    return piece


def _is_long_parquet(source: Any) -> bool:
    if not isinstance(source, str | os.PathLike) or not Path(source).is_file():
        return False
    with Path(source).open("rb") as file:
        if file.read(4) != b"PAR1":
            return False
    return bool(_parquet().ParquetFile(source).metadata.num_rows > ROWS_AT_ONCE)


def _parquet_parts(source: Any) -> Iterator[Any]:
    """The file as Arrow tables."""
    pyarrow = importlib.import_module("pyarrow")

    for batch in _parquet().ParquetFile(source).iter_batches(batch_size=ROWS_AT_ONCE):
        yield pyarrow.Table.from_batches([batch])


def _parquet() -> Any:
    try:
        return importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtraError("reading Parquet files", "parquet") from None
