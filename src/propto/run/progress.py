"""Progress on stderr, told by the host between chunks."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from propto.diagnosis.estimators import ess_bulk

REFRESH_SECONDS = 0.2
ESS_SECONDS, ESS_REST = 1.0, 20.0
ESS_VARIABLES = 16


class Progress(Protocol):
    """What the run loop tells while it runs."""

    def phase(self, name: str, total: int) -> None:
        """A phase of ``total`` transitions a chain begins (0 where that has no meaning)."""

    def update(self, done: int, facts: Facts) -> None:
        """``done`` transitions of every chain are finished."""

    def close(self) -> None:
        """The run has ended."""


class Facts:
    """Acceptance, divergences and effective draws so far, from the chunks that have come in."""

    def __init__(self) -> None:
        self.acceptance, self.weight, self.divergences = 0.0, 0, 0
        self.blocks: Sequence[Sequence[Any]] = ()
        self._ess, self._next_look = float("nan"), time.monotonic() + ESS_SECONDS

    def follow(self, blocks: Sequence[Sequence[Any]]) -> None:
        """Look for effective draws in these lists of traces, one a block, which the run goes on filling."""
        self.blocks = blocks

    def add(self, trace: Any) -> None:
        """Take in the trace of one chunk of one block."""
        rates = trace.info.acceptance_rate
        self.acceptance += float(rates.sum())
        self.weight += rates.size
        if hasattr(trace.info, "diverging"):
            self.divergences += int(trace.info.diverging.sum())

    def ess(self) -> float:
        """Effective draws so far of the worst of the first few coordinates.

        They are looked at now and then only: a look is paid for with many times its duration of rest.
        """
        began = time.monotonic()
        if all(self.blocks) and self.blocks and began > self._next_look:
            blocks = [np.concatenate([t.z[..., :ESS_VARIABLES] for t in traces]) for traces in self.blocks]
            n = min(map(len, blocks))
            draws = np.concatenate([block[:n] for block in blocks], axis=1).swapaxes(0, 1)
            self._ess = float(np.min(ess_bulk(draws), initial=np.inf))
            now = time.monotonic()
            self._next_look = now + max(ESS_SECONDS, ESS_REST * (now - began))
        return self._ess

    def __str__(self) -> str:
        parts = [f"acceptance {self.acceptance / max(1, self.weight):.2f}"]
        parts += [f"{self.divergences} divergences"] if self.divergences else []
        return ", ".join(parts)


class Silent:
    """Say nothing."""

    def phase(self, name: str, total: int) -> None:
        """Say nothing."""

    def update(self, done: int, facts: Facts) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Say nothing."""


class Live:
    """A bar for the phase under way, with what is known so far; on terminals and in notebooks."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress as Bar,
            TextColumn,
            TimeRemainingColumn,
        )

        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}", style="dim"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            transient=True,
            refresh_per_second=1 / REFRESH_SECONDS,
        )
        self._task = self._bar.add_task("starting", total=None, facts="")
        self._bar.start()

    def phase(self, name: str, total: int) -> None:
        """Begin a bar for the phase."""
        self._bar.remove_task(self._task)
        self._task = self._bar.add_task(name, total=total or None, facts="")

    def update(self, done: int, facts: Facts) -> None:
        """Move the bar."""
        ess = facts.ess()
        known = f"{facts}, ESS {ess:,.0f}" if np.isfinite(ess) else str(facts)
        self._bar.update(self._task, completed=done, facts=known)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()


def make_progress(wanted: bool | None) -> Progress:
    """A live bar on a terminal or in a notebook, unless unwanted; silence elsewhere."""
    live = wanted is not False and (sys.stderr.isatty() or "ipykernel" in sys.modules)
    return Live() if live else Silent()
