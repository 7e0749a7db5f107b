"""All groups at once: how far was each pulled to the average?"""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np

from propto.charts.summaries import centre, require_pooled
from propto.charts.theme import (
    FORMAT,
    GREY,
    PICKED,
    VERMILLION,
    WIDTH,
    emphasis,
    finish,
    frame,
    layer,
    unique,
    window,
)

MOST_DOTS = 2000


def shrinkage_overview(pooled: Any) -> alt.LayerChart:
    """Draw all groups at once, however many: what was reported against what pooling makes of it.

    Parameters
    ----------
    pooled
        A pooled result.

    Returns
    -------
    altair.LayerChart
        Up to 2,000 groups: a dot each, coloured by shrinkage (0: taken as it is, 1: replaced by the mean).
        More: cells of a 60 by 60 grid, coloured by the number of groups. The diagonal means "unchanged".

    Raises
    ------
    ChartError
        If the argument is not a pooled result.
    """
    require_pooled(pooled, "shrinkage_overview", "shrinkage")
    ends = window(np.concatenate([pooled.estimate, pooled.theta.mean]), pooled.estimate)
    few = len(pooled.estimate) <= MOST_DOTS
    marks = _dots(pooled) if few else _counts(pooled, ends)
    diagonal = alt.Chart(frame(x=ends, y=ends)).mark_line(
        color=GREY, strokeDash=[6, 4], strokeWidth=1.25, clip=True
    )
    flat = (
        alt.Chart(frame(mu=[centre(pooled.mu)]))
        .mark_rule(color=VERMILLION, strokeDash=[6, 4])
        .encode(y="mu:Q")
    )
    return finish(
        layer(flat, diagonal.encode(x="x:Q", y="y:Q"), marks)
        .add_params(PICKED)
        .properties(width=WIDTH, height=WIDTH * 5 // 8),
        _typical(pooled),
        "Grey diagonal: the estimate as reported. Horizontal rule: the average effect. "
        + ("Colour: shrinkage." if few else "Colour: how many groups lie in a cell."),
        f"Scatter of {len(pooled.estimate):,} groups, pooled mean against reported estimate.",
    )


def _dots(pooled: Any) -> alt.Chart:
    rows = frame(
        group=unique(pooled.label),
        x=pooled.estimate,
        y=pooled.theta.mean,
        error=pooled.std_error,
        shrinkage=pooled.shrinkage,
    )
    facts = [alt.Tooltip(f"{name}:Q", format=FORMAT) for name in ("error", "shrinkage")]
    return (
        alt.Chart(rows)
        .mark_point(filled=True, size=44)
        .encode(
            x=alt.X("x:Q", title="estimate as reported"),
            y=alt.Y("y:Q", title="pooled mean"),
            color=alt.Color("shrinkage:Q").scale(scheme="viridis", domain=[0, 1]),
            opacity=emphasis(0.85, 0.1),
            size=alt.condition("picked === datum.group", alt.value(220), alt.value(44)),
            tooltip=["group:N", alt.Tooltip("x:Q", format=FORMAT), alt.Tooltip("y:Q", format=FORMAT), *facts],
        )
    )


def _counts(pooled: Any, ends: list[float]) -> alt.Chart:
    counts, x, y = np.histogram2d(pooled.estimate, pooled.theta.mean, bins=60, range=[ends, ends])
    i, j = np.nonzero(counts)
    rows = frame(x=x[i], x2=x[i + 1], y=y[j], y2=y[j + 1], groups=counts[i, j].astype(int))
    return (
        alt.Chart(rows)
        .mark_rect()
        .encode(
            x=alt.X("x:Q", title="estimate as reported"),
            x2="x2:Q",
            y=alt.Y("y:Q", title="pooled mean"),
            y2="y2:Q",
            color=alt.Color("groups:Q").scale(scheme="viridis", type="log"),
            tooltip=["groups:Q"],
        )
    )


def _typical(pooled: Any) -> str:
    share = 100 * float(np.median(pooled.shrinkage))
    return f"Half of {len(pooled.estimate):,} groups are pulled at least {share:.0f} % towards the average"
