"""The physics that HMC and NUTS share: phase space, energy and the leapfrog integrator, with unit mass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from propto.randomness import normals

ValueAndGradient = Callable[[Float[Array, " dim"]], tuple[Float[Array, ""], Float[Array, " dim"]]]

# A trajectory whose energy has grown by more than this has left the region where the integrator is stable.
DIVERGENCE = 1000.0
# The stream of random numbers that momenta are drawn from; kernels name their others from 2.
MOMENTUM = 1


class State(NamedTuple):
    """A position with its log density and gradient."""

    z: Float[Array, " dim"]
    logp: Float[Array, ""]
    gradient: Float[Array, " dim"]


class Phase(NamedTuple):
    """A state with a momentum."""

    state: State
    momentum: Float[Array, " dim"]


class Params(NamedTuple):
    """Step size of the integrator in whitened units, and number of steps of a trajectory.

    The number is the same for all chains of a block, so that they move in lock step.
    """

    step_size: Float[Any, ""]
    n_steps: Int[Any, ""]

    def covering(self, length: float, max_steps: int) -> Params:
        """With as many steps as cover a length (on the host)."""
        n = np.ceil(length / float(self.step_size) - 1e-9)
        return self._replace(n_steps=np.asarray(int(np.clip(n, 1, max_steps))))


def leapfrog(value_and_gradient: ValueAndGradient, phase: Phase, step_size: Float[Array, ""]) -> Phase:
    """One leapfrog step: half a kick, a drift, half a kick. Reversible, volume-preserving, second order."""
    half_way = phase.momentum + 0.5 * step_size * phase.state.gradient
    z = phase.state.z + step_size * half_way
    state = State(z, *value_and_gradient(z))
    return Phase(state, half_way + 0.5 * step_size * state.gradient)


def energy(phase: Phase) -> Float[Array, ""]:
    """H = -log p(z) + |p|²/2; an undefined density counts as infinitely high."""
    h = 0.5 * phase.momentum @ phase.momentum - phase.state.logp
    return jnp.where(jnp.isnan(h), jnp.inf, h)


def momentum(key: Array, z: Float[Array, " dim"]) -> Float[Array, " dim"]:
    """A fresh momentum from N(0, I)."""
    return normals(key, MOMENTUM, z.size)


def is_undefined(state: State) -> Bool[Array, ""]:
    """Whether the log density is NaN, at a place that is one: a trajectory lost in NaN is no fault of it."""
    return jnp.isnan(state.logp) & jnp.all(jnp.isfinite(state.z))
