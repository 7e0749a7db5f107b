"""Derivatives of a density against finite differences, one random direction for each variable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from propto.compiled import call
from propto.density import Density
from propto.modelling.conditioned import ModelProgram
from propto.programs import FunctionProgram

# Steps of the differences; that of the best is known from its neighbour.
STEPS = 10.0 ** np.arange(-2, -8, -1)
# Differences of derivatives that count, as a share of the larger, and in errors of the finite difference.
SHARE, ERRORS = 1e-3, 20.0
# Where the finite difference itself is not known so well, nothing is said.
ROUGH = 0.05
ROWS = 128


@dataclass(frozen=True)
class Slope:
    """The derivative of the log density along a direction, as JAX and as finite differences have it.

    Parameters
    ----------
    name
        The variable whose elements change.
    derivative, difference
        The two numbers.
    error
        How far the finite difference can be off.
    """

    name: str
    derivative: float
    difference: float
    error: float

    @property
    def is_wrong(self) -> bool:
        """Whether the two disagree by more than the finite difference explains."""
        gap = abs(self.derivative - self.difference)
        return not self.is_rough and bool(gap > SHARE * self.size + ERRORS * self.error + 1e-7)

    @property
    def is_rough(self) -> bool:
        """Whether the finite difference is too inaccurate to judge by."""
        return not self.error <= ROUGH * self.size + 1e-7

    @property
    def size(self) -> float:
        """The larger of the two."""
        return max(abs(self.derivative), abs(self.difference))


def slopes(
    density: Density, q: Float[np.ndarray, "point dim"], score: Float[np.ndarray, "point dim"], seed: int
) -> tuple[Slope, ...]:
    """For every variable the slope that fits worst, of those at some points.

    A random direction among the elements of a variable finds a wrong derivative of any of them, at a cost
    that does not grow with their number.
    """
    rng, found = np.random.default_rng(seed), []
    for name, part in slices(density).items():
        directions = np.zeros_like(q)
        directions[:, part] = rng.normal(size=q[:, part].shape)
        directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-300)
        difference, error = _differences(density, q, directions)
        derivative = (directions * score).sum(axis=1)
        known = zip(derivative.tolist(), difference.tolist(), error.tolist(), strict=True)
        at_points = [Slope(name, *numbers) for numbers in known]
        found.append(max(at_points, key=_badness))
    return tuple(found)


def slices(density: Density) -> Mapping[str, slice]:
    """Where the elements of every variable are in a position; one place of all where that is not known."""
    program = density.program
    if isinstance(program, ModelProgram):
        sizes = [variable.size for variable in program.free]
    elif isinstance(program, FunctionProgram):
        sizes = [prod(support.unconstrained_shape) for _, support in program.supports]
    else:
        sizes = [prod(shape) for shape in density.shapes.values()]
    if sum(sizes) != density.dim:
        return {", ".join(density.names): slice(0, density.dim)}
    ends = np.cumsum(sizes).tolist()
    return {
        name: slice(end - size, end)
        for name, size, end in zip(density.names, sizes, ends, strict=True)
        if size
    }


def _badness(slope: Slope) -> tuple[bool, float]:
    return slope.is_wrong, abs(slope.derivative - slope.difference) / max(slope.size, 1e-300)


def _differences(density: Density, q: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Central differences of the log density at every point, and how far they can be off.

    A longer step bends, a shorter one rounds: the two neighbouring steps that agree best are taken.
    """
    moves = np.concatenate([STEPS, -STEPS])
    moved = q[:, None] + moves[:, None] * directions[:, None]
    logp = log_densities(density, moved.reshape(-1, density.dim)).reshape(len(q), 2, len(STEPS))
    with np.errstate(invalid="ignore"):
        differences = (logp[:, 0] - logp[:, 1]) / (2 * STEPS)
        gaps = np.abs(np.diff(differences, axis=1))
    gaps = np.where(np.isfinite(gaps), gaps, np.inf)
    best = gaps.argmin(axis=1)[:, None]
    return np.take_along_axis(differences, best + 1, 1)[:, 0], np.take_along_axis(gaps, best, 1)[:, 0]


def log_densities(density: Density, q: Float[np.ndarray, "row dim"]) -> Float[np.ndarray, " row"]:
    """Log densities of many positions, by one program whatever their number."""

    def one(data: Any, q: Float[Array, " dim"]) -> Float[Array, ""]:
        return density.program.log_density_at(data, q)

    function, parts = jax.vmap(one, in_axes=(None, 0)), []
    for start in range(0, len(q), ROWS):
        some = q[np.minimum(np.arange(start, start + ROWS), len(q) - 1)]  # the last batch filled up
        with density.program.raising():
            part = call(("log density", density.program), function, density.data, some)
        parts.append(np.asarray(part)[: len(q) - start])
    return np.concatenate(parts)
