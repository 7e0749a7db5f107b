"""The scalar elements of a fit's posterior: their names, and their draws in pieces of bounded memory."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from propto.diagnosis.chains import Array
from propto.errors import NameMismatchError, ShapeError

if TYPE_CHECKING:
    from xarray import DataArray, Dataset, DataTree

Result = TypeVar("Result")

SAMPLE_DIMS = {"chain", "draw"}
SIZE = 2**18  # draws in one piece: 2 MiB an array


@dataclass(frozen=True)
class Piece:
    """Some elements of a variable: their names, and their draws as they lie, (chain, draw, element)."""

    names: list[str]
    columns: Array

    def draws(self) -> Array:
        """A copy of the draws for work on them, shape (element, chain, draw)."""
        return rows(self.columns)


def rows(columns: Array) -> Array:
    """Turn (chain, draw, element) into contiguous (element, chain, draw)."""
    return np.ascontiguousarray(np.moveaxis(columns, -1, 0))


def posterior(fit: DataTree) -> Dataset:
    """The draws of a fit, or an error that says what is missing."""
    draws = fit["posterior"].to_dataset() if "posterior" in getattr(fit, "children", ()) else None
    if draws is None or count(draws) == 0:
        raise ShapeError(
            "A fit needs a group 'posterior' with at least one variable; this has none. "
            "(Of a run that kept no draws the group 'streamed' has R-hat and effective draws.)"
        )
    for name, variable in draws.data_vars.items():
        if not SAMPLE_DIMS.issubset(variable.dims):
            raise ShapeError(f"Draws need the dims chain and draw; {name!r} has {variable.dims}.")
    return draws


def count(draws: Dataset) -> int:
    """The number of elements of all variables."""
    return sum(
        math.prod(size for dim, size in variable.sizes.items() if dim not in SAMPLE_DIMS)
        for variable in draws.data_vars.values()
    )


def pieces(draws: Dataset, var_names: str | Sequence[str] | None = None) -> Iterator[Piece]:
    """Walk over all elements of the draws, or of the variables named, in the order of the fit."""
    for name in chosen(draws, var_names):
        variable = draws[name].transpose("chain", "draw", ...)
        names = labels(variable)
        columns = np.asarray(variable.values, dtype=float).reshape(*variable.shape[:2], len(names))
        for part in parts(columns.shape):
            yield Piece(names[part], columns[:, :, part])


def over(work: Callable[[Piece], Result], every: Iterable[Piece]) -> list[Result]:
    """Do the work on every piece, in threads (NumPy works outside Python's lock), results in order."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(work, every))


def chosen(draws: Dataset, var_names: str | Sequence[str] | None) -> list[str]:
    """The variables asked for, all by default."""
    known = [str(name) for name in draws.data_vars]
    wanted = known if var_names is None else [var_names] if isinstance(var_names, str) else list(var_names)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise NameMismatchError(
            f"No variable {', '.join(map(repr, unknown))} in the fit; it has {', '.join(known)}."
        )
    return wanted


def parts(shape: tuple[int, ...]) -> list[slice]:
    """Cut the elements of draws with shape (chain, draw, element) into runs of bounded memory."""
    width = max(1, SIZE // max(1, shape[0] * shape[1]))
    return [slice(start, start + width) for start in range(0, shape[2], width)]


def labels(variable: DataArray) -> list[str]:
    """The name of every element with its coordinates: ``mu``, ``t[A]``, ``beta[north, 2]``."""
    ticks = [
        variable.coords[dim].values if dim in variable.coords else range(size)
        for dim, size in variable.sizes.items()
        if dim not in SAMPLE_DIMS
    ]
    if not ticks:
        return [str(variable.name)]
    return [f"{variable.name}[{', '.join(map(str, place))}]" for place in itertools.product(*ticks)]
