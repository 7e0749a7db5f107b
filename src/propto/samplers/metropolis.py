"""Random-walk Metropolis: z' = z + s·ε with ε ~ N(0, I), accepted with probability min(1, p(z')/p(z))."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from propto.coordinates.whitening import Dense
from propto.errors import OptionError
from propto.randomness import fold_in, normals, uniform
from propto.samplers.base import FEW_LONG, Defaults, LogDensity, acceptance, select
from propto.warmup.schedule import Stage, expanding
from propto.warmup.step_size import DualAveraging

# Streams of random numbers.
MOVE, ACCEPT = 1, 2


class State(NamedTuple):
    """Position and its log density."""

    z: Float[Array, " dim"]
    logp: Float[Array, ""]


class Params(NamedTuple):
    """Step size s > 0, in whitened units."""

    step_size: Float[Array, ""]


class Info(NamedTuple):
    """What diagnosis needs of one draw."""

    acceptance_rate: Float[Array, ""]
    n_steps: Int[Array, ""]
    nan_density: Bool[Array, ""]


def propose(
    logdensity: LogDensity, key: Array, state: State, params: Params
) -> tuple[State, Float[Array, ""], Bool[Array, ""]]:
    """One proposal and its verdict: the next state, the acceptance probability, whether a NaN was met."""
    z = state.z + params.step_size * normals(key, MOVE, state.z.size)
    proposal = State(z, logdensity(z))
    probability = acceptance(proposal.logp - state.logp)
    accepted = uniform(key, ACCEPT) < probability
    return select(accepted, proposal, state), probability, jnp.isnan(proposal.logp)


def step(
    logdensity: LogDensity, key: Array, state: State, params: Params, proposals: int
) -> tuple[State, Info]:
    """One draw: a number of proposals in a row."""

    def once(
        i: Int[Array, ""], carry: tuple[State, Float[Array, ""], Bool[Array, ""]]
    ) -> tuple[State, Float[Array, ""], Bool[Array, ""]]:
        state, total, nan = carry
        state, probability, is_nan = propose(logdensity, fold_in(key, i), state, params)
        return state, total + probability, nan | is_nan

    start = (state, jnp.zeros((), state.logp.dtype), jnp.array(False))
    state, total, nan = jax.lax.fori_loop(0, proposals, once, start)
    return state, Info(total / proposals, jnp.asarray(proposals), nan)


@dataclass(frozen=True)
class Metropolis:
    r"""Random-walk Metropolis with learnt scale and covariance.

    A proposal :math:`z' = z + s\,\varepsilon`, :math:`\varepsilon \sim N(0, I)`, is accepted with
    probability :math:`\min(1, p(z')/p(z))`. It needs no gradient.

    Parameters
    ----------
    proposals
        Proposals in each draw; by default as many as there are dimensions, which keeps the draws about
        equally correlated in any dimension.
    target_acceptance
        Wanted share of accepted proposals, in (0, 1); the step size s is learnt to reach it.

    Examples
    --------
    >>> import propto as pp
    >>> posterior = pp.Density(lambda x: -0.5 * x**2, {"x": pp.real()})
    >>> fit = pp.sample(posterior, sampler=pp.Metropolis(), draws=200, progress=False)
    >>> fit.posterior["x"].shape
    (8, 200)

    References
    ----------
    Metropolis et al. (1953), J. Chem. Phys. 21:1087. Roberts, Gelman, Gilks (1997), Ann. Appl. Probab. 7:110.
    """

    proposals: int | None = None
    target_acceptance: float = 0.25

    needs_gradient: ClassVar[bool] = False
    defaults: ClassVar[Defaults] = FEW_LONG._replace(warmup=1000)
    whitening: ClassVar[type[Dense]] = Dense

    def __post_init__(self) -> None:
        self.adapters()  # refuses a target that is no probability
        if self.proposals is not None and self.proposals < 1:
            raise OptionError(f"proposals must be at least 1, got {self.proposals}")

    def init(self, z: Any, logp: Any, gradient: None) -> State:
        """The state of chains that stand at z."""
        return State(z, logp)

    def step(self, logdensity: LogDensity, key: Array, state: State, params: Params) -> tuple[State, Info]:
        """One draw."""
        return step(logdensity, key, state, params, self.proposals or max(1, state.z.size))

    def initial_params(self, dim: int) -> Params:
        """The optimal scale for a Gaussian, 2.4/sqrt(d)."""
        return Params(jnp.asarray(2.4 / max(1, dim) ** 0.5))

    def paced(self, params: Params) -> Params:
        """The number of proposals is given."""
        return params

    def adapters(self) -> Mapping[str, DualAveraging]:
        """The step size is learnt by dual averaging."""
        return {"step_size": DualAveraging(self.target_acceptance)}

    def stages(self, transitions: int) -> tuple[Stage, ...]:
        """Growing windows."""
        return expanding(transitions)
