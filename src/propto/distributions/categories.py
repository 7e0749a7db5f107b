"""Distributions of categories, of ordered grades and of counts by category."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import gammaln, xlogy

from propto.distributions.base import Distribution, require_one, within
from propto.distributions.special import log1m_exp
from propto.errors import ParameterError, ShapeError
from propto.supports import Support, integer_interval
from propto.supports.checks import (
    COUNT,
    FINITE,
    PROBABILITY,
    Limit,
    Parameter,
    broadcast_shape,
    is_traced,
)
from propto.supports.events import Counts


@dataclass(frozen=True, eq=False)
class Categorical(Distribution):
    """One of n categories, counted from 0: p(x) = pₓ.

    Parameters
    ----------
    probs
        Probabilities p, shape (..., n), with sum 1.
    logits
        Instead of ``probs``: log p up to a constant, shape (..., n).

    Examples
    --------
    >>> round(float(Categorical([0.2, 0.3, 0.5]).log_prob(2)), 4)
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
        if self.probs is not None:
            require_shares(self._name, "probs", self.probs)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape of the probabilities without the axis of the categories."""
        return _rows(self._name, self._given())[:-1]

    @property
    def _log_probs(self) -> Array:
        return jnp.log(self.probs) if self.logits is None else jax.nn.log_softmax(self.logits)

    def _support(self, shape: tuple[int, ...]) -> Support:
        return integer_interval(0.0, _rows(self._name, self._given())[-1] - 1.0, shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 0.0, lambda x: _chosen(self._log_probs, x))

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return jax.random.categorical(key, self._log_probs, shape=shape).astype(int)


@dataclass(frozen=True, eq=False)
class OrderedLogistic(Distribution):
    """Grades 0 to n, told by where a logistic variable around η falls among n cut points.

    P(x ≤ k) = 1 / (1 + exp(η − cₖ₊₁))

    Parameters
    ----------
    predictor
        η, the centre.
    cutpoints
        c₁ < … < cₙ, shape (..., n); give unknown ones a prior on ordered vectors (`Ordered`).

    Examples
    --------
    >>> round(float(OrderedLogistic(0.0, [-1.0, 1.0]).log_prob(1)), 4)
    -0.7719

    References
    ----------
    McCullagh (1980), Regression models for ordinal data, Journal of the Royal Statistical Society B 42.
    """

    predictor: Parameter
    cutpoints: Parameter
    limits: ClassVar[dict[str, Limit]] = {"predictor": FINITE, "cutpoints": FINITE}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_traced(self.cutpoints) and not (np.diff(self.cutpoints) > 0).all():
            raise ParameterError(f"OrderedLogistic: cutpoints must rise, got {np.asarray(self.cutpoints)}.")

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape that the centres and the rows of cut points broadcast to."""
        rows = _rows(self._name, {"cutpoints": self.cutpoints})[:-1]
        return broadcast_shape(self._name, {"predictor": np.shape(self.predictor), "cutpoints": rows})

    @property
    def _log_probs(self) -> Array:
        below = jnp.asarray(self.cutpoints) - jnp.asarray(self.predictor)[..., None]
        lower, upper = below[..., :-1], below[..., 1:]
        # log of a difference of logistic functions: log σ(u) + log σ(−l) + log(1 − exp(l − u)).
        between = -jax.nn.softplus(-upper) - jax.nn.softplus(lower) + log1m_exp(lower - upper)
        first, last = -jax.nn.softplus(-below[..., :1]), -jax.nn.softplus(below[..., -1:])
        return jnp.concatenate([first, between, last], axis=-1)

    def _support(self, shape: tuple[int, ...]) -> Support:
        return integer_interval(0.0, float(np.shape(self.cutpoints)[-1]), shape)

    def _log_prob(self, value: Array) -> Array:
        return within(self.support, value, 0.0, lambda x: _chosen(self._log_probs, x))

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return jax.random.categorical(key, self._log_probs, shape=shape).astype(int)


