"""Chains in places of no importance: what they draw is left out, and if they stay, they start from others."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

# The share of chains, highest in log density, that the others are compared with.
BEST = 0.25
# How much less log mass a place of no importance holds.
MARGIN = 15.0
# A chain is on its way if its log density rises by more than this from one half of a stage to the next, and
# would be level with the best in so many stages.
RISE, PATIENCE = 2.0, 4
# All chains are, if their rise is so many standard errors.
CHANCE = 3.0


def astray(x: Float[np.ndarray, "draw chain dim"], logp: Float[np.ndarray, "draw chain"]) -> np.ndarray:
    r"""Which chains move where the posterior has less than exp(-15) of its mass.

    The log mass of a region is the mean of log p over its draws plus their entropy, a Gaussian's with the
    standard deviations of its coordinates. It is compared between the quarter of the chains with the highest
    log p, each taken by itself, and every other chain, whose entropy is taken to be that of all the others
    together. So a wide mode of low density is never mistaken for a place of no importance, nor the mouth of
    a funnel.

    Parameters
    ----------
    x, logp
        Draws of a stage of warm-up and their log densities.

    Returns
    -------
    array of bool, shape (chain,)
    """
    chains, mean = x.shape[1], logp.mean(axis=0)
    order = np.argsort(-mean, kind="stable")
    best, others = np.split(order, [max(1, round(BEST * chains))])
    if not len(others) or len(x) < 2:
        return np.zeros(chains, bool)
    mass_of_best = np.mean(mean[best] + _entropy(x[:, best], draws=0))
    less = mass_of_best - (mean + _entropy(x[:, others], draws=(0, 1)))
    away = ~(less <= MARGIN)
    away[best] = False
    return away


def climbing(logp: Float[np.ndarray, "draw chain"]) -> np.ndarray:
    """Which chains are on their way up, fast enough to come to a mode of their own in a few stages."""
    half = len(logp) // 2
    if half == 0:
        return np.ones(logp.shape[1], bool)
    now = logp[-half:].mean(axis=0)
    rise = now - logp[:half].mean(axis=0)
    return np.asarray((rise > RISE) & (2 * PATIENCE * rise > np.quantile(now, 1 - BEST) - now))


def _entropy(x: np.ndarray, draws: int | tuple[int, int]) -> np.ndarray:
    """Up to a constant, of Gaussians with the same standard deviations as draws along some axes."""
    deviations = x.std(axis=draws)
    return np.asarray(np.log(np.maximum(deviations, np.finfo(float).tiny)).sum(axis=-1))


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
