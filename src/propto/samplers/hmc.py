"""Hamiltonian Monte Carlo: a leapfrog trajectory of fixed length, accepted or refused as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Array

from propto.coordinates.low_rank import LowRank
from propto.errors import OptionError
from propto.randomness import uniform
from propto.samplers import hamiltonian
from propto.samplers.base import FEW_LONG, Defaults, LogDensity
from propto.samplers.hamiltonian import Info, Params, State, transition
from propto.warmup.schedule import Stage, expanding
from propto.warmup.step_size import DualAveraging

# The stream of random numbers for jitter.
JITTER = 3


def step(logdensity: LogDensity, key: Array, state: State, params: Params) -> tuple[State, Info]:
    """One transition."""
    # The length is jittered through the step size, not the number of steps: all chains do the same work,
    # and no trajectory can stay in resonance with a period of the target.
    step_size = params.step_size * (0.8 + 0.4 * uniform(key, JITTER))
    return transition(hamiltonian.leapfrog, logdensity, key, state, step_size, params.n_steps)


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
    defaults: ClassVar[Defaults] = FEW_LONG
    whitening: ClassVar[type[LowRank]] = LowRank

    def __post_init__(self) -> None:
        self.adapters()  # refuses a target that is no probability
        if not self.trajectory_length > 0:
            raise OptionError(f"trajectory_length must be greater than 0, got {self.trajectory_length}")
        if self.max_steps < 1:
            raise OptionError(f"max_steps must be at least 1, got {self.max_steps}")

    def init(self, z: Any, logp: Any, gradient: Any) -> State:
        """The state of chains that stand at z."""
        return State(z, logp, gradient)

    def step(self, logdensity: LogDensity, key: Array, state: State, params: Params) -> tuple[State, Info]:
        """One transition."""
        return step(logdensity, key, state, params)

    def initial_params(self, dim: int) -> Params:
        """A step size of the order that a whitened Gaussian of this dimension allows."""
        return self.paced(Params(np.asarray(max(1, dim) ** -0.25), np.asarray(1)))

    def paced(self, params: Params) -> Params:
        """As many steps as cover the trajectory length."""
        return params.covering(self.trajectory_length, self.max_steps)

    def adapters(self) -> Mapping[str, DualAveraging]:
        """The step size is learnt by dual averaging."""
        return {"step_size": DualAveraging(self.target_acceptance)}

    def stages(self, transitions: int) -> tuple[Stage, ...]:
        """Growing windows."""
        return expanding(transitions)
