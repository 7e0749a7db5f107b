"""The ensemble: many chains in lock step, each a Hamiltonian kernel that is exact for a Gaussian."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from propto.coordinates.low_rank import LowRank
from propto.errors import OptionError
from propto.randomness import uniform
from propto.samplers.base import MANY_SHORT, Defaults, LogDensity
from propto.samplers.hamiltonian import Info, Params, Phase, State, ValueAndGradient, transition
from propto.warmup.schedule import Stage, with_trials
from propto.warmup.step_size import DualAveraging

# The stream of random numbers for jitter.
JITTER = 3
# About a quarter turn: from there a Gaussian's draws are nearly independent, whatever the jitter.
QUARTER_TURN = 1.4
# Most steps of a trajectory while the coordinates are poor.
FEW = 8
# Some transitions take much smaller steps, so that a chain can leave a place too narrow for the usual ones.
SMALL_SHARE, SMALL = 0.125, 0.15
# Beyond a quarter turn a single step comes back.
LARGEST = 1.6


def rotate(value_and_gradient: ValueAndGradient, phase: Phase, angle: Float[Array, ""]) -> Phase:
    """Half a kick, a rotation, half a kick.

    The rotation solves the motion in the density exp(-|z|²/2) exactly; the kicks are by what the density's
    gradient differs from that of this Gaussian, g + z. As leapfrog it is reversible, volume-preserving and
    second order, but with no error at all where the whitened density is Gaussian.
    """
    z, gradient = phase.state.z, phase.state.gradient
    momentum = phase.momentum + 0.5 * angle * (gradient + z)
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    z, momentum = cosine * z + sine * momentum, cosine * momentum - sine * z
    state = State(z, *value_and_gradient(z))
    return Phase(state, momentum + 0.5 * angle * (state.gradient + z))


def step(logdensity: LogDensity, key: Array, state: State, params: Params) -> tuple[State, Info]:
    """One transition."""
    small = jnp.where(uniform(key, JITTER, 1) < SMALL_SHARE, SMALL, 1.0)
    angle = params.step_size * (0.75 + 0.5 * uniform(key, JITTER)) * small
    return transition(rotate, logdensity, key, state, angle, params.n_steps)


@dataclass(frozen=True)
class Ensemble:
    r"""Many chains in lock step that learn together: the default sampler.

    Every chain moves by Hamiltonian Monte Carlo in whitened coordinates, along trajectories that all have
    the same number of steps, so that a processor advances many chains at once. The integrator splits
    the density into a standard Gaussian, whose motion is an exact rotation, and the rest:

    .. math::
        p \leftarrow p + \tfrac\epsilon2 (g + z), \quad
        (z, p) \leftarrow (z\cos\epsilon + p\sin\epsilon,\; p\cos\epsilon - z\sin\epsilon), \quad
        p \leftarrow p + \tfrac\epsilon2 (g + z).

    Warm-up learns from all chains together: coordinates with correlations from draws and scores, the step
    size by its acceptance, and the length of the trajectory by trials.

    Parameters
    ----------
    target_acceptance
        Wanted mean acceptance probability, in (0, 1); the step size is learnt to reach it.
    max_steps
        Most steps in one transition, at least 1.

    Examples
    --------
    >>> import propto as pp
    >>> posterior = pp.Density(lambda x: -0.5 * x**2, {"x": pp.real()})
    >>> fit = pp.sample(posterior, sampler=pp.Ensemble(), draws=20, progress=False)
    >>> fit.posterior.sizes["chain"]
    64

    References
    ----------
    Shahbaba, Lan, Johnson, Neal (2014), Statistics and Computing 24:339 (split Hamiltonians). Hoffman,
    Radul, Sountsov (2021), AISTATS (many chains that adapt together).
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
        return self.paced(Params(np.asarray(max(1, dim) ** -0.25), np.asarray(1)))

    def paced(self, params: Params) -> Params:
        """As many steps as a quarter turn takes, but few while the coordinates are poor."""
        return params.covering(QUARTER_TURN, min(self.max_steps, FEW))

    def adapters(self) -> Mapping[str, DualAveraging]:
        """The step size is learnt by dual averaging."""
        return {"step_size": DualAveraging(self.target_acceptance, largest=LARGEST)}

    def stages(self, transitions: int) -> tuple[Stage, ...]:
        """Short windows for the coordinates, then trials of the trajectory length."""
        return with_trials(transitions)
