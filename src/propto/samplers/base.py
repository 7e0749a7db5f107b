"""What every sampler offers to the run loop, and the few steps that several kernels share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from propto.coordinates.whitening import Whitening
from propto.warmup.pace import Adapter
from propto.warmup.schedule import Stage

LogDensity = Callable[[Float[Array, " dim"]], Float[Array, ""]]
Tree = TypeVar("Tree")


class Defaults(NamedTuple):
    """What a run takes where the user says nothing; no number of draws: until they are accurate enough."""

    warmup: int
    chains: int
    block_size: int
    draws: int | None


FEW_LONG = Defaults(warmup=400, chains=8, block_size=4, draws=1000)
MANY_SHORT = Defaults(warmup=160, chains=64, block_size=16, draws=None)


class Sampler(Protocol):
    """A kernel with its warm-up recipe and options: a frozen, hashable dataclass.

    The kernel knows one chain, in whitened coordinates z where the target has about unit scale:
    ``step`` maps (key, state, params) to (state, info). State holds what the next step needs, ``state.z``
    and ``state.logp`` among it, and ``state.gradient`` where gradients are needed; info holds what diagnosis
    needs, under ArviZ's names; params are arrays. A key is two words, for `propto.randomness`.
    """

    needs_gradient: ClassVar[bool]
    defaults: ClassVar[Defaults]
    whitening: ClassVar[type[Whitening]]

    def init(self, z: Any, logp: Any, gradient: Any) -> Any:
        """The state of chains that stand at z, where the log density and its gradient are known."""

    def step(self, logdensity: LogDensity, key: Array, state: Any, params: Any) -> tuple[Any, Any]:
        """One transition."""

    def initial_params(self, dim: int) -> Any:
        """The params with which warm-up starts."""

    def paced(self, params: Any) -> Any:
        """The params, with what follows from the learnt ones; called by the host between stages."""

    def adapters(self) -> Mapping[str, Adapter]:
        """Which fields of the params are learnt in warm-up, and by what."""

    def stages(self, transitions: int) -> tuple[Stage, ...]:
        """The stages of a warm-up of this many transitions."""


def state_at(sampler: Sampler, logdensity: LogDensity, z: Float[Array, " dim"]) -> Any:
    """The state of a chain that starts at z."""
    if sampler.needs_gradient:
        return sampler.init(z, *jax.value_and_grad(logdensity)(z))
    return sampler.init(z, logdensity(z), None)


def select(take: Bool[Array, ""], new: Tree, old: Tree) -> Tree:
    """``new`` where ``take`` holds, else ``old``, leaf by leaf."""
    return jax.tree.map(lambda a, b: jnp.where(take, a, b), new, old)


def acceptance(log_ratio: Float[Array, ""]) -> Float[Array, ""]:
    """min(1, exp(log_ratio)); an undefined ratio is never accepted."""
    return jnp.where(jnp.isnan(log_ratio), 0.0, jnp.exp(jnp.minimum(log_ratio, 0.0)))
