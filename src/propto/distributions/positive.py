"""Distributions on the positive numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import gammainc, gammaincc, gammaln, log_ndtr, xlogy

from propto.distributions.base import Distribution, above_zero, improper, within
from propto.distributions.real import Cauchy, Normal, StudentT
from propto.distributions.special import HALF_LOG_TWO_PI
from propto.supports import Support, nonnegative, positive
from propto.supports.base import bounded_exp
from propto.supports.checks import FINITE, POSITIVE, Limit, Parameter, as_float

LOG_TWO = math.log(2)


@dataclass(frozen=True, eq=False)
class HalfNormal(Distribution):
    """The absolute value of a Normal(0, σ): p(x) ∝ exp(−½ (x / σ)²) for x ≥ 0.

    Parameters
    ----------
    scale
        Scale σ > 0, the standard deviation before the sign is dropped.

    Examples
    --------
    >>> round(float(HalfNormal(5).log_prob(0.0)), 4)
    -1.8352

    References
    ----------
    Gelman (2006), Prior distributions for variance parameters in hierarchical models,
    Bayesian Analysis 1.
    """

    scale: Parameter = 1.0
    limits: ClassVar[dict[str, Limit]] = {"scale": POSITIVE}

    def _support(self, shape: tuple[int, ...]) -> Support:
        return nonnegative(shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 1.0, Normal(0.0, self.scale).log_prob) + LOG_TWO

    def log_tails(self, value: Parameter) -> tuple[Array, Array]:
        return above_zero(as_float(value), lambda x: LOG_TWO + log_ndtr(-x / self.scale))

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return jnp.abs(Normal(0.0, self.scale)._sample(key, shape))


@dataclass(frozen=True, eq=False)
class HalfStudentT(Distribution):
    """The absolute value of a StudentT(ν, 0, σ): p(x) ∝ (1 + (x / σ)² / ν)^(−(ν + 1) / 2) for x ≥ 0.

    Parameters
    ----------
    df
        Degrees of freedom ν > 0.
    scale
        Scale σ > 0.

    Examples
    --------
    >>> round(float(HalfStudentT(4, 5).log_prob(0.0)), 4)
    -1.8971

    References
    ----------
    Gelman (2006), Prior distributions for variance parameters in hierarchical models,
    Bayesian Analysis 1.
    """

    df: Parameter
    scale: Parameter = 1.0
    limits: ClassVar[dict[str, Limit]] = {"df": POSITIVE, "scale": POSITIVE}

    def _support(self, shape: tuple[int, ...]) -> Support:
        return nonnegative(shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 1.0, StudentT(self.df, 0.0, self.scale).log_prob) + LOG_TWO

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return jnp.abs(StudentT(self.df, 0.0, self.scale)._sample(key, shape))


@dataclass(frozen=True, eq=False)
class HalfCauchy(Distribution):
    """The absolute value of a Cauchy(0, σ): p(x) ∝ 1 / (1 + (x / σ)²) for x ≥ 0.

    Parameters
    ----------
    scale
        Scale σ > 0, the median.

    Examples
    --------
    >>> round(float(HalfCauchy(5).log_prob(5.0)), 4)
    -2.7542

    References
    ----------
    Gelman (2006), Prior distributions for variance parameters in hierarchical models,
    Bayesian Analysis 1.
    """

    scale: Parameter = 1.0
    limits: ClassVar[dict[str, Limit]] = {"scale": POSITIVE}

    def _support(self, shape: tuple[int, ...]) -> Support:
        return nonnegative(shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 1.0, Cauchy(0.0, self.scale).log_prob) + LOG_TWO

    def log_tails(self, value: Parameter) -> tuple[Array, Array]:
        return above_zero(as_float(value), lambda x: jnp.log(2 / math.pi * jnp.arctan2(1.0, x / self.scale)))

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return jnp.abs(Cauchy(0.0, self.scale)._sample(key, shape))


@dataclass(frozen=True, eq=False)
class HalfFlat(Distribution):
    """The improper uniform density on the numbers from 0 up: p(x) ∝ 1 for x ≥ 0.

    Examples
    --------
    >>> float(HalfFlat().log_prob(-1.0))
    -inf

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, section 5.7.
    """

    def _support(self, shape: tuple[int, ...]) -> Support:
        return nonnegative(shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 1.0, lambda x: 0.0 * x)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        raise improper("HalfFlat")


@dataclass(frozen=True, eq=False)
class LogNormal(Distribution):
    """The exponential of a Normal(μ, σ): p(x) ∝ exp(−½ ((log x − μ) / σ)²) / x for x > 0.

    Parameters
    ----------
    loc
        Mean μ of log x; the median of x is exp(μ).
    scale
        Standard deviation σ > 0 of log x.

    Examples
    --------
    >>> round(float(LogNormal(0, 1).log_prob(1.0)), 4)
    -0.9189

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, appendix A.
    """

    loc: Parameter = 0.0
    scale: Parameter = 1.0
    limits: ClassVar[dict[str, Limit]] = {"loc": FINITE, "scale": POSITIVE}

    def _support(self, shape: tuple[int, ...]) -> Support:
        return positive(shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 1.0, self._log_density)

    def _log_density(self, x: Array) -> Array:
        log_x = jnp.log(x)
        z = (log_x - self.loc) / self.scale
        return -0.5 * z**2 - log_x - jnp.log(self.scale) - HALF_LOG_TWO_PI

    def log_tails(self, value: Parameter) -> tuple[Array, Array]:
        log_x = jnp.log(jnp.maximum(as_float(value), jnp.finfo(jnp.result_type(float)).tiny))
        return Normal(self.loc, self.scale).log_tails(log_x)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return bounded_exp(self.loc + self.scale * jax.random.normal(key, shape))


@dataclass(frozen=True, eq=False)
class Exponential(Distribution):
    """The exponential distribution: p(x) = λ exp(−λ x) for x ≥ 0.

    Parameters
    ----------
    rate
        Rate λ > 0; the mean is 1 / λ.

    Examples
    --------
    >>> round(float(Exponential(0.2).log_prob(5.0)), 4)
    -2.6094

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, appendix A.
    """

    rate: Parameter = 1.0
    limits: ClassVar[dict[str, Limit]] = {"rate": POSITIVE}

    def _support(self, shape: tuple[int, ...]) -> Support:
        return nonnegative(shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 1.0, lambda x: jnp.log(self.rate) - self.rate * x)

    def log_tails(self, value: Parameter) -> tuple[Array, Array]:
        return above_zero(as_float(value), lambda x: -self.rate * x)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return jax.random.exponential(key, shape) / self.rate


@dataclass(frozen=True, eq=False)
class Weibull(Distribution):
    """The Weibull distribution of times to an event: P(X > x) = exp(−(x / σ)^α) for x ≥ 0.

    Parameters
    ----------
    concentration
        Shape α > 0; the risk rises with time where α > 1.
    scale
        Scale σ > 0; 63 % of the events come before it.

    Examples
    --------
    >>> round(float(Weibull(1, 5).log_prob(5.0)), 4)  # as Exponential(0.2)
    -2.6094

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, appendix A.
    """

    concentration: Parameter
    scale: Parameter = 1.0
    limits: ClassVar[dict[str, Limit]] = {"concentration": POSITIVE, "scale": POSITIVE}

    def _support(self, shape: tuple[int, ...]) -> Support:
        return nonnegative(shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 1.0, self._log_density)

    def _log_density(self, x: Array) -> Array:
        alpha, z = self.concentration, x / self.scale
        return jnp.log(alpha / self.scale) + xlogy(alpha - 1, z) - z**alpha

    def log_tails(self, value: Parameter) -> tuple[Array, Array]:
        return above_zero(as_float(value), lambda x: -((x / self.scale) ** self.concentration))

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        log_wait = jnp.log(jax.random.exponential(key, shape))
        return bounded_exp(jnp.log(self.scale) + log_wait / self.concentration)


@dataclass(frozen=True, eq=False)
class Gamma(Distribution):
    """The gamma distribution: p(x) ∝ x^(α − 1) exp(−β x) for x ≥ 0.

    Parameters
    ----------
    concentration
        Shape α > 0.
    rate
        Rate β > 0; the mean is α / β and the variance α / β².

    Examples
    --------
    >>> round(float(Gamma(2, 0.1).log_prob(10.0)), 4)
    -3.3026

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, appendix A.
    """

    concentration: Parameter
    rate: Parameter = 1.0
    limits: ClassVar[dict[str, Limit]] = {"concentration": POSITIVE, "rate": POSITIVE}

    def _support(self, shape: tuple[int, ...]) -> Support:
        return nonnegative(shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 1.0, self._log_density)

    def _log_density(self, x: Array) -> Array:
        log_norm = gammaln(self.concentration) - self.concentration * jnp.log(self.rate)
        return xlogy(self.concentration - 1, x) - self.rate * x - log_norm

    def log_tails(self, value: Parameter) -> tuple[Array, Array]:
        x = jnp.maximum(as_float(value), 0.0) * self.rate
        return jnp.log(gammainc(self.concentration, x)), jnp.log(gammaincc(self.concentration, x))

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return bounded_exp(jax.random.loggamma(key, self.concentration, shape) - jnp.log(self.rate))


@dataclass(frozen=True, eq=False)
class InverseGamma(Distribution):
    """The distribution of 1 / x for a Gamma(α, β) distributed x: p(x) ∝ x^(−α − 1) exp(−β / x) for x > 0.

    Parameters
    ----------
    concentration
        Shape α > 0.
    scale
        Scale β > 0; the mean is β / (α − 1) where α > 1.

    Examples
    --------
    >>> round(float(InverseGamma(2, 10).log_prob(5.0)), 4)
    -2.2231

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, appendix A.
    """

    concentration: Parameter
    scale: Parameter = 1.0
    limits: ClassVar[dict[str, Limit]] = {"concentration": POSITIVE, "scale": POSITIVE}

    def _support(self, shape: tuple[int, ...]) -> Support:
        return positive(shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 1.0, self._log_density)

    def _log_density(self, x: Array) -> Array:
        log_norm = gammaln(self.concentration) - self.concentration * jnp.log(self.scale)
        return -(self.concentration + 1) * jnp.log(x) - self.scale / x - log_norm

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return bounded_exp(jnp.log(self.scale) - jax.random.loggamma(key, self.concentration, shape))
