"""Distributions of series: hidden Markov models with their states summed out, and random walks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import logsumexp

from propto.distributions.base import Distribution
from propto.distributions.categories import require_shares
from propto.errors import ParameterError, ShapeError
from propto.options import whole
from propto.supports import Support, real
from propto.supports.checks import FINITE, POSITIVE, PROBABILITY, Limit, Parameter, broadcast_shape


@dataclass(frozen=True, eq=False)
class HMM(Distribution):
    """A series whose element t comes from the distribution of a hidden state, and the states form a chain.

    The states are summed out by the forward algorithm, in time proportional to the length.

    Parameters
    ----------
    initial
        Probabilities of the first state, shape (n,).
    transition
        Probabilities of the next state, one row for each present state, shape (n, n).
    observation
        The distribution of an element given the state; its last batch axis is the state. Where it changes
        with time, the axis before it is the time.
    length
        Length of the series.

    Examples
    --------
    >>> from propto.distributions import Normal
    >>> series = HMM([0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]], Normal([0.0, 3.0], 1.0), length=2)
    >>> round(float(series.log_prob([0.0, 0.0])), 4)
    -2.6338

    References
    ----------
    Rabiner (1989), A tutorial on hidden Markov models, Proceedings of the IEEE 77.
    """

    initial: Parameter
    transition: Parameter
    observation: Distribution
    length: int
    limits: ClassVar[dict[str, Limit]] = {"initial": PROBABILITY, "transition": PROBABILITY}

    def __post_init__(self) -> None:
        if not isinstance(self.observation, Distribution):
            raise ParameterError(f"HMM: observation must be a distribution, got {self.observation!r}.")
        object.__setattr__(self, "length", whole("HMM: length", self.length, 1))
        super().__post_init__()
        n, given = np.shape(self.initial)[-1:], np.shape(self.transition)
        if len(n) != 1 or given != 2 * n or self.observation.batch_shape[-1:] != n:
            raise ShapeError(
                f"HMM: initial has shape {np.shape(self.initial)}, transition {given} and the states of "
                f"observation {self.observation.batch_shape[-1:]}; expected (n,), (n, n) and (n,)."
            )
        require_shares(self._name, "initial", self.initial)
        require_shares(self._name, "transition", self.transition)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Always ``()``: one series."""
        return ()

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The length, and the shape of an element."""
        return (self.length, *self.observation.event_shape)

    def _support(self, shape: tuple[int, ...]) -> Support:
        return self.observation.support.with_shape(shape)

    def _log_prob(self, value: Array) -> Array:
        n_event = len(self.event_shape)
        lead = value.shape[: value.ndim - n_event]
        series = value.reshape(-1, *self.event_shape)
        return jax.vmap(self._forward)(series).reshape(lead)

    def _forward(self, series: Array) -> Array:
        """Log density of one series: the log of the sum over all paths of states."""
        emission = self.observation.log_prob(jnp.expand_dims(series, 1))
        log_transition = jnp.log(self.transition)

        def step(log_alpha: Array, log_p: Array) -> tuple[Array, None]:
            return logsumexp(log_alpha[:, None] + log_transition, axis=0) + log_p, None

        first = jnp.log(self.initial) + emission[0]
        return logsumexp(jax.lax.scan(step, first, emission[1:])[0])

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        n_event = len(self.event_shape)
        lead = shape[: len(shape) - n_event]
        keys = jax.random.split(key, int(np.prod(lead)))
        return jax.vmap(self._sample_one)(keys).reshape(shape)

    def _sample_one(self, key: Array) -> Array:
        key_first, key_states, key_values = jax.random.split(key, 3)
        log_transition = jnp.log(self.transition)

        def step(state: Array, key: Array) -> tuple[Array, Array]:
            return jax.random.categorical(key, log_transition[state]), state

        first = jax.random.categorical(key_first, jnp.log(self.initial))
        _, states = jax.lax.scan(step, first, jax.random.split(key_states, self.length))
        n, event = np.shape(self.initial)[-1], self.observation.event_shape
        values = self.observation._sample(key_values, (self.length, n, *event))
        return jax.vmap(lambda row, state: row[state])(values, states)


@dataclass(frozen=True, eq=False)
class GaussianRandomWalk(Distribution):
    """A walk with normal steps: xₜ ~ Normal(xₜ₋₁ + δ, σ), x₁ ~ Normal(start, start_scale).

    Parameters
    ----------
    scale
        Standard deviation σ > 0 of a step; one number, or one for each of the n − 1 steps.
    length
        Number of places n.
    drift
        Mean δ of a step.
    start, start_scale
        Mean and standard deviation of the first place.

    Examples
    --------
    >>> round(float(GaussianRandomWalk(1.0, 2).log_prob([0.0, 1.0])), 4)
    -2.3379

    References
    ----------
    Durbin and Koopman (2012), Time Series Analysis by State Space Methods, 2nd edition, chapter 2.
    """

    scale: Parameter
    length: int
    drift: Parameter = 0.0
    start: Parameter = 0.0
    start_scale: Parameter = 1.0
    limits: ClassVar[dict[str, Limit]] = {
        "scale": POSITIVE,
        "drift": FINITE,
        "start": FINITE,
        "start_scale": POSITIVE,
    }

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", whole("GaussianRandomWalk: length", self.length, 1))
        super().__post_init__()
        steps = {name: np.shape(getattr(self, name)) for name in ("scale", "drift")}
        if any(shape not in ((), (self.length - 1,)) for shape in steps.values()):
            raise ShapeError(f"GaussianRandomWalk: a walk of {self.length} places cannot have steps {steps}.")

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """One walk for every start."""
        shapes = {name: np.shape(getattr(self, name)) for name in ("start", "start_scale")}
        return broadcast_shape(self._name, shapes)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """``(n,)``."""
        return (self.length,)

    def _support(self, shape: tuple[int, ...]) -> Support:
        return real(shape)

    def _log_prob(self, value: Array) -> Array:
        steps = _normal(jnp.diff(value, axis=-1), self.drift, self.scale)
        return _normal(value[..., 0], self.start, self.start_scale) + jnp.sum(steps, axis=-1)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        noise = jax.random.normal(key, shape)
        first = self.start + self.start_scale * noise[..., 0]
        steps = self.drift + self.scale * noise[..., 1:]
        return jnp.cumsum(jnp.concatenate([first[..., None], steps], axis=-1), axis=-1)


def _normal(x: Array, loc: Any, scale: Any) -> Array:
    return -0.5 * ((x - loc) / scale) ** 2 - jnp.log(scale) - 0.5 * np.log(2 * np.pi)
