"""The grid: a density on a lattice of points, each weighted by its share; for up to three dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from propto.density import Density
from propto.errors import DensityError, ModelError, OptionError
from propto.names import check_names
from propto.options import whole
from propto.precision import in_double_precision
from propto.samplers.lattice import coordinates, log_density, point_at, values_at
from propto.samplers.ranges import Range, find_ranges
from propto.words import describe

if TYPE_CHECKING:
    import pandas

MAX_DIM = 3
# If two neighbours hold more than this along a coordinate, sums over the points mean little. A normal density
# comes to it at a distance of 1.2 standard deviations.
LARGEST_SHARE = 0.8


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
        above about 1e-8 of its largest value, found by zooming; it is cut into equal cells with a point in
        the middle of each.

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
    found = find_ranges(density, given) if len(given) < len(names) else {}
    middles = {name: _middles(*ends, points) for name, ends in found.items()}
    axes = {name: np.linspace(*given[name], points) if name in given else middles[name] for name in names}
    log_p = _evaluate(density, list(axes.values()))
    if not np.isfinite(log_p).any():
        raise DensityError(f"the density is 0 at every point of the grid; the ranges are {given | found}")
    weights = np.exp(log_p - log_p.max())
    result = GridResult(names, axes, log_p, weights / weights.sum())
    for name in found:
        _check_resolution(result, name)
    return result


def _check(density: Density) -> tuple[str, ...]:
    """Names of the coordinates, if the density can be laid on a grid."""
    if not isinstance(density, Density):
        raise ModelError(f"pp.grid takes a density (of a model: model.given(...)), got {density!r}")
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


def _check_ranges(ranges: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Range]:
    check_names("coordinate in ranges", set(ranges), set(names), required=set())
    for name, ends in ranges.items():
        if np.shape(ends) != (2,) or not np.isfinite(ends).all() or not ends[0] < ends[1]:
            raise OptionError(f"the range of {name!r} must be two finite numbers in order, got {ends!r}")
    return {name: (float(low), float(high)) for name, (low, high) in ranges.items()}


def _middles(low: float, high: float, cells: int) -> Float[np.ndarray, " n"]:
    """The middles of equal cells, whose shares are accurate also where a density ends abruptly."""
    half = 0.5 * (high - low) / cells
    return np.linspace(low + half, high - half, cells)


def _evaluate(density: Density, axes: list[np.ndarray]) -> np.ndarray:
    """Log density at all points; a value that is none is an error that shows its point."""
    log_p = log_density(density, axes)
    for bad, what in ((np.isnan(log_p), density.undefined), (log_p == np.inf, "infinite")):
        if bad.any():
            point = values_at(density, point_at(axes, int(np.argmax(bad))))
            raise DensityError(f"the density is {what} at {describe(point)}")
    return log_p


def _check_resolution(result: GridResult, name: str) -> None:
    """Raise if the points along a coordinate are so far apart that sums over them mean nothing."""
    share = result.marginal(name)[1]
    largest = float(np.max(share[1:] + share[:-1]))
    if largest > LARGEST_SHARE and len(share) > 2:
        raise OptionError(
            f"the grid is too coarse: two neighbours along {name!r} hold {largest:.0%} of the density. "
            "Give more points, or ranges={...} around the bulk; a long tail is better drawn by pp.sample."
        )
