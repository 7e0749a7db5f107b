"""Dual averaging: learn a step size so that the mean acceptance over chains reaches its target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from propto.errors import OptionError


class AveragingState(NamedTuple):
    """Progress of the search for a log step size."""

    iteration: Float[Any, ""]
    center: Float[Any, ""]
    error: Float[Any, ""]
    log_step: Float[Any, ""]
    log_average: Float[Any, ""]


@dataclass(frozen=True)
class DualAveraging:
    r"""One update an iteration, on the acceptance of a chain or averaged over all chains of a block.

    With error :math:`h_m = (1 - \frac{1}{m + t_0}) h_{m-1} + \frac{\delta - a_m}{m + t_0}` the step is
    :math:`\log\epsilon_m = \mu - \sqrt{m}\, h_m/\gamma`; the result is the average of :math:`\log\epsilon_m`
    with weights that decay as :math:`m^{-\kappa}`.

    Parameters
    ----------
    target
        Wanted mean acceptance delta, in (0, 1).
    largest
        Upper limit of the step size.
    gamma, t0, kappa
        The constants of the paper.

    References
    ----------
    Nesterov (2009), Math. Program. 120:221. Hoffman and Gelman (2014), JMLR 15:1593, section 3.2.
    """

    target: float
    largest: float = math.inf
    gamma: float = 0.05
    t0: float = 10.0
    kappa: float = 0.75

    statistic: ClassVar[str] = "acceptance_rate"

    def __post_init__(self) -> None:
        if not 0 < self.target < 1:
            raise OptionError(f"target_acceptance must be between 0 and 1, got {self.target}")

    def init(self, step_size: ArrayLike) -> AveragingState:
        """Start the search at a step size, or at one for every chain."""
        log_step = np.log(step_size)
        zero = np.zeros_like(log_step)
        return AveragingState(zero, log_step, zero, log_step, log_step)

    def update(self, state: AveragingState, acceptance: Float[Array, ""]) -> AveragingState:
        """One iteration of the search."""
        m = state.iteration + 1
        weight = 1 / (m + self.t0)
        error = (1 - weight) * state.error + weight * (self.target - acceptance)
        log_step = jnp.minimum(state.center - jnp.sqrt(m) * error / self.gamma, jnp.log(self.largest))
        decay = m**-self.kappa
        log_average = decay * log_step + (1 - decay) * state.log_average
        return AveragingState(m, state.center, error, log_step, log_average)

    def value(self, state: AveragingState) -> Float[Array, ""]:
        """The step size to try next."""
        return jnp.exp(state.log_step)

    def result(self, state: AveragingState) -> Float[Array, ""]:
        """The step size learnt."""
        return jnp.exp(state.log_average)
