"""Sections of a pooled result: the numbers, the forest, the table, the whole, and the data."""

from __future__ import annotations

from typing import Any

import numpy as np

from propto import charts
from propto.charts.funnel import trend
from propto.charts.numbers import MISSING, minus, number, probability, span
from propto.charts.summaries import HIGH50, HIGH90, LOW50, LOW90, MEDIAN, scale_of
from propto.charts.theme import MANY, extremes
from propto.pooling.analysis import Analysis
from propto.reporting.sections import MOST_ROWS, HasPooled, Section, Table


def key_numbers(analysis: Analysis) -> Section:
    """The average effect, the spread and a new group, in one table."""
    pooled = analysis.pooled
    parts = {"Average effect μ": pooled.mu, "Spread τ": pooled.tau, "A new group": pooled.new_group}
    rows = [(name, *numbers(summary)) for name, summary in parts.items()]
    return Section(
        "numbers",
        "Key numbers",
        "The whole in numbers",
        table=Table(("", *NUMBERS), rows),
        terms=("mu", "tau", "new-group", "interval", "posterior"),
    )


NUMBERS = ("mean", "90 % interval", "sd", "median", "50 % interval")


def numbers(summary: Any) -> tuple[str, ...]:
    """A summary as cells, under the headings `NUMBERS`."""
    q, error = np.asarray(summary.quantiles, float), scale_of(summary)
    inner, outer = span(q[LOW50], q[HIGH50], error), span(q[LOW90], q[HIGH90], error)
    mean, sd, median = (number(float(value), error, 3) for value in (summary.mean, summary.sd, q[MEDIAN]))
    return mean, outer, sd, median, inner


def forest(analysis: HasPooled) -> Section:
    """What pooling did to each group."""
    pooled = analysis.pooled
    reading = "Grey: what a group reported. Blue: what to expect of it, given all groups."
    shown, note = extremes(pooled.theta.mean)
    columns = ("group", "as reported", "pooled mean", "50 % interval", "90 % interval")
    table = Table(columns, [_forest_row(pooled, int(j)) for j in shown], note)
    chart, terms = charts.shrinkage_forest(pooled), ("pooled-mean", "shrinkage")
    return Section("forest", "Groups", reading=reading, chart=chart, table=table, terms=terms)


def _forest_row(pooled: Any, j: int) -> tuple[str, ...]:
    q, sd = pooled.theta.quantiles[j], float(pooled.theta.sd[j])
    inner, outer = span(q[LOW50], q[HIGH50], sd), span(q[LOW90], q[HIGH90], sd)
    return str(pooled.label[j]), _given(pooled.estimate[j]), number(pooled.theta.mean[j], sd, 3), inner, outer


def overview(analysis: HasPooled) -> Section | None:
    """All groups at once, when there are too many for the forest."""
    pooled = analysis.pooled
    if len(pooled.estimate) <= MANY:
        return None
    shares = np.quantile(pooled.shrinkage, [0, 0.25, 0.5, 0.75, 1])
    names = ("least", "lower quarter", "half", "upper quarter", "most")
    rows = [(name, f"{100 * share:.0f} %") for name, share in zip(names, shares, strict=True)]
    reading = "On the diagonal: left as they are. The flatter the cloud, the stronger the pull."
    chart, table = charts.shrinkage_overview(pooled), Table(("shrinkage", ""), rows)
    return Section("overview", "Overview", reading=reading, chart=chart, table=table)


def everyone(analysis: HasPooled) -> Section:
    """Every group in one table."""
    pooled = analysis.pooled
    order = np.argsort(-pooled.theta.mean, kind="stable")
    order = order[:MOST_ROWS]
    rows = [_group(pooled, int(j)) for j in order]
    columns = ("group", "pooled mean", "90 % interval", "P(> 0)", "sd", "estimate", "± error", "shrinkage")
    table = Table.cut(columns, rows, len(pooled.label), "groups")
    reading = "The highest pooled mean first."
    return Section("table", "Table", "All groups", reading, table=table, terms=("threshold",))


def _group(pooled: Any, j: int) -> tuple[str, ...]:
    sd, q, shrinkage = float(pooled.theta.sd[j]), pooled.theta.quantiles[j], float(pooled.shrinkage[j])
    return (
        str(pooled.label[j]),
        number(pooled.theta.mean[j], sd, 3),
        span(q[LOW90], q[HIGH90], sd),
        probability(float(pooled.prob_positive[j])),
        number(sd, sd, 3),
        _given(pooled.estimate[j]),
        _given(pooled.std_error[j]),
        MISSING if np.isnan(shrinkage) else f"{100 * shrinkage:.0f} %",
    )


