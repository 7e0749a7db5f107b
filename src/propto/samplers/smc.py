"""Tempered sequential Monte Carlo: what a user names, and the kernel by which its particles move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Array

from propto.coordinates.low_rank import LowRank
from propto.coordinates.whitening import Whitening
from propto.errors import OptionError
from propto.options import whole
from propto.samplers.base import Defaults, LogDensity
from propto.samplers.ensemble import LARGEST, QUARTER_TURN, step
from propto.samplers.hamiltonian import Info, Params, State
from propto.warmup.schedule import Stage
from propto.warmup.step_size import DualAveraging

# Wanted mean acceptance, and most steps of a trajectory: several short moves serve as well as a long one.
ACCEPTANCE, MAX_STEPS = 0.95, 32


@dataclass(frozen=True)
class SMC:
    r"""Tempered sequential Monte Carlo: finds separated modes, weighs them, and gives the evidence.

    Particles are drawn exactly from a normalised density r and led to the posterior p along

    .. math:: \pi_\beta(x) \propto r(x)^{1-\beta}\, p(x)^\beta, \qquad 0 = \beta_0 < \dots < \beta_T = 1.

    At every step they are weighted by :math:`(p/r)^{\beta_{t+1} - \beta_t}`, resampled and moved by the
    kernel of the `Ensemble`, in coordinates learnt from all of them. The chains of `sample` are *islands*:
    populations that never exchange particles. The product of an island's mean weights estimates the
    evidence :math:`Z = \int p(x)\,dx` without bias (but for what the adaptation costs: O(1/particles)).

    For a model written with `rv`, r is its prior, if that can be drawn from, and Z is the probability of the
    data. For other densities r is a wide product of Student's t, laid over the places where particles start,
    uniformly on (-2, 2)^d or at ``init``, and where they come to rest; Z is then the integral of the function
    as it is written, constants included.

    The fit has a chain for every island. Its draws are the particles in the order of their descent, each with
    its last moves, so that R-hat compares the islands and the autocorrelation tells what descent costs.
    ``fit.attrs`` hold ``log_evidence``, its standard error ``log_evidence_se``, from the islands, and their
    own estimates ``log_evidence_islands``.

    Parameters
    ----------
    particles
        Particles of every island, at least 2.
    effective_share
        Effective share of the particles after each step of the temperature, in (0, 1): the larger, the
        smaller the steps.
    max_moves
        Most transitions of a particle at one temperature, at least 1; fewer are made once the log weights
        have forgotten where they were.

    Examples
    --------
    >>> import jax.numpy as jnp, propto as pp
    >>> def hills(x):
    ...     return jnp.logaddexp(jnp.log(0.3) - 0.5 * (x + 8) ** 2, jnp.log(0.7) - 0.5 * (x - 8) ** 2)
    >>> fit = pp.sample(pp.Density(hills, {"x": pp.real()}), sampler=pp.SMC(), progress=False)
    >>> abs(fit.attrs["log_evidence"] - 0.919) < 0.1
    True
    >>> abs(float((fit.posterior["x"] > 0).mean()) - 0.7) < 0.06
    True

    References
    ----------
    Neal (2001), Statistics and Computing 11:125. Del Moral, Doucet, Jasra (2006), J. R. Statist. Soc. B
    68:411. Jasra, Stephens, Doucet, Tsagaris (2011), Scand. J. Statist. 38:1 (adaptive temperatures).
    """

    # The compiled loop is the same whatever these are: they do not count when samplers are compared.
    particles: int = field(default=256, compare=False)
    effective_share: float = field(default=0.7, compare=False)
    max_moves: int = field(default=32, compare=False)

    needs_gradient: ClassVar[bool] = True
    defaults: ClassVar[Defaults] = Defaults(warmup=0, chains=16, block_size=256, draws=None)
    whitening: ClassVar[type[Whitening]] = LowRank

    def __post_init__(self) -> None:
        whole("particles", self.particles, 2)
        whole("max_moves", self.max_moves, 1)
        if not 0 < self.effective_share < 1:
            raise OptionError(f"effective_share must be between 0 and 1, got {self.effective_share!r}")

    def init(self, z: Any, logp: Any, gradient: Any) -> State:
        """The state of particles that stand at z."""
        return State(z, logp, gradient)

    def step(self, logdensity: LogDensity, key: Array, state: State, params: Params) -> tuple[State, Info]:
        """One transition of the ensemble's kernel."""
        return step(logdensity, key, state, params)

    def initial_params(self, dim: int) -> Params:
        """A step size of the order that a whitened density of this dimension allows."""
        return self.paced(Params(np.asarray(max(1, dim) ** -0.25), np.asarray(1)))

    def paced(self, params: Params) -> Params:
        """As many steps as a quarter turn takes."""
        return params.covering(QUARTER_TURN, MAX_STEPS)

    def adapters(self) -> Mapping[str, DualAveraging]:
        """The step size is learnt by dual averaging."""
        return {"step_size": DualAveraging(ACCEPTANCE, largest=LARGEST)}

    def stages(self, transitions: int) -> tuple[Stage, ...]:
        """None: the path of temperatures takes what it needs."""
        if transitions:
            raise OptionError(f"pp.SMC has no warm-up that could be {transitions} long; leave warmup out")
        return ()
