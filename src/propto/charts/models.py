"""Other models: what other effects change, what a covariate does, who has no effect, how clusters differ."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from propto.charts.apart import apart, most
from propto.charts.decisions import chances
from propto.charts.numbers import minus, probability, typeset
from propto.charts.summaries import HIGH90, LOW90, MEDIAN, called, centre, middle_text
from propto.charts.theme import (
    BLUE,
    FORMAT,
    GREEN,
    GREY,
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
from propto.errors import ChartError
from propto.pooling.findings import move_finding, score_text

MOST_DOTS = 2000
MOST_STEPS = 7
POINTS = 60


def effects_moves(ladder: Any) -> alt.LayerChart:
    """Draw every group's pooled mean under normal effects and under other distributions.

    Parameters
    ----------
    ladder
        What `compare_effects` gives.

    Returns
    -------
    altair.LayerChart
        One row a group, one mark a distribution; the legend holds how much better each foretells the
        groups than the normal, in log score. More than 60 groups: the 40 that move most.

    Raises
    ------
    ChartError
        If the argument is no such comparison, or has nothing beside the normal.
    """
    require(ladder, ("normal", "steps"), "effects_moves", "a comparison of effects (of compare_effects)")
    steps = ladder.steps[:MOST_STEPS]
    if not steps:
        raise ChartError("charts.effects_moves needs a distribution beside the normal; this has none.")
    base = ladder.normal.theta.mean
    shown, note = most(np.max([np.abs(step.moved_sd) for step in steps], axis=0), "move")
    shown = shown[np.argsort(-base[shown], kind="stable")]
    names = [f"{step.fit.effects}, log score {typeset(score_text(step))}" for step in steps]
    means = {"normal": base} | {name: step.fit.theta.mean for name, step in zip(names, steps, strict=True)}
    labels = unique(ladder.normal.label, shown)
    return finish(
        apart(labels, {name: values[shown] for name, values in means.items()}, "effects"),
        typeset(move_finding(ladder)).rstrip("."),
        f"One mark for each distribution; a log score above 0 foretells groups better than the normal.{note}",
        f"Dot plot of the pooled means of {len(labels)} groups under {len(means)} distributions.{note}",
    )


def no_effect(fit: Any) -> alt.LayerChart:
    """Draw the probability that a group has no effect at all.

    Parameters
    ----------
    fit
        What `pool_effects` gives, with effects that may be zero.

    Returns
    -------
    altair.LayerChart
        Bars, the most probable on top. More than 60 groups: the 20 highest and the 20 lowest.

    Raises
    ------
    ChartError
        If the argument is no such fit.
    """
    require(fit, ("label", "prob_zero"), "no_effect", "a fit with effects that may be zero (of pool_effects)")
    drawn, note = chances(fit.label, fit.prob_zero)
    j, sure = int(np.argmin(fit.prob_zero)), int(np.sum(fit.prob_zero <= 0.05))
    lowest = f"the lowest is {probability(float(fit.prob_zero[j]))}, of {called(fit, j)}"
    return finish(
        drawn,
        f"{sure:,} of {len(fit.prob_zero):,} groups surely have an effect: P(= 0) is at most 0.05; {lowest}",
        f"Bars: the probability that the true effect is 0. Dashed: 0.05 and 0.95.{note}",
        f"Bar chart of P(effect = 0).{note}",
    )


def bubble(fit: Any, covariate: str) -> alt.LayerChart:
    """Draw the estimates against a covariate, with the effect that it leads to expect.

    Parameters
    ----------
    fit
        What `pool_regression` gives.
    covariate
        A covariate of numbers, by name.

    Returns
    -------
    altair.LayerChart
        A bubble a group (of more than 2,000 every so many), the larger the more it counts; the mean effect
        with its 90 % band and, dashed, the 90 % interval of a new group, other covariates at their centre.

    Raises
    ------
    ChartError
        If the argument is no such fit, or has no such covariate.

    References
    ----------
    Thompson and Higgins (2002), How should meta-regression analyses be undertaken and interpreted?
    """
    require(
        fit, ("design", "coefficients", "predict"), "bubble", "a fit with covariates (of pool_regression)"
    )
    if covariate not in fit.design.centre:
        known = ", ".join(fit.design.centre) or "none"
        raise ChartError(f"charts.bubble: there is no covariate {covariate!r}; the columns are {known}.")
    at = fit.design.columns[:, fit.design.names.index(covariate)] + fit.design.centre[covariate]
    x = np.linspace(at.min(), at.max(), POINTS)
    expected, new = fit.predict([{covariate: value} for value in x])
    size = len(at)
    shown = np.arange(0, size, -(-size // MOST_DOTS))
    note = f" Shown: {len(shown):,} of {size:,} groups." if len(shown) < size else ""
    limits = window(
        [*fit.estimate, *expected.quantiles[:, LOW90], *expected.quantiles[:, HIGH90]], fit.estimate
    )
    y = alt.Y("effect:Q", title="effect").scale(domain=limits, nice=False, zero=False, padding=14)
    across = alt.X("x:Q", title=covariate).scale(zero=False, padding=14).axis(format="~r")
    return finish(
        layer(*_curve(x, expected, new, across), _bubbles(fit, at, shown, across, y))
        .add_params(PICKED)
        .properties(width=WIDTH, height=320),
        _slope(x, expected, covariate),
        "Bubbles: the estimates, larger where they count more. Blue: the expected effect with its 90 % band. "
        f"Dashed: 90 % of new groups.{note}",
        f"Bubble plot of {len(shown)} estimates against {covariate}, with the fitted line.{note}",
    )


def _curve(x: NDArray[np.floating], expected: Any, new: Any, across: Any) -> list[alt.Chart]:
    """The line, its band, and where new groups lie."""
    columns = {"middle": (expected, MEDIAN), "low": (expected, LOW90), "high": (expected, HIGH90)}
    columns |= {"least": (new, LOW90), "largest": (new, HIGH90)}
    rows = frame(x=x, **{name: part.quantiles[:, place] for name, (part, place) in columns.items()})
    base = alt.Chart(rows)
    dashed = base.mark_line(color=GREEN, strokeDash=[5, 4], strokeWidth=1.25, clip=True)
    facts = [alt.Tooltip(f"{name}:Q", format=FORMAT) for name in ("x", *columns)]
    return [
        base.mark_area(color=BLUE, opacity=0.2, clip=True).encode(x=across, y=alt.Y("low:Q"), y2="high:Q"),
        *(dashed.encode(x=across, y=alt.Y(f"{name}:Q")) for name in ("least", "largest")),
        base.mark_line(color=BLUE, strokeWidth=2, clip=True).encode(
            x=across, y=alt.Y("middle:Q"), tooltip=facts
        ),
    ]


def _bubbles(fit: Any, at: NDArray[np.floating], shown: NDArray[np.intp], across: Any, y: Any) -> alt.Chart:
    """The estimates, sized by their weight."""
    weight = 1 / (fit.std_error**2 + float(fit.tau.quantiles[MEDIAN]) ** 2)
    rows = frame(
        group=unique(fit.label, shown),
        x=at[shown],
        effect=fit.estimate[shown],
        error=fit.std_error[shown],
        size=30 + 470 * weight[shown] / weight.max(),
    )
    return (
        alt.Chart(rows)
        .mark_circle(color=GREY)
        .encode(
            x=across,
            y=y,
            size=alt.Size("size:Q", scale=None, legend=None),
            opacity=emphasis(0.6, 0.1),
            tooltip=[
                "group:N",
                *(alt.Tooltip(f"{name}:Q", format=FORMAT) for name in ("x", "effect", "error")),
            ],
        )
    )


def _slope(x: NDArray[np.floating], expected: Any, covariate: str) -> str:
    """The expected effect at both ends."""
    start, end = (middle_text(expected.row(place)) for place in (0, -1))
    low, high = (minus(f"{value:.6g}") for value in (x[0], x[-1]))
    return f"From {covariate} {low} to {high} the expected effect goes from {start} to {end}"


def cluster_effects(fit: Any) -> alt.LayerChart:
    """Draw the mean effect of every cluster.

    Parameters
    ----------
    fit
        What `pool_regression` gives, with clusters.

    Returns
    -------
    altair.LayerChart
        A dot a cluster with its 50 and 90 % intervals, the highest on top; dashed: the mean of all. More
        than 60 clusters: the 20 highest and the 20 lowest.

    Raises
    ------
    ChartError
        If the argument is no fit with clusters.
    """
    require(fit, ("cluster_names", "cluster_effect", "mu"), "cluster_effects", "a fit with clusters")
    if fit.cluster_effect is None:
        raise ChartError("charts.cluster_effects draws clusters; this fit has none.")
    q, names = fit.cluster_effect.quantiles, np.array(fit.cluster_names)
    shown, note = extremes(q[:, MEDIAN])
    shown = shown[np.argsort(-q[shown, MEDIAN], kind="stable")]
    labels = unique(names.tolist(), shown)
    rows = frame(
        cluster=labels,
        median=q[shown, MEDIAN],
        **{f"low{p}": q[shown, place] for p, place in ((50, 2), (90, LOW90))},
        **{f"high{p}": q[shown, place] for p, place in ((50, 4), (90, HIGH90))},
    )
    marks = alt.Chart(rows, width=WIDTH, height=22 * len(labels) + 10).encode(
        y=alt.Y("cluster:N", sort=None, title=None).scale(domain=labels),
        tooltip=["cluster:N", *(alt.Tooltip(f"{name}:Q", format=FORMAT) for name in list(rows)[1:])],
    )
    x = alt.X("median:Q", title="mean effect of the cluster").scale(zero=False, padding=12)
    rule = alt.Chart(frame(mu=[centre(fit.mu)])).mark_rule(color=VERMILLION, strokeDash=[6, 4])
    return finish(
        layer(
            rule.encode(x="mu:Q"),
            marks.mark_rule(color=BLUE, strokeWidth=1.25).encode(x=alt.X("low90:Q"), x2="high90:Q"),
            marks.mark_rule(color=BLUE, strokeWidth=4).encode(x=alt.X("low50:Q"), x2="high50:Q"),
            marks.mark_point(color=BLUE, filled=True, size=54, opacity=1).encode(x=x),
        ),
        f"Clusters range from {_cluster(fit, shown[-1], labels[-1])} to {_cluster(fit, shown[0], labels[0])}",
        f"Thick: 50 % intervals; thin: 90 %. Dashed: the average of all clusters.{note}",
        f"Interval plot of the mean effects of {len(labels)} clusters.{note}",
    )


def _cluster(fit: Any, place: int, label: str) -> str:
    """The median of one cluster, with its name."""
    return f"{middle_text(fit.cluster_effect.row(int(place)))} ({label})"