def whole(analysis: Analysis) -> Section:
    """The posterior of mu and tau with their priors."""
    pooled = analysis.pooled
    parts = {"Average effect μ": ("mu", "prior_mu"), "Spread τ": ("tau", "prior_tau")}
    rows = [
        (name, str(getattr(pooled, prior)), *numbers(getattr(pooled, posterior)))
        for name, (posterior, prior) in parts.items()
    ]
    reading = "Where filled and dashed differ, the data have spoken; where they agree, the prior has."
    table = Table(("", "prior", *NUMBERS), rows)
    return Section(
        "whole",
        "Average and spread",
        reading=reading,
        chart=charts.mu_tau(pooled),
        table=table,
        terms=("prior", "evidence"),
    )


def why(analysis: Analysis) -> Section:
    """Shrinkage against tau."""
    pooled = analysis.pooled
    shown, note = extremes(pooled.estimate)
    tau = np.asarray(pooled.tau.quantiles)[[LOW90, LOW50, MEDIAN, HIGH50, HIGH90]]
    mean = np.asarray(pooled.conditional_theta(tau)[0])
    columns = ("group", *(f"τ = {number(t, float(tau[2]))}" for t in tau))
    rows = [
        (str(pooled.label[j]), *(number(value, pooled.theta.sd[j]) for value in mean[:, j])) for j in shown
    ]
    table = Table(columns, rows, note)
    reading = "Follow a line to the left: if groups did not differ, its group would be an average one."
    chart = charts.shrinkage_against_tau(pooled)
    return Section("why", "Why that much", reading=reading, chart=chart, table=table)


def data(analysis: HasPooled) -> Section:
    """The table as it came."""
    pooled = analysis.pooled
    shown, note = extremes(pooled.estimate)
    rows = [(str(pooled.label[j]), _given(pooled.estimate[j]), _given(pooled.std_error[j])) for j in shown]
    table = Table(("group", "estimate", "standard error"), rows, note)
    reading = "The data as they came. A long line means that the bar alone says little."
    chart = charts.data_bars(pooled)
    return Section("data", "Data", reading=reading, chart=chart, table=table, terms=("estimate",))


def funnel(analysis: Analysis) -> Section:
    """Estimates against their errors."""
    pooled = analysis.pooled
    slope, error, p = trend(pooled)
    ends = np.sort(pooled.std_error)[[0, -1]]
    rows = [("standard errors", f"{_given(ends[0])} to {_given(ends[1])}")]
    if np.isfinite(p):
        change = f"{number(slope, error)} ± {number(error, error)}"
        rows += [
            ("change of the estimates for each unit of standard error", change),
            ("chance of a change as large if precision does not matter", probability(p)),
        ]
    table = Table(("", ""), rows, "Each group’s estimate and error stand in the table of all groups.")
    reading = (
        "A lopsided funnel can mean that unfavourable results are missing, or that effects differ with size."
    )
    return Section(
        "funnel", "Funnel", reading=reading, chart=charts.funnel(pooled), table=table, terms=("funnel",)
    )


def ahead(analysis: Analysis) -> Section:
    """What a new group would show."""
    pooled = analysis.pooled
    rows = [
        (name, *numbers(part))
        for name, part in (("a new group", pooled.new_group), ("average effect μ", pooled.mu))
    ]
    reading = "For a group of which nothing is known yet."
    table = Table(("", *NUMBERS), rows)
    return Section(
        "new", "New group", reading=reading, chart=charts.new_group(pooled), table=table, terms=("new-group",)
    )


def shapes(analysis: Analysis) -> Section:
    """The posterior of every group, as a shape."""
    pooled = analysis.pooled
    shown, note = extremes(pooled.theta.mean, 40)
    shown = shown[np.argsort(-pooled.theta.mean[shown], kind="stable")]
    columns = ("group", "2.5 %", "5 %", "25 %", "50 %", "75 %", "95 %", "97.5 %")
    rows = [
        (str(pooled.label[j]), *(number(q, pooled.theta.sd[j], 3) for q in pooled.theta.quantiles[j]))
        for j in shown
    ]
    chart, reading = charts.effect_densities(pooled), "Dashed: an effect of 0."
    return Section("shapes", "Shapes", reading=reading, chart=chart, table=Table(columns, rows, note))


def _given(value: float) -> str:
    """A number of the table, as it was given."""
    return minus(f"{value:.6g}")
