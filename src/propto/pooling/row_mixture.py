"""Finite mixtures of normal distributions, many rows at once, each with weights of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from propto.pooling import normal
from propto.pooling.roots import CLOSE, quantiles

Floats = NDArray[np.float64]

_TILE = 2**15  # elements of a temporary array: what the nearest caches hold


@dataclass(frozen=True)
class RowMixture:
    """Rows of mixtures ``sum_i weights_ji Normal(means_ji, sds_ji)``.

    Parameters
    ----------
    weights, means, sds
        Shape (rows, n); the weights of a row sum to 1.

    Examples
    --------
    >>> two = RowMixture(np.array([[0.5, 0.5]]), np.array([[-1.0, 1.0]]), np.array([[1.0, 1.0]]))
    >>> two.mean(), two.sd(), two.quantile(0.5).round(12) + 0.0
    (array([0.]), array([1.41421356]), array([0.]))
    """

    weights: Floats
    means: Floats
    sds: Floats

    def mean(self) -> Floats:
        """Mean of each row, shape (rows,)."""
        return _dot(self.weights, self.means)

    def sd(self) -> Floats:
        """Standard deviation of each row, shape (rows,)."""
        away = self.means - self.mean()[:, None]
        return np.sqrt(_dot(self.weights, self.sds * self.sds + away * away))

    def cdf(self, x: Floats | float) -> Floats:
        """P(X < x_j) of each row, shape (rows,)."""
        rows = np.arange(len(self.weights))
        return self.cdf_and_pdf(np.broadcast_to(np.asarray(x, dtype=float), rows.shape), rows)[0]

    def quantile(self, level: float, close: float = CLOSE, start: Floats | None = None) -> Floats:
        """The quantile of each row at one level, shape (rows,), its log odds right to about ``close**2``.

        ``start`` has first guesses.
        """
        z = _normal_quantile(level)
        ends, mean, sd = self.means + z * self.sds, self.mean(), self.sd()
        low, high = ends.min(axis=1), ends.max(axis=1)
        start = np.clip(mean + z * sd if start is None else start, low, high)
        return quantiles(self.cdf_and_pdf, np.full(mean.shape, level), low, high, start, close)

    def cdf_and_pdf(self, x: Floats, row: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Distribution function and density of row ``row[i]`` at ``x[i]``, each of shape (points,)."""
        cdf, pdf = np.empty(x.shape), np.empty(x.shape)
        size = max(1, _TILE // self.weights.shape[1])
        for i in range(0, x.size, size):
            tile = slice(i, i + size)
            some = row[tile]
            weights, sds = self.weights[some], self.sds[some]
            each, bell = normal.cdf_and_bell((x[tile, None] - self.means[some]) / sds)
            cdf[tile], pdf[tile] = _dot(weights, each), _dot(weights, bell / sds)
        return cdf, pdf / normal.ROOT_TWO_PI


@cache
def _normal_quantile(level: float) -> float:
    """That of the standard normal: batches ask for the same few levels over and over."""
    return float(normal.quantile(level))


def _dot(weights: Floats, values: Floats) -> Floats:
    """Weighted sums of the rows."""
    return np.einsum("ij,ij->i", weights, values)
