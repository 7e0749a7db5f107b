"""Bytes from which a run can go on, without any pickle: facts as JSON, arrays as NumPy writes them."""

from __future__ import annotations

import io
import json
import zipfile
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
    """What `pack` has packed; ValueError for any other bytes."""

    def __init__(self, packed: bytes) -> None:
        try:
            self._arrays = _unpacked(packed)
            self.facts: dict[str, Any] = json.loads(self._arrays["facts"].tobytes())
        except Exception as error:  # whatever the readers meet in bytes that are none of ours
            raise ValueError(str(error) or type(error).__name__) from error
        if not isinstance(self.facts, dict) or not isinstance(self.facts.get("draws"), int):
            raise ValueError("it does not say how many draws there are")

    def tree(self, name: str, like: Any) -> Any:
        """A pytree with the structure of another one."""
        structure: Any = jax.tree.structure(like)
        return structure.unflatten(self._arrays[f"{name}/{i}"] for i in range(structure.num_leaves))


def _unpacked(packed: bytes) -> dict[str, np.ndarray]:
    """All arrays, each held against its checksum; nothing compressed, which could grow without bound."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        if any(part.file_size > len(packed) or part.compress_type for part in archive.infolist()):
            raise ValueError("it is compressed")
    return dict(np.load(io.BytesIO(packed), allow_pickle=False))
