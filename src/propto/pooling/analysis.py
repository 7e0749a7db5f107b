"""All that follows from a pooled table: each part computed when it is asked for, and once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from propto.options import whole
from propto.pooling.calibrate import Calibration, calibrate
from propto.pooling.checks import Check, check_table
from propto.pooling.display import findings_html, groups_html
from propto.pooling.grades import Grades, grade
from propto.pooling.heterogeneity import Heterogeneity, heterogeneity
from propto.pooling.influence import Influence, influence
from propto.pooling.ledger import Ledger, ledger
from propto.pooling.plain import plain
from propto.pooling.pooled import Pooled
from propto.pooling.predictive import Predictive, predictive_check
from propto.pooling.ranks import MOST_PAIRS, Ranks, pairwise, rank
from propto.pooling.regret import Regret, regret
from propto.pooling.sensitivity import Sensitivity, sensitivity
from propto.pooling.thresholds import Exceedance, Rope, exceedance, finite, rope

if TYPE_CHECKING:
    from pathlib import Path

# Groups up to which what takes seconds beyond is done without being asked for.
MOST_GROUPS = 20_000
_LISTED_PAIRS = 100


@dataclass(frozen=True)
class Analysis:
    """What to decide from a pooled table, and how far to trust it.

    Each part has ``findings()``, ``to_dict()`` and, where there is one row a group, ``to_frame()``; it is
    None where it was not asked for, or where there are too few or too many groups for it.

    Parameters
    ----------
    pooled
        The exact engine's result.
    threshold
        Asks for P(effect > threshold).
    region
        Asks for the probabilities below, inside and above this region of practical equivalence.
    ship_above
        Asks for the ledger of the groups above this bar.
    top
        Asks for the regret of choosing so many groups, and sets what counts as the top.
    price
        Asks for grades at this price of a wrong order.
    simulations
        Asks for the coverage in so many simulated tables; 0 lets the size of the table decide.
    seed
        Seed of all draws.
    """

    pooled: Pooled
    threshold: float | None = None
    region: tuple[float, float] | None = None
    ship_above: float | None = None
    top: int | None = None
    price: float | None = None
    simulations: int | None = None
    seed: int = 0

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """Doubts about the table itself."""
        return check_table(self.pooled.estimate, self.pooled.std_error, label=self.pooled.label.tolist())

    @cached_property
    def exceedance(self) -> Exceedance | None:
        """P(effect > threshold)."""
        return None if self.threshold is None else exceedance(self.pooled, self.threshold)

    @cached_property
    def rope(self) -> Rope | None:
        """Probabilities below, inside and above the region."""
        return None if self.region is None else rope(self.pooled, *self.region)

    @cached_property
    def ledger(self) -> Ledger | None:
        """What the winners claim and what they bring."""
        return None if self.ship_above is None else ledger(self.pooled, self.ship_above)

    @cached_property
    def regret(self) -> Regret | None:
        """The price of choosing now."""
        return None if self.top is None else regret(self.pooled, self.top, seed=self.seed)

    @cached_property
    def grades(self) -> Grades | None:
        """Groups in classes."""
        return None if self.price is None else grade(self.pooled, self.price)

    @cached_property
    def ranks(self) -> Ranks | None:
        """Ranks from the joint posterior."""
        if not 2 <= self._size <= MOST_GROUPS:
            return None
        return rank(self.pooled, top=self.top, seed=self.seed)

    @cached_property
    def pairwise(self) -> np.ndarray | None:
        """P(effect of i > effect of j), shape (k, k)."""
        return pairwise(self.pooled) if 2 <= self._size <= MOST_PAIRS else None

    @cached_property
    def heterogeneity(self) -> Heterogeneity:
        """How much the groups differ."""
        return heterogeneity(self.pooled)

    @cached_property
    def sensitivity(self) -> Sensitivity:
        """What depends on the choice of priors; the bar is that of shipping, or the threshold."""
        bars = (bar for bar in (self.ship_above, self.threshold) if bar is not None)
        return sensitivity(self.pooled, bar=next(bars, 0.0))

    @cached_property
    def influence(self) -> Influence | None:
        """The posterior without each group in turn."""
        return influence(self.pooled) if 3 <= self._size <= MOST_GROUPS else None

    @cached_property
    def predictive(self) -> Predictive | None:
        """Whether the model could have made the data."""
        return predictive_check(self.pooled, seed=self.seed) if self._size >= 2 else None

    @cached_property
    def calibration(self) -> Calibration | None:
        """Coverage in simulated tables."""
        if self.simulations is None:
            return None
        return calibrate(self.pooled, tables=self.simulations or None, seed=self.seed)

    @property
    def _size(self) -> int:
        return len(self.pooled.label)

    def parts(self) -> Iterator[tuple[str, Any]]:
        """The parts that there are, what was asked for first."""
        asked = ("exceedance", "rope", "ledger", "regret", "grades", "calibration")
        always = ("ranks", "heterogeneity", "sensitivity", "influence", "predictive")
        for name in (*asked, *always):
            part = getattr(self, name)
            if part is not None:
                yield name, part

    def findings(self) -> list[str]:
        """All findings as sentences, in the order of `parts`."""
        return [sentence for _, part in self.parts() for sentence in part.findings()]

    def to_dict(self) -> dict[str, Any]:
        """Give plain values for JSON; the matrix of pairs for up to 100 groups."""
        found = {name: part.to_dict() for name, part in self.parts()}
        if self._size <= _LISTED_PAIRS:
            found["pairwise"] = plain(self.pairwise)
        checks = [check.to_dict() for check in self.checks]
        return {"findings": self.findings(), "checks": checks, **found}

    def report(self, path: str | Path | None = None, **parts: Any) -> str | Path:
        """Write the report, or return its text; see `propto.report`."""
        import propto

        return propto.report(self, path, **parts)

    def _repr_html_(self) -> str:
        """The findings and the groups as a notebook shows them."""
        return findings_html(self.findings()) + groups_html(self.pooled)


def analyse(
    pooled: Pooled,
    *,
    threshold: float | None = None,
    rope: tuple[float, float] | None = None,
    ship_above: float | None = None,
    top: int | None = None,
    price: float | None = None,
    calibrate: bool | int = False,
    seed: int = 0,
) -> Analysis:
    """Ask a pooled table for decisions, and how far to trust them.

    Ranks, heterogeneity, the sensitivity to priors, leave-one-out and the predictive check come always;
    the rest when asked for. Nothing is computed before it is looked at.

    Parameters
    ----------
    pooled
        The exact engine's result.
    threshold
        Compute P(effect > threshold) for every group.
    rope
        Region of practical equivalence, ``(low, high)``.
    ship_above
        Bar of the winner's-curse ledger.
    top
        Number of groups to choose.
    price
        Price of a wrong order, 1 or more: put the groups in grades.
    calibrate
        True, or the number of simulated tables: check the coverage of the intervals.
    seed
        Seed of all draws.

    Returns
    -------
    Analysis

    Raises
    ------
    OptionError
        An option is out of range.

    Examples
    --------
    >>> import propto as pp
    >>> schools = pp.pool([28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18])
    >>> found = pp.analyse(schools, ship_above=0)
    >>> round(found.ledger.by_estimate.naive), round(found.ledger.by_estimate.total.mean)
    (74, 51)
    >>> round(float(found.pairwise[0, 2]), 2)
    0.66
    """
    if top is not None:
        top = whole("top", top, 1, len(pooled.label))
    simulations = None
    if calibrate is not False:
        simulations = 0 if calibrate is True else whole("calibrate", calibrate, 2)
    bars = [None if bar is None else finite(name, bar) for name, bar in _named(threshold, ship_above)]
    region = None if rope is None else (finite("rope", rope[0]), finite("rope", rope[1]))
    return Analysis(pooled, bars[0], region, bars[1], top, price, simulations, seed)


def _named(threshold: float | None, ship_above: float | None) -> list[tuple[str, float | None]]:
    return [("threshold", threshold), ("ship_above", ship_above)]
