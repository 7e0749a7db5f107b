"""What every sampler offers to the run loop, and the few steps that several kernels share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from propto.coordinates.whitening import Whitening
from propto.warmup.step_size import DualAveraging

LogDensity = Callable[[Float[Array, " dim"]], Float[Array, ""]]
Tree = TypeVar("Tree")


class Sampler(Protocol):
    """A kernel with its warm-up recipe and options: a frozen, hashable dataclass.

    The kernel knows one chain, in whitened coordinates z where the target has about unit scale:
    ``step`` maps (key, state, params) to (state, info). State holds what the next step needs, ``state.z``
    and ``state.logp`` among it; info holds what diagnosis needs, under ArviZ's names; params are arrays.
    """

    needs_gradient: ClassVar[bool]
    default_warmup: ClassVar[int]
    whitening: ClassVar[type[Whitening]]

    def init(self, logdensity: LogDensity, z: Float[Array, " dim"]) -> Any:
        """The state of a chain that starts at z."""

    def step(self, logdensity: LogDensity, key: Array, state: Any, params: Any) -> tuple[Any, Any]:
        """One transition."""

    def initial_params(self, dim: int) -> Any:
        """The params with which warm-up starts."""

    def adapters(self) -> Mapping[str, DualAveraging]:
        """Which fields of the params are learnt in warm-up, and by what."""


def select(take: Bool[Array, ""], new: Tree, old: Tree) -> Tree:
    """``new`` where ``take`` holds, else ``old``, leaf by leaf."""
    return jax.tree.map(lambda a, b: jnp.where(take, a, b), new, old)


def acceptance(log_ratio: Float[Array, ""]) -> Float[Array, ""]:
    """min(1, exp(log_ratio)); an undefined ratio is never accepted."""
    return jnp.where(jnp.isnan(log_ratio), 0.0, jnp.exp(jnp.minimum(log_ratio, 0.0)))
