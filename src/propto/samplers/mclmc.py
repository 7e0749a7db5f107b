"""MCLMC: isokinetic Langevin motion without a Metropolis test, whose step size limits its bias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from propto.coordinates.low_rank import LowRank
from propto.errors import OptionError
from propto.samplers import hamiltonian, microcanonical
from propto.samplers.base import MANY_SHORT, Defaults, LogDensity, select
from propto.samplers.hamiltonian import DIVERGENCE, Params
from propto.samplers.microcanonical import Motion
from propto.warmup.schedule import Stage, with_trials

# From this stream of random numbers on there is one for every step of a transition.
REFRESH = 1
# The energy error of a step grows as its third power; a single search step changes it by this factor at most.
ORDER, FASTEST = 3, 3.0


class State(NamedTuple):
    """A position with its log density and gradient, and a direction; zero if there is none yet."""

    z: Float[Any, " dim"]
    logp: Float[Any, ""]
    gradient: Float[Any, " dim"]
    direction: Float[Any, " dim"]


class Info(NamedTuple):
    """What diagnosis needs of one draw.

    Nothing is accepted or refused by chance: the acceptance rate is the share of steps that did not diverge.
    ``energy_error_variance`` is the mean over the steps of their squared energy error, divided by d.
    """

    acceptance_rate: Float[Array, ""]
    energy_error: Float[Array, ""]
    energy_error_variance: Float[Array, ""]
    n_steps: Int[Array, ""]
    diverging: Bool[Array, ""]
    nan_density: Bool[Array, ""]


class Travelled(NamedTuple):
    """A transition so far: where it stands, its energy errors, steps turned back, whether a NaN was met."""

    motion: Motion
    error: Float[Array, ""]
    squares: Float[Array, ""]
    turned_back: Int[Array, ""]
    nan: Bool[Array, ""]


def judge(so_far: Travelled, motion: Motion, error: Float[Array, ""]) -> Travelled:
    """Go on to where a step leads; from one that diverges, or that leaves the support, turn back."""
    size = jnp.where(jnp.isnan(error), DIVERGENCE, jnp.minimum(jnp.abs(error), DIVERGENCE))
    goes_on = size < DIVERGENCE
    back = so_far.motion._replace(direction=-so_far.motion.direction)
    return Travelled(
        select(goes_on, motion, back),
        so_far.error + jnp.where(goes_on, error, 0.0),
        so_far.squares + size**2,
        so_far.turned_back + ~goes_on,
        so_far.nan | hamiltonian.is_undefined(motion.state),
    )


def step(logdensity: LogDensity, key: Array, state: State, params: Params) -> tuple[State, Info]:
    """One transition: as many steps as the direction is remembered for."""
    value_and_gradient = jax.value_and_grad(logdensity)
    n, step_size = params.n_steps, params.step_size

    def once(i: Int[Array, ""], so_far: Travelled) -> Travelled:
        there = microcanonical.langevin(value_and_gradient, key, REFRESH + i, so_far.motion, step_size, n)
        return judge(so_far, *there)

    here = hamiltonian.State(state.z, state.logp, state.gradient)
    zero = jnp.zeros_like(state.logp)
    start = Travelled(Motion(here, state.direction), zero, zero, jnp.asarray(0), jnp.array(False))
    end = jax.lax.fori_loop(0, n, once, start)
    info = Info(
        acceptance_rate=1 - end.turned_back / n,
        energy_error=end.error,
        energy_error_variance=end.squares / (n * state.z.size),
        n_steps=n,
        diverging=end.turned_back > 0,
        nan_density=end.nan,
    )
    there = end.motion.state
    return State(there.z, there.logp, there.gradient, end.motion.direction), info


class SearchState(NamedTuple):
    """Progress of the search for a log step size."""

    iteration: Float[Array, ""]
    log_step: Float[Array, ""]


@dataclass(frozen=True)
class EnergyErrorSearch:
    r"""Learn the step size at which the energy error of a step has the wanted variance per dimension.

    The variance grows as the sixth power of the step size, so that each observed one says how large the step
    should have been: :math:`\log\epsilon_{m+1} = \log\epsilon_m + m^{-1/2} \frac16 \log(v/v_m)`.

    Parameters
    ----------
    variance
        Wanted variance v > 0.
    """

    variance: float

    statistic: ClassVar[str] = "energy_error_variance"

    def init(self, step_size: ArrayLike) -> SearchState:
        """Start the search at a step size, or at one for every chain."""
        log_step = jnp.log(step_size)
        return SearchState(jnp.zeros_like(log_step), log_step)

    def update(self, state: SearchState, observed: Float[Array, ""]) -> SearchState:
        """One iteration of the search."""
        m, limit = state.iteration + 1, np.log(FASTEST)
        change = jnp.clip(jnp.log(self.variance / observed) / (2 * ORDER), -limit, limit)
        return SearchState(m, state.log_step + m**-0.5 * change)

    def value(self, state: SearchState) -> Float[Array, ""]:
        """The step size to try next."""
        return jnp.exp(state.log_step)

    def result(self, state: SearchState) -> Float[Array, ""]:
        """The step size learnt."""
        return jnp.exp(state.log_step)


@dataclass(frozen=True)
class MCLMC:
    r"""Microcanonical Langevin Monte Carlo: fast and unadjusted, so that its draws are biased.

    The position moves at a fixed speed; the gradient g of the log density and noise only turn it:

    .. math::
        dz = v\,ds, \quad dv = (I - vv^T/|v|^2)\,(g\,ds + \sigma\,dW), \quad |v|^2 = d - 1.

    No step is refused, so that **the draws do not come from p exactly, however many there are**. The step
    size is learnt so that for a Gaussian p the relative error of the variances is the asked ``bias`` b, by

    .. math::
        \mathrm{Var}(\Delta E)/d = 4b^3/(1 + b)^2,

    :math:`\Delta E` being the energy error of one step. Other densities are sampled with a bias of this
    order, but nothing guarantees it: narrow necks and heavy tails can be missed. What was reached is in
    ``sample_stats["energy_error_variance"]``. Where it matters, use `MAMS`, which is exact.

    Parameters
    ----------
    bias
        Relative error of variances b, in (0, 1). At the default 0.02 standard deviations are off by 1%, less
        than the Monte Carlo error of 1,000 independent draws, 2.2%.
    memory
        Path in whitened units (posterior standard deviations), above 0, after which the share 1/e of a
        direction is left. A transition is as long.
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
    >>> fit = pp.sample(posterior, sampler=pp.MCLMC(bias=0.05), draws=20, progress=False)
    >>> float(fit.sample_stats["energy_error_variance"].mean()) < 1e-3
    True

    References
    ----------
    Robnik, De Luca, Silverstein, Seljak (2023), JMLR 24:311. Robnik, Seljak (2024), arXiv:2412.08876 (the
    bias).
    """

    bias: float = 0.02
    memory: float = 1.5
    max_steps: int = 50

    needs_gradient: ClassVar[bool] = True
    defaults: ClassVar[Defaults] = MANY_SHORT
    whitening: ClassVar[type[LowRank]] = LowRank

    def __post_init__(self) -> None:
        if not 0 < self.bias < 1:
            raise OptionError(f"bias must be between 0 and 1, got {self.bias}")
        if not self.memory > 0:
            raise OptionError(f"memory must be greater than 0, got {self.memory}")
        if self.max_steps < 1:
            raise OptionError(f"max_steps must be at least 1, got {self.max_steps}")

    def init(self, z: Any, logp: Any, gradient: Any) -> State:
        """The state of chains that stand at z."""
        return State(z, logp, gradient, np.zeros(z.shape, z.dtype))

    def step(self, logdensity: LogDensity, key: Array, state: State, params: Params) -> tuple[State, Info]:
        """One transition."""
        return step(logdensity, key, state, params)

    def initial_params(self, dim: int) -> Params:
        """The step size that gives a Gaussian in many dimensions the bias."""
        microcanonical.check_dimension("MCLMC", dim)
        return self.paced(Params(np.asarray(2 * self.bias**0.5), np.asarray(1)))

    def paced(self, params: Params) -> Params:
        """As many steps as cover the memory."""
        return params.covering(self.memory, self.max_steps)

    def adapters(self) -> Mapping[str, EnergyErrorSearch]:
        """The step size is learnt by the energy error."""
        return {"step_size": EnergyErrorSearch(4 * self.bias**3 / (1 + self.bias) ** 2)}

    def stages(self, transitions: int) -> tuple[Stage, ...]:
        """Short windows for the coordinates; no trials, for the memory is given."""
        return tuple(
            stage._replace(is_trial=False, until_settled=stage.is_trial or stage.until_settled, ease=1.0)
            for stage in with_trials(transitions)
        )
