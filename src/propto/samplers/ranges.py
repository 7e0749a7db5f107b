"""Where a density is: ranges of its coordinates, found by zooming a lattice in and out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from propto.density import Density
from propto.errors import DensityError
from propto.samplers.lattice import coordinates, log_density

Range = tuple[float, float]

# Most rounds of zooming, points along a coordinate in the first and in every other one, and the log of the
# density, relative to its largest value, below which a point is cut off.
ROUNDS, CUT = 40, -18.0
FIRST_ROUND = {1: 1001, 2: 161, 3: 61}
COARSE = 41


def find_ranges(density: Density, given: Mapping[str, Range]) -> dict[str, Range]:
    """Ranges of the coordinates that are not given, outside of which the density is negligible.

    The lattice starts at the whole support where that is bounded, else wide, and dense around 0 (its points
    grow like sinh). It is narrowed to the cells around the points worth keeping, and widened where it ends
    on such a point.

    Raises
    ------
    DensityError
        No point with a density above 0 was found, or the density falls off nowhere.
    """
    names, bounds = coordinates(density), _bounds(density)
    spread = np.sinh(np.linspace(-20, 20, FIRST_ROUND[len(names)])) / 10
    axes = [_first_axis(given.get(name) or bounds[name], spread) for name in names]
    best = -np.inf
    for _ in range(ROUNDS):
        log_p = _log_density(density, axes)
        best = max(best, log_p.max())
        kept = np.max([_height(log_p, axis, i) for i, axis in enumerate(axes)], axis=0) > best + CUT
        before = axes
        axes = [
            axis if name in given else _zoom(axis, _along(kept, i), bounds[name])
            for i, (name, axis) in enumerate(zip(names, axes, strict=True))
        ]
        ratios = [np.ptp(new) / np.ptp(old) for new, old in zip(axes, before, strict=True)]
        if all(0.9 < ratio < 1 + 1e-9 for ratio in ratios):
            break
    else:
        widest = names[int(np.argmax(ratios))]
        raise DensityError(
            f"the density does not fall off along {widest!r}: is it improper? Else give ranges={{...}}"
        )
    return {n: (float(a[0]), float(a[-1])) for n, a in zip(names, axes, strict=True) if n not in given}


def _first_axis(ends: Range, spread: np.ndarray) -> np.ndarray:
    return np.linspace(*ends, COARSE) if np.isfinite(ends).all() else np.unique(np.clip(spread, *ends))


def _log_density(density: Density, axes: list[np.ndarray]) -> np.ndarray:
    log_p = log_density(density, axes)
    if density.program.is_log:
        log_p = np.where(log_p < np.inf, log_p, -np.inf)  # far out, nothing needs to be defined
    if not np.isfinite(log_p).any():
        raise DensityError(
            "no point with a density above 0 was found to lay the grid around; give ranges={...}"
        )
    return log_p


def _height(log_p: np.ndarray, axis: np.ndarray, i: int) -> np.ndarray:
    """Log density of the highest point near each point, as far as its neighbours along one axis tell.

    A narrow peak may lie between points, which are all low then. The parabola through a point and its two
    neighbours finds the top of a normal density exactly, however far away the points are.
    """
    y = np.moveaxis(log_p, i, 0)
    before, here, after = y[:-2], y[1:-1], y[2:]
    steps = np.diff(axis).reshape(-1, *[1] * (y.ndim - 1))
    left, right = steps[:-1], steps[1:]
    with np.errstate(all="ignore"):
        rise, fall = (here - before) / left, (here - after) / right
        curvature = (rise + fall) / (left + right)
        slope = rise - curvature * left
        distance, top = slope / (2 * curvature), here + slope**2 / (4 * curvature)
        is_near = (rise >= 0) & (fall >= 0)
        # At the ends, the peak may lie in the last cell.
        is_near[0] |= (before[0] > here[0]) & (-left[0] <= distance[0])
        is_near[-1] |= (after[-1] > here[-1]) & (distance[-1] <= right[-1])
        is_exact = np.abs(before) + np.abs(here) + np.abs(after) < 1 / np.finfo(float).eps
    heights = y.copy()
    heights[1:-1] = np.where(is_near & is_exact & (curvature > 0), top, here)
    return np.moveaxis(heights, 0, i)


def _along(kept: np.ndarray, i: int) -> np.ndarray:
    """Whether anything is kept at each point of an axis."""
    return np.asarray(np.moveaxis(kept, i, 0).reshape(kept.shape[i], -1).any(axis=1))


def _zoom(axis: np.ndarray, kept: np.ndarray, bounds: Range) -> np.ndarray:
    """A finer axis over the kept points and one neighbour on each side."""
    inside = np.flatnonzero(kept)
    first, last = inside[0], inside[-1]
    width = axis[-1] - axis[0]
    low = axis[first - 1] if first > 0 else axis[0] - 2 * width
    high = axis[last + 1] if last + 1 < len(axis) else axis[-1] + 2 * width
    return np.linspace(max(low, bounds[0]), min(high, bounds[1]), COARSE)


def _bounds(density: Density) -> dict[str, Range]:
    """Least and greatest value of every coordinate: where its variable settles as its position grows.

    An end that moves with the other coordinates (of an ordered vector, of Uniform(0, sigma)) is no bound.
    """

    def images(position: float, others: float) -> np.ndarray:
        rows = others + (position - others) * np.eye(density.dim)
        values = (density.unpack(row) for row in rows)
        return np.array([np.concatenate([np.ravel(v[name]) for name in density.names]) for v in values])

    def settled(sign: int) -> np.ndarray:
        far, base = (600.0, 700.0), (-1.0, 0.0, 1.0)
        ends = [images(sign * position, others).diagonal() for position in far for others in base]
        return np.where(np.isclose(ends, ends[0], rtol=1e-12, atol=1e-12).all(0), ends[-1], np.nan)

    inside = images(0.0, 0.0).diagonal()
    ends = np.array([settled(-1), settled(1)])
    low = np.nanmin(np.vstack([ends, inside]), axis=0)
    high = np.nanmax(np.vstack([ends, inside]), axis=0)
    bounds = zip(np.where(low < inside, low, -np.inf), np.where(high > inside, high, np.inf), strict=True)
    return {name: (float(a), float(b)) for name, (a, b) in zip(coordinates(density), bounds, strict=True)}
