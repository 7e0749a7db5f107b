"""The table that both engines take: one estimate with a standard error for each group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from propto.errors import TableError, TableProblem

Floats = NDArray[np.float64]

_SOURCE = "<arrays>"
_SMALLEST, _LARGEST = 1e-60, 1e60  # so that squares and their products do not overflow


@dataclass(frozen=True, eq=False)
class Groups:
    """A checked table.

    Parameters
    ----------
    label
        Names of the groups, shape (k,).
    estimate, std_error
        Shape (k,), finite, in one unit; ``std_error > 0``.
    """

    label: NDArray[np.str_]
    estimate: Floats
    std_error: Floats

    @classmethod
    def of(cls, estimate: ArrayLike, std_error: ArrayLike, label: Sequence[Any] | None = None) -> Groups:
        """Check a table and copy it, or say all that is wrong with it.

        Parameters
        ----------
        estimate, std_error
            The table, shape (k,).
        label
            Names of the groups; ``1 ... k`` if not given.

        Returns
        -------
        Groups

        Raises
        ------
        TableError
            The table is empty, its columns differ in length, or a number in it cannot be used.

        Examples
        --------
        >>> Groups.of([28, 8], [15, 10]).label
        array(['1', '2'], dtype='<U1')
        """
        y, s = _numbers(estimate, "estimate"), _numbers(std_error, "std_error")
        listed = range(1, y.size + 1) if label is None else label
        names = np.array([str(name) for name in listed], dtype=str)
        if not y.size == s.size == names.size:
            sizes = f"{y.size} estimates, {s.size} standard errors"
            sizes += "" if label is None else f" and {names.size} labels"
            raise _error(f"the columns differ in length: {sizes}.")
        if not y.size:
            raise _error("the table is empty; it needs one group at least.")
        problems = _problems(names, y, "estimate", -_LARGEST) + _problems(names, s, "std_error", _SMALLEST)
        if problems:
            raise TableError(_SOURCE, problems)
        return cls(names, y, s)


def _numbers(column: ArrayLike, name: str) -> Floats:
    """A column as a new array of floats."""
    try:
        numbers = np.array(column, dtype=float)
    except (TypeError, ValueError):
        raise _error("not all values are numbers.", name) from None
    if numbers.ndim != 1:
        raise _error(f"expected one number a group, got an array of shape {numbers.shape}.", name)
    return numbers


def _problems(names: NDArray[np.str_], column: Floats, name: str, lowest: float) -> list[TableProblem]:
    """One problem for each value that cannot be used."""
    bad = np.flatnonzero(~((column >= lowest) & (column <= _LARGEST)))
    return [
        TableProblem(
            f"group {str(names[j])!r} (index {j}): {_complaint(float(column[j]), lowest)}",
            column=name,
            value=str(column[j]),
        )
        for j in bad
    ]


def _complaint(value: float, lowest: float) -> str:
    """What is wrong with one value."""
    if not math.isfinite(value):
        return f"expected a finite number, got {value:g}."
    if value <= 0 < lowest:
        return f"a standard error must be positive, got {value:g}."
    return f"{value:g} is out of range: choose another unit."


def _error(message: str, column: str | None = None) -> TableError:
    """The error for a table as a whole."""
    return TableError(_SOURCE, [TableProblem(message, column=column)])
