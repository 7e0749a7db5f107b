"""What a report says, whatever its format: verdict, sentences, sections in order, and the glossary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from propto.charts.numbers import bound, typeset
from propto.charts.scalars import is_fit
from propto.charts.theme import unique
from propto.errors import ChartError
from propto.glossary import TERMS, explained
from propto.pooling.analysis import Analysis, analyse
from propto.pooling.effects import EffectsFit, Ladder
from propto.pooling.many import Many
from propto.pooling.pooled import Pooled
from propto.pooling.regression import Regression
from propto.reporting import (
    decisions,
    doubts,
    draws,
    effects,
    groups,
    many as many_tables,
    models,
    robustness,
)
from propto.reporting.engines import engines as compared
from propto.reporting.facts import run as run_facts
from propto.reporting.models import Solved
from propto.reporting.sections import Draws, Section
from propto.reporting.words import VERDICTS, answer, asked, badges, described, findings

if TYPE_CHECKING:
    from xarray import DataTree

AnyPooled = TypeVar("AnyPooled", bound=Pooled | EffectsFit | Regression)

TRUST = "Can it be trusted?"
# What is in a report of a pooled result, in this order: answer, reason, decision, robustness. Each makes a
# section of the analysis, or None where it has nothing to say.
POOLED: dict[str, tuple[Any, ...]] = {
    "The data": (decisions.checks, groups.data, groups.funnel),
    "The answer": (
        groups.forest,
        groups.overview,
        groups.everyone,
        groups.why,
        groups.key_numbers,
        groups.whole,
        decisions.heterogeneity,
        groups.ahead,
        groups.shapes,
    ),
    "What to decide": (
        decisions.above,
        decisions.rope,
        decisions.ledger,
        decisions.regret,
        decisions.ranks,
        decisions.grades,
        decisions.pairs,
    ),
    "Would it change?": (
        robustness.priors,
        robustness.predictive,
        robustness.influence,
        doubts.bias,
        doubts.baujat,
        doubts.gosh,
        decisions.calibration,
    ),
}
MANY = (many_tables.means, many_tables.tables, many_tables.pull)
POSTERIOR = (draws.marginals, draws.summary)
CHECKS = (
    draws.reasons,
    compared,
    draws.health,
    draws.ranks,
    draws.traces,
    draws.growth,
    draws.divergences,
    draws.energy,
)


@dataclass(frozen=True)
class Content:
    """A report without its format.

    Parameters
    ----------
    title
        Its heading.
    status
        ``pass``, ``caution``, ``fail`` or ``exact``.
    findings, badges
        What stands beside the verdict: sentences, and numbers with their names.
    sentences, asked
        The answer in plain language, and the answers to what was asked for.
    parts
        Sections by the part of the report that they belong to.
    analysis
        What the page recomputes from, or None.
    """

    title: str
    status: str
    findings: list[str]
    badges: list[tuple[str, str]]
    sentences: list[str]
    asked: list[str]
    parts: dict[str, list[Section]]
    analysis: Analysis | None

    @property
    def verdict(self) -> tuple[str, str, str]:
        """Its sign, its word and what it means."""
        return VERDICTS[self.status]

    @property
    def glossary(self) -> list[tuple[str, str]]:
        """The words of the sections, explained, in the order of the glossary."""
        used = {term for part in self.parts.values() for section in part for term in section.terms}
        return [explained(key) for key in TERMS if key in used]


def content(
    *,
    pooled: Any = None,
    fit: DataTree | None = None,
    analysis: Analysis | None = None,
    many: Many | None = None,
    ladder: Ladder | None = None,
    verdict: Any = None,
    engines: Mapping[str, Any] | None = None,
    run: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Content:
    """Put a report together; the arguments are those of `write_report`."""
    pooled = analysis.pooled if analysis is not None else pooled
    if many is not None:
        return _of_many(many, run, title)
    if isinstance(pooled, EffectsFit | Regression):
        return _of_model(Solved(_distinct(pooled), ladder), run, title)
    if pooled is None and fit is None:
        raise ChartError("A report needs a pooled result or a fit; got neither.")
    if pooled is not None:
        analysis = _told_apart(analysis or analyse(pooled))
        pooled = analysis.pooled
    told = dict((engines or {}).get("mcmc", {}))
    drawn = None if fit is None else Draws(fit, verdict or _diagnosed(fit), pooled, told)
    parts = _parts(analysis, drawn)
    if ladder is not None:
        parts.setdefault(models.CHANGE, []).extend(effects.changes(ladder))
    attributes: dict[Any, Any] = {} if drawn is None else {**drawn.fit.attrs, **drawn.acceptance}
    parts["The run"] = [run_facts(pooled, attributes, run or {})]
    sentences = answer(analysis) if analysis is not None else [] if drawn is None else described(drawn)
    return Content(
        title=title or ("Posterior" if pooled is None else "Pooled estimates"),
        status="exact" if drawn is None else str(drawn.verdict.status),
        findings=findings(pooled, drawn),
        badges=badges(drawn),
        sentences=sentences,
        asked=[] if analysis is None else asked(analysis),
        parts=parts,
        analysis=analysis,
    )


def _of_many(many: Many, run: Mapping[str, Any] | None, title: str | None) -> Content:
    error = float(many.tables["error_bound"].max())
    priors = {"Prior of μ": many.prior_mu, "Prior of τ": many.prior_tau, "Tables told apart by": many.by}
    return Content(
        title=title or "Pooled tables",
        status="exact",
        findings=[f"Every table is computed exactly (relative error below {bound(error)})."],
        badges=[],
        sentences=[typeset(sentence) for sentence in many.findings()],
        asked=[],
        parts={
            "All tables": [make(many) for make in MANY],
            "The run": [run_facts(None, {}, {**priors, **(run or {})})],
        },
        analysis=None,
    )


def _of_model(solved: Solved, run: Mapping[str, Any] | None, title: str | None) -> Content:
    parts = models.parts(solved)
    return Content(
        title=title or "Pooled estimates",
        status="exact",
        findings=findings(solved.pooled, None),
        badges=[],
        sentences=models.sentences(solved),
        asked=[],
        parts={**parts, "The run": [run_facts(solved.pooled, {}, run or {})]},
        analysis=None,
    )


def _told_apart(analysis: Analysis) -> Analysis:
    """The same with distinct labels."""
    pooled = _distinct(analysis.pooled)
    return analysis if pooled is analysis.pooled else replace(analysis, pooled=pooled)


def _distinct(pooled: AnyPooled) -> AnyPooled:
    """The same with distinct labels, so that two groups of one name stay two."""
    labels = unique(pooled.label.tolist())
    return pooled if labels == pooled.label.tolist() else replace(pooled, label=np.array(labels))


def told_apart(result: Any) -> dict[str, Any]:
    """The arguments of `content` that stand for a result, by name."""
    if is_fit(result):
        return {"fit": result}
    if isinstance(result, Analysis):
        return {"analysis": result}
    if isinstance(result, Many):
        return {"many": result}
    if isinstance(result, Ladder):
        return {"pooled": result.normal, "ladder": result}
    if isinstance(result, Pooled | EffectsFit | Regression):
        return {"pooled": result}
    raise ChartError(
        f"report needs a pooled result, its analysis or a fit (DataTree); got {type(result).__name__}."
    )


def _diagnosed(fit: DataTree) -> Any:
    from propto.diagnosis.verdict import diagnose

    return diagnose(fit)


def _parts(analysis: Analysis | None, drawn: Draws | None) -> dict[str, list[Section]]:
    """The sections by part of the report; a failed diagnosis comes first."""
    parts: dict[str, list[Section | None]] = {}
    if analysis is not None:
        parts = {name: [make(analysis) for make in makers] for name, makers in POOLED.items()}
    elif drawn is not None:
        parts = {"The posterior": [make(drawn) for make in POSTERIOR]}
    trust = {} if drawn is None else {TRUST: [make(drawn) for make in CHECKS]}
    parts = {**trust, **parts} if drawn is not None and drawn.failed else {**parts, **trust}
    return {name: kept for name, part in parts.items() if (kept := [s for s in part if s is not None])}
