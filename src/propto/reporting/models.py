"""Reports of other models: effects that are not normal, estimated errors, covariates and clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from propto.charts.numbers import number, probability, typeset
from propto.charts.summaries import called, middle_text, ninety
from propto.pooling.checks import Check, check_table
from propto.pooling.effects import EffectsFit, Ladder
from propto.pooling.findings import effects_findings, regression_findings
from propto.pooling.regression import Regression
from propto.reporting import decisions, effects, groups, regression
from propto.reporting.sections import Section

CHANGE = "Would it change?"


@dataclass(frozen=True)
class Solved:
    """A fit of another model than the usual one, as the sections of its report read it.

    Parameters
    ----------
    pooled
        The fit.
    ladder
        Other distributions of effects beside the normal, or None.
    """

    pooled: EffectsFit | Regression
    ladder: Ladder | None = None

    @property
    def checks(self) -> tuple[Check, ...]:
        """Doubts about the table; who does not fit to the others is for the usual model to say."""
        doubts = check_table(self.pooled.estimate, self.pooled.std_error, label=self.pooled.label.tolist())
        return tuple(doubt for doubt in doubts if doubt.key != "outliers")


def parts(solved: Solved) -> dict[str, list[Section]]:
    """The sections by part of the report."""
    fit, doubts = solved.pooled, decisions.checks(solved)
    every = [groups.forest(solved), groups.overview(solved), groups.everyone(solved)]
    about = [section for section in every if section is not None]
    if isinstance(fit, EffectsFit):
        answer = [*about, *effects.zero(fit), *effects.key_numbers(fit)]
    else:
        before = [*regression.coefficients(fit), *regression.bubbles(fit), *regression.clusters(fit)]
        answer = [*before, *about, *regression.key_numbers(fit)]
    found = {
        "The data": [*([] if doubts is None else [doubts]), groups.data(solved)],
        "The answer": answer,
        CHANGE: effects.changes(solved.ladder),
    }
    return {name: part for name, part in found.items() if part}


def sentences(solved: Solved) -> list[str]:
    """The answer in plain language."""
    fit = solved.pooled
    if isinstance(fit, EffectsFit):
        found = [_average(fit), *effects_findings(fit)]
    else:
        found = [*_level(fit), *regression_findings(fit)]
    return [typeset(sentence) for sentence in (*found, _best(fit))]


def _average(fit: EffectsFit) -> str:
    if fit.estimate_of_effects is not None:
        middle = number(float(fit.new_group.mean), float(fit.new_group.sd))
        return f"The average effect behind the {len(fit.label):,} groups is estimated at {middle}."
    who = "groups that have an effect" if fit.effects.has_spike else f"the {len(fit.label):,} groups"
    return f"The average effect behind {who} is {middle_text(fit.mu)} ({ninety(fit.mu)})."


def _level(fit: Regression) -> list[str]:
    """The mean effect where the covariates have their centres."""
    where = " where every covariate has its mean" if len(fit.coefficient_names) > 1 else ""
    return [f"The average effect{where} is {middle_text(fit.mu)} ({ninety(fit.mu)})."]


def _best(fit: EffectsFit | Regression) -> str:
    j = int(np.argmax(fit.theta.mean))
    return (
        f"{called(fit, j)} has the highest pooled mean, {number(fit.theta.mean[j], fit.theta.sd[j])}; its "
        f"effect is above 0 with probability {probability(float(fit.prob_positive[j]))}, given this model "
        "and these priors."
    )
