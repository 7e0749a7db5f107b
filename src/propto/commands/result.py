"""All that one ``propto fit`` has found, for the screen and the files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from propto.commands.models import Model
from propto.pooling.checks import Check, check_table
from propto.pooling.effects import EffectsFit, Ladder
from propto.pooling.findings import effects_findings, ladder_findings, regression_findings
from propto.pooling.pooled import Pooled
from propto.pooling.regression import Regression
from propto.pooling.tables import Table

if TYPE_CHECKING:
    import xarray

    from propto.diagnosis import Verdict
    from propto.pooling.agreement import Agreement
    from propto.pooling.decisions import Decisions
    from propto.pooling.drawn import Drawn


@dataclass(frozen=True)
class Result:
    """All that a fit has found; what did not run is None.

    Attributes
    ----------
    table
        The table as read.
    model
        The model that was asked for.
    pooled
        The exact posterior.
    ladder
        Other distributions of effects beside the normal one.
    fit, drawn
        Draws of the MCMC engine, and their summary.
    agreement
        How far the two engines lie apart.
    verdict
        Whether the numbers can be trusted.
    analysis
        What to decide from the exact posterior.
    seed
        Seed of the random numbers.
    seconds
        Wall time from the arguments to the results.
    """

    table: Table
    model: Model
    pooled: Pooled | EffectsFit | Regression | None
    ladder: Ladder | None
    fit: xarray.DataTree | None
    drawn: Drawn | None
    agreement: Agreement | None
    verdict: Verdict
    analysis: Decisions | None
    seed: int
    seconds: float

    @property
    def answer(self) -> Pooled | EffectsFit | Regression | Drawn:
        """The numbers to show: the exact ones where there are any."""
        answer = self.pooled or self.drawn
        assert answer is not None  # one engine at least has run
        return answer

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """Doubts about the table itself; who does not fit to the others is for the usual model to say."""
        table = self.table
        doubts = check_table(table.estimate, table.std_error, label=table.label)
        return tuple(doubt for doubt in doubts if self.model.is_usual or doubt.key != "outliers")

    def findings(self) -> list[str]:
        """What follows, in sentences."""
        parts = []
        if isinstance(self.pooled, EffectsFit):
            parts += effects_findings(self.pooled)
        if isinstance(self.pooled, Regression):
            parts += regression_findings(self.pooled)
        parts += [] if self.analysis is None else self.analysis.findings()
        return parts + ([] if self.ladder is None else ladder_findings(self.ladder))

    def priors(self) -> dict[str, Any]:
        """The priors in use, as texts."""
        answer = self.answer
        texts: dict[str, Any] = {"mu": str(answer.prior_mu), "tau": str(answer.prior_tau)}
        if isinstance(answer, Regression):
            texts["beta"] = {name: str(prior) for name, prior in answer.prior_beta.items()}
            texts["between"] = None if answer.prior_between is None else str(answer.prior_between)
        return texts
