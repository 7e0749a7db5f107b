"""Sections of a pooled result: the numbers, the forest, the table, the whole, and the data."""

from __future__ import annotations

from typing import Any

import numpy as np

from propto import charts
from propto.charts.numbers import MISSING, minus, number, probability, span
from propto.charts.summaries import HIGH50, HIGH90, LOW50, LOW90, MEDIAN, scale_of
from propto.charts.theme import MANY, extremes
from propto.reporting.sections import MOST_ROWS, Section, Table


def key_numbers(pooled: Any) -> Section:
    """The average effect, the spread and a new group, in one table."""
    parts = {"Average effect μ": pooled.mu, "Spread τ": pooled.tau, "A new group": pooled.new_group}
    rows = [(name, *_numbers(summary)) for name, summary in parts.items()]
    return Section("numbers", "Key numbers", "The whole in numbers", table=Table(("", *_NUMBERS), rows))


_NUMBERS = ("mean", "90 % interval", "sd", "median", "50 % interval")


def _numbers(summary: Any) -> tuple[str, ...]:
    q, error = np.asarray(summary.quantiles, float), scale_of(summary)
    inner, outer = span(q[LOW50], q[HIGH50], error), span(q[LOW90], q[HIGH90], error)
    mean, sd, median = (number(float(value), error, 3) for value in (summary.mean, summary.sd, q[MEDIAN]))
    return mean, outer, sd, median, inner


def forest(pooled: Any) -> Section:
    """What pooling did to each group."""
    reading = "Grey: what a group reported. Blue: what to expect of it, given all groups."
    shown, note = extremes(pooled.theta.mean)
    columns = ("group", "as reported", "pooled mean", "50 % interval", "90 % interval")
    table = Table(columns, [_forest_row(pooled, int(j)) for j in shown], note)
    return Section("forest", "Groups", reading=reading, chart=charts.shrinkage_forest(pooled), table=table)


def _forest_row(pooled: Any, j: int) -> tuple[str, ...]:
    q, sd = pooled.theta.quantiles[j], float(pooled.theta.sd[j])
    inner, outer = span(q[LOW50], q[HIGH50], sd), span(q[LOW90], q[HIGH90], sd)
    return str(pooled.label[j]), _given(pooled.estimate[j]), number(pooled.theta.mean[j], sd, 3), inner, outer


def overview(pooled: Any) -> Section | None:
    """All groups at once, when there are too many for the forest."""
    if len(pooled.estimate) <= MANY:
        return None
    shares = np.quantile(pooled.shrinkage, [0, 0.25, 0.5, 0.75, 1])
    names = ("least", "lower quarter", "half", "upper quarter", "most")
    rows = [(name, f"{100 * share:.0f} %") for name, share in zip(names, shares, strict=True)]
    reading = "On the diagonal: left as they are. The flatter the cloud, the stronger the pull."
    chart, table = charts.shrinkage_overview(pooled), Table(("shrinkage", ""), rows)
    return Section("overview", "Overview", reading=reading, chart=chart, table=table)


def everyone(pooled: Any) -> Section:
    """Every group in one table."""
    order = np.argsort(-pooled.theta.mean, kind="stable")
    rows = [_group(pooled, int(j)) for j in order[:MOST_ROWS]]
    columns = ("group", "pooled mean", "90 % interval", "P(> 0)", "sd", "estimate", "± error", "shrinkage")
    table = Table.cut(columns, rows, len(order), "groups")
    return Section("table", "Table", "All groups", "The highest pooled mean first.", table=table)


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


def whole(pooled: Any) -> Section:
    """The posterior of mu and tau with their priors."""
    parts = {"Average effect μ": ("mu", "prior_mu"), "Spread τ": ("tau", "prior_tau")}
    rows = [
        (name, str(getattr(pooled, prior)), *_numbers(getattr(pooled, posterior)))
        for name, (posterior, prior) in parts.items()
    ]
    reading = "Where filled and dashed differ, the data have spoken; where they agree, the prior has."
    table = Table(("", "prior", *_NUMBERS), rows)
    return Section("whole", "Average and spread", reading=reading, chart=charts.mu_tau(pooled), table=table)


def why(pooled: Any) -> Section:
    """Shrinkage against tau."""
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


def data(pooled: Any) -> Section:
    """The table as it came."""
    shown, note = extremes(pooled.estimate)
    rows = [(str(pooled.label[j]), _given(pooled.estimate[j]), _given(pooled.std_error[j])) for j in shown]
    table = Table(("group", "estimate", "standard error"), rows, note)
    reading = "The data as they came. A long line means that the bar alone says little."
    return Section("data", "Data", reading=reading, chart=charts.data_bars(pooled), table=table)


def _given(value: float) -> str:
    """A number of the table, as it was given."""
    return minus(f"{value:.6g}")
