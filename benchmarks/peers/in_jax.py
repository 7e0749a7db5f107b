"""What the tools in JAX share: density and quantities in 64-bit floats, and a batch on each thread."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from targets.base import Target, select

jax.config.update("jax_enable_x64", True)
THREADS = os.cpu_count() or 1


class Problem:
    """A target for tools that want a log density on R^d; data are an argument of what is compiled."""

    def __init__(self, target: Target) -> None:
        began = time.perf_counter()
        self.posterior = target.posterior()
        self.names = target.quantities
        self.program = self.posterior.density.program
        self.data = jax.device_put(self.posterior.density.data)
        self.dim = self.posterior.density.dim
        self.spared = time.perf_counter() - began

    def log_density(self, data: Any) -> Callable[[jax.Array], jax.Array]:
        """The function of the position."""
        return lambda q: self.program.log_density_at(data, q)

    def quantities(self, data: Any, q: jax.Array) -> jax.Array:
        """The reference's quantities at a position."""
        values = self.program.constrain(data, q)
        return select(self.names, {**values, **self.posterior.derived(values)}, 0, jnp)

    def start(self, key: jax.Array) -> jax.Array:
        """A start point, as Stan chooses it."""
        return jax.random.uniform(key, (self.dim,), minval=-2.0, maxval=2.0)


def on_threads(compute: Callable[[int], Any]) -> list[Any]:
    """Call a function once on every thread, and wait for what it computes."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda i: jax.block_until_ready(compute(i)), range(THREADS)))


def one_by_one(compute: Callable[[int], Any]) -> list[Any]:
    """The same without threads."""
    return [jax.block_until_ready(compute(i)) for i in range(THREADS)]


def joined(parts: list[Any]) -> np.ndarray:
    """The chains of all threads."""
    return np.concatenate([np.asarray(part) for part in parts])
