"""What Hamiltonian kernels share: phase space, energy, leapfrog and the accepted trajectory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from propto.randomness import normals, uniform
from propto.samplers.base import LogDensity, acceptance, select

ValueAndGradient = Callable[[Float[Array, " dim"]], tuple[Float[Array, ""], Float[Array, " dim"]]]

# A trajectory whose energy has grown by more than this has left the region where the integrator is stable.
DIVERGENCE = 1000.0
# Streams of random numbers; kernels name their others from 3.
MOMENTUM, ACCEPT = 1, 2


class State(NamedTuple):
    """A position with its log density and gradient."""

    z: Float[Array, " dim"]
    logp: Float[Array, ""]
    gradient: Float[Array, " dim"]


class Phase(NamedTuple):
    """A state with a momentum."""

    state: State
    momentum: Float[Array, " dim"]


class Info(NamedTuple):
    """What diagnosis needs of one draw."""

    acceptance_rate: Float[Array, ""]
    energy: Float[Array, ""]
    energy_error: Float[Array, ""]
    n_steps: Int[Array, ""]
    diverging: Bool[Array, ""]
    nan_density: Bool[Array, ""]


class Params(NamedTuple):
    """Step size of the integrator in whitened units, and number of steps of a trajectory.

    The number is the same for all chains of a block, so that they move in lock step.
    """

    step_size: Float[Any, ""]
    n_steps: Int[Any, ""]

    def covering(self, length: float, max_steps: int) -> Params:
        """With as many steps as cover a length; on the host and in compiled code."""
        xp = self.step_size.__array_namespace__()
        n = xp.clip(xp.ceil(length / self.step_size - 1e-9), 1, max_steps)
        return self._replace(n_steps=xp.asarray(n, dtype=self.n_steps.dtype))


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


Integrator = Callable[[ValueAndGradient, Phase, Float[Array, ""]], Phase]


def transition(
    integrator: Integrator,
    logdensity: LogDensity,
    key: Array,
    state: State,
    step_size: Float[Array, ""],
    n_steps: Int[Array, ""],
) -> tuple[State, Info]:
    """A trajectory of so many steps from a fresh momentum, whose end is accepted or refused as a whole."""
    start = Phase(state, momentum(key, state.z))
    value_and_gradient = jax.value_and_grad(logdensity)

    def once(_: Int[Array, ""], carry: tuple[Phase, Bool[Array, ""]]) -> tuple[Phase, Bool[Array, ""]]:
        phase, nan = carry
        phase = integrator(value_and_gradient, phase, step_size)
        return phase, nan | is_undefined(phase.state)

    end, nan = jax.lax.fori_loop(0, n_steps, once, (start, jnp.array(False)))
    before = energy(start)
    error = energy(end) - before
    probability = acceptance(-error)
    accepted = uniform(key, ACCEPT) < probability
    info = Info(
        acceptance_rate=probability,
        energy=before + jnp.where(accepted, error, 0.0),
        energy_error=jnp.where(accepted, error, 0.0),
        n_steps=n_steps,
        diverging=error > DIVERGENCE,
        nan_density=nan,
    )
    return select(accepted, end.state, state), info
