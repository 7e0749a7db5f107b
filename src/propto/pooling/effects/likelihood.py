"""The estimates given the scale and the shape of their distribution: a mixture of normals for each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from propto.pooling.effects.families import Parts, precision_rule

Floats = NDArray[np.float64]

_TILE = 2**17  # elements of a temporary array


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
        rules = {value: precision_rule(float(value), smallest) for value in np.unique(df)}
        size = max(log_x.size for log_x, _ in rules.values())
        log_x, log_weight = np.zeros((size, df.size)), np.full((size, df.size), -np.inf)
        for value, (points, weights) in rules.items():
            log_x[: points.size, df == value] = points[:, None]
            log_weight[: weights.size, df == value] = weights[:, None]
        return cls(estimate, log_weight, variance * np.exp(-log_x))

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

    def given(self, parts: Parts, tau: float) -> GivenShape:
        """The distribution of the estimates for effects of these parts."""
        n, m = len(self.variance), parts.scale.size
        inner, log_part, about = (
            np.repeat(part, n)[:, None]
            for part in ((parts.scale * tau) ** 2, parts.log_weight, parts.about_mu)
        )
        error = np.tile(self.variance, (m, 1))
        return GivenShape(self.estimate, np.tile(self.log_weight, (m, 1)) + log_part, inner, error, about)


def _farthest(estimate: Floats, std_error: Floats) -> float:
    """With few groups mu may lie far from all estimates."""
    return float((np.ptp(estimate) + 5 * std_error.max()) * (1 + 30 / estimate.size))


@dataclass(frozen=True)
class GivenShape:
    """The estimates as mixtures of C normals ``Normal(about_mu mu, inner + error)``.

    Parameters
    ----------
    estimate
        Shape (k,).
    log_weight, error
        Log weights and variances of the errors, shape (C, k).
    inner, about_mu
        Variances of the effects, and whether they lie about mu or about zero, shape (C, 1).
    """

    estimate: Floats
    log_weight: Floats
    inner: Floats
    error: Floats
    about_mu: Floats

    @property
    def variance(self) -> Floats:
        """Variance of the estimates, shape (C, k)."""
        return self.inner + self.error

    @property
    def at_zero(self) -> NDArray[np.bool_]:
        """Which parts are a spike at zero, shape (C,)."""
        return np.asarray((self.inner == 0) & (self.about_mu == 0))[:, 0]

    def log_terms(self, mu: Floats, some: slice) -> Floats:
        """Log of every part of ``p(y_j | mu)``, shape (C, n, groups)."""
        variance = self.inner + self.error[:, some]
        height = self.log_weight[:, some] - 0.5 * np.log(2 * math.pi * variance)
        away = self.estimate[some] - self.about_mu[:, :, None] * mu[:, None]
        away *= away
        away *= (-0.5 / variance)[:, None]
        away += height[:, None]
        return np.asarray(away)

    def log_likelihood(self, mu: Floats) -> Floats:
        """``log p(y_j | mu)`` of every group, shape (n, k)."""
        rows = max(1, _TILE // (mu.size * self.inner.size))
        cuts = range(0, self.estimate.size, rows)
        return np.concatenate([log_total(self.log_terms(mu, slice(i, i + rows))) for i in cuts], axis=1)

    def total(self, mu: Floats) -> Floats:
        """``sum_j log p(y_j | mu)``, shape (n,)."""
        return self.log_likelihood(mu).sum(axis=1)

    def curvature(self) -> Floats:
        """What the curvature of ``-log p(y_j | mu)`` along mu never exceeds, shape (k,).

        Its value at ``mu = y_j``, where the narrow parts about mu weigh most.
        """
        nearest = self.log_terms(np.zeros(1), slice(None))[:, 0]
        about = self.log_weight - 0.5 * np.log(2 * math.pi * self.variance)
        log_height = np.where(self.about_mu > 0, about, nearest)
        height = np.exp(log_height - log_height.max(axis=0))
        return np.asarray((height * self.about_mu / self.variance).sum(axis=0) / height.sum(axis=0))

    @property
    def pull(self) -> Floats:
        """``error / (inner + error)``: the weight of the mean in an effect's mean, shape (C, k)."""
        return self.error / self.variance


def log_total(terms: Floats) -> Floats:
    """Logarithm of the sum of exponentials along the first axis, along which sums are fast."""
    if len(terms) == 1:
        return terms[0]
    top = terms.max(axis=0)
    away = terms - top
    np.exp(away, out=away)
    total = away.sum(axis=0)
    np.log(total, out=total)
    total += top
    return np.asarray(total)
