"""Distributions made of others: truncated, censored, with additional zeros, mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import logsumexp

from propto.distributions.base import Distribution, within
from propto.distributions.categories import require_shares
from propto.distributions.special import log1m_exp
from propto.errors import ModelError, ParameterError, ShapeError
from propto.supports import Support
from propto.supports.checks import (
    FINITE,
    PROBABILITY,
    Limit,
    Parameter,
    broadcast_shape,
    is_traced,
    require_order,
)
from propto.supports.elements import Integers, between, ends_of, with_ends


@dataclass(frozen=True, eq=False)
class _Cut(Distribution):
    """What `Truncated` and `Censored` share: a distribution of numbers and one or two ends."""

    distribution: Distribution
    low: Parameter = None
    high: Parameter = None
    limits: ClassVar[dict[str, Limit]] = {"low": FINITE, "high": FINITE}

    def __post_init__(self) -> None:
        _require_distribution(self._name, self.distribution)
        if type(self.distribution).log_tails is Distribution.log_tails:
            self.distribution.log_tails(0.0)  # raises
        if self.low is None and self.high is None:
            raise ParameterError(f"{self._name}: give low, high or both.")
        super().__post_init__()
        if self.low is not None and self.high is not None:
            require_order(self._name, "low", self.low, "high", self.high)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape that the distribution and the ends broadcast to."""
        if self.distribution.event_shape:
            raise ShapeError(f"{self._name} takes distributions of numbers, not of vectors.")
        ends = {name: np.shape(value) for name, value in self._given().items()}
        return broadcast_shape(self._name, {"distribution": self.distribution.batch_shape, **ends})

    @property
    def _is_discrete(self) -> bool:
        return isinstance(self.distribution.support, Integers)

    @property
    def _below(self) -> Any:
        """The largest value that lies below the range."""
        return self.low - 1 if self._is_discrete and self.low is not None else self.low

    def _log_between(self, low: Any, high: Any) -> Array:
        """log P(low < X ≤ high), from the smaller of the two tails."""
        f_low, s_low = (-jnp.inf, 0.0) if low is None else self.distribution.log_tails(low)
        f_high, s_high = (0.0, -jnp.inf) if high is None else self.distribution.log_tails(high)
        from_below = f_high + log1m_exp(f_low - f_high)
        from_above = s_low + log1m_exp(s_high - s_low)
        return jnp.where(s_low < f_high, from_above, from_below)


@dataclass(frozen=True, eq=False)
class Truncated(_Cut):
    """A distribution of which only values in a range come: p(x) / P(low ≤ X ≤ high) for low ≤ x ≤ high.

    Parameters
    ----------
    distribution
        A distribution of numbers with a known distribution function.
    low, high
        The ends, which belong to the range; at least one of them.

    Examples
    --------
    >>> from propto.distributions import Normal
    >>> round(float(Truncated(Normal(0, 1), low=0).log_prob(0.0)), 4)  # as HalfNormal(1)
    -0.2258

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, section 8.7.
    """

    def _support(self, shape: tuple[int, ...]) -> Support:
        low, high = ends_of(self.distribution.support)
        if self.low is not None:
            low = self.low if is_traced(self.low) or is_traced(low) else np.maximum(low, self.low)
        if self.high is not None:
            high = self.high if is_traced(self.high) or is_traced(high) else np.minimum(high, self.high)
        return with_ends(low, high, shape, is_discrete=self._is_discrete)

    def _log_prob(self, value: Array) -> Array:
        anchor: Any = self.low if self.low is not None else self.high
        log_share = self._log_between(self._below, self.high)
        return within(self.support, value, anchor, lambda x: self.distribution.log_prob(x) - log_share)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        """The place up to which a uniform share of the probability lies, by bisection."""
        log_share = jnp.log(jax.random.uniform(key, shape, minval=jnp.finfo(float).tiny))
        aim = log_share + self._log_between(self._below, self.high)
        continuous = with_ends(*ends_of(self.support), shape, is_discrete=False)

        def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            middle = (ends[0] + ends[1]) / 2
            x = continuous.forward_and_log_det(middle)[0]
            is_low = self._log_between(self._below, x) < aim
            return jnp.where(is_low, middle, ends[0]), jnp.where(is_low, ends[1], middle)

        widest = jnp.full(shape, 700.0)
        _, z = jax.lax.fori_loop(0, 100, halve, (-widest, widest))
        x = continuous.forward_and_log_det(z)[0]
        return jnp.rint(x).astype(int) if self._is_discrete else x


@dataclass(frozen=True, eq=False)
class Censored(_Cut):
    """Values beyond an end are told as that end: its probability is P(X ≤ low), or P(X ≥ high).

    For observations only: a measurement below the detection limit is given as the limit, an event
    that had not come by the end of the study as that time.

    Parameters
    ----------
    distribution
        A distribution of numbers with a known distribution function.
    low, high
        The ends, at least one of them; arrays where every observation has its own.

    Examples
    --------
    >>> from propto.distributions import Exponential
    >>> float(Censored(Exponential(0.5), high=4.0).log_prob(4.0))
    -2.0

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, section 8.7.
    """

    def _support(self, shape: tuple[int, ...]) -> Support:
        return between(self.low, self.high, shape)

    def _log_prob(self, value: Array) -> Array:
        anchor: Any = self.low if self.low is not None else self.high
        return within(self.support, value, anchor, self._log_density)

    def _log_density(self, x: Array) -> Array:
        log_p = self.distribution.log_prob(x)
        if self.low is not None:
            log_p = jnp.where(x == self.low, self.distribution.log_tails(self.low)[0], log_p)
        if self.high is not None:
            last = self.high - 1 if self._is_discrete else self.high
            log_p = jnp.where(x == self.high, self.distribution.log_tails(last)[1], log_p)
        return log_p

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        return jnp.clip(self.distribution._sample(key, shape), self.low, self.high)


