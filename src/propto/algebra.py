"""NumPy's linear algebra on one thread during a run: its own threads would fight with those of the chains."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@functools.cache
def _libraries() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


class _OneThread:
    """The limit while at least one run wants it; the caller's number of threads comes back after."""

    def __init__(self) -> None:
        self.guard, self.users = threading.Lock(), 0
        self.limit: Any = None

    def begin(self) -> None:
        with self.guard:
            self.users += 1
            if self.users == 1:
                self.limit = _libraries().limit(limits=1, user_api="blas")

    def end(self) -> None:
        with self.guard:
            self.users -= 1
            if self.users == 0:
                self.limit.restore_original_limits()


_one_thread = _OneThread()


@contextmanager
def algebra_on_one_thread() -> Iterator[None]:
    """Keep NumPy's linear algebra on one thread within; its results depend on no number of threads then."""
    _one_thread.begin()
    try:
        yield
    finally:
        _one_thread.end()
