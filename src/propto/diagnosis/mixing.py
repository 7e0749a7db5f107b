"""Checks on how chains mix, element by element: do they agree, are they long enough, is one apart?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from propto.diagnosis import chains
from propto.diagnosis.chains import Array
from propto.diagnosis.design import Design
from propto.diagnosis.reasons import Reason, digits, guilty
from propto.diagnosis.scored import Scored

Measured = tuple[Array, ...]

CHANCE = 1e-3  # probability, over all elements of a healthy run, that one test finds fault
RHAT_CAUTION, RHAT_FAIL = 1.01, 1.05
ESS_CAUTION, ESS_FAIL = 400, 100
APART_CAUTION, APART_FAIL = 0.25, 1.0  # standard deviations
APART_ENDS = 0.75  # of the distance of a chain that holds one end of the distribution all for itself
DRIFT_CAUTION, DRIFT_FAIL = 0.05, 0.25  # standard deviations
WORTH_CAUTION, WORTH_FAIL = 2.0, 1.1  # independent draws a chain


class Check(Protocol):
    """One question put to every element: measure the elements piece by piece, then judge all together."""

    def measure(self, scored: Scored) -> Measured:
        """Arrays with one number for each element of a piece."""

    def judge(self, names: list[str], measured: Measured) -> list[Reason]:
        """What the numbers of all elements say."""


@dataclass(frozen=True)
class Agreement:
    """Do the chains agree? R-hat below 1.01, or below what chance gives the worst of so many elements.

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
        """R-hat and its limit."""
        both = scored.bulk, scored.folded
        r_hat = np.fmax(*map(self.design.r_hat, both))
        chance = np.fmax(*(self.design.r_hat_by_chance(scores, self.share / 2) for scores in both))
        return r_hat, np.clip(np.nan_to_num(chance), RHAT_CAUTION, RHAT_FAIL)

    def judge(self, names: list[str], measured: Measured) -> list[Reason]:
        """Caution at the limit, fail from 1.05."""
        r_hat, limit = measured
        kind = "Nested R-hat" if self.design.many else "R-hat"
        return [
            Reason(
                one.severity,
                one.name,
                "r_hat",
                r_hat[one.index],
                limit[one.index],
                f"{kind} of {one.who} is {digits(r_hat[one.index])}, the limit {digits(limit[one.index])}: "
                "the chains have not settled on one distribution.",
                "Run longer, warm-up included; if it stays, look for several modes or very uneven scales.",
            )
            for one in guilty(names, r_hat, ~(r_hat < limit), ~(r_hat < RHAT_FAIL))
        ]


@dataclass(frozen=True)
class Size:
    """Are there enough effective draws, in the bulk and in the tails?"""

    design: Design

    def measure(self, scored: Scored) -> Measured:
        """Bulk and tail effective sample size."""
        return self.design.size(scored.bulk), self.design.tail_size(scored.draws, scored.ordered)

    def judge(self, names: list[str], measured: Measured) -> list[Reason]:
        """Caution below 400 effective draws, fail below 100."""
        return [
            Reason(
                one.severity,
                one.name,
                f"ess_{where}",
                size[one.index],
                ESS_FAIL if one.severity == "fail" else ESS_CAUTION,
                f"The {where} of {one.who} holds only {size[one.index]:,.0f} effective draws; "
                f"{ESS_CAUTION} are enough, {ESS_FAIL} the least.",
                _more_draws(ESS_CAUTION / size[one.index]),
            )
            for where, size in zip(("bulk", "tail"), measured, strict=True)
            for one in guilty(names, -size, ~(size >= ESS_CAUTION), ~(size >= ESS_FAIL))
        ]


def _more_draws(factor: float) -> str:
    """What helps against too few effective draws."""
    if factor <= 10:
        return f"Take at least {np.ceil(10 * factor) / 10:g} times as many draws."
    return "First mend what keeps the chains from mixing: more draws alone will hardly do."


