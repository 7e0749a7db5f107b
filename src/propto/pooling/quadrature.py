"""The trapezoidal rule on the real line, refined and trimmed until it is right to a stated error."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from propto.pooling.roots import quantiles

Floats = NDArray[np.float64]
Index = NDArray[np.int64]
Split = Callable[[Floats], tuple[Floats, Floats, Floats]]

_NEGLIGIBLE = 45.0  # a cell with less than exp(-45) of the integral is dropped
_LEVELS = 30
_FINER = 32


@dataclass(frozen=True)
class Rule:
    """Nodes of the trapezoidal rule for a positive function g, and the distribution that g defines.

    Parameters
    ----------
    t
        Nodes, shape (n,), increasing; neighbours are ``step`` apart, or further where g is negligible.
    log_g
        Logarithm of g at the nodes.
    step
        Spacing of the nodes.
    even
        True at the nodes that the rule with twice the step has too.
    error
        Largest relative change of an integral when the step was last halved, and the rounding of log g.
    """

    t: Floats
    log_g: Floats
    step: float
    even: NDArray[np.bool_]
    error: float

    @property
    def log_integral(self) -> float:
        """Logarithm of the integral of g."""
        return float(log_sum(self.log_g)) + math.log(self.step)

    @property
    def weights(self) -> Floats:
        """Share of each node in the integral."""
        g = np.exp(self.log_g - self.log_g.max())
        return g / g.sum()

    def quantile(self, levels: ArrayLike) -> Floats:
        """Quantiles of the distribution with density g, in the shape of ``levels``."""
        wanted = np.ravel(np.asarray(levels, dtype=float))
        t, cdf, pdf = self.table
        cell = np.clip(np.searchsorted(cdf, wanted) - 1, 0, t.size - 2)

        def evaluate(x: Floats, i: NDArray[np.intp]) -> tuple[Floats, Floats]:
            return _cubic(x, cell[i], t, cdf, pdf)

        x = quantiles(evaluate, wanted, t[cell], t[cell + 1], np.interp(wanted, cdf, t))
        return x.reshape(np.shape(levels))

    @cached_property
    def table(self) -> tuple[Floats, Floats, Floats]:
        """Distribution function and density on a finer grid.

        Where the trapezoidal rule is right, g has next to no frequencies beyond those of its nodes, so
        that its Fourier series gives it, and its integral, at any point between them.
        """
        place = np.rint((self.t - self.t[0]) / self.step).astype(int)
        weights = np.zeros(place[-1] + 1)
        weights[place] = self.weights
        offset, cdf, pdf = between_nodes(weights, _FINER)
        return self.t[0] + self.step * offset, cdf, pdf / self.step


def trapezoid(
    split: Split, orders: Sequence[float], lower: float, upper: float, step: float, tolerance: float
) -> Rule:
    """Integrate ``g exp(r log_x)`` over the line for every order r.

    The trapezoidal rule converges faster than any power of the step for a smooth g that vanishes at
    both ends [1]_, and its error is about squared when the step is halved; so the change at the last
    halving bounds the error of what is kept.

    ``log g = rising + falling``, the one never decreasing and the other never increasing, so
    ``rising(b) + falling(a)`` bounds log g on a cell [a, b]. Cells are refined where this bound says
    that they matter, and nowhere else: no peak, however narrow, can hide between nodes far apart.

    Parameters
    ----------
    split
        ``split(t)`` gives ``rising, falling, log_x`` at the nodes t; ``log_x`` increases with t.
    orders
        Orders r of the integrals, each 0 or more.
    lower, upper
        Where g has become negligible.
    step
        The widest step allowed.
    tolerance
        Largest change at the last halving, relative to the integral.

    Returns
    -------
    Rule

    References
    ----------
    .. [1] Trefethen and Weideman (2014), The exponentially convergent trapezoidal rule, SIAM Review 56.

    Examples
    --------
    >>> def normal(t):
    ...     return -0.5 * np.minimum(t, 0) ** 2, -0.5 * np.maximum(t, 0) ** 2, t
    >>> rule = trapezoid(normal, [0], -12.0, 12.0, step=2.0, tolerance=1e-9)
    >>> round(math.exp(2 * rule.log_integral) / (2 * np.pi), 12)
    1.0
    """
    index: Index = np.arange(math.ceil((upper - lower) / step) + 1)
    parts = np.stack(split(_places(lower, step, index)))
    powers = np.asarray(orders, dtype=float)[:, None]
    terms, total = _sums(parts, powers, step)
    for _ in range(_LEVELS):
        step /= 2
        fresh = 2 * index[:-1][_alive(index, parts, powers, total)] + 1
        index, parts = _insert(2 * index, parts, fresh, split(_places(lower, step, fresh)))
        terms, total = _sums(parts, powers, step)
        change = np.abs(np.expm1(log_sum(terms[:, index % 2 == 0]) + math.log(2) - total)).max()
        rounding = _rounding(parts)
        if change <= max(tolerance, rounding):
            break
    keep = (terms > total[:, None] - _NEGLIGIBLE).any(axis=0)
    cut = np.exp(terms[:, [0, -1]] - total[:, None]).max()
    log_g = parts[0] + parts[1]
    error = float(change + rounding + cut)
    return Rule(_places(lower, step, index[keep]), log_g[keep], step, (index % 2 == 0)[keep], error)


def _places(lower: float, step: float, index: Index) -> Floats:
    """The nodes of these indices."""
    return np.asarray(lower + step * index, dtype=np.float64)


def _sums(parts: Floats, powers: Floats, step: float) -> tuple[Floats, Floats]:
    """Logarithms of the terms of every sum, shape (orders, n), and of the sums."""
    terms = parts[0] + parts[1] + powers * parts[2] + math.log(step)
    return terms, log_sum(terms)


def _alive(index: Index, parts: Floats, powers: Floats, total: Floats) -> NDArray[np.bool_]:
    """Which cells between neighbouring nodes may hold a share of any integral that matters."""
    rising, falling, log_x = parts
    bound = rising[1:] + falling[:-1] + powers * log_x[1:]
    return (bound > total[:, None] - _NEGLIGIBLE).any(axis=0) & (np.diff(index) == 1)


def _insert(index: Index, parts: Floats, fresh: Index, values: tuple[Floats, ...]) -> tuple[Index, Floats]:
    """Old and new nodes together, in order."""
    index = np.concatenate([index, fresh])
    order = np.argsort(index)
    return index[order], np.concatenate([parts, np.stack(values)], axis=1)[:, order]


def _rounding(parts: Floats) -> float:
    """What the rounding of log g does to g where g is largest."""
    rising, falling, _ = parts[:, np.argmax(parts[0] + parts[1])]
    return float(4 * np.finfo(float).eps * max(abs(rising), abs(falling)))


def _cubic(
    x: Floats, cell: NDArray[np.intp], t: Floats, value: Floats, slope: Floats
) -> tuple[Floats, Floats]:
    """Value and slope at x of the cubic through values and slopes at both ends of each cell."""
    width = t[cell + 1] - t[cell]
    u = (x - t[cell]) / width
    rise = value[cell + 1] - value[cell]
    first, last = slope[cell] * width, slope[cell + 1] * width
    square, cube = 3 * rise - 2 * first - last, first + last - 2 * rise
    between = value[cell] + u * (first + u * (square + u * cube))
    return between, (first + u * (2 * square + 3 * u * cube)) / width


def log_sum(terms: Floats) -> Floats:
    """Logarithm of the sum of exponentials along the last axis."""
    top = terms.max(axis=-1, keepdims=True)
    return np.log(np.exp(terms - top).sum(axis=-1)) + top[..., 0]


def between_nodes(weights: Floats, finer: int) -> tuple[Floats, Floats, Floats]:
    """Distribution function and density between the nodes, from the Fourier series of the weights.

    Where the trapezoidal rule is right, g has next to no frequencies beyond those of its nodes, so that
    its Fourier series gives it, and its integral, at any point between them.

    Parameters
    ----------
    weights
        Shares of equidistant nodes in the integral, along the last axis.
    finer
        How many points for each node.

    Returns
    -------
    offset, cdf, pdf
        Distance from the first node in steps, shape (points,); cdf and density per step along the last
        axis.
    """
    count = weights.shape[-1] + 1
    g = np.concatenate([weights, np.zeros_like(weights[..., :1])], axis=-1)
    series, size = np.fft.rfft(g, axis=-1) * finer, count * finer
    wave = series.copy()
    wave[..., 0] = 0.0
    wave[..., 1:] /= 2j * math.pi * np.fft.rfftfreq(count)[1:]
    offset = np.arange(size) / finer
    swing = np.fft.irfft(wave, size, axis=-1)
    cdf = offset / count + swing - swing[..., :1]
    return offset, np.maximum.accumulate(cdf, axis=-1), np.maximum(np.fft.irfft(series, size, axis=-1), 0.0)


def quantile_places(weights: Floats, levels: Sequence[float]) -> Floats:
    """Quantiles of many distributions, each given by its shares at equidistant nodes.

    Parameters
    ----------
    weights
        Shares of the nodes, shape (rows, n).
    levels
        Probabilities, strictly between 0 and 1.

    Returns
    -------
    numpy.ndarray
        Distances from the first node in steps, shape (rows, levels).

    Examples
    --------
    >>> bell = np.exp(-0.5 * np.arange(-9.0, 9.5, 0.5) ** 2)
    >>> quantile_places(bell[None] / bell.sum(), [0.5]).round(6)
    array([[18.]])
    """
    offset, cdf, pdf = between_nodes(weights, _FINER // 4)
    rows, points = cdf.shape
    below = np.stack([(cdf < level).sum(axis=1) - 1 for level in levels], axis=1)
    cell = (np.clip(below, 0, points - 2) + points * np.arange(rows)[:, None]).ravel()
    places, cdf, pdf = np.tile(offset, rows), cdf.ravel(), pdf.ravel()
    low, high = places[cell], places[cell + 1]

    def evaluate(x: Floats, i: NDArray[np.intp]) -> tuple[Floats, Floats]:
        return _cubic(x, cell[i], places, cdf, pdf)

    return quantiles(evaluate, np.tile(levels, rows), low, high, 0.5 * (low + high)).reshape(rows, -1)
