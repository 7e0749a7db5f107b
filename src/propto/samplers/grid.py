"""The grid: a density on a lattice of points, each weighted by its share; for up to three dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import Float

from propto.compiled import call
from propto.density import Density
from propto.errors import DensityError, OptionError
from propto.names import check_names
from propto.options import whole
from propto.precision import in_double_precision
from propto.words import describe

if TYPE_CHECKING:
    import pandas

MAX_DIM = 3
# Points are evaluated in batches of this size, so that memory does not grow with the grid.
BATCH = 50_000
# How a range is found: rounds of zooming, points a dimension in each, and the
# logarithm of the density, relative to its maximum, below which a point is cut off.
ROUNDS, COARSE, CUT = 12, 41, -18.0
# A point with a larger share along a coordinate has neighbours too far away: two standard deviations, about.
LARGEST_SHARE = 0.8
FIRST_ROUND = {1: 1001, 2: 161, 3: 61}


@dataclass(frozen=True)
class GridResult:
    """A density on a lattice.

    Attributes
    ----------
    names
        Names of the coordinates: a variable, or ``variable[i]`` for an element of a vector.
    axes
        The points along each coordinate, shape (n,) each.
    log_p
        Log density up to a constant, shape (n, ...), one axis a coordinate.
    weights
        Share of every point, same shape; they sum to 1.
    """

    names: tuple[str, ...]
    axes: dict[str, Float[np.ndarray, " n"]]
    log_p: np.ndarray
    weights: np.ndarray

    def marginal(self, name: str) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """The points along one coordinate and the probability at each.

        Parameters
        ----------
        name
            One of ``names``.
        """
        check_names("coordinate", {name}, set(self.names), required=set())
        others = tuple(axis for axis, other in enumerate(self.names) if other != name)
        return self.axes[name], self.weights.sum(axis=others)

    def expectation(self, function: Callable[..., Any]) -> float:
        """The mean of a function of the coordinates, given in the order of ``names``.

        Examples
        --------
        >>> import propto as pp
        >>> grid = pp.grid(pp.Density(lambda x: -0.5 * x**2, {"x": pp.real()}))
        >>> round(grid.expectation(lambda x: x**2), 6)
        1.0
        """
        points = np.meshgrid(*self.axes.values(), indexing="ij")
        return float(np.sum(self.weights * function(*points)))

    def mean(self) -> dict[str, float]:
        """Mean of every coordinate."""
        return {name: float(np.sum(points * p)) for name in self.names for points, p in [self.marginal(name)]}

    def sd(self) -> dict[str, float]:
        """Standard deviation of every coordinate."""
        mean = self.mean()
        return {
            name: float(np.sqrt(np.sum((points - mean[name]) ** 2 * p)))
            for name in self.names
            for points, p in [self.marginal(name)]
        }

    def table(self) -> pandas.DataFrame:
        """All points as rows: the coordinates, ``p_prop`` (the proportion) and ``p`` (its share).

        The proportion is as the user's function gives it; it may underflow to 0 where ``p`` does not.
        """
        import pandas as pd

        points = np.meshgrid(*self.axes.values(), indexing="ij")
        columns = {name: values.ravel() for name, values in zip(self.names, points, strict=True)}
        return pd.DataFrame({**columns, "p_prop": np.exp(self.log_p).ravel(), "p": self.weights.ravel()})


@in_double_precision
def grid(
    density: Density, points: int = 200, *, ranges: Mapping[str, tuple[float, float]] | None = None
) -> GridResult:
    r"""Evaluate a density on a lattice, and weight every point by its share.

    The share of a point is :math:`p(x_i) / \sum_j p(x_j)`: the constant drops out. The cost is
    ``points``\ :sup:`d` evaluations, which ends this road after three dimensions.

    Parameters
    ----------
    density
        A density of at most three dimensions (after counting the elements of vectors).
    points
        Points along every coordinate, at least 2.
    ranges
        First and last point along coordinates, by name. Where not given: the region where the density is
        above about 1e-8 of its largest value, found by zooming.

    Returns
    -------
    GridResult
        Points, weights, marginals, a table.

    Raises
    ------
    OptionError
        Too many dimensions, a range that is none, or points too far apart in a range that was found.
    DensityError
        The density is NaN or infinite (or a proportion is negative) at a point, or 0 everywhere; or its
        function raised an error.

    Examples
    --------
    >>> import propto as pp
    >>> posterior = pp.Density(lambda x, y: -0.5 * x**2 - 2 * y**2, {"x": pp.real(), "y": pp.real()})
    >>> result = pp.grid(posterior, points=100)
    >>> {name: round(sd, 4) for name, sd in result.sd().items()}
    {'x': 1.0, 'y': 0.5}
    """
    names = _check(density)
    points = whole("points", points, 2)
    given = _check_ranges(ranges or {}, names)
    density = density.as_it_stands()
    found = _find_ranges(density, names, given) if len(given) < len(names) else {}
    axes = {name: np.linspace(*(given.get(name) or found[name]), points) for name in names}
    log_p = _evaluate(density, list(axes.values()))
    if not np.isfinite(log_p).any():
        raise DensityError(f"the density is 0 at every point of the grid; the ranges are {given or found}")
    weights = np.exp(log_p - log_p.max())
    result = GridResult(names, axes, log_p, weights / weights.sum())
    for name in found:
        _check_resolution(result, name)
    return result


def _check(density: Density) -> tuple[str, ...]:
    """Names of the coordinates, if the density can be laid on a grid."""
    names = coordinates(density)
    if not 1 <= len(names) <= MAX_DIM:
        raise OptionError(
            f"a grid works in one to {MAX_DIM} dimensions; this density has {len(names)}. Use pp.sample."
        )
    if len(names) != density.dim:
        raise OptionError(
            "a grid needs coordinates that move freely; here some are tied (a simplex, a matrix)"
        )
    return names


def _check_ranges(
    ranges: Mapping[str, tuple[float, float]], names: tuple[str, ...]
) -> dict[str, tuple[float, float]]:
    check_names("coordinate in ranges", set(ranges), set(names), required=set())
    for name, ends in ranges.items():
        if np.shape(ends) != (2,) or not np.isfinite(ends).all() or not ends[0] < ends[1]:
            raise OptionError(f"the range of {name!r} must be two finite numbers in order, got {ends!r}")
    return {name: (float(low), float(high)) for name, (low, high) in ranges.items()}


def _check_resolution(result: GridResult, name: str) -> None:
    """Raise if the points along a coordinate are so far apart that sums over them mean nothing."""
    share = float(result.marginal(name)[1].max())
    if share > LARGEST_SHARE:
        raise OptionError(
            f"the grid is too coarse: one point along {name!r} holds {share:.0%} of the density. "
            "Give more points, or ranges={...} around the bulk; a long tail is better drawn by pp.sample."
        )


def coordinates(density: Density) -> tuple[str, ...]:
    """Names of the scalar coordinates of a density's variables."""
    names = []
    for name, shape in density.shapes.items():
        places = product(*map(range, shape))
        names += [name + (f"[{', '.join(map(str, place))}]" if place else "") for place in places]
    return tuple(names)