@dataclass(frozen=True)
class Apart:
    """Does a chain stand apart from the others? R-hat hardly notices one chain among many.

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
        """Distance of the farthest chain (0 if chance or a split of all chains explains it), and which."""
        means = chains.chain_means(scored.bulk)
        centre = np.mean if self.design.many else np.median
        distance = np.abs(means - centre(means, axis=-1, keepdims=True))
        limit = np.maximum(self._chance(scored.bulk, means), self._harmless())
        beyond = (distance > limit[:, None]).sum(axis=-1)
        few = (beyond > 0) & (2 * beyond < self.design.chains)
        return np.where(few, distance.max(axis=-1), 0.0), distance.argmax(axis=-1).astype(float)

    def _harmless(self) -> float:
        """A distance that does no harm: for a few chains, small; of many, one may linger in a tail.

        One of n that never leaves a place of its own far out has the mean score of the outermost share 1/n.
        """
        if not self.design.many:
            return APART_CAUTION
        n = self.design.chains
        outermost = n * np.exp(-0.5 * ndtri(1 / n) ** 2) / np.sqrt(2 * np.pi)
        return float(APART_ENDS * outermost)

    def _chance(self, scores: Array, means: Array) -> Array:
        """How far from the centre the farthest of healthy chains comes.

        With many chains Grubbs' test answers that from the spread of their means; with few, the spread
        follows from the effective draws within them, which only chains of some length show.
        """
        count, share = self.design.chains, self.share / (2 * self.design.chains)
        if self.design.many:
            t = stdtrit(count - 2, share)
            return means.std(axis=-1, ddof=1) * (count - 1) / np.sqrt(count * (1 + (count - 2) / t**2))
        if self.design.short:
            return np.full(len(means), np.inf)
        e = 2 * chains.effective_size_within(scores)
        return -stdtrit(count * e / 4, share) * np.sqrt((1 + np.pi / (2 * count)) / e)

    def judge(self, names: list[str], measured: Measured) -> list[Reason]:
        """Caution beyond what is harmless; fail from a whole standard deviation if chains are few."""
        distance, chain = measured
        fail = (distance >= APART_FAIL) & (not self.design.many)
        return [
            Reason(
                one.severity,
                one.name,
                "chain_apart",
                distance[one.index],
                self._harmless(),
                f"Chain {chain[one.index]:.0f} stands apart: its {one.who} lies {distance[one.index]:.1f} "
                f"standard deviations from the other chains, the limit {digits(self._harmless())}.",
                "It may sit in a mode of its own: look at its trace, and run more chains to weigh the modes.",
            )
            for one in guilty(names, distance, distance > 0, fail)
        ]


@dataclass(frozen=True)
class Worth:
    """Is each of many short chains worth more than the one draw it began with?"""

    design: Design

    def measure(self, scored: Scored) -> Measured:
        """Independent draws that one chain is worth."""
        return (chains.effective_size_of_means(scored.bulk) / self.design.chains,)

    def judge(self, names: list[str], measured: Measured) -> list[Reason]:
        """Caution below two independent draws a chain, fail at about one."""
        (worth,) = measured
        return [
            Reason(
                one.severity,
                one.name,
                "draws_per_chain",
                worth[one.index],
                WORTH_CAUTION,
                f"A chain is worth {worth[one.index]:.1f} independent draws of {one.who}, the limit "
                f"{WORTH_CAUTION:.0f}: the chains hardly leave the place where they began.",
                "Give each chain more draws; if it stays, there are modes between which chains do not cross.",
            )
            for one in guilty(names, -worth, ~(worth >= WORTH_CAUTION), ~(worth >= WORTH_FAIL))
        ]


@dataclass(frozen=True)
class Drift:
    """Do many chains move the same way from the first half of their draws to the second?

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
        """The larger drift of location or scale; 0 where Student's t over the chains explains it."""
        return (np.maximum(self._drift(scored.bulk), self._drift(scored.folded)),)

    def _drift(self, scores: Array) -> Array:
        first, second = np.moveaxis(scores.mean(axis=-1).reshape(len(scores), 2, self.design.chains), 1, 0)
        change = second - first
        count = self.design.chains
        t = chains.ratio(change.mean(axis=-1), change.std(axis=-1, ddof=1) / np.sqrt(count))
        beyond = 2 * stdtr(count - 1, -np.abs(t)) < self.share / 2
        return np.where(beyond, np.abs(change.mean(axis=-1)), 0.0)

    def judge(self, names: list[str], measured: Measured) -> list[Reason]:
        """Caution from a twentieth of a standard deviation, fail from a quarter."""
        (drift,) = measured
        return [
            Reason(
                one.severity,
                one.name,
                "drift",
                drift[one.index],
                DRIFT_CAUTION,
                f"{one.who} drifts by {drift[one.index]:.2f} standard deviations from the first half of the "
                f"draws to the second, the limit {DRIFT_CAUTION}.",
                "Lengthen the warm-up.",
            )
            for one in guilty(names, drift, drift >= DRIFT_CAUTION, drift >= DRIFT_FAIL)
        ]
