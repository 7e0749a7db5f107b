"""A check on divergent transitions: how many, and where they crowd."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from propto.diagnosis import chains
from propto.diagnosis.design import Design
from propto.diagnosis.mixing import Measured
from propto.diagnosis.reasons import Mask, Reason, Severity, percent
from propto.diagnosis.scored import Scored

SHARE_FAIL = 0.01
# Below these shares they are chance. Of many chains that start far apart some are always where a trajectory
# is too long, and the others tell whether that place is left as often as it should be.
SHARE_CAUTION, SHARE_CAUTION_OF_MANY = 2e-4, 1e-3
CROWD_LIMIT = 1.0  # standard deviations from the middle of all draws to the middle of the divergent ones
CROWD_COUNT = 10  # divergences; fewer show no pattern
FOLDED_BONUS = 0.25  # a place on one side is easier to mend than one far out, so it goes first


@dataclass(frozen=True)
class Divergences:
    """Where did transitions diverge? In a neck the divergent draws crowd on one side of some variable.

    Parameters
    ----------
    diverging
        Which transitions diverged, shape (chain, draw).
    design
        The design of the run.
    share
        The chance that falls to one test of one element.
    """

    diverging: Mask
    design: Design
    share: float

    def measure(self, scored: Scored) -> Measured:
        """Mean scores of divergent draws, plain and folded; their median, and how many draws lie below it."""
        mask = chains.split(self.diverging)
        if not mask.any():
            return (np.zeros(len(scored.names)),) * 4
        plain, folded = scored.bulk[:, mask], scored.folded[:, mask]
        typical = np.median(chains.split(scored.draws)[:, mask], axis=-1)
        return plain.mean(axis=-1), folded.mean(axis=-1), typical, ndtr(np.median(plain, axis=-1))

    def judge(self, names: list[str], measured: Measured) -> list[Reason]:
        """Caution above what is chance, fail from one in a hundred, and wherever they crowd."""
        plain, folded, typical, below = measured
        share = float(self.diverging.mean())
        count = int(self.diverging.sum())
        limit = SHARE_CAUTION_OF_MANY if self.design.many else SHARE_CAUTION
        if share <= limit:
            return []
        said = f"{count:,} transition{'s' if count > 1 else ''} diverged ({percent(share)})"
        lean = np.maximum(np.abs(plain), np.abs(folded) - FOLDED_BONUS)
        if not len(names) or not self._crowd(lean.max(), count):
            return [_scattered(f"{said}.", share, limit)]
        i = int(np.argmax(lean))
        where = _place(plain[i], folded[i], typical[i], below[i])
        return [_crowded(f"{said}, most of them where {names[i]} is {where}.", names[i], share)]

    def _crowd(self, lean: float, count: int) -> bool:
        """Whether they lie to one side by more than chance; neighbours in time count by halves."""
        beyond_chance = lean * np.sqrt(count / 2) > -ndtri(self.share / 4)
        return bool(count >= CROWD_COUNT and lean >= CROWD_LIMIT and beyond_chance)


def _scattered(message: str, share: float, limit: float) -> Reason:
    remedy = "Raise the target acceptance; if they stay, rewrite the model so that its scales are even."
    severity: Severity = "fail" if share >= SHARE_FAIL else "caution"
    return Reason(severity, None, "diverging", share, limit, message, remedy)


def _crowded(message: str, name: str, share: float) -> Reason:
    remedy = (
        "The posterior narrows there faster than the step size can follow: write the variables that depend "
        f"on {name} non-centred, or raise the target acceptance."
    )
    return Reason("fail", name, "diverging", share, SHARE_FAIL, message, remedy)


def _place(plain: float, folded: float, typical: float, below: float) -> str:
    """Where the divergences are, in words."""
    if abs(folded) - FOLDED_BONUS > abs(plain):
        return "near its centre" if folded < 0 else "far out in its tails"
    side, word, share = ("small", "below", below) if plain < 0 else ("large", "above", 1 - below)
    return f"{side}: half lie {word} {typical:.3g}, where {percent(share)} of all draws are"