def _evaluate(density: Density, axes: list[np.ndarray]) -> np.ndarray:
    """Log density at all points of a lattice; an undefined value is an error that shows its point."""
    lattice = np.stack([column.ravel() for column in np.meshgrid(*axes, indexing="ij")], axis=1)
    log_p = np.concatenate([_log_p(density, lattice[i : i + BATCH]) for i in range(0, len(lattice), BATCH)])
    for bad, what in ((np.isnan(log_p), density.undefined), (log_p == np.inf, "infinite")):
        if bad.any():
            point = _values(density, lattice[int(np.argmax(bad))])
            raise DensityError(f"the density is {what} at {describe(point)}")
    return log_p.reshape([len(axis) for axis in axes])


def _log_p(density: Density, points: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, " n"]:
    program = density.program

    def one(data: Any, point: Any) -> Any:
        return program.log_density(data, _values(density, point))

    with program.raising():
        return np.asarray(call(("grid", program), jax.vmap(one, in_axes=(None, 0)), density.data, points))


def _values(density: Density, point: Any) -> dict[str, Any]:
    """The variables from their scalar coordinates."""
    values, start = {}, 0
    for name, shape in density.shapes.items():
        size = int(np.prod(shape, dtype=int))
        values[name] = point[start : start + size].reshape(shape)
        start += size
    return values


