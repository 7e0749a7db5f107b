"""When a run stops early: at the first Ctrl-C it returns what it has, at the second it just ends."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def interrupts() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets.

    Only the main thread hears signals, and only Python's own handler is stood in for: in other threads, and
    where an application has a handler of its own, nothing changes.
    """
    asked = threading.Event()
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield asked
        return

    def ask(*_: Any) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class Stop:
    """When to stop: the user has asked, or the time is over.

    Parameters
    ----------
    asked
        Set by the user's Ctrl-C.
    deadline
        In seconds of ``time.monotonic``; None for no limit.
    """

    def __init__(self, asked: threading.Event, deadline: float | None) -> None:
        self.asked, self.deadline = asked, deadline

    def __bool__(self) -> bool:
        return self.asked.is_set() or (self.deadline is not None and time.monotonic() > self.deadline)
