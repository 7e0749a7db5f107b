"""Posterior densities of the groups' effects, and of a group not yet seen."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from propto.charts.numbers import number
from propto.charts.summaries import (
    HIGH50,
    HIGH90,
    LOW50,
    LOW90,
    MEDIAN,
    called,
    centre_text,
    ninety,
    require_pooled,
)
from propto.charts.theme import (
    BLUE,
    FORMAT,
    GREEN,
    PICKED,
    VERMILLION,
    WIDTH,
    emphasis,
    extremes,
    finish,
    frame,
    layer,
    unique,
    window,
)

MOST_RIDGES = 40
MOST_POINTS = 2800


def effect_densities(pooled: Any) -> alt.LayerChart:
    """Draw the posterior density of every group's effect, one ridge above the other.

    Parameters
    ----------
    pooled
        A pooled result of the exact engine (``density_theta``).

    Returns
    -------
    altair.LayerChart
        Ridges of equal area, the highest mean on top. More than 40 groups: the 20 highest and 20 lowest.

    Raises
    ------
    ChartError
        If the argument is not a pooled result with exact densities.
    """
    require_pooled(pooled, "effect_densities", "density_theta")
    shown, note = extremes(pooled.theta.mean, MOST_RIDGES)
    shown = shown[np.argsort(-pooled.theta.mean[shown], kind="stable")]
    return finish(
        layer(_ridges(pooled, shown), _zero()).add_params(PICKED),
        _surest(pooled),
        f"One ridge a group: the more area right of a value, the surer the effect is above it.{note}",
        f"Ridge plot of the posterior densities of {len(shown)} effects.{note}",
    )


def _zero() -> alt.Chart:
    return (
        alt.Chart(frame(zero=[0.0]))
        .mark_rule(color=VERMILLION, strokeDash=[6, 4], clip=True)
        .encode(x="zero:Q")
    )


def _ridges(pooled: Any, shown: NDArray[np.intp]) -> alt.Chart:
    labels, points = unique(pooled.label, shown), min(120, MOST_POINTS // len(shown))
    q = pooled.theta.quantiles[shown]
    width = q[:, -1] - q[:, 0]
    low, high = window(q, np.stack([q[:, 0] - 0.4 * width, q[:, -1] + 0.4 * width]))
    x = np.linspace(low, high, points)
    density = np.stack([pooled.density_theta(int(j), x) for j in shown])
    foot = -np.repeat(np.arange(len(shown), dtype=float), points)
    # The tallest may overlap its neighbour by a third; narrow ones among wide ones are cut less by a root.
    height = 1.3 * np.sqrt(density / density.max())
    rows = frame(
        group=np.repeat(labels, points), x=np.tile(x, len(shown)), foot=foot, top=foot + height.ravel()
    )
    names = "[" + ",".join(_quoted(label) for label in labels) + "]"
    axis = alt.Axis(
        values=[-float(j) for j in range(len(shown))],
        labelExpr=f"{names}[-datum.value]",
        grid=False,
        ticks=False,
        domain=False,
        title=None,
    )
    y = alt.Y("top:Q", axis=axis).scale(domain=[-len(shown) + 0.6, 1.5], nice=False, zero=False)
    area = alt.Chart(rows, width=WIDTH, height=30 * len(shown) + 20)
    return area.mark_area(color=BLUE, line={"color": BLUE, "strokeWidth": 1.25}, clip=True).encode(
        x=alt.X("x:Q", title="effect").scale(domain=[low, high], nice=False, zero=False),
        y=y,
        y2="foot:Q",
        detail="group:N",
        opacity=emphasis(0.45, 0.08),
        tooltip=["group:N"],
    )


def _quoted(label: str) -> str:
    """A text of Vega's expression language."""
    plain = "".join(c if c.isprintable() else " " for c in label)
    return "'" + plain.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _surest(pooled: Any) -> str:
    above, below = int(np.sum(pooled.prob_positive >= 0.95)), int(np.sum(pooled.prob_positive <= 0.05))
    size = len(pooled.estimate)
    j = int(np.argmin(pooled.theta.sd))
    least = f"the best known is {called(pooled, j)} (sd {number(pooled.theta.sd[j], pooled.theta.sd[j])})"
    sure = f"Of {size:,} effects {above:,} are above 0 and {below:,} below it with probability 0.95 or more"
    return f"{sure}; {least}"


def new_group(pooled: Any) -> alt.LayerChart:
    """Draw what to expect of a group that is not in the table, over the average effect.

    Parameters
    ----------
    pooled
        A pooled result of the exact engine (``density_new``, ``density_mu``).

    Returns
    -------
    altair.LayerChart
        The density of a new group's effect with its 50 and 90 % intervals, and that of the average.

    Raises
    ------
    ChartError
        If the argument is not a pooled result with exact densities.
    """
    require_pooled(pooled, "new_group", "density_mu", "density_new")
    q = np.asarray(pooled.new_group.quantiles, float)
    width = q[-1] - q[0]
    x = np.linspace(q[0] - 0.3 * width, q[-1] + 0.3 * width, 200)
    new, mu = pooled.density_new(x), pooled.density_mu(x)
    peak = float(new.max())
    scale = peak / float(mu.max())
    kinds = ["a new group", "the average effect"]
    rows = frame(x=np.tile(x, 2), density=np.concatenate([new, mu * scale]), kind=np.repeat(kinds, 200))
    domain = alt.Scale(domain=[float(x[0]), float(x[-1])], nice=False, zero=False)
    y = alt.Y("density:Q", axis=alt.Axis(labels=False, ticks=False, grid=False, title=None, domain=False))
    colour = alt.Color("kind:N", title=None).scale(domain=kinds, range=[GREEN, BLUE]).legend(orient="top")
    areas = alt.Chart(rows, width=WIDTH, height=200).mark_area(opacity=0.3, line={"strokeWidth": 1.5})
    return finish(
        layer(
            areas.encode(
                x=alt.X("x:Q", title="effect", scale=domain),
                y=y.scale(domain=[-0.12 * peak, 1.05 * peak], nice=False),
                y2=alt.datum(0),
                color=colour,
            ),
            *_interval(q, peak),
        ),
        f"A group not in the table would have an effect of about {centre_text(pooled.new_group)} "
        f"({ninety(pooled.new_group)})",
        "Green: the effect of one new group, with its 50 and 90 % interval. Blue: the average of all groups, "
        "drawn as high; it is known better than any single group.",
        f"Densities of a new group's effect and of the average effect, {centre_text(pooled.mu)}.",
    )


def _interval(q: NDArray, peak: float) -> list[alt.Chart]:
    rows = frame(
        low50=[q[LOW50]],
        high50=[q[HIGH50]],
        low90=[q[LOW90]],
        high90=[q[HIGH90]],
        median=[q[MEDIAN]],
        y=[-0.06 * peak],
    )
    facts = [
        alt.Tooltip(f"{name}:Q", format=FORMAT) for name in ("median", "low50", "high50", "low90", "high90")
    ]
    marks = alt.Chart(rows).encode(y="y:Q", tooltip=facts)
    return [
        marks.mark_rule(color=GREEN, strokeWidth=1.25).encode(x="low90:Q", x2="high90:Q"),
        marks.mark_rule(color=GREEN, strokeWidth=4.5).encode(x="low50:Q", x2="high50:Q"),
        marks.mark_point(color=GREEN, filled=True, size=70, opacity=1).encode(x="median:Q"),
    ]
