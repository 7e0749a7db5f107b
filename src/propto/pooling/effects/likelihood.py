"""The estimates given tau: mixtures of normals, the same ones for every shape but for their weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from propto.pooling.effects.families import Parts, precision_rules

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

_TILE = 2**17  # elements of a temporary array
_LEAST = 1e-300


@dataclass(frozen=True)
class Errors:
    """The distribution of the estimates around the effects, each a mixture of N normals.

    Parameters
    ----------
    estimate
        Shape (k,).
    log_weight, variance
        Shape (N, k).
    """

    estimate: Floats
    log_weight: Floats
    variance: Floats

    @classmethod
    def of(cls, estimate: Floats, std_error: Floats, df: Floats | None) -> Errors:
        """Normal errors; or, with degrees of freedom, Student's t, as normals of variance ``s**2 / x``."""
        variance = std_error[None] ** 2
        if df is None:
            return cls(estimate, np.zeros_like(variance), variance)
        smallest = float(std_error.min() / _farthest(estimate, std_error)) ** 2
        rules = {value: precision_rules(np.array([value]), smallest) for value in np.unique(df)}
        size = max(log_x.size for log_x, _ in rules.values())
        log_x, weight = np.zeros((size, df.size)), np.zeros((size, df.size))
        for value, (points, weights) in rules.items():
            log_x[: points.size, df == value] = points[:, None]
            weight[: points.size, df == value] = weights.T
        return cls(estimate, np.log(np.maximum(weight, _LEAST)), variance * np.exp(-log_x))

    def part(self, some: slice) -> Errors:
        """Those of some groups."""
        return Errors(self.estimate[some], self.log_weight[:, some], self.variance[:, some])

    def without(self, j: int) -> Errors:
        """All groups but one."""
        columns = (self.log_weight, self.variance)
        return Errors(np.delete(self.estimate, j), *(np.delete(part, j, axis=1) for part in columns))

    @property
    def farthest(self) -> float:
        """The largest distance between a mean and an estimate that matters."""
        return _farthest(self.estimate, np.sqrt(self.variance.min(axis=0)))


def _farthest(estimate: Floats, std_error: Floats) -> float:
    """With few groups mu may lie far from all estimates."""
    return float((np.ptp(estimate) + 5 * std_error.max()) * (1 + 30 / estimate.size))


@dataclass(frozen=True)
class GivenTau:
    """The estimates as mixtures of C x N normals ``Normal(about_mu mu, inner + error)``, for S shapes.

    Parameters
    ----------
    errors
        The estimates around the effects.
    parts
        The distribution of the effects.
    tau
        Its scale.
    """

    errors: Errors
    parts: Parts
    tau: float

    def some(self, some: slice) -> GivenTau:
        """The same for some groups."""
        return GivenTau(self.errors.part(some), self.parts, self.tau)

    @property
    def inner(self) -> Floats:
        """Variances of the effects' parts, shape (C, 1, 1)."""
        return ((self.parts.scale * self.tau) ** 2)[:, None, None]

    @property
    def variance(self) -> Floats:
        """Variances of the estimates, shape (C, N, k)."""
        return self.inner + self.errors.variance

    @property
    def pull(self) -> Floats:
        """``error / (inner + error)``: the weight of the mean in an effect's mean, shape (C, N, k)."""
        return self.errors.variance / self.variance

    def terms(self, mu: Floats) -> tuple[Floats, Floats]:
        """Parts of ``p(y_j | mu)`` but their weight, over the largest, shape (C, N, n, k); and its log."""
        variance = self.variance
        height = self.errors.log_weight - 0.5 * np.log(2 * math.pi * variance)
        log = (self.errors.estimate - self.parts.about_mu[:, None, None] * mu[:, None])[:, None]
        log = log * log * (-0.5 / variance)[:, :, None]
        log += height[:, :, None]
        top = log.max(axis=(0, 1))
        log -= top
        return np.exp(log, out=log), top

    def log_likelihood(self, mu: Floats) -> Floats:
        """``log p(y_j | mu)`` of every shape and group, shape (S, n, k)."""
        k, size = self.errors.estimate.size, self.errors.variance.shape[0] * self.parts.scale.size * mu.size
        width = max(1, _TILE // size)
        cuts = [self.some(slice(i, i + width)) for i in range(0, k, width)]
        return np.concatenate([given._log_sum(*given.terms(mu)) for given in cuts], axis=2)

    def _log_sum(self, terms: Floats, top: Floats) -> Floats:
        return np.log(self.sums(terms)) + top

    def sums(self, terms: Floats) -> Floats:
        """Sum the terms with the weights of every shape, shape (S, n, k)."""
        return np.maximum(products(self.parts.weight, terms.sum(axis=1)), _LEAST)

    def total(self, mu: Floats) -> Floats:
        """``sum_j log p(y_j | mu)``, shape (S, n)."""
        return self.log_likelihood(mu).sum(axis=2)

    def totals(self, mu: Floats, left_out: Index) -> tuple[Floats, Floats]:
        """The same, and without each of some groups, shape (S, n, groups left out)."""
        each = self.log_likelihood(mu)
        total = each.sum(axis=2)
        return total, total[:, :, None] - each[:, :, left_out]

    def curvature(self) -> Floats:
        """What the curvature of ``-log p(y_j | mu)`` along mu never exceeds for any shape, shape (k,).

        Its value at ``mu = y_j``, where the narrow parts about mu weigh most.
        """
        about = self.parts.about_mu[:, None, None]
        variance, away = self.variance, (1 - about) * self.errors.estimate
        log_height = self.errors.log_weight - 0.5 * np.log(variance) - 0.5 * away * away / variance
        height = np.exp(log_height - log_height.max(axis=(0, 1)))
        bent, total = (
            products(self.parts.weight, part.sum(axis=1)[:, None])
            for part in (height * about / variance, height)
        )
        return np.asarray((bent / np.maximum(total, _LEAST)).max(axis=(0, 1)))


def products(weight: Floats, terms: Floats) -> Floats:
    """Give ``sum_c weight_ac terms_cnk``, shape (A, n, k), in products too small for the threads of BLAS.

    These cost more here than they give.
    """
    return np.swapaxes(weight @ np.swapaxes(terms, 0, 1), 0, 1)
