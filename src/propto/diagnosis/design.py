"""The design of a run, few long chains or many short ones, and the R-hat and effective sizes that fit it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import fdtri

from propto.diagnosis import chains
from propto.diagnosis.chains import Array

if TYPE_CHECKING:
    from xarray import DataTree

MANY_CHAINS = 16  # above, chains are compared by superchains
SHORT_CHAIN = 100  # draws; below, the autocorrelation of a chain cannot be seen from inside it


@dataclass(frozen=True)
class Design:
    """How many chains a run has, how long they are, and how many start points they share.

    Up to 16 chains are compared one by one. With more, demanding that each chain alone pins down the
    answer would ask for far more draws than the answer needs; instead superchains are compared, which are
    the chains that share a start point or, if none do, 8 or 16 groups of neighbours.

    Parameters
    ----------
    chains, draws
        Number of chains, and of draws in each.
    superchains
        Number of different start points; chains of one superchain are neighbours.
    """

    chains: int
    draws: int
    superchains: int

    @property
    def many(self) -> bool:
        """Whether superchains are compared instead of chains."""
        return self.chains > MANY_CHAINS

    @property
    def short(self) -> bool:
        """Whether a chain is too short to show its own autocorrelation."""
        return self.draws < SHORT_CHAIN

    @property
    def groups(self) -> int:
        """Number of superchains that are compared."""
        shared = 2 <= self.superchains < self.chains and self.chains % self.superchains == 0
        return self.superchains if shared else 8 if self.chains < 128 else 16

    def size(self, halves: Array) -> Array:
        """Effective sample size for the mean of split chains (element, half-chain, draw)."""
        if self.many and self.short:
            return chains.effective_size_of_means(halves)
        return chains.effective_size(halves)

    def tail_size(self, x: Array, ordered: Array) -> Array:
        """The smaller effective sample size of the 5 % and 95 % quantiles."""
        sides = [self.size(chains.split(chains.tail_indicator(x, ordered, p))) for p in (0.05, 0.95)]
        return np.minimum(*sides)

    def r_hat(self, scores: Array) -> Array:
        """R-hat of split scores: of chains if they are few, nested if they are many."""
        if self.many:
            return chains.nested_scale_reduction(self._grouped(scores), self.groups)
        return chains.scale_reduction(scores)

    def r_hat_by_chance(self, scores: Array, share: float) -> Array:
        """What R-hat exceeds with probability ``share`` although all chains have the same distribution."""
        return self._nested_by_chance(scores, share) if self.many else self._plain_by_chance(scores, share)

    def _plain_by_chance(self, scores: Array, share: float) -> Array:
        """Variance of the means of half-chains against what e effective draws in each make it: an F.

        The estimate of e from inside the chains has about a quarter of all effective draws as its degrees
        of freedom (measured for autoregressive chains: 0.24 to 0.48 of them).
        """
        m, n = scores.shape[-2:]
        e = chains.effective_size_within(scores)
        return np.sqrt(np.maximum(1 + fdtri(m - 1, m * e / 4, 1 - share) / e - 1 / n, 1))

    def _nested_by_chance(self, scores: Array, share: float) -> Array:
        """Analysis of variance: means of superchains against means of the chains within them, an exact F."""
        kept = self._grouped(scores)
        width = self.chains // self.groups
        means = chains.chain_means(kept).reshape(*scores.shape[:-2], self.groups, width)
        f = fdtri(self.groups - 1, self.groups * (width - 1), 1 - share)
        _, of_means, within = chains.superchain_variances(kept, self.groups)
        noise = means.var(axis=-1, ddof=1).mean(axis=-1) / width
        return np.sqrt(1 + chains.ratio(f * noise, of_means + within))

    def _grouped(self, scores: Array) -> Array:
        """As many of the chains as divide into equal superchains."""
        kept, n = self.chains // self.groups * self.groups, scores.shape[-1]
        halves = scores.reshape(*scores.shape[:-2], 2, self.chains, n)[..., :kept, :]
        return halves.reshape(*scores.shape[:-2], 2 * kept, n)


def design_of(fit: DataTree) -> Design:
    """Read the design off a fit: sizes of the posterior, and the attribute ``superchains`` if it is there."""
    sizes = fit["posterior"].sizes
    chains_drawn = sizes["chain"]
    return Design(chains_drawn, sizes["draw"], int(fit.attrs.get("superchains", chains_drawn)))
