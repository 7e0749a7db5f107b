"""Weights of particles in islands: the next temperature, the evidence, and who is resampled."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logsumexp

Islands = Float[np.ndarray, "island particle"]

# Halvings of the interval in which the next temperature is sought.
HALVINGS = 40


def effective_share(log_weights: Islands) -> float:
    r"""Mean over islands of :math:`(\sum_i w_i)^2 / (n \sum_i w_i^2)`."""
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    return float((weights.sum(axis=1) ** 2 / (weights**2).sum(axis=1)).mean() / weights.shape[1])


def next_step(gain: Islands, left: float, wanted: float) -> float:
    """The largest step of the power, at most ``left``, that leaves a wanted effective share.

    Particles where the density is 0 are lost by any step, however small, and do not count here.

    Parameters
    ----------
    gain
        log p - log r of the particles, which are equally weighted.
    left
        What is missing of the power 1, above 0.
    wanted
        In (0, 1).
    """
    least = wanted * effective_share(weighted(0.0, gain))

    def is_small(step: float) -> bool:
        return effective_share(weighted(step, gain)) > least

    if is_small(left):
        return left
    low, high = 0.0, left
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_small(middle) else (low, middle)
    return high


def weighted(step: float, gain: Islands) -> Islands:
    """Log weights after a step of the power; minus infinity, by any step, where the density is 0."""
    is_there = np.isfinite(gain)
    return np.where(is_there, step * np.where(is_there, gain, 0.0), -np.inf)


def log_mean_weight(log_weights: Islands) -> Float[np.ndarray, " island"]:
    """The logarithm of the mean weight of every island."""
    return np.asarray(logsumexp(log_weights, axis=1) - np.log(log_weights.shape[1]))


def resampled(log_weights: Islands, rng: np.random.Generator) -> Int[np.ndarray, "island particle"]:
    """Systematic resampling within every island: which particle each place takes over, in rising order.

    A particle of weight w has floor(nw) or ceil(nw) offspring, on average nw; siblings are neighbours.
    """
    islands, n = log_weights.shape
    weights = np.exp(log_weights - logsumexp(log_weights, axis=1, keepdims=True))
    ends = np.cumsum(weights, axis=1)
    ends /= ends[:, -1:]
    marks = (np.arange(n) + rng.uniform(size=(islands, 1))) / n
    chosen = [np.searchsorted(end, mark, side="right") for end, mark in zip(ends, marks, strict=True)]
    return np.minimum(np.stack(chosen), n - 1)


def evidence(log_islands: Float[np.ndarray, " island"]) -> tuple[float, float]:
    r"""The log of the mean of independent estimates, and its standard error.

    To first order the error of :math:`\log \bar Z` is :math:`\mathrm{sd}(Z_k)/(\bar Z \sqrt K)`; NaN for a
    single island.
    """
    k = len(log_islands)
    log_mean = float(logsumexp(log_islands) - np.log(k))
    relative = np.exp(log_islands - log_mean)
    return log_mean, float(relative.std(ddof=1) / np.sqrt(k)) if k > 1 else np.nan
