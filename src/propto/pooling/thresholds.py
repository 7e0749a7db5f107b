"""Where effects lie: the probability above a threshold, and a region of practical equivalence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from propto.errors import OptionError
from propto.pooling.drawing import Drawable, Sample
from propto.pooling.phrases import called, groups, listed, probability
from propto.pooling.plain import frame, plain, records
from propto.pooling.pooled import Pooled

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float64]

_CHUNK = 2**18  # elements of a temporary array
_SURE = 0.95


def prob_above(pooled: Drawable, threshold: float) -> Floats:
    """Compute P(theta_j > threshold) for every group: exactly for the usual model, else by draws.

    Parameters
    ----------
    pooled
        A pooled result of any model.
    threshold
        In the unit of the estimates.

    Returns
    -------
    numpy.ndarray
        Shape (k,).

    Raises
    ------
    OptionError
        The threshold is not a finite number.

    Examples
    --------
    >>> from propto.pooling.exact import pool_exact
    >>> prob_above(pool_exact([28.0, 8.0], [15.0, 10.0], prior_tau="halfnormal(10)"), 0.0).round(2)
    array([0.96, 0.92])
    """
    level = finite("threshold", threshold)
    if not isinstance(pooled, Pooled):
        return Sample.of(pooled).above(level)
    joint = pooled.components.likely()
    y, variance = pooled.estimate, pooled.std_error**2
    found, rows = np.empty(len(y)), max(1, _CHUNK // joint.weight.size)
    for i in range(0, len(y), rows):
        some = slice(i, i + rows)
        found[some] = joint.theta(y[some], variance[some]).survival(level)
    return np.minimum(found, 1.0)


@dataclass(frozen=True, eq=False)
class Exceedance:
    """P(effect > threshold) for every group.

    Parameters
    ----------
    threshold
        In the unit of the estimates.
    label
        Names, shape (k,).
    prob
        P(theta_j > threshold), shape (k,).
    new_group
        The same for a group outside the table.
    """

    threshold: float
    label: NDArray[np.str_]
    prob: Floats
    new_group: float

    def findings(self) -> list[str]:
        """Say which groups are surely above, surely below, and how many are open."""
        above = [called(self.label[j]) for j in np.argsort(-self.prob) if self.prob[j] >= _SURE]
        below = int(np.sum(self.prob <= 1 - _SURE))
        who = f": {listed(above)}" if above else ""
        return [
            f"Above {self.threshold:g} with probability 0.95 or more: {len(above):,} of "
            f"{groups(len(self.label))}{who}; below it: {below:,}; a new group is above with "
            f"probability {probability(self.new_group)}."
        ]

    def _columns(self) -> dict[str, Any]:
        return {"label": self.label, "prob_above": self.prob}

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers for JSON."""
        facts = {"threshold": self.threshold, "new_group": self.new_group}
        return {**plain(facts), "groups": records(self._columns())}

    def to_frame(self) -> pandas.DataFrame:
        """Give one row a group."""
        return frame(self._columns())


def exceedance(pooled: Drawable, threshold: float) -> Exceedance:
    """Compute P(effect > threshold) for every group and a new one; see `prob_above`.

    Examples
    --------
    >>> from propto.pooling.exact import pool_exact
    >>> print(exceedance(pool_exact([28, 8, -3], [5, 5, 5], label=["A", "B", "C"]), 10).findings()[0])
    Above 10 with probability 0.95 or more: 1 of 3 groups: A; below it: 1; a new group is above with
    probability 0.52.
    """
    level = finite("threshold", threshold)
    if isinstance(pooled, Pooled):
        new = float(pooled.components.new_group().survival(level)[0])
    else:
        new = float((Sample.of(pooled).new_group > level).mean())
    return Exceedance(level, pooled.label, prob_above(pooled, level), new)


@dataclass(frozen=True, eq=False)
class Rope:
    """Probabilities below, inside and above a region of practical equivalence.

    Parameters
    ----------
    low, high
        The region: effects in it are too small to matter.
    label
        Names, shape (k,).
    below, inside, above
        Probabilities that sum to 1, shape (k,).
    """

    low: float
    high: float
    label: NDArray[np.str_]
    below: Floats
    inside: Floats
    above: Floats

    @property
    def verdict(self) -> list[str]:
        """For each group ``below``, ``inside`` or ``above`` where that has 0.95, else ``open``."""
        words = np.array(["below", "inside", "above"])
        chances = np.stack([self.below, self.inside, self.above])
        best = chances.argmax(axis=0)
        return [str(word) for word in np.where(chances.max(axis=0) >= _SURE, words[best], "open")]

    def findings(self) -> list[str]:
        """Say how many groups lie where."""
        verdict = self.verdict
        counts = ", ".join(f"{verdict.count(word):,} {word}" for word in ("below", "inside", "above"))
        return [
            f"Against the region {self.low:g} to {self.high:g}, with probability 0.95: {counts}; "
            f"{verdict.count('open'):,} of {groups(len(verdict))} open."
        ]

    def _columns(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "below": self.below,
            "inside": self.inside,
            "above": self.above,
            "verdict": np.array(self.verdict),
        }

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers for JSON."""
        return {"low": self.low, "high": self.high, "groups": records(self._columns())}

    def to_frame(self) -> pandas.DataFrame:
        """Give one row a group."""
        return frame(self._columns())


def rope(pooled: Drawable, low: float, high: float) -> Rope:
    """Compute how likely each effect is below, inside and above a region of practical equivalence.

    Parameters
    ----------
    pooled
        A pooled result of any model.
    low, high
        Limits of the region, ``low < high``, in the unit of the estimates.

    Returns
    -------
    Rope

    Raises
    ------
    OptionError
        The limits are not two finite numbers in order.

    References
    ----------
    Kruschke (2018), Rejecting or accepting parameter values in Bayesian estimation, AMPPS 1.

    Examples
    --------
    >>> from propto.pooling.exact import pool_exact
    >>> rope(pool_exact([28, 8, -3], [2, 2, 2]), -1, 1).verdict
    ['above', 'above', 'open']
    """
    low, high = finite("rope", low), finite("rope", high)
    if low >= high:
        raise OptionError(f"rope: the lower limit must be below the upper one, got {low:g} and {high:g}")
    above, over = prob_above(pooled, high), prob_above(pooled, low)
    return Rope(low, high, pooled.label, 1 - over, np.maximum(over - above, 0.0), above)


def finite(name: str, value: float) -> float:
    """An option that is a finite number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise OptionError(f"{name} must be a finite number, got {value!r}")
    return number
