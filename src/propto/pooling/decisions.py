"""What to decide from a pooled result of any model: each part computed when it is asked for, and once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from propto.pooling.checks import Check, check_table
from propto.pooling.display import findings_html, groups_html
from propto.pooling.drawing import Sample
from propto.pooling.grades import Grades, grade
from propto.pooling.ledger import Ledger, ledger
from propto.pooling.plain import plain
from propto.pooling.pooled import Pooled
from propto.pooling.ranks import MOST_PAIRS, Ranks, pairwise, rank
from propto.pooling.regret import Regret, regret
from propto.pooling.thresholds import Exceedance, Rope, exceedance, rope

if TYPE_CHECKING:
    from pathlib import Path

# Groups up to which what takes seconds beyond is done without being asked for.
MOST_GROUPS = 20_000
_LISTED_PAIRS = 100


@dataclass(frozen=True)
class Decisions:
    """What to decide from a pooled table.

    Each part has ``findings()``, ``to_dict()`` and, where there is one row a group, ``to_frame()``; it is
    None where it was not asked for, or where there are too few or too many groups for it. For the usual
    model all but ranks and regret are exact; for others they are counted in independent draws.

    Parameters
    ----------
    pooled
        The result, of any model.
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
    seed
        Seed of all draws.
    """

    pooled: Any
    threshold: float | None = None
    region: tuple[float, float] | None = None
    ship_above: float | None = None
    top: int | None = None
    price: float | None = None
    seed: int = 0

    names: ClassVar[tuple[str, ...]] = ("exceedance", "rope", "ledger", "regret", "grades", "ranks")

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

    @property
    def _size(self) -> int:
        return len(self.pooled.label)

    def parts(self) -> Iterator[tuple[str, Any]]:
        """The parts that there are, what was asked for first."""
        for name in self.names:
            part = getattr(self, name)
            if part is not None:
                yield name, part

    def findings(self) -> list[str]:
        """All findings as sentences, in the order of `parts`."""
        return [sentence for _, part in self.parts() for sentence in part.findings()] + self._counted()

    def _counted(self) -> list[str]:
        """How far probabilities that are counted in draws can be off."""
        asked = (self.threshold, self.region, self.ship_above, self.price)
        if isinstance(self.pooled, Pooled) or all(each is None for each in asked):
            return []
        sample = Sample.of(self.pooled)
        return [
            f"For this model the decisions are counted in {len(sample.theta):,} independent draws: "
            f"probabilities are right to {2 * sample.mcse:.1g} (two Monte Carlo standard errors)."
        ]

    def to_dict(self) -> dict[str, Any]:
        """Give plain values for JSON; the matrix of pairs for up to 100 groups."""
        found = {name: part.to_dict() for name, part in self.parts()}
        if self._size <= _LISTED_PAIRS:
            found["pairwise"] = plain(self.pairwise)
        if not isinstance(self.pooled, Pooled):
            sample = Sample.of(self.pooled)
            found["counted"] = {"draws": len(sample.theta), "mcse": sample.mcse}
        checks = [check.to_dict() for check in self.checks]
        return {"findings": self.findings(), "checks": checks, **found}

    def report(self, path: str | Path | None = None, **parts: Any) -> str | Path:
        """Write the report, or return its text; see `propto.report`."""
        import propto

        return propto.report(self, path, **parts)

    def _repr_html_(self) -> str:
        """The findings and the groups as a notebook shows them."""
        return findings_html(self.findings()) + groups_html(self.pooled)
