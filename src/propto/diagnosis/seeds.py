"""Checks on whether chains are independent: copies of one another, or moved by the same random numbers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from propto.diagnosis import chains
from propto.diagnosis.chains import Array
from propto.diagnosis.elements import Piece, rows
from propto.diagnosis.motion import Signatures, discrete, frozen
from propto.diagnosis.reasons import Mask, Reason, listed, percent

SHARED_LIMIT = 0.05  # share of a chain's positions found in another chain
COUPLED_LIMIT = 0.5  # correlation of the steps of two chains
ELEMENTS, CHAINS = 16, 256  # how many are compared step by step
EQUAL_DRAWS = 20  # fewer draws of a discrete variable can be equal by chance


def duplicates(position: Signatures) -> list[Reason]:
    """Chains that hold each other's positions, draw for draw or shifted in time.

    Continuous chains share no position by chance. Discrete ones do, so they count only when they are equal
    from the first draw to the last.
    """
    own = [np.unique(chain) for chain in position]
    found, count = np.unique(np.concatenate(own), return_counts=True)
    copies = np.array([np.isin(values, found[count > 1]).sum() for values in own])
    shared = copies / np.array([len(values) for values in own])
    twins = (shared > SHARED_LIMIT) & (copies > 1) & ~discrete(position) | _equal(position)
    if not twins.any():
        return []
    who = listed("chain", np.flatnonzero(twins), len(position))
    return [
        Reason(
            "fail",
            None,
            "shared_draws",
            float(shared.max()),
            SHARED_LIMIT,
            f"{who} hold the same draws as another chain "
            f"({percent(shared.max())} of them): chains of one seed tell nothing new.",
            "Give each chain a seed of its own, or drop the copies.",
        )
    ]


def _equal(position: Signatures) -> Mask:
    """Which chains move, and are equal to another from the first draw to the last."""
    _, inverse, count = np.unique(position, axis=0, return_inverse=True, return_counts=True)
    return (count[inverse.ravel()] > 1) & ~frozen(position) & (position.shape[1] >= EQUAL_DRAWS)


def coupled(pieces: Iterable[Piece], count: int) -> list[Reason]:
    """Chains whose steps go up and down together although they are at different places.

    Chains that run on the same random numbers from different start points do that. The correlation of the
    steps of two chains is averaged over up to 16 of all ``count`` elements; the limit is 0.5, or six
    standard errors in a short run.
    """
    change = _some_steps(pieces, count)
    if change.size == 0 or change.shape[1] < 2:
        return []
    correlation = np.einsum("eci,edi->cd", change, change) / len(change)
    np.fill_diagonal(correlation, 0.0)
    limit = max(COUPLED_LIMIT, 6 / np.sqrt(change.shape[-1]))
    pairs, largest = int((correlation > limit).sum()) // 2, float(correlation.max())
    if not pairs:
        return []
    return [
        Reason(
            "fail",
            None,
            "coupled_chains",
            largest,
            limit,
            f"Chains move in step, {pairs:,} pair{'s' if pairs > 1 else ''} of them (correlation up to "
            f"{largest:.2f}, the limit {limit:.2f}), as chains of one seed do.",
            "Give each chain a seed of its own.",
        )
    ]


def _some_steps(pieces: Iterable[Piece], count: int) -> Array:
    """Steps of the normal scores of some elements and chains, each of unit length: (element, chain, step)."""
    wanted = np.linspace(0, count - 1, min(count, ELEMENTS)).astype(int)
    picked, offset = [], 0
    for piece in pieces:
        inside = wanted[(wanted >= offset) & (wanted < offset + len(piece.names))] - offset
        picked.append(rows(piece.columns[:, :, inside]))
        offset += len(piece.names)
    draws = np.concatenate(picked)
    some = np.unique(np.linspace(0, draws.shape[1] - 1, CHAINS).astype(int))
    finite = np.isfinite(draws).all(axis=(1, 2))
    change = np.diff(chains.normal_scores(draws[finite][:, some]), axis=-1)
    change = change - change.mean(axis=-1, keepdims=True)
    return np.nan_to_num(chains.ratio(change, np.sqrt((change**2).sum(axis=-1, keepdims=True))))
