"""Distributions on the whole real line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import betainc, log_ndtr

from propto.distributions.base import Distribution, improper, within
from propto.distributions.special import HALF_LOG_TWO_PI, log_beta
from propto.supports import Support, real
from propto.supports.checks import FINITE, POSITIVE, Limit, Parameter, as_float


@dataclass(frozen=True, eq=False)
class Normal(Distribution):
    """The normal distribution: p(x) ∝ exp(−½ ((x − μ) / σ)²).

    Parameters
    ----------
    loc
        Mean μ.
    scale
        Standard deviation σ > 0.

    Examples
    --------
    >>> round(float(Normal(8.75, 20).log_prob(28.0)), 4)
    -4.3779

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, appendix A.
    """

    loc: Parameter = 0.0
    scale: Parameter = 1.0
    limits: ClassVar[dict[str, Limit]] = {"loc": FINITE, "scale": POSITIVE}

    def _support(self, shape: tuple[int, ...]) -> Support:
        return real(shape)

    def _log_prob(self, value: Array) -> Array:
        z = (value - self.loc) / self.scale
        return -0.5 * z**2 - jnp.log(self.scale) - HALF_LOG_TWO_PI

    def log_tails(self, value: Parameter) -> tuple[Array, Array]:
        z = (as_float(value) - self.loc) / self.scale
        return log_ndtr(z), log_ndtr(-z)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return self.loc + self.scale * jax.random.normal(key, shape)


@dataclass(frozen=True, eq=False)
class StudentT(Distribution):
    """Student's t distribution: p(x) ∝ (1 + ((x − μ) / σ)² / ν)^(−(ν + 1) / 2).

    Parameters
    ----------
    df
        Degrees of freedom ν > 0; the smaller, the heavier the tails.
    loc
        Centre μ; the mean where ν > 1.
    scale
        Scale σ > 0; the standard deviation is σ √(ν / (ν − 2)) where ν > 2.

    Examples
    --------
    >>> round(float(StudentT(4, 0, 10).log_prob(0.0)), 4)
    -3.2834

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, appendix A.
    """

    df: Parameter
    loc: Parameter = 0.0
    scale: Parameter = 1.0
    limits: ClassVar[dict[str, Limit]] = {"df": POSITIVE, "loc": FINITE, "scale": POSITIVE}

    def _support(self, shape: tuple[int, ...]) -> Support:
        return real(shape)

    def _log_prob(self, value: Array) -> Array:
        z = (value - self.loc) / self.scale
        log_norm = log_beta(0.5, 0.5 * self.df) + 0.5 * jnp.log(self.df) + jnp.log(self.scale)
        return -0.5 * (self.df + 1) * jnp.log1p(z**2 / self.df) - log_norm

    def log_tails(self, value: Parameter) -> tuple[Array, Array]:
        z = (as_float(value) - self.loc) / self.scale
        outer = 0.5 * betainc(0.5 * self.df, 0.5, self.df / (self.df + z**2))
        lower = jnp.where(z < 0, jnp.log(outer), jnp.log1p(-outer))
        return lower, jnp.where(z < 0, jnp.log1p(-outer), jnp.log(outer))

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return self.loc + self.scale * jax.random.t(key, self.df, shape)


@dataclass(frozen=True, eq=False)
class Cauchy(Distribution):
    """The Cauchy distribution, Student's t with ν = 1: p(x) ∝ 1 / (1 + ((x − μ) / σ)²).

    Parameters
    ----------
    loc
        Median μ.
    scale
        Scale σ > 0; half of the probability lies within σ of the median.

    Examples
    --------
    >>> round(float(Cauchy(0, 5).log_prob(5.0)), 4)
    -3.4473

    References
    ----------
    Johnson, Kotz and Balakrishnan (1994), Continuous Univariate Distributions, volume 1, chapter 16.
    """

    loc: Parameter = 0.0
    scale: Parameter = 1.0
    limits: ClassVar[dict[str, Limit]] = {"loc": FINITE, "scale": POSITIVE}

    def _support(self, shape: tuple[int, ...]) -> Support:
        return real(shape)

    def _log_prob(self, value: Array) -> Array:
        z = (value - self.loc) / self.scale
        return -jnp.log1p(z**2) - jnp.log(self.scale) - math.log(math.pi)

    def log_tails(self, value: Parameter) -> tuple[Array, Array]:
        z = (as_float(value) - self.loc) / self.scale
        return jnp.log(jnp.arctan2(1.0, -z) / math.pi), jnp.log(jnp.arctan2(1.0, z) / math.pi)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return self.loc + self.scale * jax.random.cauchy(key, shape)


@dataclass(frozen=True, eq=False)
class Laplace(Distribution):
    """The Laplace distribution, an exponential to both sides: p(x) ∝ exp(−|x − μ| / σ).

    Parameters
    ----------
    loc
        Mean and median μ.
    scale
        Scale σ > 0; the standard deviation is σ √2.

    Examples
    --------
    >>> round(float(Laplace(0, 1).log_prob(1.0)), 4)
    -1.6931

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, appendix A.
    """

    loc: Parameter = 0.0
    scale: Parameter = 1.0
    limits: ClassVar[dict[str, Limit]] = {"loc": FINITE, "scale": POSITIVE}

    def _support(self, shape: tuple[int, ...]) -> Support:
        return real(shape)

    def _log_prob(self, value: Array) -> Array:
        return -jnp.abs(value - self.loc) / self.scale - jnp.log(2 * self.scale)

    def log_tails(self, value: Parameter) -> tuple[Array, Array]:
        z = (as_float(value) - self.loc) / self.scale
        outer = -jnp.abs(z) - math.log(2)
        inner = jnp.log1p(-jnp.exp(outer))
        return jnp.where(z < 0, outer, inner), jnp.where(z < 0, inner, outer)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return self.loc + self.scale * jax.random.laplace(key, shape)


@dataclass(frozen=True, eq=False)
class Logistic(Distribution):
    """The logistic distribution: p(x) = exp(−z) / (σ (1 + exp(−z))²), z = (x − μ) / σ.

    Parameters
    ----------
    loc
        Mean and median μ.
    scale
        Scale σ > 0; the standard deviation is σ π / √3.

    Examples
    --------
    >>> round(float(Logistic(0, 1).log_prob(0.0)), 4)  # 1 / 4
    -1.3863

    References
    ----------
    Johnson, Kotz and Balakrishnan (1995), Continuous Univariate Distributions, volume 2, chapter 23.
    """

    loc: Parameter = 0.0
    scale: Parameter = 1.0
    limits: ClassVar[dict[str, Limit]] = {"loc": FINITE, "scale": POSITIVE}

    def _support(self, shape: tuple[int, ...]) -> Support:
        return real(shape)

    def _log_prob(self, value: Array) -> Array:
        z = jnp.abs(value - self.loc) / self.scale
        return -z - 2 * jax.nn.softplus(-z) - jnp.log(self.scale)

    def log_tails(self, value: Parameter) -> tuple[Array, Array]:
        z = (as_float(value) - self.loc) / self.scale
        return -jax.nn.softplus(-z), -jax.nn.softplus(z)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return self.loc + self.scale * jax.random.logistic(key, shape)


@dataclass(frozen=True, eq=False)
class Flat(Distribution):
    """The improper uniform density on the real numbers: p(x) ∝ 1.

    Examples
    --------
    >>> float(Flat().log_prob(1e6))
    0.0

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, section 2.8.
    """

    def _support(self, shape: tuple[int, ...]) -> Support:
        return real(shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 0.0, lambda x: 0.0 * x)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        raise improper("Flat")
