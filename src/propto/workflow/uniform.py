"""Are ranks uniform? A simultaneous test of their cumulative counts, and its envelope."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

# Sets of uniform ranks that the reference distribution is simulated from.
SETS, SEED = 4000, 20


def cumulative(ranks: Int[np.ndarray, "simulation quantity"], draws: int) -> Int[np.ndarray, "rank quantity"]:
    """How many ranks are at most 0, 1, ..., draws - 1, for every quantity."""
    return np.stack([(ranks <= k).sum(axis=0) for k in range(draws)])


def p_values(ranks: Int[np.ndarray, "simulation quantity"], draws: int) -> Float[np.ndarray, " quantity"]:
    """Probability that uniform ranks stray as far, at their worst place, as each quantity's do.

    Säilynoja, Bürkner and Vehtari (2022), Graphical test for discrete uniformity and its applications in
    goodness-of-fit evaluation and multiple sample comparison, Statistics and Computing 32. Beyond the reach
    of the simulated reference, Bonferroni's bound over the places is used.
    """
    n = len(ranks)
    worst = _worst(cumulative(ranks, draws), n, draws)
    reference = _reference(n, draws)
    simulated = (np.searchsorted(reference, worst, side="right") + 1) / (SETS + 1)
    return np.minimum(simulated, draws * worst)


def envelope(n: int, draws: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits of the cumulative counts that all of them keep with a probability of ``level``."""
    tail = np.quantile(_reference(n, draws), 1 - level) / 2
    chance = np.arange(1, draws + 1) / (draws + 1)
    return stats.binom.ppf(tail, n, chance), stats.binom.isf(tail, n, chance)


def _worst(counts: np.ndarray, n: int, draws: int) -> np.ndarray:
    """The smallest two-sided probability of a cumulative count, over all places."""
    return _tails(n, draws)[np.arange(draws)[:, None], counts].min(axis=0)


@cache
def _tails(n: int, draws: int) -> np.ndarray:
    """Two-sided probability of every count at every place."""
    chance, counts = np.arange(1, draws + 1)[:, None] / (draws + 1), np.arange(n + 1)
    below, above = stats.binom.cdf(counts, n, chance), stats.binom.sf(counts - 1, n, chance)
    return np.minimum(1.0, 2 * np.minimum(below, above))


@cache
def _reference(n: int, draws: int) -> np.ndarray:
    """The smallest probabilities of uniform ranks, in order."""
    rng = np.random.default_rng(SEED)
    counts = rng.multinomial(n, np.full(draws + 1, 1 / (draws + 1)), size=SETS)
    return np.sort(_worst(np.cumsum(counts, axis=1)[:, :-1].T, n, draws))
