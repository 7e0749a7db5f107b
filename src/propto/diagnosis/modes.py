"""A check for separated modes: chains that stay apart while each is at rest in its own place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtri

from propto.diagnosis import chains
from propto.diagnosis.chains import Array
from propto.diagnosis.design import Design
from propto.diagnosis.mixing import Measured
from propto.diagnosis.reasons import Reason, digits, guilty
from propto.diagnosis.scored import Scored

AT_REST = 4.0  # effective draws in half a chain: one on its way has less than one
APART = 3.0  # how many times as much as chance explains the means of the chains vary
MATTERS = 0.1  # variance of the means of the chains against that within, as at R-hat 1.05


@dataclass(frozen=True)
class Modes:
    r"""Do chains stay apart, each at rest in a place of its own?

    With W the variance within half chains and D the difference between the means of a chain's two halves, a
    half chain is worth :math:`e = 2W/\overline{D^2}` effective draws in its own place. Chains on their
    way, or slow ones, have e below 1; those that cross between modes now and then, little more. If e is
    large, the means of whole chains should have the variance W/2e.

    Parameters
    ----------
    design
        The design of the run.
    share
        The chance that falls to one test of one element.
    """

    design: Design
    share: float

    def measure(self, scored: Scored) -> Measured:
        """How many times as much as chance explains the chain means vary; 0 where chains are not at rest."""
        apart = np.maximum(self._apart(scored.bulk), self._apart(scored.folded))
        return (apart,)

    def _apart(self, scores: Array) -> Array:
        count = self.design.chains
        first, second = np.moveaxis(scores.mean(axis=-1).reshape(len(scores), 2, count), 1, 0)
        within = chains.chain_variance(scores).mean(axis=-1)
        change = ((second - first) ** 2).mean(axis=-1)
        between = ((first + second) / 2).var(axis=-1, ddof=1) if count > 1 else np.zeros(len(scores))
        at_rest = 2 * within > AT_REST * change
        ratio = chains.ratio(between, change / 4)
        limit = max(APART, float(fdtri(count - 1, count, 1 - self.share / 2))) if count > 1 else np.inf
        found = at_rest & (between > MATTERS * within) & (within > 0) & (ratio > limit)
        return np.where(found, ratio, 0.0)

    def judge(self, names: list[str], measured: Measured) -> list[Reason]:
        """Fail."""
        (apart,) = measured
        return [
            Reason(
                "fail",
                one.name,
                "modes",
                apart[one.index],
                APART,
                f"The chains stay apart in {one.who}, each at rest in its own place: their means vary "
                f"{digits(apart[one.index])} times as much as chance explains, the limit {digits(APART)}.",
                "The posterior has separated modes, and how many chains are in each says nothing of its "
                "mass: sample with pp.SMC(), which weighs them, and with more particles if it was that.",
            )
            for one in guilty(names, apart, apart > 0, apart > 0)
        ]
