"""What is known of draws that are not kept: moments, quantiles, R-hat and ESS, in constant memory."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from propto.diagnosis.chains import ratio
from propto.diagnosis.design import Design

Array = NDArray[np.float64]

# All chains together have at least so many batches, and each chain at least so many; at most twice as many.
BATCHES, FEWEST = 256, 4
# Quantiles come from counts in so many bins, of equal width in asinh((x - median) / scale) up to this value.
BINS, REACH = 1024, 10.0
STATISTICS = ("mean", "sd", "q5", "q50", "q95", "r_hat", "ess", "mcse")
LEVELS = (0.05, 0.5, 0.95)


class Stream:
    """Statistics of a variable, from draws that come a portion at a time.

    Parameters
    ----------
    first
        The first draws, shape (draw, chain, element); they say where the variable lies and how wide it is,
        and are not taken in yet.
    """

    def __init__(self, first: Array) -> None:
        rows = first.reshape(-1, first.shape[-1])
        low, self.middle, high = np.nan_to_num(np.quantile(rows, (0.16, 0.5, 0.84), axis=0))
        self.scale = np.where(high > low, (high - low) / 2, 1.0)
        self.location, self.spread = Batches(*first.shape[1:]), Batches(*first.shape[1:])
        self.counts = np.zeros((first.shape[-1], BINS), np.int64)
        self.is_finite = np.ones(first.shape[-1], bool)

    def take(self, x: Array) -> None:
        """Take in draws, shape (draw, chain, element)."""
        self.is_finite &= np.isfinite(x).all(axis=(0, 1))
        z = (np.where(self.is_finite, x, 0.0) - self.middle) / self.scale
        self.location.take(z)
        self.spread.take(np.abs(z))
        place = np.clip((np.arcsinh(z) / REACH + 1) * (BINS / 2), 0, BINS - 1).astype(np.int64)
        place += BINS * np.arange(len(self.counts))
        self.counts += np.bincount(place.ravel(), minlength=self.counts.size).reshape(self.counts.shape)

    def summary(self, superchains: int) -> Array:
        """All `STATISTICS`, shape (statistic, element); NaN where a draw was not finite."""
        design = Design(self.location.chains, self.location.draws, superchains)
        mean, sd = self.location.moments()
        size = self.location.effective_size()
        r_hat = np.fmax(self.location.r_hat(design), self.spread.r_hat(design))
        middle, scale = self.middle, self.scale
        quantiles = middle + scale * self._quantiles()
        rows = (middle + scale * mean, scale * sd, *quantiles, r_hat, size, ratio(scale * sd, np.sqrt(size)))
        return np.where(self.is_finite, np.stack(rows), np.nan)

    def _quantiles(self) -> Array:
        """By linear interpolation within a bin."""
        below = np.concatenate([np.zeros((len(self.counts), 1)), self.counts.cumsum(axis=1)], axis=1)
        edges = np.linspace(-REACH, REACH, BINS + 1)
        found = [np.interp(np.multiply(LEVELS, row[-1]), row, edges) for row in below]
        return np.sinh(np.array(found).reshape(-1, len(LEVELS)).T)


class Batches:
    """Sums over batches of neighbouring draws of each chain; when they are many, neighbours become one.

    Parameters
    ----------
    chains, elements
        Shape of a draw.
    """

    def __init__(self, chains: int, elements: int) -> None:
        self.chains, self.most = chains, 2 * max(FEWEST, math.ceil(BATCHES / chains))
        self.sums = np.zeros((2, self.most, chains, elements))  # of x and of its square
        self.length, self.draws = 1, 0

    def take(self, x: Array) -> None:
        """Take in draws, shape (draw, chain, element)."""
        while len(x):
            if self.draws == self.most * self.length:
                self._pair()
            batch, inside = divmod(self.draws, self.length)
            # Whole batches at once where a batch begins, else what completes the one that is begun.
            whole = min(len(x) // self.length, self.most - batch) if inside == 0 else 0
            if whole:
                part = x[: whole * self.length].reshape(whole, self.length, *x.shape[1:])
                self.sums[0, batch : batch + whole] = part.sum(axis=1)
                self.sums[1, batch : batch + whole] = (part**2).sum(axis=1)
            else:
                part = x[: self.length - inside]
                self.sums[:, batch] += part.sum(axis=0), (part**2).sum(axis=0)
            taken = whole * self.length or len(part)
            self.draws, x = self.draws + taken, x[taken:]

    def moments(self) -> tuple[Array, Array]:
        """Mean and standard deviation of all draws of all chains."""
        total = self.draws * self.chains
        mean, square = self.sums.sum(axis=(1, 2)) / total
        return mean, np.sqrt(np.maximum(square - mean**2, 0) * total / max(total - 1, 1))

    def effective_size(self) -> Array:
        """Variance of the draws over that of batch means, in batches of at least the root of their number.

        Short batches hide a part of the noise that falls with one over their length. It is taken off by those
        of twice the length (Vats and Flegal, 2022, Lugsail lag windows for estimating time-average covariance
        matrices, Biometrika 109).
        """
        total, sd = self.draws * self.chains, self.moments()[1]
        means, length = self.sums[0, : self.draws // self.length] / self.length, self.length
        while length**2 < self.draws:
            means, length = _paired(means), 2 * length
        if len(means) < FEWEST:
            return np.full(sd.shape, np.nan)
        longer = 2 * length * _variance(_paired(means))
        noise = np.maximum(2 * longer - length * _variance(means), longer / 2)
        return np.minimum(total * ratio(sd**2, noise), total * np.log10(max(10, total)))

    def r_hat(self, design: Design) -> Array:
        """Split R-hat of up to 16 chains, nested R-hat of more, of the values as they are."""
        half = self.draws // self.length // 2
        if half * self.length < 2:
            return np.full(self.sums.shape[-1], np.nan)
        n = half * self.length
        # Shape (x or square, half, chain, element).
        parts = np.stack([self.sums[:, :half].sum(axis=1), self.sums[:, half : 2 * half].sum(axis=1)], axis=1)
        mean, square = parts / n
        within = np.maximum(square - mean**2, 0).mean(axis=(0, 1)) * n / (n - 1)
        if not design.many:
            between = mean.reshape(2 * self.chains, -1).var(axis=0, ddof=1)
            return np.sqrt(ratio(between, within) + (n - 1) / n)
        width = self.chains // design.groups
        grouped = mean[:, : width * design.groups].reshape(2, design.groups, width, -1)
        of_means = np.moveaxis(grouped, 0, 1).reshape(design.groups, 2 * width, -1)
        between = of_means.mean(axis=1).var(axis=0, ddof=1)
        return np.sqrt(1 + ratio(between, of_means.var(axis=1, ddof=1).mean(axis=0) + within))

    def _pair(self) -> None:
        """Neighbouring batches become one of twice the length."""
        paired = self.sums.reshape(2, self.most // 2, 2, *self.sums.shape[2:]).sum(axis=2)
        self.sums[:, : self.most // 2] = paired
        self.sums[:, self.most // 2 :] = 0
        self.length *= 2


def _paired(means: Array) -> Array:
    """Means of neighbouring batches; an odd one at the end is left out."""
    even = len(means) // 2 * 2
    return (means[:even:2] + means[1:even:2]) / 2


def _variance(means: Array) -> Array:
    return means.reshape(-1, means.shape[-1]).var(axis=0, ddof=1)
