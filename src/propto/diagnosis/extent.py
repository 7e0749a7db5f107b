"""Checks on the extent of a run: draws, chains, start points, and whether it came to its end."""

from __future__ import annotations

from propto.diagnosis.design import SHORT_CHAIN, Design
from propto.diagnosis.estimators import MIN_DRAWS
from propto.diagnosis.reasons import Reason


def extent(design: Design, interrupted: bool) -> list[Reason]:
    """What the size and the history of a run say, whatever its draws are."""
    return [*_draws(design), *_chains(design), *([_interrupted(design.draws)] if interrupted else [])]


def _draws(design: Design) -> list[Reason]:
    n = design.draws
    if n < MIN_DRAWS:
        message = f"There are {n} draws a chain: nothing can be judged."
        return [Reason("fail", None, "draws", n, MIN_DRAWS, message, f"Take at least {SHORT_CHAIN}.")]
    if design.short and not design.many:
        message = f"There are {n} draws a chain, too few to see how much they depend on each other."
        return [Reason("caution", None, "draws", n, SHORT_CHAIN, message, f"Take at least {SHORT_CHAIN}.")]
    return []


def _chains(design: Design) -> list[Reason]:
    if design.chains == 1:
        message = "There is one chain: whether others would end up elsewhere cannot be seen."
        return [Reason("caution", None, "chains", 1, 2, message, "Run four or more.")]
    if design.superchains == 1:
        message = "All chains began at one point: whether they have left its neighbourhood cannot be seen."
        return [Reason("caution", None, "superchains", 1, 2, message, "Begin at different points.")]
    return []


def _interrupted(draws: int) -> Reason:
    message = f"The run was interrupted after {draws:,} draws a chain."
    return Reason("caution", None, "interrupted", 1, 0, message, "Resume it, or judge by the other reasons.")
