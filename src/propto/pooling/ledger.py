"""The winner's curse in figures: what the groups over a bar claim together, and what they bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from propto.pooling.components import theta_given
from propto.pooling.drawing import Drawable, Sample
from propto.pooling.mixture import Mixture
from propto.pooling.phrases import called, groups, listed, number, span
from propto.pooling.plain import frame, plain, records
from propto.pooling.pooled import Pooled, Summary
from propto.pooling.thresholds import finite, prob_above

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float64]

_CHUNK = 2**18  # elements of a temporary array
_LOW, _HIGH = 1, 5  # places in Summary.levels: 5 and 95 %


@dataclass(frozen=True, eq=False)
class Shipped:
    """A set of groups and what they bring together.

    Parameters
    ----------
    chosen
        Which groups are in the set, shape (k,).
    naive
        Sum of their own estimates.
    total
        Posterior of the sum of their true effects.
    prob_positive
        P(the sum > 0).
    harmful
        Expected number of groups in the set whose true effect is not above the bar.
    """

    chosen: NDArray[np.bool_]
    naive: float
    total: Summary
    prob_positive: float
    harmful: float


@dataclass(frozen=True, eq=False)
class Ledger:
    """The winner's curse in figures: what the winners claim, and what they bring.

    Parameters
    ----------
    above
        The bar for shipping, in the unit of the estimates.
    label, estimate, expected
        Names, own estimates and posterior means, shape (k,).
    by_estimate
        The set of groups whose own estimate is above the bar: the usual rule.
    by_mean
        The set whose posterior mean is above it: the rule that gains most on average.
    """

    above: float
    label: NDArray[np.str_]
    estimate: Floats
    expected: Floats
    by_estimate: Shipped
    by_mean: Shipped

    def findings(self) -> list[str]:
        """Say what the winners claim and what they bring."""
        ship = self.by_estimate
        if not ship.chosen.any():
            return [f"No estimate is above {self.above:g}: nothing to ship."]
        low, high = ship.total.quantiles[[_LOW, _HIGH]]
        sd, count = float(ship.total.sd), int(ship.chosen.sum())
        claim = "claims" if count == 1 else "claim"
        return [
            f"The {groups(count)} with estimates above {self.above:g} {claim} {number(ship.naive, sd)} "
            f"together; expect {number(float(ship.total.mean), sd)} (90 %: {span(low, high, sd)}); about "
            f"{number(ship.harmful, 1, 1)} of the {count:,} not above {self.above:g}.",
            *self._difference(),
        ]

    def _difference(self) -> list[str]:
        added = np.flatnonzero(self.by_mean.chosen & ~self.by_estimate.chosen)
        dropped = np.flatnonzero(self.by_estimate.chosen & ~self.by_mean.chosen)
        parts = [
            f"{word} {listed([called(self.label[j]) for j in which])}"
            for word, which in (("adds", added), ("drops", dropped))
            if len(which)
        ]
        return [f"Shipping by the pooled means {' and '.join(parts)}."] if parts else []

    def _columns(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "estimate": self.estimate,
            "expected": self.expected,
            "ship_by_estimate": self.by_estimate.chosen,
            "ship_by_mean": self.by_mean.chosen,
        }

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers for JSON."""
        sets = {
            name: {
                "count": int(ship.chosen.sum()),
                "naive": ship.naive,
                "total": ship.total.to_dict(),
                "prob_positive": ship.prob_positive,
                "not_above": ship.harmful,
            }
            for name, ship in (("by_estimate", self.by_estimate), ("by_mean", self.by_mean))
        }
        return {"above": self.above, **plain(sets), "groups": records(self._columns())}

    def to_frame(self) -> pandas.DataFrame:
        """Give one row a group."""
        return frame(self._columns())


def ledger(pooled: Drawable, above: float = 0.0) -> Ledger:
    """Set the total that the winners claim against the total that they bring.

    Groups are chosen because their estimates are high, so their estimates are too high on average. The
    sum of the true effects of the chosen is, given tau, normal, and its posterior exact.

    Parameters
    ----------
    pooled
        A pooled result of any model; the total of another than the usual one is found by draws.
    above
        The bar: a group is shipped if it is above this.

    Returns
    -------
    Ledger

    Raises
    ------
    OptionError
        The bar is not a finite number.

    References
    ----------
    Lee and Shen (2018), Winner's curse: bias estimation for total effects of features in online
    controlled experiments, KDD.

    Examples
    --------
    >>> from propto.pooling.exact import pool_exact
    >>> found = ledger(pool_exact([28, 8, -3, 7], [15, 10, 16, 11], label=list("ABCD")))
    >>> found.by_estimate.naive, bool(found.by_estimate.total.mean < 35)
    (43.0, True)
    """
    bar = finite("ship_above", above)
    over, mean = prob_above(pooled, bar), np.asarray(pooled.theta.mean)
    sets = [_shipped(pooled, chosen, over) for chosen in (pooled.estimate > bar, mean > bar)]
    return Ledger(bar, pooled.label, pooled.estimate, mean, *sets)


def total_effect(pooled: Pooled, chosen: NDArray[np.bool_]) -> Mixture:
    """The posterior of the sum of some groups' effects, one row."""
    joint = pooled.components.likely()
    y, variance = pooled.estimate[chosen], pooled.std_error[chosen] ** 2
    mean, var, pull = (np.empty(joint.weight.size) for _ in range(3))
    rows = max(1, _CHUNK // max(1, len(y)))
    for i in range(0, joint.weight.size, rows):
        some = slice(i, i + rows)
        tau, centre = joint.tau[some, None], joint.mu_mean[some, None]
        each, own = theta_given(y, variance, tau, centre, np.zeros(1))
        mean[some], var[some] = each.sum(axis=1), own.sum(axis=1)
        pull[some] = (variance / (variance + tau**2)).sum(axis=1)
    return Mixture(joint.weight, mean[None], np.sqrt(var + pull**2 * joint.mu_variance)[None])


def _shipped(pooled: Drawable, chosen: NDArray[np.bool_], over: Floats) -> Shipped:
    """What the chosen groups claim and bring."""
    if not chosen.any():
        nothing = Summary(0.0, 0.0, np.zeros(len(Summary.levels)))
        return Shipped(chosen, 0.0, nothing, 0.0, 0.0)
    summary, positive = _total(pooled, chosen)
    return Shipped(
        chosen, float(pooled.estimate[chosen].sum()), summary, positive, float((1 - over[chosen]).sum())
    )


def _total(pooled: Drawable, chosen: NDArray[np.bool_]) -> tuple[Summary, float]:
    """Summary of the sum of some effects, and P(sum > 0)."""
    if not isinstance(pooled, Pooled):
        return Sample.of(pooled).total(chosen)
    total = total_effect(pooled, chosen)
    summary = Summary(float(total.mean()[0]), float(total.sd()[0]), total.quantile(Summary.levels)[0])
    return summary, min(float(total.survival(0.0)[0]), 1.0)
