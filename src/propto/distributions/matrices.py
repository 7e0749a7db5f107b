"""Distributions of correlation matrices, and priors on ordered vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import gammaln

from propto.distributions.base import Distribution
from propto.errors import ParameterError, ShapeError
from propto.options import whole
from propto.supports import Support
from propto.supports.checks import POSITIVE, Limit, Parameter
from propto.supports.elements import Real
from propto.supports.events import Ordered as OrderedVectors
from propto.supports.matrices import CorrelationCholesky


@dataclass(frozen=True, eq=False)
class LKJCholesky(Distribution):
    """The Cholesky factor L of a correlation matrix R = L Lᵀ with p(R) ∝ det(R)^(η − 1).

    Scale its rows and give it to a multivariate normal: ``scale_tril=scales[:, None] * L``.

    Parameters
    ----------
    dimension
        Number of rows n, at least 2.
    concentration
        η > 0; with 1 all correlation matrices are alike, larger ones prefer small correlations.

    Examples
    --------
    >>> round(float(LKJCholesky(2, 1.0).log_prob([[1.0, 0.0], [0.6, 0.8]])), 4)  # 1 / 2
    -0.6931

    References
    ----------
    Lewandowski, Kurowicka and Joe (2009), Generating random correlation matrices based on vines and
    extended onion method, Journal of Multivariate Analysis 100.
    """

    dimension: int
    concentration: Parameter = 1.0
    limits: ClassVar[dict[str, Limit]] = {"concentration": POSITIVE}

    def __post_init__(self) -> None:
        object.__setattr__(self, "dimension", whole("LKJCholesky: dimension", self.dimension, 2))
        super().__post_init__()

    @property
    def event_shape(self) -> tuple[int, ...]:
        """``(n, n)``."""
        return (self.dimension, self.dimension)

    def _support(self, shape: tuple[int, ...]) -> Support:
        return CorrelationCholesky(shape=shape)

    def _log_prob(self, value: Array) -> Array:
        n, eta = self.dimension, self.concentration
        is_nan = jnp.any(jnp.isnan(value), axis=(-2, -1))
        outside = ~(self.support.inside(value) | is_nan)
        diagonal = jnp.diagonal(jnp.where(outside[..., None, None], jnp.eye(n), value), axis1=-2, axis2=-1)
        # Of det(R)^(η − 1) = Π Lₖₖ^(2η − 2), and of |dR / dL| = Π Lₖₖ^(n − k).
        powers = jnp.asarray(2 * eta)[..., None] - 2 + n - np.arange(2, n + 1)
        log_p = jnp.sum(powers * jnp.log(diagonal[..., 1:]), axis=-1) - self._log_norm()
        return jnp.where(outside, -jnp.inf, log_p)

    def _log_norm(self) -> Array:
        n, eta = self.dimension, jnp.asarray(self.concentration)[..., None]
        k = np.arange(1, n)
        terms = gammaln(eta + (n - 1 - k) / 2) - gammaln(eta + (n - 1) / 2) + k / 2 * math.log(math.pi)
        return jnp.sum(terms, axis=-1)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        """Row by row: a direction at random, and how far along it (the onion method)."""
        n, batch = self.dimension, shape[:-2]
        key_direction, key_length = jax.random.split(key)
        noise = jnp.tril(jax.random.normal(key_direction, shape), -1)
        lengths = jnp.linalg.norm(noise, axis=-1, keepdims=True)
        direction = noise / jnp.where(lengths > 0, lengths, 1.0)
        k = np.arange(1, n)
        eta = jnp.asarray(self.concentration)[..., None]
        y = jax.random.beta(key_length, k / 2, eta + (n - 1 - k) / 2, (*batch, n - 1))
        y = jnp.concatenate([jnp.zeros((*batch, 1)), y], axis=-1)[..., None]
        return jnp.sqrt(y) * direction + jnp.sqrt(1 - y) * jnp.eye(n)


@dataclass(frozen=True, eq=False)
class Ordered(Distribution):
    """The values of n independent draws, put in rising order: p(x) = n! Π p(xᵢ) for x₁ < … < xₙ.

    A prior for cut points, and for the centres of a mixture, whose names could else be exchanged. Where the
    draws come from different distributions there is no factor n!, and p is known up to a constant.

    Parameters
    ----------
    distribution
        A distribution of real numbers.
    size
        Length n of a vector; that of the distribution's last batch axis if not given.

    Examples
    --------
    >>> from propto.distributions import Normal
    >>> round(float(Ordered(Normal(0, 1), 2).log_prob([0.0, 1.0])), 4)
    -1.6447

    References
    ----------
    David and Nagaraja (2003), Order Statistics, 3rd edition, chapter 2.
    """

    distribution: Distribution
    size: int | None = None

    def __post_init__(self) -> None:
        d = self.distribution
        if not isinstance(d, Distribution) or d.event_shape or not isinstance(d.support, Real):
            raise ParameterError(f"Ordered takes a distribution of real numbers, got {d!r}.")
        if self.size is None and not d.batch_shape:
            raise ShapeError("Ordered: give the size of a vector.")
        if self.size is not None and d.batch_shape:
            raise ShapeError("Ordered: the distribution has a shape of its own; leave size out.")

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape of the distribution without the axis of the vector."""
        return self.distribution.batch_shape[:-1]

    @property
    def event_shape(self) -> tuple[int, ...]:
        """``(n,)``."""
        return self.distribution.batch_shape[-1:] or (self.size or 1,)

    def _support(self, shape: tuple[int, ...]) -> Support:
        return OrderedVectors(shape=shape)

    def _log_prob(self, value: Array) -> Array:
        is_nan = jnp.any(jnp.isnan(value), axis=-1)
        outside = ~(self.support.inside(value) | is_nan)
        log_orders = 0.0 if self.size is None else gammaln(self.size + 1.0)
        return jnp.where(outside, -jnp.inf, log_orders + jnp.sum(self.distribution.log_prob(value), axis=-1))

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        if self.size is None:
            raise ParameterError("Ordered: draws are known for equal distributions only (size=...).")
        return jnp.sort(self.distribution._sample(key, shape), axis=-1)
