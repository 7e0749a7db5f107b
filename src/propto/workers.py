"""How many workers XLA has: more than there are processors, so that they never all wait for each other."""

from __future__ import annotations

import os

# Parts of one program that decompose batches of matrices at the same time, each waiting for other workers.
SPARE = 4


def have_spare_workers() -> None:
    """Ask for them, unless the user has; XLA reads the number once, when JAX computes for the first time."""
    os.environ.setdefault("PJRT_NPROC", str((os.cpu_count() or 1) + SPARE))
