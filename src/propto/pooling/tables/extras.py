"""Reads the columns beside the estimates: covariates, clusters, and the errors' degrees of freedom."""

from __future__ import annotations

import numpy as np

from propto.errors import TableProblem
from propto.pooling.tables.cells import MISSING, Fault, as_text, escaped, is_number, read_numbers, shown, tidy
from propto.pooling.tables.rows import Rows, clean_label

_FILL = "fill it in, drop the row, or leave the column out"


def read_covariates(rows: Rows) -> dict[str, np.ndarray]:
    """Give the covariates by name; what is wrong with them is added to the problems of the rows.

    A column with a number in it holds numbers; one without holds the names of categories.
    """
    covariates = {rows.grid.header[place]: _covariate(rows, place) for place in rows.choice.covariates}
    if covariates:
        taken = [f"{shown(name)} ({_kind(values)})" for name, values in covariates.items()]
        rows.notes.append(f"covariates ← {', '.join(taken)}")
    return covariates


def _kind(values: np.ndarray) -> str:
    """What a covariate was taken for."""
    if values.dtype.kind == "f":
        return "numbers"
    levels = sorted({escaped(text, 40) for text in values.tolist()})
    return f"{len(levels)} categories, compared with {levels[0]}" if levels else "categories"


def read_cluster(rows: Rows) -> tuple[str, ...] | None:
    """Give the cluster of each row, where clusters were asked for."""
    place = rows.choice.cluster
    if place is None:
        return None
    names = _texts(rows, place, "cluster")
    if len(set(names)) == len(names) > 1:
        header = shown(rows.grid.header[place])
        rows.warnings.append(f"every group is alone in its cluster ({header}): clusters then say nothing")
    return names


def read_error_df(rows: Rows) -> np.ndarray | None:
    """Give the degrees of freedom of each standard error, where they were asked for."""
    place = rows.choice.error_df
    if place is None:
        return None
    (column,) = read_numbers([rows.grid.columns[place]])
    for row, fault in sorted(column.faults.items()):
        _refuse_cell(rows, row, place, "number of degrees of freedom", Fault(fault.message, _FILL))
    for low in map(int, np.flatnonzero(column.values < 1)):
        fault = Fault(f"is {column.values[low]:g}; it must be 1 or more", "an error of n values has n - 1")
        _refuse_cell(rows, low, place, "number of degrees of freedom", fault)
    rows.notes.append(f"degrees of freedom of the errors ← {shown(rows.grid.header[place])}")
    return column.values


def _covariate(rows: Rows, place: int) -> np.ndarray:
    cells = rows.grid.columns[place]
    if any(map(is_number, cells)) or not any(_has_text(cell) for cell in cells):
        return _numbers(rows, place)
    levels = _texts(rows, place, "covariate")
    found = set(levels) - {""}
    if len(found) == len(levels) > 1:
        message = (
            f"the covariate {shown(rows.grid.header[place])} has another text in each of {len(found)} rows"
        )
        _refuse_column(rows, place, message, "merge its categories, or leave the column out")
    _refuse_constant(rows, place, found)
    return np.array(levels)


def _numbers(rows: Rows, place: int) -> np.ndarray:
    (column,) = read_numbers([rows.grid.columns[place]])
    for row, fault in sorted(column.faults.items()):
        _refuse_cell(rows, row, place, "covariate", _number_fault(fault))
    header = shown(rows.grid.header[place])
    rows.notes += [f"in {header}: {way}" for way in sorted(column.habits)]
    rows.warnings += [f"in {header}: {way}" for way in sorted(column.doubts)]
    if not column.faults:
        _refuse_constant(rows, place, {f"{value:g}" for value in np.unique(column.values)[:2]})
    return column.values


def _number_fault(fault: Fault) -> Fault:
    """Say also what to do where the column was meant to hold categories."""
    if "not a number" not in fault.message:
        return Fault(fault.message, _FILL)
    return Fault(fault.message, f"{fault.mend}; for categories, write a text in every row")


def _texts(rows: Rows, place: int, what: str) -> tuple[str, ...]:
    """Cells as clean texts; those that say nothing are problems."""
    texts = [as_text(cell) for cell in rows.grid.columns[place]]
    clean = {text: clean_label(text) for text in dict.fromkeys(texts)}  # each of them once: they come often
    missing = {text for text in clean if not _has_text(text)}
    for row in [row for row, text in enumerate(texts) if text in missing] if missing else ():
        _refuse_cell(rows, row, place, what, Fault("is missing", _FILL))
    return tuple(clean[text] for text in texts)


def _has_text(cell: object) -> bool:
    return tidy(as_text(cell)).casefold() not in MISSING


def _refuse_constant(rows: Rows, place: int, found: set[str]) -> None:
    if len(found) == 1 and len(rows.label) > 1:
        header, value = shown(rows.grid.header[place]), shown(found.pop())
        message = f"the covariate {header} is {value} in every row, so it explains nothing"
        _refuse_column(rows, place, message, "leave the column out")


def _refuse_cell(rows: Rows, row: int, place: int, what: str, fault: Fault) -> None:
    line = None if rows.grid.lines is None else rows.grid.lines[row]
    name, value = rows.grid.header[place], as_text(rows.grid.columns[place][row])
    message = f"the {what} {shown(name)} of {shown(rows.label[row])} {fault.message}"
    rows.problems.append(TableProblem(message, line, name, value, fault.mend))


def _refuse_column(rows: Rows, place: int, message: str, mend: str) -> None:
    rows.problems.append(TableProblem(message, rows.grid.header_line, rows.grid.header[place], None, mend))
