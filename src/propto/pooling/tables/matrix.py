"""Reads the covariance matrix that belongs to a table, and holds it against the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from propto.errors import TableError, TableProblem
from propto.pooling.tables.cells import as_text, escaped, is_number, read_numbers, shown
from propto.pooling.tables.delimited import Lines, cut, find_separator
from propto.pooling.tables.grid import Record, refusal
from propto.pooling.tables.rows import clean_label
from propto.pooling.tables.sources import decode, file_bytes
from propto.pooling.tables.table import Table

_ROUNDED = 1e-6  # of the two standard errors: what rounding in the file may do to a covariance
_DIFFERENT = 0.01  # share of a standard error by which table and matrix may differ
_SINGULAR = 1e-12  # of the largest eigenvalue
_MOST_PROBLEMS = 20


@dataclass(frozen=True)
class _Cells:
    """A matrix as it stands in its file: numbers, names where there are any, and the line of every row."""

    name: str
    values: np.ndarray
    lines: tuple[int, ...]
    across: tuple[str, ...] = ()
    down: tuple[str, ...] = ()


def read_covariance(path: str | Path, table: Table) -> tuple[np.ndarray, tuple[str, ...]]:
    r"""Read the covariance matrix of a table's estimates from delimited text.

    A first row and a first column may hold the labels of the groups. Then the matrix is brought into the
    order of the table; without labels it must stand in this order. Its diagonal holds the squares of the
    table's standard errors.

    Parameters
    ----------
    path
        A CSV file, or other delimited text.
    table
        The table of k estimates.

    Returns
    -------
    matrix, notes
        Shape (k, k), symmetric and positive definite; and what was done to it, in sentences.

    Raises
    ------
    TableError
        The file is no such matrix: its shape, labels, cells, symmetry, diagonal or definiteness.

    Examples
    --------
    >>> import tempfile
    >>> from propto.pooling.tables import read_table
    >>> table = read_table({"school": ["A", "B"], "effect": [28, 8], "se": [15, 10]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "covariance.csv"
    ...     _ = file.write_text(",B,A\nB,100,30\nA,30,225\n")
    ...     matrix, notes = read_covariance(file, table)
    >>> matrix.tolist(), notes
    ([[225.0, 30.0], [30.0, 100.0]], ('the covariance matrix is in another order: sorted by its labels',))
    """
    cells = _read(Path(path), len(table.label))
    place = _places(cells, table.label)
    cells = _Cells(cells.name, cells.values[np.ix_(place, place)], tuple(cells.lines[i] for i in place))
    _refuse(cells, _asymmetries(cells, table.label))
    _refuse(cells, _unlike(cells, table))
    _refuse(cells, _indefinite(cells, table.label))
    moved = bool(np.any(place != np.arange(len(place))))
    notes = ("the covariance matrix is in another order: sorted by its labels",) if moved else ()
    return (cells.values + cells.values.T) / 2, notes


def _read(path: Path, k: int) -> _Cells:
    """Cut the file into numbers and names."""
    name = escaped(str(path))
    text, _ = decode(name, file_bytes(path))
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    separator = find_separator(name, text, lambda _: False) if text.strip() else ","
    records = [record for record in cut(name, Lines(text), separator) if any(map(_filled, record[1]))]
    if not records:
        raise refusal(name, "the file is empty", "give one row and one column a group")
    across, rows = _header(records, k)
    _refuse_shape(name, rows, across, k)
    named = len(rows[0][1]) == k + 1
    down = tuple(clean_label(fields[0]) for _, fields in rows) if named else ()
    fields = [fields[named:] for _, fields in rows]
    lines = tuple(line for line, _ in rows)
    columns = read_numbers(list(zip(*fields, strict=True)))
    faults = [
        TableProblem(f"the covariance {fault.message}", lines[row], _column(across, j), mend=fault.mend)
        for j, column in enumerate(columns)
        for row, fault in column.faults.items()
    ]
    cells = _Cells(name, np.stack([column.values for column in columns], axis=1), lines, across, down)
    _refuse(cells, sorted(faults, key=lambda fault: fault.line or 0))
    return cells


def _filled(cell: object) -> bool:
    return bool(as_text(cell).strip())


def _column(across: Sequence[str], j: int) -> str:
    return across[j] if across else str(j + 1)


def _header(records: list[Record], k: int) -> tuple[tuple[str, ...], list[Record]]:
    """Take the first row for labels where there is one row too many, or where it holds texts."""
    first = records[0][1]
    if len(records) != k + 1 and any(is_number(cell) for cell in first[1:]):
        return (), records
    corner = len(first) == len(records[-1][1]) and len(first) == k + 1
    return tuple(map(clean_label, first[corner:])), records[1:]


def _refuse_shape(name: str, rows: list[Record], across: tuple[str, ...], k: int) -> None:
    """Refuse what has not one row and one column a group."""
    widths = {len(fields) for _, fields in rows}
    if len(rows) == k and widths in ({k}, {k + 1}) and len(across) in (0, k):
        return
    wide = " or ".join(map(str, sorted(widths)))
    message = f"expected {k} rows and {k} columns, one for each group, got {len(rows)} rows of {wide} numbers"
    mend = "give one row and one column a group; a first row and a first column may hold the labels"
    raise TableError(name, [TableProblem(message, mend=mend)])


def _places(cells: _Cells, label: Sequence[str]) -> np.ndarray:
    """Where the groups of the table stand in the matrix."""
    names = cells.across or cells.down
    if cells.across and cells.down and cells.across != cells.down:
        j = next(j for j, pair in enumerate(zip(cells.across, cells.down, strict=True)) if len({*pair}) > 1)
        message = f"row {j + 1} is of {shown(cells.down[j])}, and column {j + 1} of {shown(cells.across[j])}"
        _refuse(cells, [TableProblem(message, cells.lines[j], mend="put rows and columns in the same order")])
    if not names or tuple(names) == tuple(label):
        return np.arange(len(label))
    _refuse(cells, _strangers(names, label))
    if len(set(label)) < len(label):
        message = "labels that stand more than once cannot tell in which order the matrix is"
        _refuse(cells, [TableProblem(message, mend="put the matrix in the order of the table")])
    place = {name: j for j, name in enumerate(names)}
    return np.array([place[name] for name in label])


def _strangers(names: Sequence[str], label: Sequence[str]) -> list[TableProblem]:
    """Labels that only the matrix or only the table has."""
    mend = "give rows and columns the labels of the table, or none"
    new = [TableProblem(f"the table has no group {shown(name)}", None, name, mend=mend) for name in names]
    gone = [TableProblem(f"the matrix has no group {shown(name)}", mend=mend) for name in label]
    unknown = [problem for problem, name in zip(new, names, strict=True) if name not in label]
    return unknown + [problem for problem, name in zip(gone, label, strict=True) if name not in names]


def _asymmetries(cells: _Cells, label: Sequence[str]) -> list[TableProblem]:
    """Variances that are none, and pairs of cells that should be equal."""
    v, variance = cells.values, np.diagonal(cells.values)
    if (variance <= 0).any():
        j = int(np.argmin(variance))
        message = f"the variance of {shown(label[j])} is {variance[j]:g}; it must be greater than 0"
        return [TableProblem(message, cells.lines[j], mend="the diagonal holds squared standard errors")]
    size = np.sqrt(np.outer(variance, variance))
    return [
        TableProblem(
            f"a covariance matrix is symmetric; that of {shown(label[i])} with {shown(label[j])} is "
            f"{v[i, j]:g}, and the other way round {v[j, i]:g}",
            cells.lines[i],
            mend="give both the same number",
        )
        for i, j in zip(*np.nonzero(np.triu(np.abs(v - v.T) > _ROUNDED * size)), strict=True)
    ]


def _unlike(cells: _Cells, table: Table) -> list[TableProblem]:
    """Standard errors that differ from those of the table."""
    error = np.sqrt(np.diagonal(cells.values))
    apart = np.abs(error / table.std_error - 1) > _DIFFERENT
    if not apart.any():
        return []
    if np.allclose(error, 1, rtol=1e-6):
        message = "the diagonal is 1 throughout: this looks like a correlation matrix"
        mend = "multiply each correlation by both standard errors"
        return [TableProblem(message, mend=mend)]
    j = int(np.argmax(apart))
    message = (
        f"the standard error of {shown(table.label[j])} is {error[j]:.4g} by the matrix and "
        f"{table.std_error[j]:.4g} by the table"
    )
    mend = "give both in the same unit and order (label rows and columns, and the order is found)"
    return [TableProblem(message, cells.lines[j], mend=mend)]


def _indefinite(cells: _Cells, label: Sequence[str]) -> list[TableProblem]:
    """A matrix that no estimates can have."""
    error = np.sqrt(np.diagonal(cells.values))
    correlation = cells.values / np.outer(error, error)
    upper = np.abs(np.triu(correlation, 1))
    i, j = divmod(int(np.argmax(upper)), len(label))
    if upper[i, j] >= 1:
        message = (
            f"the matrix is not positive definite: it makes the correlation of {shown(label[i])} and "
            f"{shown(label[j])} {correlation[i, j]:.4g}"
        )
        return [TableProblem(message, cells.lines[i], mend="correlations lie between -1 and 1")]
    values = np.linalg.eigvalsh(correlation)
    if values[0] > _SINGULAR * values[-1]:
        return []
    message = "the matrix is not positive definite: some combination of the estimates has no error, or less"
    return [TableProblem(message, mend="check the covariances; drop an estimate that others determine")]


def _refuse(cells: _Cells, problems: Sequence[TableProblem]) -> None:
    if problems:
        raise TableError(cells.name, problems[:_MOST_PROBLEMS])