def _find_ranges(
    density: Density, names: tuple[str, ...], given: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """Ranges of the coordinates that are not given: where the density is.

    The lattice starts at the whole support where that is bounded, else wide, and dense around 0 (points grow
    like sinh). It is narrowed to the cells around the points whose density is not negligible, or widened
    where it ends on such a point.
    """
    bounds = _bounds(density)
    spread = np.sinh(np.linspace(-20, 20, FIRST_ROUND[len(names)])) / 10
    axes = {name: _first_axis(given.get(name) or bounds[name], spread) for name in names}
    for _ in range(ROUNDS):
        log_p = _evaluate(density, list(axes.values()))
        if not np.isfinite(log_p).any():
            raise DensityError(
                "no point with a density above 0 was found to lay the grid around; give ranges={...}"
            )
        kept = _worth_keeping(log_p)
        before = axes
        axes = {
            name: points if name in given else _zoom(points, _along(kept, i), bounds[name])
            for i, (name, points) in enumerate(axes.items())
        }
        if all(np.ptp(axes[name]) > 0.9 * np.ptp(before[name]) for name in names):
            break
    return {name: (float(axes[name][0]), float(axes[name][-1])) for name in names if name not in given}


def _first_axis(ends: tuple[float, float], spread: np.ndarray) -> np.ndarray:
    if np.isfinite(ends).all():
        return np.linspace(*ends, COARSE)
    return np.unique(np.clip(spread, *ends))


def _worth_keeping(log_p: np.ndarray) -> np.ndarray:
    """The points with a density that is not negligible."""
    return log_p > log_p.max() + CUT


def _along(kept: np.ndarray, axis: int) -> np.ndarray:
    """Whether anything is kept at each point of an axis."""
    return np.asarray(np.moveaxis(kept, axis, 0).reshape(kept.shape[axis], -1).any(axis=1))


def _zoom(axis: np.ndarray, kept: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """A finer axis over the kept points and one neighbour on each side."""
    inside = np.flatnonzero(kept)
    first, last = inside[0], inside[-1]
    width = axis[-1] - axis[0]
    low = axis[first - 1] if first > 0 else axis[0] - 0.5 * width
    high = axis[last + 1] if last + 1 < len(axis) else axis[-1] + 0.5 * width
    return np.linspace(max(low, bounds[0]), min(high, bounds[1]), COARSE)


def _bounds(density: Density) -> dict[str, tuple[float, float]]:
    """Least and greatest value of every coordinate: where its variable settles as its position grows.

    An end that moves with the other coordinates (of an ordered vector, of Uniform(0, sigma)) is no bound.
    """

    def images(position: float, others: float) -> np.ndarray:
        rows = others + (position - others) * np.eye(density.dim)
        values = (density.unpack(row) for row in rows)
        return np.array([np.concatenate([np.ravel(v[name]) for name in density.names]) for v in values])

    def settled(sign: int) -> np.ndarray:
        ends = [
            images(sign * far, others).diagonal() for far in (600.0, 700.0) for others in (-1.0, 0.0, 1.0)
        ]
        return np.where(
            np.isclose(ends, ends[0], rtol=1e-12, atol=1e-12).all(axis=0), ends[-1], sign * np.inf
        )

    ends = zip(coordinates(density), settled(-1), settled(1), strict=True)
    return {name: (float(low), float(high)) for name, low, high in ends}
