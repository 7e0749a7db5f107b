"""Chains in places of no importance: what they draw is left out, and if they stay, they start from others."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

# The share of chains that may lie above the one with which all are compared: of so few, chance is no excuse.
BEST = 0.03
# In whitened coordinates no place counts as wider, though the density be flat there.
WIDEST = 1e6
# Standard deviations from the median to the outer tenth of a normal distribution.
TENTH = 1.28
# What a chain on its way up aims for: the level of the highest quarter.
TOP = 0.25
# How much less log mass a place of no importance holds, beyond so many standard errors of a mass.
MARGIN, CERTAIN = 8.0, 4.0
# A chain is on its way if its log density rises by more than this from one half of a stage to the next, and
# would be level with the best in so many stages.
RISE, PATIENCE = 2.0, 4
# All chains are, if their rise is so many standard errors.
CHANCE = 3.0


def astray(
    logp: Float[np.ndarray, "draw chain"], score: Float[np.ndarray, "draw chain dim"] | None
) -> Bool[np.ndarray, " chain"]:
    r"""Which chains move where the posterior has less than exp(-8) of its mass.

    The log mass of the place where a chain moves is the mean over its draws of log p plus the entropy of a
    Gaussian whose scores are as large, :math:`-\tfrac12 \sum_i \log g_i^2`: scores tell how wide a
    place is even of a chain that hardly moves, so that neither the neck of a funnel is taken for its bulk nor
    its mouth for a place of no importance. All are compared with the second best of 64 chains.

    Parameters
    ----------
    logp, score
        Log densities and their gradients at the draws of a stage of warm-up. Without gradients no chain is
        known to be astray.
    """
    chains = logp.shape[1]
    if score is None or chains < 2:
        return np.zeros(chains, bool)
    with np.errstate(over="ignore", invalid="ignore"):
        widths = -0.5 * np.log(np.maximum(score**2, WIDEST**-2))
        mass = (logp + widths.sum(axis=-1)).mean(axis=0)
    mass = np.nan_to_num(mass, nan=-np.inf)
    best = np.sort(mass)[-max(1, round(BEST * chains))]
    return np.asarray(~(best - mass <= MARGIN + CERTAIN * _standard_error(mass)))


def _standard_error(mass: Float[np.ndarray, " chain"]) -> float:
    """Standard deviation of most chains' masses: of those above or below the median, whichever differ less.

    Those in other places are on one side.
    """
    low, middle, high = np.quantile(mass, (0.1, 0.5, 0.9))
    with np.errstate(invalid="ignore"):
        return float(np.fmin(high - middle, middle - low)) / TENTH


def climbing(logp: Float[np.ndarray, "draw chain"]) -> np.ndarray:
    """Which chains are on their way up, fast enough to come to a mode of their own in a few stages."""
    half = len(logp) // 2
    if half == 0:
        return np.ones(logp.shape[1], bool)
    now = logp[-half:].mean(axis=0)
    rise = now - logp[:half].mean(axis=0)
    return np.asarray((rise > RISE) & (2 * PATIENCE * rise > np.quantile(now, 1 - TOP) - now))


def arrived(logp: Float[np.ndarray, "draw chain"]) -> bool:
    """Whether the chains together have stopped climbing: their log density rises by no more than chance."""
    half = len(logp) // 2
    if half == 0:
        return False
    rise = logp[-half:].mean(axis=0) - logp[:half].mean(axis=0)
    return bool(rise.mean() < CHANCE * rise.std() / np.sqrt(len(rise)))


def donors(
    away: Bool[np.ndarray, " chain"], superchains: int, rng: np.random.Generator
) -> Int[np.ndarray, " chain"]:
    """For every chain the one that stands in for it: itself, or one not astray, of its own start if any."""
    chains = np.arange(len(away))
    family = chains * superchains // len(away)
    source = chains.copy()
    for chain in chains[away]:
        kin = chains[~away & (family == family[chain])]
        source[chain] = rng.choice(kin if len(kin) else chains[~away])
    return source
