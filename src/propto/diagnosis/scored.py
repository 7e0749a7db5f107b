"""Elements of the posterior with everything that several checks need, computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from propto.diagnosis import chains
from propto.diagnosis.chains import Array


@dataclass(frozen=True)
class Scored:
    """Draws of elements that are finite and not constant, shape (element, chain, draw), with their scores.

    Parameters
    ----------
    names
        Name of each element.
    draws
        The draws as they are.
    """

    names: list[str]
    draws: Array

    @cached_property
    def bulk(self) -> Array:
        """Normal scores of the split chains, shape (element, half-chain, draw)."""
        return chains.normal_scores(chains.split(self.draws))

    @cached_property
    def folded(self) -> Array:
        """Normal scores of the distances from the median, shape (element, half-chain, draw)."""
        return chains.normal_scores(chains.fold(chains.split(self.draws)))

    @cached_property
    def ordered(self) -> Array:
        """All draws of each element in rising order, shape (element, chain * draw)."""
        return np.sort(chains.row(self.draws), axis=-1)
