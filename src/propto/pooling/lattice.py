"""The trapezoidal rule in a few dimensions: a lattice that grows from its high points and is refined."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from propto.pooling.quadrature import Rule, log_sum

Floats = NDArray[np.float64]
Index = NDArray[np.int64]
Integrand = Callable[[Floats], Floats]

_NEGLIGIBLE = 30.0  # a point with less than exp(-30) of the highest one is dropped
_LEVELS = 24
_SIDE = 2**20  # more points than a side of the lattice has


@dataclass(frozen=True)
class Lattice:
    """Points of a lattice, and the distribution that a positive function g defines on them.

    Parameters
    ----------
    index
        Whole numbers, shape (n, d); the points are ``index * step``.
    step
        Spacing along each axis, shape (d,).
    log_g
        Logarithm of g at the points, shape (n,).
    error
        Sum over the axes of the largest relative change of an integral when the step along that axis
        was last halved, and the rounding of log g.
    others
        Logarithms of the other integrands at the points, shape (n, integrands - 1).
    """

    index: Index
    step: Floats
    log_g: Floats
    error: float
    others: Floats

    @property
    def points(self) -> Floats:
        """The points, shape (n, d)."""
        return self.index * self.step

    @property
    def log_integral(self) -> float:
        """Logarithm of the integral of g."""
        return float(log_sum(self.log_g) + np.log(self.step).sum())

    @cached_property
    def weights(self) -> Floats:
        """Share of each point in the integral, shape (n,)."""
        g = np.exp(self.log_g - self.log_g.max())
        return np.asarray(g / g.sum())

    @property
    def even(self) -> NDArray[np.bool_]:
        """True at the points that the lattice with twice the step along every axis has too."""
        return np.asarray((self.index % 2 == 0).all(axis=1))

    def marginal(self, axis: int) -> Rule:
        """The rule along one axis, with the others summed over."""
        place, row = np.unique(self.index[:, axis], return_inverse=True)
        top = self.log_g.max()
        sums = np.bincount(row, np.exp(self.log_g - top))
        others = float(np.log(np.delete(self.step, axis)).sum())
        step = float(self.step[axis])
        return Rule(
            np.asarray(place * step, dtype=float),
            np.log(sums) + top + others,
            step,
            place % 2 == 0,
            self.error,
        )


def integrate(log_g: Integrand, start: Floats, step: Floats, tolerance: float, ahead: int = 1) -> Lattice:
    """Integrate positive functions of a few variables that vanish in all directions.

    The lattice grows from its start points to every neighbour of a point that matters, and no further.
    The step along an axis is halved until that changes no integral any more; the trapezoidal rule's
    error is then about the square of the change, for a smooth integrand.

    Parameters
    ----------
    log_g
        ``log_g(points)`` gives the logarithms of the integrands, shape (n, integrands), at points of
        shape (n, d). The first one is g; the others only have to be right too.
    start
        Points to begin with, shape (m, d): they must come near every peak, as seen on the scale of
        ``step``.
    step
        First spacing along each axis, shape (d,).
    tolerance
        Largest change at the last halving along any axis, relative to the integral.
    ahead
        How many steps a round of growth looks ahead at most: many where tails are long and points cheap.

    Returns
    -------
    Lattice

    References
    ----------
    .. [1] Trefethen and Weideman (2014), The exponentially convergent trapezoidal rule, SIAM Review 56.

    Examples
    --------
    >>> import math
    >>> def normal(x):
    ...     return -0.5 * (x**2).sum(axis=1, keepdims=True)
    >>> lattice = integrate(normal, np.zeros((1, 2)), np.ones(2), 1e-6)
    >>> abs(lattice.log_integral - math.log(2 * math.pi)) < 1e-12
    True
    """
    index = np.unique(np.rint(start / step).astype(np.int64), axis=0)
    values = _clean(log_g(index * step))
    for _ in range(_LEVELS):
        index, values = _grow(log_g, index, values, step, ahead)
        change = _changes(index, values)
        if change.max() <= tolerance:
            break
        halved = np.where(change > tolerance, 2, 1)
        index, step = index * halved, step / halved
    rounding = 4 * np.finfo(float).eps * float(np.abs(values.max(axis=0)).max())
    keep = _alive(values)
    return Lattice(index[keep], step, values[keep, 0], float(change.sum()) + rounding, values[keep, 1:])


def _grow(log_g: Integrand, index: Index, values: Floats, step: Floats, ahead: int) -> tuple[Index, Floats]:
    """Add neighbours of the points that matter until there are none that are not there yet.

    Every round looks farther ahead than the last one, up to the most steps given.
    """
    for count in itertools.count(1):
        fresh = _neighbours(index[_alive(values)], index, min(count, ahead))
        if not len(fresh):
            return index, values
        index = np.concatenate([index, fresh])
        values = np.concatenate([values, _clean(log_g(fresh * step))])
    raise AssertionError  # the loop ends by its return


def _alive(values: Floats) -> NDArray[np.bool_]:
    """Which points may hold a share of any integral that matters."""
    return np.asarray((values > values.max(axis=0) - _NEGLIGIBLE).any(axis=1))


def _neighbours(points: Index, known: Index, reach: int) -> Index:
    """The neighbours of the points along every axis, so many steps ahead, that are not known yet."""
    unit = np.eye(points.shape[1], dtype=np.int64)
    sides = [side for side in range(-reach, reach + 1) if side]
    around = np.concatenate([points + side * axis for axis in unit for side in sides])
    fresh = around[~np.isin(_key(around), _key(known))]
    return fresh[np.unique(_key(fresh), return_index=True)[1]]


def _key(index: Index) -> Index:
    """One number for each point."""
    return np.asarray(index @ _SIDE ** np.arange(index.shape[1], dtype=np.int64))


def _changes(index: Index, values: Floats) -> Floats:
    """For each axis the largest relative difference to the rule with twice the step along it."""
    total = log_sum(values.T)
    changes = []
    for axis in range(index.shape[1]):
        even = index[:, axis] % 2 == 0
        if not even.any():
            return np.ones(index.shape[1])
        changes.append(float(np.abs(np.expm1(log_sum(values[even].T) + math.log(2) - total)).max()))
    return np.array(changes)


def _clean(values: Floats) -> Floats:
    """What cannot be evaluated counts as zero."""
    return np.where(np.isnan(values), -np.inf, values)
