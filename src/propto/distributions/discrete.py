"""Distributions of whole numbers: outcomes and counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import gammainc, gammaincc, gammaln, xlog1py, xlogy

from propto.distributions.base import Distribution, above_zero, require_one, within
from propto.distributions.special import log_beta
from propto.supports import Support, boolean, integer_interval, nonnegative_integer
from propto.supports.checks import (
    COUNT,
    FINITE,
    NONNEGATIVE,
    POSITIVE,
    PROBABILITY,
    Limit,
    Parameter,
    as_float,
)


@dataclass(frozen=True, eq=False)
class Bernoulli(Distribution):
    """One outcome that is 1 with probability p and else 0: p(x) = pˣ (1 − p)¹⁻ˣ.

    Parameters
    ----------
    probs
        Probability p of a 1, from 0 to 1.
    logits
        Instead of ``probs``: the log-odds log(p / (1 − p)).

    Examples
    --------
    >>> round(float(Bernoulli(0.25).log_prob(1)), 4)
    -1.3863
    >>> round(float(Bernoulli(logits=0.0).log_prob(0)), 4)
    -0.6931

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, appendix A.
    """

    probs: Parameter = None
    logits: Parameter = field(default=None, kw_only=True)
    limits: ClassVar[dict[str, Limit]] = {"probs": PROBABILITY, "logits": FINITE}

    def __post_init__(self) -> None:
        require_one(self, ("probs", "logits"))
        super().__post_init__()

    def _support(self, shape: tuple[int, ...]) -> Support:
        return boolean(shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 0.0, lambda x: _log_outcomes(self, x, 1.0))

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return jax.random.bernoulli(key, _probability(self), shape).astype(int)


@dataclass(frozen=True, eq=False)
class Binomial(Distribution):
    """The number of ones among n independent outcomes: p(x) = C(n, x) pˣ (1 − p)ⁿ⁻ˣ.

    Parameters
    ----------
    total_count
        Number of outcomes n, a whole number of 0 or more.
    probs
        Probability p of a 1, from 0 to 1.
    logits
        Instead of ``probs``: the log-odds log(p / (1 − p)).

    Examples
    --------
    >>> round(float(Binomial(7, 0.5).log_prob(3)), 4)  # 35 / 128
    -1.2967

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, appendix A.
    """

    total_count: Parameter
    probs: Parameter = None
    logits: Parameter = field(default=None, kw_only=True)
    limits: ClassVar[dict[str, Limit]] = {"total_count": COUNT, "probs": PROBABILITY, "logits": FINITE}

    def __post_init__(self) -> None:
        require_one(self, ("probs", "logits"))
        super().__post_init__()

    def _support(self, shape: tuple[int, ...]) -> Support:
        return integer_interval(0.0, self.total_count, shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 0.0, self._log_mass)

    def _log_mass(self, x: Array) -> Array:
        n = self.total_count
        log_choose = -jnp.log1p(n) - log_beta(x + 1, n - x + 1)
        return log_choose + _log_outcomes(self, x, n)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return jax.random.binomial(key, self.total_count, _probability(self), shape).astype(int)


@dataclass(frozen=True, eq=False)
class Poisson(Distribution):
    """The Poisson distribution of counts: p(x) = λˣ exp(−λ) / x!.

    Parameters
    ----------
    rate
        Mean and variance λ ≥ 0.

    Examples
    --------
    >>> round(float(Poisson(3.0).log_prob(2)), 4)
    -1.4959

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, appendix A.
    """

    rate: Parameter
    limits: ClassVar[dict[str, Limit]] = {"rate": NONNEGATIVE}

    def _support(self, shape: tuple[int, ...]) -> Support:
        return nonnegative_integer(shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 0.0, lambda x: xlogy(x, self.rate) - self.rate - gammaln(x + 1))

    def log_tails(self, value: Parameter) -> tuple[Array, Array]:
        k = jnp.floor(as_float(value))
        below, above = (tail(jnp.maximum(k, 0.0) + 1, self.rate) for tail in (gammaincc, gammainc))
        return jnp.where(k < 0, -jnp.inf, jnp.log(below)), jnp.where(k < 0, 0.0, jnp.log(above))

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return jax.random.poisson(key, self.rate, shape).astype(int)


@dataclass(frozen=True, eq=False)
class NegativeBinomial(Distribution):
    """Counts that vary more than Poisson's: a Poisson whose rate is Gamma(φ, φ / μ) distributed.

    p(x) = Γ(x + φ) / (Γ(φ) x!) · (μ / (μ + φ))ˣ (φ / (μ + φ))^φ

    Parameters
    ----------
    mean
        Mean μ ≥ 0.
    concentration
        φ > 0; the variance is μ + μ² / φ, so a large φ is close to a Poisson.

    Examples
    --------
    >>> round(float(NegativeBinomial(3.0, 1.0).log_prob(0)), 4)  # 1 / 4
    -1.3863

    References
    ----------
    Hilbe (2011), Negative Binomial Regression, 2nd edition: the form called NB2.
    """

    mean: Parameter
    concentration: Parameter
    limits: ClassVar[dict[str, Limit]] = {"mean": NONNEGATIVE, "concentration": POSITIVE}

    def _support(self, shape: tuple[int, ...]) -> Support:
        return nonnegative_integer(shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 0.0, self._log_mass)

    def _log_mass(self, x: Array) -> Array:
        mean, phi = self.mean, self.concentration
        log_choose = -jnp.log(x + phi) - log_beta(x + 1, phi)
        return log_choose + xlogy(x, mean / (mean + phi)) - phi * jnp.log1p(mean / phi)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        key_rate, key_count = jax.random.split(key)
        spread = jax.random.gamma(key_rate, self.concentration, shape) / self.concentration
        return jax.random.poisson(key_count, self.mean * spread).astype(int)


@dataclass(frozen=True, eq=False)
class Geometric(Distribution):
    """The number of zeros before the first one, among outcomes that are 1 with probability p: p (1 − p)ˣ.

    Parameters
    ----------
    probs
        Probability p of a 1, above 0 and at most 1.

    Examples
    --------
    >>> round(float(Geometric(0.5).log_prob(1)), 4)  # 1 / 4
    -1.3863

    References
    ----------
    Johnson, Kemp and Kotz (2005), Univariate Discrete Distributions, 3rd edition, chapter 5.
    """

    probs: Parameter
    limits: ClassVar[dict[str, Limit]] = {"probs": PROBABILITY}

    def _support(self, shape: tuple[int, ...]) -> Support:
        return nonnegative_integer(shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 0.0, lambda x: jnp.log(self.probs) + xlog1py(x, -self.probs))

    def log_tails(self, value: Parameter) -> tuple[Array, Array]:
        return above_zero(jnp.floor(as_float(value)) + 1, lambda n: n * jnp.log1p(-self.probs))

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return (jax.random.geometric(key, self.probs, shape) - 1).astype(int)


@dataclass(frozen=True, eq=False)
class BetaBinomial(Distribution):
    """The number of ones among n outcomes whose common probability is Beta(α, β) distributed.

    p(x) = C(n, x) B(x + α, n − x + β) / B(α, β)

    Parameters
    ----------
    total_count
        Number of outcomes n, a whole number of 0 or more.
    alpha, beta
        α > 0 and β > 0; the mean is n α / (α + β).

    Examples
    --------
    >>> round(float(BetaBinomial(4, 1, 1).log_prob(3)), 4)  # uniform: 1 / 5
    -1.6094

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, appendix A.
    """

    total_count: Parameter
    alpha: Parameter
    beta: Parameter
    limits: ClassVar[dict[str, Limit]] = {"total_count": COUNT, "alpha": POSITIVE, "beta": POSITIVE}

    def _support(self, shape: tuple[int, ...]) -> Support:
        return integer_interval(0.0, self.total_count, shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 0.0, self._log_mass)

    def _log_mass(self, x: Array) -> Array:
        n = self.total_count
        log_choose = -jnp.log1p(n) - log_beta(x + 1, n - x + 1)
        return log_choose + log_beta(x + self.alpha, n - x + self.beta) - log_beta(self.alpha, self.beta)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        key_share, key_count = jax.random.split(key)
        share = jax.random.beta(key_share, self.alpha, self.beta, shape)
        return jax.random.binomial(key_count, self.total_count, share, shape).astype(int)


def _log_outcomes(distribution: Bernoulli | Binomial, ones: Array, total: Parameter) -> Array:
    """x log p + (n − x) log(1 − p), where none of an impossible outcome costs nothing."""
    if distribution.logits is None:
        log_p, log_q = jnp.log(distribution.probs), jnp.log1p(-distribution.probs)
    else:
        log_q = -jax.nn.softplus(distribution.logits)
        log_p = distribution.logits + log_q
    zeros = total - ones
    return ones * jnp.where(ones == 0, 0.0, log_p) + zeros * jnp.where(zeros == 0, 0.0, log_q)


def _probability(distribution: Bernoulli | Binomial) -> Array:
    """p, from whichever of the two parameters was given."""
    return distribution.probs if distribution.logits is None else jax.nn.sigmoid(distribution.logits)
