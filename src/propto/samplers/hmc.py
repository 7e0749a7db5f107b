"""Hamiltonian Monte Carlo: a leapfrog trajectory of fixed length, accepted or refused as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from propto.coordinates.whitening import Diagonal
from propto.errors import OptionError
from propto.samplers import hamiltonian
from propto.samplers.base import LogDensity, acceptance, select
from propto.samplers.hamiltonian import DIVERGENCE, Params, Phase, State
from propto.warmup.step_size import DualAveraging


class Info(NamedTuple):
    """What diagnosis needs of one draw."""

    acceptance_rate: Float[Array, ""]
    energy: Float[Array, ""]
    energy_error: Float[Array, ""]
    n_steps: Int[Array, ""]
    diverging: Bool[Array, ""]
    nan_density: Bool[Array, ""]


def step(
    logdensity: LogDensity,
    key: Array,
    state: State,
    params: Params,
    trajectory_length: float,
    max_steps: int,
) -> tuple[State, Info]:
    """One transition."""
    key_momentum, key_jitter, key_accept = jax.random.split(key, 3)
    start = Phase(state, hamiltonian.momentum(key_momentum, state.z))
    n = jnp.clip(jnp.ceil(trajectory_length / params.step_size), 1, max_steps).astype(int)
    # The length is jittered through the step size, not the number of steps: all chains do the same work,
    # and no trajectory can stay in resonance with a period of the target.
    step_size = params.step_size * jax.random.uniform(key_jitter, minval=0.8, maxval=1.2)
    value_and_gradient = jax.value_and_grad(logdensity)

    def once(_: Int[Array, ""], carry: tuple[Phase, Bool[Array, ""]]) -> tuple[Phase, Bool[Array, ""]]:
        phase, nan = carry
        phase = hamiltonian.leapfrog(value_and_gradient, phase, step_size)
        return phase, nan | hamiltonian.is_undefined(phase.state)

    end, nan = jax.lax.fori_loop(0, n, once, (start, jnp.array(False)))
    before = hamiltonian.energy(start)
    error = hamiltonian.energy(end) - before
    probability = acceptance(-error)
    accepted = jax.random.uniform(key_accept) < probability
    info = Info(
        acceptance_rate=probability,
        energy=before + jnp.where(accepted, error, 0.0),
        energy_error=jnp.where(accepted, error, 0.0),
        n_steps=n,
        diverging=error > DIVERGENCE,
        nan_density=nan,
    )
    return select(accepted, end.state, state), info


@dataclass(frozen=True)
class HMC:
    r"""Hamiltonian Monte Carlo with trajectories of one length.

    The position moves with momentum :math:`p \sim N(0, I)` along a leapfrog trajectory of
    :math:`n = \lceil T/\epsilon \rceil` steps, and its end is accepted with probability
    :math:`\min(1, \exp(H_0 - H_n))`, :math:`H(z, p) = -\log p(z) + |p|^2/2`.

    Parameters
    ----------
    trajectory_length
        T > 0 in whitened units (posterior standard deviations). At pi/2 a Gaussian target gives nearly
        independent draws.
    target_acceptance
        Wanted mean acceptance probability, in (0, 1); the step size is learnt to reach it.
    max_steps
        Most leapfrog steps in one transition, at least 1.

    Examples
    --------
    >>> import propto as pp
    >>> posterior = pp.Density(lambda x: -0.5 * x**2, {"x": pp.real()})
    >>> fit = pp.sample(posterior, sampler=pp.HMC(), draws=100, progress=False)
    >>> bool(fit.sample_stats["diverging"].any())
    False

    References
    ----------
    Duane et al. (1987), Phys. Lett. B 195:216. Neal (2011), Handbook of MCMC, chapter 5.
    """

    trajectory_length: float = 1.5707963267948966
    target_acceptance: float = 0.8
    max_steps: int = 1000

    needs_gradient: ClassVar[bool] = True
    default_warmup: ClassVar[int] = 400
    whitening: ClassVar[type[Diagonal]] = Diagonal

    def __post_init__(self) -> None:
        self.adapters()  # refuses a target that is no probability
        if not self.trajectory_length > 0:
            raise OptionError(f"trajectory_length must be greater than 0, got {self.trajectory_length}")
        if self.max_steps < 1:
            raise OptionError(f"max_steps must be at least 1, got {self.max_steps}")

    def init(self, logdensity: LogDensity, z: Float[Array, " dim"]) -> State:
        """The state of a chain that starts at z."""
        return hamiltonian.init(logdensity, z)

    def step(self, logdensity: LogDensity, key: Array, state: State, params: Params) -> tuple[State, Info]:
        """One transition."""
        return step(logdensity, key, state, params, self.trajectory_length, self.max_steps)

    def initial_params(self, dim: int) -> Params:
        """A step size of the order that a whitened Gaussian of this dimension allows."""
        return Params(jnp.asarray(max(1, dim) ** -0.25))

    def adapters(self) -> Mapping[str, DualAveraging]:
        """The step size is learnt by dual averaging."""
        return {"step_size": DualAveraging(self.target_acceptance)}
