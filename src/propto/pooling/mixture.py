"""Finite mixtures of normal distributions, many rows at once with shared weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from propto.pooling import normal
from propto.pooling.roots import quantiles

Floats = NDArray[np.float64]

_TILE = 2**14  # elements of a temporary array: what the nearest cache holds


@dataclass(frozen=True)
class Mixture:
    """Rows of mixtures ``sum_i weights_i Normal(means_ji, sds_ji)``.

    Parameters
    ----------
    weights
        Shape (n,), summing to 1, the same for every row.
    means, sds
        Shape (rows, n).

    Examples
    --------
    >>> two = Mixture(np.array([0.5, 0.5]), np.array([[-1.0, 1.0]]), np.array([[1.0, 1.0]]))
    >>> two.mean(), two.sd(), two.survival(0.0), two.quantile([0.5]).round(12)
    (array([0.]), array([1.41421356]), array([0.5]), array([[0.]]))
    """

    weights: Floats
    means: Floats
    sds: Floats

    def part(self, keep: NDArray[np.bool_]) -> Mixture:
        """The mixture of some of the components, its weights made to sum to 1 again."""
        weights = self.weights[keep]
        return Mixture(weights / weights.sum(), self.means[:, keep], self.sds[:, keep])

    def mean(self) -> Floats:
        """Mean of each row, shape (rows,)."""
        return _dot(self.means, self.weights)

    def sd(self) -> Floats:
        """Standard deviation of each row, shape (rows,)."""
        away = self.means - self.mean()[:, None]
        return np.sqrt(_dot(self.sds * self.sds + away * away, self.weights))

    def survival(self, x: float) -> Floats:
        """P(X > x) of each row, shape (rows,)."""
        return _dot(normal.cdf_and_bell((self.means - x) / self.sds)[0], self.weights)

    def cdf_and_pdf(self, x: Floats, row: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Distribution function and density of row ``row[i]`` at ``x[i]``, each of shape (points,)."""
        cdf, pdf = np.empty_like(x), np.empty_like(x)
        size = max(1, _TILE // self.weights.size)
        for i in range(0, x.size, size):
            tile = slice(i, i + size)
            sds = self.sds[row[tile]]
            each, bell = normal.cdf_and_bell((x[tile, None] - self.means[row[tile]]) / sds)
            cdf[tile], pdf[tile] = _dot(each, self.weights), _dot(bell / sds, self.weights)
        return cdf, pdf / normal.ROOT_TWO_PI

    def quantile(self, levels: ArrayLike) -> Floats:
        """Quantiles at the levels, shape (rows, levels).

        A quantile of a mixture lies between the least and the largest of its components' quantiles:
        a bracket that needs no search.
        """
        levels = np.asarray(levels, dtype=float)
        z = normal.quantile(levels)
        ends = self.means[:, None, :] + self.sds[:, None, :] * z[:, None]
        rows, count = ends.shape[:2]
        row = np.repeat(np.arange(rows), count)
        low, high, start = ends.min(axis=2), ends.max(axis=2), self._guess(z)
        x = quantiles(
            lambda x, i: self.cdf_and_pdf(x, row[i]),
            np.tile(levels, rows),
            low.ravel(),
            high.ravel(),
            start.ravel(),
        )
        return x.reshape(rows, count)

    def _guess(self, z: Floats) -> Floats:
        """Quantiles of a normal whose scale no heavy component can blow up."""
        scale = 1 / _dot(1 / self.sds, self.weights)
        centre = _dot(self.means / self.sds, self.weights) * scale
        return centre[:, None] + scale[:, None] * z


def _dot(values: Floats, weights: Floats) -> Floats:
    """Weighted sums of the rows; einsum, since the threads of BLAS cost more than they give here."""
    return np.einsum("ij,j->i", values, weights)
