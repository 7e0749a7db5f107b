"""MAMS: the Metropolis-adjusted microcanonical sampler, isokinetic trajectories accepted as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from propto.coordinates.low_rank import LowRank
from propto.errors import OptionError
from propto.randomness import uniform
from propto.samplers import hamiltonian, microcanonical
from propto.samplers.base import MANY_SHORT, Defaults, LogDensity, acceptance, select
from propto.samplers.hamiltonian import DIVERGENCE, Params, State
from propto.samplers.microcanonical import Motion
from propto.warmup.schedule import Stage, with_trials
from propto.warmup.step_size import DualAveraging

# Streams of random numbers; from REFRESH on there is one for every step of a trajectory.
JITTER, ACCEPT, REFRESH = 1, 2, 3
# Trajectories over which a direction is remembered: without noise, some of them lead back to their start.
MEMORY = 2
# Length of the first trajectories: about what turns a Gaussian's draws into new ones.
LENGTH, FEW = 1.6, 8


class Info(NamedTuple):
    """What diagnosis needs of one draw; no energy, for that of isokinetic motion has no zero."""

    acceptance_rate: Float[Array, ""]
    energy_error: Float[Array, ""]
    n_steps: Int[Array, ""]
    diverging: Bool[Array, ""]
    nan_density: Bool[Array, ""]


class Travelled(NamedTuple):
    """A trajectory so far: where it stands, the change of energy, whether a NaN was met."""

    motion: Motion
    error: Float[Array, ""]
    nan: Bool[Array, ""]


def step(logdensity: LogDensity, key: Array, state: State, params: Params) -> tuple[State, Info]:
    """One transition."""
    step_size = params.step_size * (0.75 + 0.5 * uniform(key, JITTER))
    value_and_gradient, memory = jax.value_and_grad(logdensity), MEMORY * params.n_steps

    def once(i: Int[Array, ""], so_far: Travelled) -> Travelled:
        motion, error = microcanonical.langevin(
            value_and_gradient, key, REFRESH + i, so_far.motion, step_size, memory
        )
        nan = so_far.nan | hamiltonian.is_undefined(motion.state)
        return Travelled(motion, so_far.error + error, nan)

    start = Motion(state, jnp.zeros_like(state.z))
    nothing = Travelled(start, jnp.zeros_like(state.logp), jnp.array(False))
    end = jax.lax.fori_loop(0, params.n_steps, once, nothing)
    error = jnp.where(jnp.isnan(end.error), jnp.inf, end.error)
    probability = acceptance(-error)
    accepted = uniform(key, ACCEPT) < probability
    info = Info(
        acceptance_rate=probability,
        energy_error=jnp.where(accepted, error, 0.0),
        n_steps=params.n_steps,
        diverging=error > DIVERGENCE,
        nan_density=end.nan,
    )
    return select(accepted, end.motion.state, state), info


@dataclass(frozen=True)
class MAMS:
    r"""The Metropolis-adjusted microcanonical sampler.

    Every trajectory starts in a direction uniform on the sphere and moves at a fixed speed; the gradient g
    of the log density, and noise, only turn it:

    .. math::
        dz = v\,ds, \quad dv = (I - vv^T/|v|^2)\,(g\,ds + \sigma\,dW), \quad |v|^2 = d - 1.

    Steep places do not speed it up, so that it takes longer steps than Hamiltonian motion before it becomes
    unstable. Its end is accepted with probability :math:`\min(1, e^{-\Delta})`, where :math:`\Delta` is the
    change of :math:`-\log p` and of the kinetic energy of all turns (see `microcanonical.turn`): whatever the
    step size, the draws are from p. All chains take the same number of steps at a time, and warm-up learns
    from them together, as that of `Ensemble` does.

    Parameters
    ----------
    target_acceptance
        Wanted mean acceptance probability, in (0, 1); the step size is learnt to reach it.
    max_steps
        Most steps in one transition, at least 1.

    Raises
    ------
    OptionError
        An option is out of range, or (by `sample`) the density has a single coordinate.

    Examples
    --------
    >>> import propto as pp
    >>> posterior = pp.Density(lambda x: -0.5 * (x @ x), {"x": pp.real(3)})
    >>> fit = pp.sample(posterior, sampler=pp.MAMS(), draws=20, progress=False)
    >>> bool(fit.sample_stats["diverging"].any())
    False

    References
    ----------
    Robnik, Cohn-Gordon, Seljak (2025), arXiv:2503.01707.
    """

    target_acceptance: float = 0.9
    max_steps: int = 1000

    needs_gradient: ClassVar[bool] = True
    defaults: ClassVar[Defaults] = MANY_SHORT
    whitening: ClassVar[type[LowRank]] = LowRank

    def __post_init__(self) -> None:
        self.adapters()  # refuses a target that is no probability
        if self.max_steps < 1:
            raise OptionError(f"max_steps must be at least 1, got {self.max_steps}")

    def init(self, z: Any, logp: Any, gradient: Any) -> State:
        """The state of chains that stand at z."""
        return State(z, logp, gradient)

    def step(self, logdensity: LogDensity, key: Array, state: State, params: Params) -> tuple[State, Info]:
        """One transition."""
        return step(logdensity, key, state, params)

    def initial_params(self, dim: int) -> Params:
        """A step size of the order that a whitened density of this dimension allows."""
        microcanonical.check_dimension("MAMS", dim)
        return self.paced(Params(np.asarray(dim**-0.25), np.asarray(1)))

    def paced(self, params: Params) -> Params:
        """As many steps as cover the length, but few while the coordinates are poor."""
        return params.covering(LENGTH, min(self.max_steps, FEW))

    def adapters(self) -> Mapping[str, DualAveraging]:
        """The step size is learnt by dual averaging."""
        return {"step_size": DualAveraging(self.target_acceptance)}

    def stages(self, transitions: int) -> tuple[Stage, ...]:
        """Short windows for the coordinates, then trials of the trajectory length."""
        return with_trials(transitions)
