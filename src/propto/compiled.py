"""Compiled programs: each is compiled once a process, and kept on disk for the next process."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import SingleDeviceSharding

# Enough for the programs of several densities; the least recently used is forgotten.
LIMIT = 64

# A worker of XLA that decomposes a batch of matrices waits for other workers of its pool: if all of them do
# so, for ever. So only one program with linear algebra runs at a time, and the pool has spare workers (see
# `propto.workers`) for those of its parts that can run at once.
LINEAR_ALGEBRA = "lapack"

_programs: OrderedDict[Hashable, _Program] = OrderedDict()
_alone = threading.Lock()
_locks: dict[Hashable, threading.Lock] = {}
_guard = threading.Lock()


def call(name: Hashable, function: Callable[..., Any], *args: Any, compile_only: bool = False) -> Any:
    """Call a function through its compiled program; one name and one shape of arguments is one program.

    Parameters
    ----------
    name
        What the function is; equal names mean equal functions.
    function
        A function of arrays.
    *args
        Pytrees of arrays.
    compile_only
        Do not run it.
    """
    with jax.enable_x64(True):
        leaves, structure = jax.tree.flatten(args)
        leaves = [_as_array(leaf) for leaf in leaves]
        key = (name, structure, tuple((leaf.shape, leaf.dtype, _place(leaf)) for leaf in leaves))
        args = jax.tree.unflatten(structure, leaves)
        with _lock(key):
            program = _programs.get(key) or _compiled(function, args)
            _keep(key, program)
        if compile_only:
            return None
        if not program.is_alone:
            return program.run(*args)
        with _alone:
            return jax.block_until_ready(program.run(*args))


class _Program(NamedTuple):
    """A compiled program, and whether it must not run beside others of its kind."""

    run: Any
    is_alone: bool


def _compiled(function: Callable[..., Any], args: tuple[Any, ...]) -> _Program:
    lowered = jax.jit(function).lower(*args)
    return _Program(lowered.compile(), LINEAR_ALGEBRA in lowered.as_text())


def _as_array(leaf: Any) -> np.ndarray | jax.Array:
    """An array of strong type, so that one program serves arrays wherever they come from."""
    if not isinstance(leaf, jax.Array):
        return np.asarray(leaf)  # the program itself takes it to the device, more quickly
    return leaf.astype(leaf.dtype) if leaf.weak_type else leaf


def _place(leaf: Any) -> Any:
    """On which devices an array lies, unless it is where arrays of the host would go."""
    sharding = getattr(leaf, "sharding", None)
    usual = isinstance(sharding, SingleDeviceSharding) and sharding.device_set == {jax.devices()[0]}
    return None if usual else sharding


def _lock(key: Hashable) -> threading.Lock:
    with _guard:
        return _locks.setdefault(key, threading.Lock())


def _keep(key: Hashable, program: _Program) -> None:
    with _guard:
        _programs[key] = program
        _programs.move_to_end(key)
        while len(_programs) > LIMIT:
            forgotten, _ = _programs.popitem(last=False)
            _locks.pop(forgotten, None)


class _DiskCache:
    """JAX's settings while at least one run wants its programs kept on disk; the caller's come back after."""

    def __init__(self) -> None:
        self.guard, self.users = threading.Lock(), 0
        self.before: dict[str, Any] = {}

    def open(self) -> None:
        with self.guard:
            self.users += 1
            folder = _writable(cache_folder()) if self.users == 1 else None
            if folder and _setting("jax_compilation_cache_dir") is None:  # the user's own folder is respected
                self._set(
                    jax_compilation_cache_dir=str(folder),
                    jax_persistent_cache_min_compile_time_secs=0.0,
                    jax_persistent_cache_min_entry_size_bytes=-1,
                )

    def close(self) -> None:
        with self.guard:
            self.users -= 1
            if self.users == 0 and self.before:
                self._set(**self.before)
                self.before = {}

    def _set(self, **settings: Any) -> None:
        from jax.experimental.compilation_cache import compilation_cache

        self.before = {name: _setting(name) for name in settings}
        for name, value in settings.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()


_disk = _DiskCache()


@contextmanager
def disk_cache(enabled: bool) -> Iterator[None]:
    """Keep what is compiled within in propto's cache folder, unless the user has given JAX another one."""
    if not enabled:
        yield
        return
    _disk.open()
    try:
        yield
    finally:
        _disk.close()


def _setting(name: str) -> Any:
    return getattr(jax.config, name)


def _writable(folder: Path) -> Path | None:
    """The folder, made if need be; None where nothing can be written (a run does without it then)."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def cache_folder() -> Path:
    """Where compiled programs are kept between processes."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("propto")) / "compiled"
