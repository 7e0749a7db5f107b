"""A library outside JAX, called from compiled code for batches of positions, on several threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# A function from a model's number and positions, shape (n, d), to numbers, shape (n, width).
Rows = Callable[[int, np.ndarray], np.ndarray]


def call_host(rows: Rows, model: Array, q: Float[Array, " d"], width: int) -> Float[Array, " width"]:
    """Call a function of the host for one position; under vmap it gets all positions at once.

    Doubles travel as pairs of 32-bit words: JAX runs callbacks on threads of its own, where it would round
    them. ``rows`` is a function of a module, so that equal programs share their compiled code.
    """
    words = jax.lax.bitcast_convert_type(q, jnp.uint32)
    result = jax.ShapeDtypeStruct((width, 2), jnp.uint32)
    out = jax.pure_callback(_batch_of(rows), result, model, words, vmap_method="expand_dims")
    return jax.lax.bitcast_convert_type(out, jnp.float64)


@cache
def _batch_of(rows: Rows) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The callback for any number of leading axes."""

    def batch(model: np.ndarray, words: np.ndarray) -> np.ndarray:
        model, words = np.asarray(model), np.asarray(words)
        lead = np.broadcast_shapes(model.shape, words.shape[:-2])
        flat = np.broadcast_to(words, (*lead, *words.shape[-2:])).reshape(-1, *words.shape[-2:])
        q = np.ascontiguousarray(flat).view(np.float64)[..., 0]
        numbers = np.broadcast_to(model, lead).ravel()
        out = np.concatenate([rows(int(n), q[numbers == n]) for n in np.unique(numbers)])
        order = np.argsort(np.argsort(numbers, kind="stable"), kind="stable")
        return np.ascontiguousarray(out[order]).view(np.uint32).reshape(*lead, -1, 2)

    return batch


def on_threads(function: Callable[[np.ndarray], np.ndarray], q: np.ndarray) -> np.ndarray:
    """Apply a function of one position to many, the rows shared among the processors."""
    parts = np.array_split(q, min(len(q), os.cpu_count() or 1))
    return np.concatenate(list(_threads().map(lambda part: np.stack([function(x) for x in part]), parts)))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="propto-host")
