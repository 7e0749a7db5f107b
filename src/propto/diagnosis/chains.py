"""Statistics of chains: arrays of shape (..., chain, draw), and one number for each leading index."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft
from scipy.special import betaincinv, ndtri

Array = npt.NDArray[np.float64]
Entry = TypeVar("Entry", bound=np.generic)

BLOM = 3 / 8  # offset of the ranks before they become normal scores
ONE_SIGMA = (0.1586553, 0.8413447)  # probabilities of a normal variable within one standard deviation


def ratio(above: npt.ArrayLike, below: npt.ArrayLike) -> Array:
    """A quotient without warnings: inf where only ``below`` is zero, NaN where both are."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(above, below)


def split(x: npt.NDArray[Entry]) -> npt.NDArray[Entry]:
    """Cut chains into halves, (..., chain, draw) to (..., 2 chain, draw // 2), without an odd middle draw."""
    half = x.shape[-1] // 2
    return np.concatenate((x[..., :half], x[..., -half:]), axis=-2)


def chain_means(halves: Array) -> Array:
    """Means of whole chains from `split` ones, (..., 2 chain, draw) to (..., chain)."""
    return halves.mean(axis=-1).reshape(*halves.shape[:-2], 2, halves.shape[-2] // 2).mean(axis=-2)


def row(x: Array) -> Array:
    """All draws of all chains in one row, (..., chain, draw) to (..., chain * draw)."""
    return x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1])


def normal_scores(x: Array) -> Array:
    """Normal quantiles of the ranks among all draws of all chains; ties share their mean rank."""
    values = row(x)
    size = values.shape[-1]
    order = np.argsort(values, axis=-1)
    ordered = np.take_along_axis(values, order, axis=-1)
    score = ndtri((np.arange(2 * size - 1) / 2 + 1 - BLOM) / (size + 1 - 2 * BLOM))
    scores = np.empty_like(values)
    np.put_along_axis(scores, order, score[_doubled_ranks(ordered)], axis=-1)
    return scores.reshape(x.shape)


def _doubled_ranks(ordered: Array) -> npt.NDArray[np.int64]:
    """Twice the mean rank of each entry of sorted rows, counted from zero: a whole number even with ties."""
    index = np.arange(ordered.shape[-1])
    steps = ordered[..., 1:] != ordered[..., :-1]
    if steps.all():
        return np.broadcast_to(2 * index, ordered.shape)
    edge = np.ones((*ordered.shape[:-1], 1), dtype=bool)
    first = np.where(np.concatenate((edge, steps), axis=-1), index, 0)
    last = np.where(np.concatenate((steps, edge), axis=-1), index, index[-1])
    last = np.minimum.accumulate(last[..., ::-1], axis=-1)[..., ::-1]
    return np.maximum.accumulate(first, axis=-1) + last


def fold(x: Array) -> Array:
    """Distance of every draw from the median of all: turns a difference in scale into one in location."""
    ordered = np.sort(row(x), axis=-1)
    middle = ordered.shape[-1] // 2
    median = (ordered[..., middle] + ordered[..., -middle - 1]) / 2
    return np.abs(x - median[..., None, None])


def chain_variance(x: Array) -> Array:
    """Variance within each chain; exactly zero for a chain that never moves, whatever rounding says."""
    return np.where(changes(x), x.var(axis=-1, ddof=1), 0.0)


def changes(x: Array) -> npt.NDArray[np.bool_]:
    """Whether the last axis holds more than one value."""
    return (x != x[..., :1]).any(axis=-1)


def scale_reduction(x: Array) -> Array:
    """R-hat of the chains as they stand: sqrt((n - 1) / n + Var(chain means) / mean(chain variances))."""
    n = x.shape[-1]
    between = np.where(changes(row(x)), x.mean(axis=-1).var(axis=-1, ddof=1), 0.0)
    return np.sqrt(ratio(between, chain_variance(x).mean(axis=-1)) + (n - 1) / n)


def nested_scale_reduction(x: Array, superchains: int) -> Array:
    """Nested R-hat of split chains: sqrt(1 + B / W), B between superchains and W within them."""
    between, of_means, within = superchain_variances(x, superchains)
    return np.sqrt(1 + ratio(between, of_means + within))


def superchain_variances(x: Array, superchains: int) -> tuple[Array, Array, Array]:
    """Variances of superchain means, of chain means within superchains, and within chains.

    ``x`` comes from `split`: first halves of all chains, then second halves. A superchain is a run of
    neighbouring chains, and both halves of its chains belong to it.
    """
    width = x.shape[-2] // superchains // 2
    means = x.mean(axis=-1).reshape(*x.shape[:-2], 2, superchains, width)
    means = np.swapaxes(means, -3, -2).reshape(*x.shape[:-2], superchains, 2 * width)
    between = np.where(changes(row(x)), means.mean(axis=-1).var(axis=-1, ddof=1), 0.0)
    return between, means.var(axis=-1, ddof=1).mean(axis=-1), chain_variance(x).mean(axis=-1)