@dataclass(frozen=True, eq=False)
class ZeroInflated(Distribution):
    """Counts with additional zeros: 0 with probability π, else from a distribution of counts.

    p(x) = π [x = 0] + (1 − π) p₀(x)

    Parameters
    ----------
    distribution
        A distribution of counts p₀, such as Poisson.
    zero_probs
        Probability π of an additional zero, from 0 to 1.

    Examples
    --------
    >>> from propto.distributions import Poisson
    >>> round(float(ZeroInflated(Poisson(2.0), 0.5).log_prob(0)), 4)
    -0.5662

    References
    ----------
    Lambert (1992), Zero-inflated Poisson regression, Technometrics 34.
    """

    distribution: Distribution
    zero_probs: Parameter
    limits: ClassVar[dict[str, Limit]] = {"zero_probs": PROBABILITY}

    def __post_init__(self) -> None:
        _require_distribution(self._name, self.distribution)
        super().__post_init__()
        if not isinstance(self.distribution.support, Integers):
            raise ModelError(
                "ZeroInflated takes a distribution of counts; for measurements that may be exactly 0 "
                "model whether they are 0 (Bernoulli) and how large the others are apart from each other."
            )

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape that the distribution and the probability broadcast to."""
        shapes = {"distribution": self.distribution.batch_shape, "zero_probs": np.shape(self.zero_probs)}
        return broadcast_shape(self._name, shapes)

    def _support(self, shape: tuple[int, ...]) -> Support:
        return self.distribution.support.with_shape(shape)

    def _log_prob(self, value: Array) -> Array:
        others = jnp.log1p(-self.zero_probs) + self.distribution.log_prob(value)
        return jnp.where(value == 0, jnp.logaddexp(jnp.log(self.zero_probs), others), others)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        key_zero, key_count = jax.random.split(key)
        is_zero = jax.random.bernoulli(key_zero, self.zero_probs, shape)
        return jnp.where(is_zero, 0, self.distribution._sample(key_count, shape))


@dataclass(frozen=True, eq=False)
class Mixture(Distribution):
    """A value from one of n distributions, one does not know which: p(x) = Σ wₖ pₖ(x).

    Parameters
    ----------
    weights
        Probabilities w of the components, shape (..., n), with sum 1.
    components
        A list of n distributions, or one distribution whose last batch axis has length n. All of them
        are of the same set of values.

    Examples
    --------
    >>> from propto.distributions import Normal
    >>> mixture = Mixture([0.3, 0.7], Normal([0.0, 5.0], 1.0))
    >>> round(float(mixture.log_prob(0.0)), 4)
    -2.1229

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, chapter 22.
    """

    weights: Parameter
    components: Any
    limits: ClassVar[dict[str, Limit]] = {"weights": PROBABILITY}

    def __post_init__(self) -> None:
        for one in self._list:
            _require_distribution(self._name, one)
        super().__post_init__()
        require_shares(self._name, "weights", self.weights)

    @property
    def _list(self) -> list[Distribution]:
        return list(self.components) if isinstance(self.components, Sequence) else [self.components]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape that the weights and the components broadcast to, without the axis of components."""
        n = np.shape(self.weights)[-1] if np.ndim(self.weights) else 0
        if isinstance(self.components, Sequence):
            shapes, found = [one.batch_shape for one in self._list], len(self._list)
        else:
            whole = self.components.batch_shape
            shapes, found = [whole[:-1]], whole[-1] if whole else 1
        if n != found:
            raise ShapeError(f"Mixture: weights are for {n} components, got {found}.")
        named = {f"component {k}": shape for k, shape in enumerate(shapes)}
        return broadcast_shape(self._name, {"weights": np.shape(self.weights)[:-1], **named})

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one value."""
        return self._list[0].event_shape

    def _support(self, shape: tuple[int, ...]) -> Support:
        try:
            supports = [one.support.with_shape(shape) for one in self._list]
        except ShapeError:
            supports = []
        if not supports or any(support != supports[0] for support in supports):
            raise ModelError("Mixture: all components must be distributions of the same set of values.")
        return supports[0]

    def _log_prob(self, value: Array) -> Array:
        return logsumexp(jnp.log(self.weights) + self._each(value), axis=-1)

    def _each(self, value: Array) -> Array:
        """Log densities of the components, along the last axis."""
        if isinstance(self.components, Sequence):
            return jnp.stack([one.log_prob(value) for one in self._list], axis=-1)
        return self.components.log_prob(jnp.expand_dims(value, -1 - len(self.event_shape)))

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        key_which, key_value = jax.random.split(key)
        n_event, n = len(self.event_shape), np.shape(self.weights)[-1]
        batch, event = shape[: len(shape) - n_event], shape[len(shape) - n_event :]
        which = jax.random.categorical(key_which, jnp.log(self.weights), shape=batch)
        if isinstance(self.components, Sequence):
            keys = jax.random.split(key_value, n)
            each = [one._sample(k, shape) for one, k in zip(self._list, keys, strict=True)]
            values = jnp.stack(each, axis=len(batch))
        else:
            values = self.components._sample(key_value, (*batch, n, *event))
        index = which.reshape(*batch, *[1] * (n_event + 1))
        return jnp.take_along_axis(values, index, axis=len(batch)).reshape(shape)


def _require_distribution(owner: str, value: Any) -> None:
    if not isinstance(value, Distribution):
        raise ParameterError(f"{owner} is made of distributions such as pp.Normal(0, 1), got {value!r}.")
