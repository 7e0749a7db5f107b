"""One quantity of every group under several choices: a row a group, a mark a choice."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import numpy as np
from numpy.typing import NDArray

from propto.charts.theme import (
    CHAIN_COLOURS,
    FORMAT,
    GREY,
    MANY,
    PICKED,
    WIDTH,
    emphasis,
    frame,
    layer,
)

SHOWN = 40
SHAPES = (
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-right",
    "triangle-left",
)


def apart(labels: list[str], means: Mapping[str, NDArray[np.floating]], what: str) -> alt.LayerChart:
    """Draw pooled means under several choices.

    Parameters
    ----------
    labels
        Distinct names of the groups, in the order of the rows.
    means
        By name of the choice, up to 8 of them, in the order of the legend, shape (k,) each.
    what
        What is chosen, as a field of the chart's data.
    """
    names, values = list(means), np.stack(list(means.values()))
    rows = frame(
        group=np.tile(labels, len(names)),
        mean=values.ravel(),
        **{what: np.repeat(names, len(labels))},
    )
    spans = frame(group=labels, low=values.min(axis=0), high=values.max(axis=0))
    y = alt.Y("group:N", sort=None, title=None).scale(domain=labels)
    lines = alt.Chart(spans, width=WIDTH, height=24 * len(labels) + 10).mark_rule(
        color=GREY, strokeWidth=1.25
    )
    legend = alt.Legend(orient="top", direction="vertical", labelLimit=400)
    colour = alt.Color(f"{what}:N", title=None, legend=legend)
    shape = alt.Shape(f"{what}:N", title=None, legend=legend)
    marks = (
        alt.Chart(rows)
        .mark_point(size=56, strokeWidth=2)
        .encode(
            x=alt.X("mean:Q", title="pooled mean").scale(zero=False, padding=12),
            y=y,
            color=colour.scale(domain=names, range=list(CHAIN_COLOURS[: len(names)])),
            shape=shape.scale(domain=names, range=list(SHAPES[: len(names)])),
            opacity=emphasis(),
            tooltip=["group:N", f"{what}:N", alt.Tooltip("mean:Q", format=FORMAT)],
        )
    )
    rules = lines.encode(x=alt.X("low:Q"), x2="high:Q", y=y, opacity=emphasis())
    return layer(rules, marks).add_params(PICKED)


def most(weight: NDArray[np.floating], what: str) -> tuple[NDArray[np.intp], str]:
    """Which groups to draw: all, or of many those of the largest weight, and a sentence on it."""
    if len(weight) <= MANY:
        return np.arange(len(weight)), ""
    note = f" Shown: the {SHOWN} of {len(weight):,} groups that {what} most."
    return np.argsort(-weight, kind="stable")[:SHOWN], note
