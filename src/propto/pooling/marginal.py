"""The pooling model given tau, with theta and mu integrated out in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from propto.pooling.families import Flat, MuPrior, Normal, StudentT
from propto.pooling.quadrature import log_sum

Floats = NDArray[np.float64]

_CHUNK = 2**17  # elements of a temporary array


@dataclass(frozen=True)
class NormalPriors:
    """A prior on mu as ``sum_l exp(log_height_l) exp(-precision_l (mu - centre)**2 / 2)``.

    A flat prior is one term of precision 0, a normal prior one term, and Student's t the integral of
    normals over their precision, by the trapezoidal rule. ``reach`` is the largest tau at which the
    prior still changes the shape of the likelihood.
    """

    centre: float
    precision: Floats
    log_height: Floats
    reach: float

    def every_second(self) -> NormalPriors:
        """The rule with twice the step, where there is one."""
        if self.precision.size == 1:
            return self
        return NormalPriors(self.centre, self.precision[::2], self.log_height[::2] + math.log(2), self.reach)


@dataclass(frozen=True)
class GivenTau:
    """What the table says at each of n values of tau, before and after the prior on mu.

    With ``v_j = std_error_j**2 + tau**2`` and M terms of the prior:

    Parameters
    ----------
    log_spread
        ``-0.5 sum_j log(2 pi v_j)``, shape (n,): falls with tau.
    precision, mean
        ``S = sum_j 1 / v_j`` and ``m = sum_j y_j / v_j / S``, shape (n,).
    misfit
        ``sum_j (y_j - m)**2 / v_j``, shape (n,).
    prior
        Prior on mu.
    """

    log_spread: Floats
    precision: Floats
    mean: Floats
    misfit: Floats
    prior: NormalPriors

    @cached_property
    def mu_variance(self) -> Floats:
        """Posterior variance of mu under each term, ``1 / (S + p)``, shape (n, M)."""
        return 1 / (self.precision[:, None] + self.prior.precision)

    def mu_mean(self, mu_variance: Floats) -> Floats:
        """Posterior mean of mu where its posterior variance is this, shape (n, any)."""
        pull = self.precision * (self.mean - self.prior.centre)
        return self.prior.centre + mu_variance * pull[:, None]

    @cached_property
    def log_fit_terms(self) -> Floats:
        """Log likelihood less ``log_spread`` under each term, shape (n, M).

        ``-0.5 [misfit + S p / (S + p) (m - c)**2] + 0.5 log(2 pi / (S + p)) + log_height`` for a term
        of precision p around c: rises with tau.
        """
        distance = self.precision * (self.mean - self.prior.centre) ** 2
        exponent = self.misfit[:, None] + self.mu_variance * self.prior.precision * distance[:, None]
        return 0.5 * (np.log(2 * math.pi * self.mu_variance) - exponent) + self.prior.log_height

    @cached_property
    def log_fit(self) -> Floats:
        """All terms together, shape (n,)."""
        return log_sum(self.log_fit_terms)

    @property
    def log_likelihood(self) -> Floats:
        """``log p(estimates | tau)``, shape (n,)."""
        return self.log_spread + self.log_fit

    @property
    def shares(self) -> Floats:
        """Posterior weights of the terms, shape (n, M)."""
        return np.exp(self.log_fit_terms - self.log_fit[:, None])


@dataclass(frozen=True)
class Marginal:
    """The table and the prior on mu, ready to be evaluated at any tau.

    Parameters
    ----------
    estimate, variance
        Estimates and squared standard errors, shape (k,).
    prior
        Prior on mu.
    """

    estimate: Floats
    variance: Floats
    prior: NormalPriors

    def given(self, tau: Floats) -> GivenTau:
        """Sum over the table at these values of tau, shape (n,)."""
        rows = max(1, _CHUNK // self.estimate.size)
        chunks = [self._sums(tau[i : i + rows]) for i in range(0, max(1, tau.size), rows)]
        log_spread, precision, mean, misfit = np.concatenate(chunks, axis=1)
        return GivenTau(log_spread, precision, mean, misfit, self.prior)

    def _sums(self, tau: Floats) -> Floats:
        """The four sums over the table, shape (4, n).

        By einsum and not by BLAS, whose threads cost more here than they give.
        """
        v = self.variance + (tau * tau)[:, None]
        w = 1 / v
        precision = w.sum(axis=1)
        mean = np.einsum("ij,j->i", w, self.estimate) / precision
        away = self.estimate - mean[:, None]
        log_spread = -0.5 * np.log(2 * math.pi * v).sum(axis=1)
        return np.stack([log_spread, precision, mean, np.einsum("ij,ij,ij->i", w, away, away)])


def normal_priors(prior: MuPrior, estimate: Floats, variance: Floats, spread: float) -> NormalPriors:
    """Write a prior on mu as a sum of normals; ``spread`` is the scale of the prior on tau."""
    if isinstance(prior, Flat):
        return NormalPriors(0.0, np.zeros(1), np.zeros(1), 0.0)
    if isinstance(prior, Normal):
        precision, height = np.array([prior.sd**-2.0]), prior.log_density([prior.mean])
        return NormalPriors(prior.mean, precision, height, _reach(prior.mean, prior.sd, estimate))
    log_factor, log_weight = _scale_mixture(prior, estimate, variance, spread)
    log_precision = log_factor - 2 * math.log(prior.scale)
    height = log_weight + 0.5 * (log_precision - math.log(2 * math.pi))
    return NormalPriors(prior.loc, np.exp(log_precision), height, _reach(prior.loc, prior.scale, estimate))


def _reach(centre: float, scale: float, estimate: Floats) -> float:
    """The distance of the data from the prior, or the width of the prior seen through the mean of k."""
    return max(float(np.max(np.abs(estimate - centre))), scale * math.sqrt(estimate.size))


def _scale_mixture(
    prior: StudentT, estimate: Floats, variance: Floats, spread: float
) -> tuple[Floats, Floats]:
    """Student's t as normals of precision ``exp(x) / scale**2`` where ``exp(x) ~ Gamma(df/2, df/2)``."""
    far = float(np.max(np.abs(estimate - prior.loc)) / prior.scale) ** 2
    wide = (float(np.ptp(estimate) ** 2 + np.max(variance)) + spread**2) / prior.scale**2
    return gamma_rule(prior.df, math.log(min(1.0, (prior.df + 1) / (prior.df + far), 1 / wide)) - 1)


def gamma_rule(df: float, left: float, step: float = 0.25) -> tuple[Floats, Floats]:
    """The trapezoidal rule for ``exp(x) ~ Gamma(df/2, df/2)``: the points x and their log weights.

    The rule runs in t with ``x = t - exp(left - t)``, which runs out doubly exponentially below
    ``left``, the last x at which the integrand changes. The step, in units of the narrower of 1 and
    half the width of the gamma distribution, follows that width.
    """
    half = df / 2
    margin = math.log(1 + 40 / half + math.sqrt(80 / half))
    step = step / math.sqrt(1 + half / 4)
    t = np.arange(left - margin, margin + math.exp(left), step)
    x = t - np.exp(left - t)
    log_gamma = half * (math.log(half) + x - np.exp(x)) - math.lgamma(half)
    return x, log_gamma + np.log1p(np.exp(left - t)) + math.log(step)