def mean_autocovariance(x: Array) -> Array:
    """Autocovariance (over n at every lag) averaged over the chains, (..., chain, n) to (..., n)."""
    n = x.shape[-1]
    length = next_fast_len(2 * n, real=True)
    waves = rfft(x - x.mean(axis=-1, keepdims=True), length)
    power = (waves.real**2 + waves.imag**2).mean(axis=-2)
    return irfft(power, length)[..., :n] / n


def autocorrelation_time(rho: Array) -> Array:
    """Sum of the autocorrelations ``rho`` (..., n) over all lags, by Geyer's initial monotone sequence.

    For a reversible chain the sums of neighbouring pairs are positive and fall. So the sum ends at the
    first pair that is not positive, and no pair counts for more than the one before.
    """
    pairs = max((rho.shape[-1] - 3) // 2, 0) + 1
    even = rho[..., : 2 * pairs : 2]
    gamma = even + rho[..., 1 : 2 * pairs : 2]
    ends = gamma <= 0
    stop = np.where(ends.any(axis=-1), ends.argmax(axis=-1), pairs - 1)
    sums = np.cumsum(np.minimum.accumulate(gamma, axis=-1), axis=-1)
    before = np.where(stop > 0, pick(sums, np.maximum(stop - 1, 0)), 0.0)
    rest = pick(even, stop)
    rest = np.where((rest > 0) | (pick(gamma, stop) >= 0), rest, 0.0)
    return 2 * before + rest - 1


def effective_size(x: Array) -> Array:
    """Effective number of draws for the mean, from all chains together; at most S log10(S) of S draws.

    NaN where nothing ever changes, which can happen to the two halves when only a middle draw differs.
    """
    chains, n = x.shape[-2:]
    covariance = mean_autocovariance(x)
    between = x.mean(axis=-1).var(axis=-1, ddof=1) if chains > 1 else np.zeros(x.shape[:-2])
    within = covariance[..., 0] * n / (n - 1)
    rho = 1 - ratio(within[..., None] - covariance, (covariance[..., 0] + between)[..., None])
    rho[..., 0] = 1
    size = chains * n / np.maximum(autocorrelation_time(rho), 1 / np.log10(chains * n))
    return np.where(changes(row(x)), size, np.nan)


def effective_size_within(x: Array) -> Array:
    """Effective draws of one chain as seen from inside the chains, blind to differences between them."""
    n = x.shape[-1]
    covariance = mean_autocovariance(x)
    time = autocorrelation_time(ratio(covariance, covariance[..., :1]))
    return n / np.maximum(time, 1 / np.log10(n))


def effective_size_of_means(x: Array) -> Array:
    """Effective draws of split chains, read off the chain means: chains * Var(x) / Var(chain means)."""
    return ratio(x.shape[-2] / 2 * row(x).var(axis=-1, ddof=1), chain_means(x).var(axis=-1, ddof=1))


def quantile(ordered: Array, prob: float) -> Array:
    """Quantile of sorted rows by linear interpolation, (..., size) to (...)."""
    place = (ordered.shape[-1] - 1) * prob
    low = int(place)
    high = min(low + 1, ordered.shape[-1] - 1)
    return ordered[..., low] + (ordered[..., high] - ordered[..., low]) * (place - low)


def tail_indicator(x: Array, ordered: Array, prob: float) -> Array:
    """1 where a draw is at most the quantile; where that is the largest value, 1 where a draw is below it."""
    limit = quantile(ordered, prob)
    atom = (limit >= ordered[..., -1])[..., None, None]
    limit = limit[..., None, None]
    return np.where(atom, x < limit, x <= limit).astype(float)


def quantile_error(ordered: Array, prob: float, size: Array) -> Array:
    """Half the width of a quantile's central 68 % interval, given its effective number of draws."""
    last = ordered.shape[-1] - 1
    known = np.nan_to_num(size, nan=1.0)
    low, high = (betaincinv(known * prob + 1, known * (1 - prob) + 1, p) * (last + 1) - 1 for p in ONE_SIGMA)
    low = pick(ordered, np.maximum(np.floor(low), 0).astype(int))
    high = pick(ordered, np.minimum(np.ceil(high), last).astype(int))
    return np.where(np.isnan(size), np.nan, (high - low) / 2)


def pick(values: Array, index: npt.NDArray[np.int64]) -> Array:
    """The entry of each row of ``values`` (..., n) at its own index (...)."""
    return np.take_along_axis(values, index[..., None], axis=-1)[..., 0]
