"""The data as they came: what did each group report, and how sure was it?"""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from propto.charts.numbers import number
from propto.charts.summaries import called
from propto.charts.theme import (
    BLUE,
    FORMAT,
    PICKED,
    VERMILLION,
    WIDTH,
    emphasis,
    extremes,
    finish,
    frame,
    layer,
    require,
    unique,
    window,
)

Z95 = 1.959963984540054


def data_bars(table: Any) -> alt.LayerChart:
    """Draw the estimates as bars, with their error bars and the plain mean.

    Parameters
    ----------
    table
        A table or a pooled result: anything with ``label``, ``estimate`` and ``std_error`` of one length.

    Returns
    -------
    altair.LayerChart
        Bars in the order of the table, lines of ± 1.96 standard errors, a dashed rule at the plain mean.

    Raises
    ------
    ChartError
        If the argument is not such a table.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> table = SimpleNamespace(label=["A", "B"], estimate=[28.0, 8.0], std_error=[15.0, 10.0])
    >>> data_bars(table).title.text
    ['Estimates run from 8 (B) to 28 (A); their plain mean is 18.00']
    """
    require(
        table, ("label", "estimate", "std_error"), "data_bars", "a table of estimates with standard errors"
    )
    shown, note = extremes(np.asarray(table.estimate, float))
    labels = unique(table.label, shown)
    mean = float(np.mean(table.estimate))
    return finish(
        _layers(
            labels, np.asarray(table.estimate, float)[shown], np.asarray(table.std_error, float)[shown], mean
        ),
        _finding(table, mean),
        f"Bar and dot: the estimate. Line: ± 1.96 standard errors. Dashed rule: the plain mean.{note}",
        f"Bar chart of {len(table.estimate):,} estimates with error bars and their mean.{note}",
    )


def _layers(labels: list[str], estimate: NDArray, error: NDArray, mean: float) -> alt.LayerChart:
    low, high = estimate - Z95 * error, estimate + Z95 * error
    x = alt.X("estimate:Q", title="estimate").scale(
        domain=window([*estimate, 0, mean], [*low, *high]), nice=False
    )
    base = alt.Chart(
        frame(group=labels, estimate=estimate, error=error, low=low, high=high),
        width=WIDTH,
        height=22 * len(labels) + 8,
    ).encode(
        y=alt.Y("group:N", sort=None, title=None).scale(domain=labels),
        tooltip=["group:N", alt.Tooltip("estimate:Q", format=FORMAT), alt.Tooltip("error:Q", format=FORMAT)],
    )
    bars = base.mark_bar(color=BLUE, height={"band": 0.62}, clip=True).encode(
        x=x, opacity=emphasis(0.35, 0.1)
    )
    lines = base.mark_rule(color=BLUE, strokeWidth=1.5, clip=True).encode(
        x=alt.X("low:Q"), x2="high:Q", opacity=emphasis()
    )
    dots = base.mark_point(color=BLUE, filled=True, size=36).encode(x=x, opacity=emphasis())
    rule = alt.Chart(frame(mean=[mean])).mark_rule(color=VERMILLION, strokeDash=[6, 4], strokeWidth=1.5)
    return layer(bars, lines, dots, rule.encode(x="mean:Q")).add_params(PICKED)


def _finding(table: Any, mean: float) -> str:
    estimate, scale = np.asarray(table.estimate, float), float(np.median(table.std_error))
    low, high = int(estimate.argmin()), int(estimate.argmax())
    ends = [f"{number(estimate[j], scale)} ({called(table, j)})" for j in (low, high)]
    return f"Estimates run from {' to '.join(ends)}; their plain mean is {number(mean, scale, 4)}"
