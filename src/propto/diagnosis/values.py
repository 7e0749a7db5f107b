"""Checks on the values of each element: NaN or infinity, and elements that never change."""

from __future__ import annotations

import numpy as np

from propto.diagnosis import chains
from propto.diagnosis.chains import Array
from propto.diagnosis.mixing import Measured
from propto.diagnosis.reasons import Mask, Reason, guilty, percent


def measure(draws: Array) -> Measured:
    """Share of draws not finite, share of chains that never change, constant?, whole numbers?, one value."""
    lost = (~np.isfinite(draws)).mean(axis=(-2, -1))
    constant = ~chains.changes(chains.row(draws))
    still = (~chains.changes(draws)).mean(axis=-1)
    whole = (draws == np.rint(draws)).all(axis=(-2, -1))
    return lost, still, constant.astype(float), whole.astype(float), draws[:, 0, 0].copy()


def judge(names: list[str], measured: Measured, frozen: float) -> list[Reason]:
    """What the values say, given the share of chains that are frozen in all variables at once.

    A whole number may stay the same in one chain for good reason, so only all chains together count.
    """
    lost, still, constant, whole, value = measured
    sound = lost == 0
    same = sound & (constant > 0) & ~_built_in(names, constant, value)
    partly = np.where(sound & ~same & (whole == 0) & (still > frozen), still, 0.0)
    return [*_lost(names, lost), *_same(names, same, same & (whole == 0), value), *_still(names, partly)]


def _built_in(names: list[str], constant: Array, value: Array) -> Mask:
    """Zeros and ones in arrays whose other elements move, such as those of a matrix of correlations."""
    whose = np.array([name.split("[")[0] for name in names])
    moves = np.isin(whose, whose[constant == 0])
    return moves & np.isin(value, (0.0, 1.0))


def _lost(names: list[str], lost: Array) -> list[Reason]:
    return [
        Reason(
            one.severity,
            one.name,
            "non_finite_draws",
            lost[one.index],
            0.0,
            f"{percent(lost[one.index])} of the draws of {one.who} are NaN or infinite.",
            "Find where the model overflows or leaves its support; these draws cannot be used.",
        )
        for one in guilty(names, lost, lost > 0, lost > 0)
    ]


def _same(names: list[str], same: Mask, fail: Mask, value: Array) -> list[Reason]:
    return [
        Reason(
            one.severity,
            one.name,
            "distinct_values",
            1.0,
            2.0,
            f"{one.who} never changes: it is {value[one.index]:g} in every draw of every chain.",
            "If it is a constant, leave it out of the parameters; otherwise the sampler is stuck.",
        )
        for one in guilty(names, same.astype(float), same, fail)
    ]


def _still(names: list[str], still: Array) -> list[Reason]:
    return [
        Reason(
            one.severity,
            one.name,
            "still_chains",
            still[one.index],
            0.0,
            f"{one.who} never changes in {percent(still[one.index])} of the chains while other variables do.",
            "Look for a variable that the density ignores, or one whose scale is far from the others'.",
        )
        for one in guilty(names, still, still > 0, still > 0)
    ]
