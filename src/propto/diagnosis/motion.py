"""Checks on how chains move: one that never does, or rests for longer than its rejections explain."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from propto.diagnosis.elements import Piece
from propto.diagnosis.mixing import CHANCE
from propto.diagnosis.reasons import Mask, Reason, listed, percent

Signatures = npt.NDArray[np.uint64]

FEW = 0.01  # share of the chains below which a fault of theirs is no more than a caution
REST_LIMIT = 0.05  # share of its draws that a chain may spend at one place
REST_SHARE = 0.003  # share of all draws below which such rests are no matter
REVISITED = 0.05  # share of positions seen before that makes a chain discrete


def signatures(pieces: Iterable[Piece]) -> Signatures:
    """A number for the position of each draw, shape (chain, draw): equal where all elements are equal."""
    total: Signatures = np.zeros((), dtype=np.uint64)
    weights = np.random.default_rng(0)
    for piece in pieces:
        bits = np.ascontiguousarray(piece.columns, dtype=float).view(np.uint64)
        bits = (bits ^ (bits >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
        odd = weights.integers(2**63, size=bits.shape[-1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        total = total + (bits * odd).sum(axis=-1, dtype=np.uint64)
    return total


def steps(position: Signatures) -> Mask:
    """Whether each step led to another position, shape (chain, draw - 1)."""
    return np.asarray(position[:, 1:] != position[:, :-1])


def frozen(position: Signatures) -> Mask:
    """Whether each chain stayed where it was from the first draw to the last."""
    return np.logical_not(steps(position).any(axis=1))


def discrete(position: Signatures) -> Mask:
    """Whether each chain comes back to positions that it has left: a continuous one never does."""
    distinct = np.array([len(np.unique(chain)) for chain in position])
    return distinct <= (1 - REVISITED) * (1 + steps(position).sum(axis=1))


def standstill(position: Signatures) -> list[Reason]:
    """Chains that never move, or rest for longer than the rejections of the others explain.

    At the rate r at which the chains that move do so, a rest of n steps comes by chance about S (1 - r)^n
    times in S steps. Discrete chains rest for their own reasons, so of them only those that never move count.
    """
    moved = steps(position)
    if moved.shape[1] == 0:
        return []
    still = frozen(position)
    rate = 1.0 if still.all() else float(min(moved[~still].mean(), 0.99))
    rest = np.array([_longest_rest(chain) for chain in moved])
    unexplained = moved.size * (1 - rate) ** rest < CHANCE
    if still.any():
        return [_frozen(still, unexplained)]
    long = unexplained & (rest > REST_LIMIT * position.shape[1]) & ~discrete(position)
    rest = np.where(long, rest, 0)
    return [_rest(rest, rate)] if rest.sum() > REST_SHARE * position.size else []


def _longest_rest(moved: Mask) -> int:
    """The longest run of steps that did not move."""
    ends = np.flatnonzero(np.concatenate(([True], moved, [True])))
    return int(np.diff(ends).max() - 1)


def _frozen(still: Mask, unexplained: Mask) -> Reason:
    stuck = still & unexplained
    who = listed("chain", np.flatnonzero(still), len(still))
    return Reason(
        "fail" if stuck.mean() >= FEW else "caution",
        None,
        "frozen_chains",
        float(still.sum()),
        0.0,
        f"{who} stood still throughout: every draw is the same.",
        "Start again from other points, with a smaller step size." if stuck.any() else "Draw longer chains.",
    )


def _rest(rest: npt.NDArray[np.int64], rate: float) -> Reason:
    chain = int(rest.argmax())
    return Reason(
        "caution",
        None,
        "longest_rest",
        float(rest[chain]),
        float("nan"),
        f"Chain {chain} rested for {rest[chain]:,} steps in a row, although chains move in "
        f"{percent(rate)} of steps: it was stuck in a place that is hard to leave.",
        "Take smaller steps, or rewrite the model so that its scales are even.",
    )
