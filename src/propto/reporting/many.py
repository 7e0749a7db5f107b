"""Sections of many tables that were pooled at once: how sure, how strongly pulled, and each in one line."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from propto import charts
from propto.charts.numbers import MISSING, number, probability, span
from propto.reporting.sections import MOST_ROWS, Section, Table


def means(many: Any) -> Section:
    """How many tables have a clear mean."""
    positive = many.tables["mu_prob_positive"]
    ends = (0, 0.05, 0.5, 0.95, 1)
    rows = [
        (f"{low:g} to {high:g}", f"{int(np.sum((positive >= low) & ((positive < high) | (high == 1)))):,}")
        for low, high in itertools.pairwise(ends)
    ]
    chart, table = charts.many_means(many), Table(("P(mean effect > 0)", "tables"), rows)
    reading = "Each table was pooled on its own."
    return Section("means", "Means", reading=reading, chart=chart, table=table, terms=("mu", "threshold"))


def pull(many: Any) -> Section:
    """How far the groups are pulled."""
    shares = np.quantile(many.tables["shrinkage"], [0, 0.25, 0.5, 0.75, 1])
    names = ("least", "lower quarter", "half", "upper quarter", "most")
    rows = [(name, f"{100 * share:.0f} %") for name, share in zip(names, shares, strict=True)]
    chart, table = charts.many_shrinkage(many), Table(("shrinkage", ""), rows)
    return Section("pull", "Shrinkage", chart=chart, table=table, terms=("shrinkage",))


def tables(many: Any) -> Section:
    """One line a table, the surest first."""
    sure = np.abs(many.tables["mu_prob_positive"] - 0.5)
    far = np.abs(many.tables["mu_q50"] / np.maximum(many.tables["mu_q95"] - many.tables["mu_q5"], 1e-300))
    order = np.lexsort((-far, -np.round(sure, 6)))[:MOST_ROWS]
    rows = [_row(many.tables, int(i)) for i in order]
    columns = (
        many.by,
        "groups",
        "mean effect μ",
        "90 % interval",
        "P(> 0)",
        "spread τ",
        "90 % interval",
        "shrinkage",
    )
    table = Table.cut(columns, rows, len(sure), "tables, the surest ones")
    reading = "The tables whose mean is surest to differ from 0 first."
    return Section("tables", "Tables", "All tables", reading, table=table, terms=("tau", "interval"))


def _row(columns: dict[str, Any], i: int) -> tuple[str, ...]:
    low, high, middle = (float(columns[f"tau_q{q}"][i]) for q in (5, 95, 50))
    width = float(columns["mu_q95"][i] - columns["mu_q5"][i]) / 3.29
    mean = columns["mu_mean"][i] if np.isfinite(columns["mu_mean"][i]) else columns["mu_q50"][i]
    return (
        str(columns["table"][i]),
        f"{int(columns['groups'][i]):,}",
        number(float(mean), width, 3),
        span(float(columns["mu_q5"][i]), float(columns["mu_q95"][i]), width),
        probability(float(columns["mu_prob_positive"][i])),
        number(middle, middle),
        span(low, high, middle),
        MISSING if np.isnan(columns["shrinkage"][i]) else f"{100 * columns['shrinkage'][i]:.0f} %",
    )