@dataclass(frozen=True, eq=False)
class Multinomial(Distribution):
    """Counts of the categories among N independent choices: p(x) = N! Π pᵢ^xᵢ / xᵢ!.

    Parameters
    ----------
    total_count
        Number of choices N, a whole number of 0 or more, one for each vector.
    probs
        Probabilities p, shape (..., n), with sum 1.

    Examples
    --------
    >>> round(float(Multinomial(2, [0.5, 0.5]).log_prob([1, 1])), 4)
    -0.6931

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, appendix A.
    """

    total_count: Parameter
    probs: Parameter
    limits: ClassVar[dict[str, Limit]] = {"total_count": COUNT, "probs": PROBABILITY}

    def __post_init__(self) -> None:
        super().__post_init__()
        require_shares(self._name, "probs", self.probs)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape that the totals and the rows of probabilities broadcast to."""
        rows = _rows(self._name, {"probs": self.probs})[:-1]
        return broadcast_shape(self._name, {"total_count": np.shape(self.total_count), "probs": rows})

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one vector of counts, ``(n,)``."""
        return np.shape(self.probs)[-1:]

    def _support(self, shape: tuple[int, ...]) -> Support:
        return Counts(total=self.total_count, shape=shape)

    def _log_prob(self, value: Array) -> Array:
        is_nan = jnp.any(jnp.isnan(value), axis=-1)
        outside = ~(self.support.inside(value) | is_nan)
        x = jnp.where(outside[..., None], 0.0, value)
        log_choices = gammaln(jnp.asarray(self.total_count) + 1.0) - jnp.sum(gammaln(x + 1), axis=-1)
        return jnp.where(outside, -jnp.inf, log_choices + jnp.sum(xlogy(x, self.probs), axis=-1))

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        """Category after category, each a binomial share of what is left."""
        p = jnp.broadcast_to(self.probs, shape)
        left = jnp.broadcast_to(self.total_count, shape[:-1]).astype(float)
        rest, counts = jnp.ones(shape[:-1]), []
        for i, key_of_one in enumerate(jax.random.split(key, shape[-1])):
            share = jnp.where(rest > 0, jnp.clip(p[..., i] / jnp.where(rest > 0, rest, 1.0), 0, 1), 1.0)
            is_last = i == shape[-1] - 1
            counts.append(left if is_last else jax.random.binomial(key_of_one, left, share))
            left, rest = left - counts[-1], rest - p[..., i]
        return jnp.stack(counts, axis=-1).astype(int)


def require_shares(owner: str, name: str, value: Any) -> None:
    """Raise a ParameterError unless known probabilities sum to 1 along the last axis."""
    if is_traced(value) or np.ndim(value) == 0:
        return
    sums = np.asarray(value).sum(axis=-1)
    if (np.abs(sums - 1) > 1e-6).any():
        raise ParameterError(
            f"{owner}: {name} must sum to 1 along the last axis, got the sum "
            f"{np.ravel(sums)[np.abs(np.ravel(sums) - 1).argmax()]:.6g}. Divide by it, or give logits=..."
        )


def _rows(owner: str, given: dict[str, Any]) -> tuple[int, ...]:
    """The shape of the one parameter that has an axis of categories."""
    name, value = next(iter(given.items()))
    if not np.shape(value):
        raise ShapeError(f"{owner}: {name} needs an axis of categories, got a single number.")
    return np.shape(value)


def _chosen(log_probs: Array, x: Array) -> Array:
    """The element of the last axis that x names; NaN where x is."""
    shape = jnp.broadcast_shapes(log_probs.shape[:-1], x.shape)
    index = jnp.broadcast_to(jnp.where(jnp.isnan(x), 0, x).astype(int), shape)
    table = jnp.broadcast_to(log_probs, (*shape, log_probs.shape[-1]))
    return jnp.take_along_axis(table, index[..., None], axis=-1)[..., 0] + 0.0 * x
