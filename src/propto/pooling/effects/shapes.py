"""The shape of the effects' distribution: a quadrature over its range, and the posterior on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from propto.pooling.pooled import Summary

Floats = NDArray[np.float64]

_FINE = 4000  # points of the table of the distribution function


@dataclass(frozen=True)
class ShapeRule:
    """Clenshaw and Curtis' quadrature for a uniform prior on a range [1]_.

    Its nodes lie closer at the ends of the range, and every second of them is such a rule too. It is
    exact for polynomials of a degree up to the number of steps: the likelihood of a share is one, of the
    degree of the number of groups.

    Parameters
    ----------
    low, high
        The range.
    shapes
        The nodes, shape (S,), decreasing.
    share
        Weights of the nodes times the prior density, shape (S,); they sum to 1.
    half
        Weights of the rule with half as many steps: zeros at every second node.

    References
    ----------
    .. [1] Trefethen (2008), Is Gauss quadrature better than Clenshaw-Curtis? SIAM Review 50.

    Examples
    --------
    >>> rule = ShapeRule.of((0.0, 2.0), 8)
    >>> round(float(rule.share @ rule.shapes**4), 12), round(float(rule.half @ rule.shapes**4), 12)
    (3.2, 3.2)
    """

    low: float
    high: float
    shapes: Floats
    share: Floats
    half: Floats

    @classmethod
    def of(cls, ends: tuple[float, float] | None, steps: int) -> ShapeRule:
        """The rule of this many steps, a multiple of four; one node where there is no range."""
        if ends is None:
            return cls(0.0, 0.0, np.zeros(1), np.ones(1), np.ones(1))
        low, high = ends
        place = np.sin(0.5 * math.pi * (1 - np.arange(steps + 1) / steps)) ** 2
        half = np.zeros(steps + 1)
        half[::2] = _shares(steps // 2)
        return cls(low, high, low + (high - low) * place, _shares(steps), half)

    def summary(self, mass: Floats) -> Summary | None:
        """Summary of the shape, from the posterior shares of the nodes; None where it is given."""
        if mass.size == 1:
            return None
        mean = float(mass @ self.shapes)
        sd = math.sqrt(max(float(mass @ (self.shapes - mean) ** 2), 0.0))
        return Summary(mean, sd, self._quantiles(mass))

    def _quantiles(self, mass: Floats) -> Floats:
        """Quantiles of the polynomial through the density at the nodes."""
        steps = mass.size - 1
        nodes = np.cos(math.pi * np.arange(steps + 1) / steps)
        series = np.linalg.solve(chebyshev.chebvander(nodes, steps), mass / self.share)
        x = -np.cos(np.linspace(0, math.pi, _FINE))
        below = np.maximum.accumulate(chebyshev.chebval(x, chebyshev.chebint(series, lbnd=-1)))
        x = np.interp(np.array(Summary.levels) * below[-1], below, x)
        return np.asarray(self.low + (self.high - self.low) * (1 + x) / 2)


def _shares(steps: int) -> Floats:
    """Weights of Clenshaw and Curtis' rule of an even number of steps, made to sum to 1."""
    angle = math.pi * np.arange(steps + 1) / steps
    order = np.arange(1, steps // 2 + 1)
    factor = np.where(order == steps // 2, 1.0, 2.0) / (4 * order**2 - 1)
    weights = 2 * (1 - np.cos(2 * np.outer(angle, order)) @ factor) / steps
    weights[[0, -1]] /= 2
    return np.asarray(weights / 2)
