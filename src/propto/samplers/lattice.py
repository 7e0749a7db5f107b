"""A density on a lattice: the scalar coordinates of its variables, and its values at all points."""

from __future__ import annotations

from itertools import product
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from propto.compiled import call
from propto.density import Density

# Points are evaluated in batches of this size, so that memory does not grow with the lattice.
BATCH = 50_000


def coordinates(density: Density) -> tuple[str, ...]:
    """Names of the scalar coordinates of a density's variables."""
    names = []
    for name, shape in density.shapes.items():
        places = product(*map(range, shape))
        names += [name + (f"[{', '.join(map(str, place))}]" if place else "") for place in places]
    return tuple(names)


def point_at(axes: list[np.ndarray], flat_index: int) -> np.ndarray:
    """The coordinates of one point of the lattice."""
    place = np.unravel_index(flat_index, [len(axis) for axis in axes])
    return np.array([axis[i] for axis, i in zip(axes, place, strict=True)])


def values_at(density: Density, point: Any) -> dict[str, Any]:
    """The variables from their scalar coordinates."""
    values, start = {}, 0
    for name, shape in density.shapes.items():
        size = int(np.prod(shape, dtype=int))
        values[name] = point[start : start + size].reshape(shape)
        start += size
    return values


def log_density(density: Density, axes: list[np.ndarray]) -> np.ndarray:
    """Log density at all points of the lattice, one axis of the result for each coordinate.

    Raises
    ------
    DensityError
        The density's function raised an error.
    """
    lattice = np.stack([column.ravel() for column in np.meshgrid(*axes, indexing="ij")], axis=1)
    parts = [_at_points(density, lattice[i : i + BATCH]) for i in range(0, len(lattice), BATCH)]
    return np.concatenate(parts).reshape([len(axis) for axis in axes])


def _at_points(density: Density, points: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, " n"]:
    program = density.program

    def one(data: Any, point: Any) -> Any:
        return program.log_density(data, values_at(density, point))

    with program.raising():
        return np.asarray(call(("grid", program), jax.vmap(one, in_axes=(None, 0)), density.data, points))
