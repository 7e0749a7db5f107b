"""Distributions on an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import xlog1py, xlogy

from propto.distributions.base import Distribution, within
from propto.distributions.special import log_beta
from propto.supports import Support, interval, unit_interval
from propto.supports.checks import FINITE, POSITIVE, Limit, Parameter, as_float, require_order


@dataclass(frozen=True, eq=False)
class Uniform(Distribution):
    """The uniform distribution: p(x) = 1 / (b − a) for a ≤ x ≤ b.

    Parameters
    ----------
    low
        Lower end a.
    high
        Upper end b > a.

    Examples
    --------
    >>> round(float(Uniform(0, 100).log_prob(50.0)), 4)
    -4.6052

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, appendix A.
    """

    low: Parameter = 0.0
    high: Parameter = 1.0
    limits: ClassVar[dict[str, Limit]] = {"low": FINITE, "high": FINITE}

    def __post_init__(self) -> None:
        super().__post_init__()
        require_order("Uniform", "low", self.low, "high", self.high)

    def _support(self, shape: tuple[int, ...]) -> Support:
        return interval(self.low, self.high, shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 0.0, lambda x: 0.0 * x - jnp.log(self.high - self.low))

    def log_tails(self, value: Parameter) -> tuple[Array, Array]:
        share = jnp.clip((as_float(value) - self.low) / (self.high - self.low), 0.0, 1.0)
        return jnp.log(share), jnp.log1p(-share)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        # A draw of exactly 0 would put a scale with low = 0 outside of its limits.
        share = jax.random.uniform(key, shape, minval=jnp.finfo(jnp.result_type(float)).tiny)
        return self.low + (self.high - self.low) * share


@dataclass(frozen=True, eq=False)
class Beta(Distribution):
    """The beta distribution: p(x) ∝ x^(α − 1) (1 − x)^(β − 1) for 0 ≤ x ≤ 1.

    Parameters
    ----------
    alpha
        α > 0; α − 1 is the number of successes that the prior is worth.
    beta
        β > 0; β − 1 is the number of failures. The mean is α / (α + β).

    Examples
    --------
    >>> round(float(Beta(2, 2).log_prob(0.5)), 4)
    0.4055

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, appendix A.
    """

    alpha: Parameter
    beta: Parameter
    limits: ClassVar[dict[str, Limit]] = {"alpha": POSITIVE, "beta": POSITIVE}

    def _support(self, shape: tuple[int, ...]) -> Support:
        return unit_interval(shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 0.5, self._log_density)

    def _log_density(self, x: Array) -> Array:
        return xlogy(self.alpha - 1, x) + xlog1py(self.beta - 1, -x) - log_beta(self.alpha, self.beta)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        draws = jax.random.beta(key, self.alpha, self.beta, shape)
        limits = jnp.finfo(draws.dtype)
        return jnp.clip(draws, limits.tiny, 1 - limits.epsneg)  # rounding may reach an end, theory does not
