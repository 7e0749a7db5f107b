"""Sections of an analysis on how far its answers hold: other priors, one group less, simulated tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from propto import charts
from propto.charts.numbers import number, probability, span, typeset
from propto.charts.theme import MANY
from propto.pooling.analysis import Analysis
from propto.reporting.sections import Section, Table

SHOWN = 40


def priors(analysis: Analysis) -> Section:
    """The pooled means under other priors."""
    part = analysis.sensitivity
    order, note = _first(part.shift, "moves most")
    others = [f"τ {other.prior_tau}, μ {other.prior_mu}" for other in part.alternatives]
    columns = ("group", "as used", *others, "largest change in sd")
    rows = [
        (
            str(part.label[j]),
            *(
                number(theta[j], part.sd[j])
                for theta in (part.base, *(other.theta for other in part.alternatives))
            ),
            number(part.shift[j], 0.1, 1),
        )
        for j in order
    ]
    pooled = analysis.pooled
    centre = (
        "average effect μ",
        number(pooled.mu.mean, pooled.mu.sd),
        *(number(o.mu, pooled.mu.sd) for o in part.alternatives),
        "",
    )
    middle = float(pooled.tau.quantiles[3])
    spread = (
        "spread τ, median",
        number(middle, middle),
        *(number(o.tau_median, middle) for o in part.alternatives),
        "",
    )
    table = Table(columns, [centre, spread, *rows], note)
    chart = charts.prior_sensitivity(part)
    return Section("priors", "Priors", reading=_what(part), chart=chart, table=table, terms=("prior",))


def _what(part: Any) -> str:
    return typeset(part.findings()[0]) if part.depends else "Other priors, computed beside."


def influence(analysis: Analysis) -> Section | None:
    """The whole without each group."""
    part = analysis.influence
    if part is None or not np.isfinite(part.mu_low).all():
        return None
    order, note = _first(np.abs(np.nan_to_num(part.mu_shift)), "change the average most")
    table = Table(
        (
            "without",
            "average effect μ",
            "90 % interval",
            "spread τ",
            "the others predict",
            "it reported",
            "p",
        ),
        [_left_out(part, int(j)) for j in order],
        note,
    )
    reading = "p: the chance of a report as far from what the others predict."
    chart = charts.leave_one_out(part, float(analysis.pooled.mu.mean))
    return Section(
        "influence", "Leave one out", reading=reading, chart=chart, table=table, terms=("leave-one-out",)
    )


def _left_out(part: Any, j: int) -> tuple[str, ...]:
    sd = float(part.mu_high[j] - part.mu_low[j]) / 3.29
    far = float(part.predicted_sd[j])
    return (
        str(part.label[j]),
        number(part.mu_mean[j], sd),
        span(part.mu_low[j], part.mu_high[j], sd),
        number(part.tau_median[j], part.tau_median[j]),
        f"{number(part.predicted[j], far)} ± {number(far, far)}",
        number(part.estimate[j], far, 3),
        probability(float(part.surprise[j])),
    )


def _first(weight: Any, what: str) -> tuple[Any, str]:
    """Groups in the order of their weight: all, or the first of many."""
    order = np.argsort(-weight, kind="stable")
    if len(order) <= MANY:
        return order, ""
    return order[:SHOWN], f"The {SHOWN} of {len(order):,} groups that {what}."


def predictive(analysis: Analysis) -> Section | None:
    """Tables that the model makes."""
    part = analysis.predictive
    if part is None:
        return None
    rows = []
    for i, name in enumerate(part.statistic):
        width = float(part.high[i] - part.low[i]) or 1.0
        middle, ends = number(part.median[i], width), span(part.low[i], part.high[i], width)
        rows.append(
            (
                name.replace("mu", "μ"),
                number(part.observed[i], width),
                middle,
                ends,
                probability(float(part.p[i])),
            )
        )
    table = Table(
        ("", "in the data", "simulated, median", "90 % interval", "share above the data"),
        rows,
        f"{part.draws:,} simulated tables.",
    )
    reading = "A model that could have made these data draws grey lines around the red one."
    chart = charts.predictive_check(part, analysis.pooled.estimate)
    return Section(
        "predictive",
        "Predictive check",
        reading=reading,
        chart=chart,
        table=table,
        terms=("predictive-check",),
    )
