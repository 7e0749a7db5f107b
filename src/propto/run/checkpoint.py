"""Bytes from which a run can go on, without any pickle: facts as JSON, arrays as NumPy writes them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np


def pack(facts: Mapping[str, Any], trees: Mapping[str, Any]) -> bytes:
    """Facts and pytrees of arrays by name, as bytes."""
    arrays = {
        f"{name}/{i}": np.asarray(leaf)
        for name, tree in trees.items()
        for i, leaf in enumerate(jax.tree.leaves(tree))
    }
    buffer = io.BytesIO()
    np.savez(buffer, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8), allow_pickle=False, **arrays)
    return buffer.getvalue()


class Checkpoint:
    """What `pack` has packed."""

    def __init__(self, packed: bytes) -> None:
        self._arrays = np.load(io.BytesIO(packed), allow_pickle=False)
        self.facts: dict[str, Any] = json.loads(self._arrays["facts"].tobytes())

    def tree(self, name: str, like: Any) -> Any:
        """A pytree with the structure of another one."""
        structure: Any = jax.tree.structure(like)
        return structure.unflatten(self._arrays[f"{name}/{i}"] for i in range(structure.num_leaves))
