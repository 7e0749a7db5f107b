"""Who is above a threshold, who is best, and who is above whom?"""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from propto.charts.numbers import probability
from propto.charts.summaries import called, require_pooled
from propto.charts.theme import (
    BLUE,
    GREY,
    MANY,
    PICKED,
    VERMILLION,
    WIDTH,
    emphasis,
    extremes,
    finish,
    frame,
    layer,
    records,
    require,
    unique,
)
from propto.errors import ChartError
from propto.pooling import phrases

SURE = 0.95
MOST_RANKS = 60
EACH = 20
NEVER = 1e-3  # a rank less probable is a cell too pale to be seen


def exceedance(part: Any) -> alt.LayerChart:
    """Draw P(effect > threshold) of every group.

    Parameters
    ----------
    part
        What `exceedance` of a pooled result gives: ``threshold``, ``label``, ``prob``.

    Returns
    -------
    altair.LayerChart
        Bars, the most probable on top, with rules at 0.05 and 0.95. More than 60 groups: the 20 highest
        and the 20 lowest.

    Raises
    ------
    ChartError
        If the argument is no such part.
    """
    require(part, ("threshold", "label", "prob"), "exceedance", "probabilities above a threshold")
    drawn, note = chances(part.label, part.prob)
    above = int(np.sum(part.prob >= SURE))
    return finish(
        drawn,
        f"{above:,} of {len(part.prob):,} groups {'is' if above == 1 else 'are'} above {part.threshold:g} "
        "with probability 0.95 or more",
        f"Bars: the probability that the true effect is above the threshold. Dashed: 0.05 and 0.95.{note}",
        f"Bar chart of P(effect > {part.threshold:g}).{note}",
    )


def chances(label: Any, prob: NDArray[np.floating]) -> tuple[alt.LayerChart, str]:
    """Draw a probability of every group as bars, the most probable on top, and say what was left out."""
    shown, note = extremes(prob)
    shown = shown[np.argsort(-prob[shown], kind="stable")]
    labels = unique(label, shown)
    bars = alt.Chart(alt.NamedData("chances"), width=WIDTH, height=20 * len(labels) + 10).mark_bar(color=BLUE)
    y = alt.Y("group:N", sort=None, title=None).scale(domain=labels)
    x = alt.X("prob:Q", title="probability").scale(domain=[0, 1])
    facts = ["group:N", alt.Tooltip("prob:Q", format=".3f")]
    rules = alt.Chart(frame(limit=[1 - SURE, SURE])).mark_rule(color=GREY, strokeDash=[6, 4])
    drawn = layer(bars.encode(x=x, y=y, opacity=emphasis(0.75), tooltip=facts), rules.encode(x="limit:Q"))
    rows = records(group=labels, prob=prob[shown])
    return drawn.add_params(PICKED).properties(datasets={"chances": rows}), note


def rank_map(ranks: Any) -> alt.LayerChart:
    """Draw how probable every rank is for every group.

    Parameters
    ----------
    ranks
        What `rank` of a pooled result gives, of up to 1,000 groups.

    Returns
    -------
    altair.LayerChart
        Cells coloured by P(rank), the best mean rank on top. More than 60 groups: the 20 best and the 20
        worst, neighbouring ranks put together.

    Raises
    ------
    ChartError
        If the argument is no such part, or holds no probabilities of ranks.
    """
    require(ranks, ("label", "mean", "prob_best", "probabilities"), "rank_map", "ranks")
    if ranks.probabilities is None:
        raise ChartError("charts.rank_map draws up to 1,000 groups; these ranks hold no matrix.")
    shown, note = _best_and_worst(ranks.mean)
    table, ends = _binned(ranks.probabilities[shown])
    labels = unique(ranks.label, shown)
    i, r = np.nonzero(table > NEVER)
    rows = frame(
        group=np.array(labels)[i], low=ends[r] + 0.5, high=ends[r + 1] + 0.5, probability=table[i, r]
    )
    cells = alt.Chart(rows, width=WIDTH, height=_height(len(labels))).mark_rect(fill=BLUE, stroke=None)
    domain = [0.5, len(ranks.label) + 0.5]
    x = alt.X("low:Q", title="rank (1 is the largest effect)").axis(grid=False, format="d", tickMinStep=1)
    facts = ["group:N", alt.Tooltip("low:Q", title="rank from"), alt.Tooltip("probability:Q", format=".3f")]
    j = int(np.argmax(ranks.prob_best))
    best = phrases.called(ranks.label[j])
    sure = "The best is" if ranks.prob_best[j] >= SURE else "Who is best is not settled: most likely"
    return finish(
        layer(
            cells.encode(
                x=x.scale(domain=domain, nice=False),
                x2="high:Q",
                y=alt.Y("group:N", sort=None, title=None).scale(domain=labels, paddingInner=0.08),
                fillOpacity=alt.FillOpacity("probability:Q", legend=None).scale(domainMin=0, range=[0, 1]),
                opacity=emphasis(1, 0.35),
                tooltip=facts,
            )
        ).add_params(PICKED),
        f"{sure} {best}, with probability {probability(float(ranks.prob_best[j]))}",
        f"A dark cell: a probable rank. A row that is pale all over: the data do not tell its place.{note}",
        f"Heat map of the rank probabilities of {len(labels)} groups.{note}",
    )


def pair_map(pooled: Any, above: NDArray | None = None) -> alt.LayerChart:
    """Draw P(effect of one group > effect of another) for all pairs.

    Parameters
    ----------
    pooled
        A pooled result.
    above
        The matrix of `pairwise`, shape (k, k); computed if not given.

    Returns
    -------
    altair.LayerChart
        Cells coloured around 1/2, best groups first. More than 60 groups: the 20 best and the 20 worst.

    Raises
    ------
    ChartError
        If the argument is not a pooled result.
    OptionError
        If there are more than 1,000 groups.
    """
    from propto.pooling.ranks import mean_ranks, pairwise

    require_pooled(pooled, "pair_map", "components")
    above = pairwise(pooled) if above is None else np.asarray(above)
    shown, note = _best_and_worst(mean_ranks(above))
    labels = unique(pooled.label, shown)
    part = above[np.ix_(shown, shown)]
    i, j = np.nonzero(~np.eye(len(shown), dtype=bool))
    rows = frame(
        group=np.array(labels)[i],
        other=np.array(labels)[j],
        probability=part[i, j],
    )
    cells = alt.Chart(rows, width=WIDTH, height=_height(len(labels))).mark_rect(stroke=None)
    cells = cells.transform_calculate(
        order="datum.probability < 0.5 ? 'below' : 'above'", clear="abs(2 * datum.probability - 1)"
    )
    order = alt.Scale(domain=labels, paddingInner=0.05)
    top = alt.Axis(orient="top", labelAngle=-45, labelLimit=90, labels=len(labels) <= EACH)
    facts = ["group:N", "other:N", alt.Tooltip("probability:Q", format=".3f")]
    kinds = alt.Scale(domain=["above", "below"], range=[BLUE, VERMILLION])
    return finish(
        layer(
            cells.encode(
                x=alt.X("other:N", sort=None, title=None, scale=order, axis=top),
                y=alt.Y("group:N", sort=None, title=None, scale=order),
                fill=alt.Fill("order:N", legend=None, scale=kinds),
                fillOpacity=alt.FillOpacity("clear:Q", legend=None).scale(domain=[0, 1], range=[0, 1]),
                opacity=emphasis(1, 0.35),
                tooltip=facts,
            )
        ).add_params(PICKED),
        _settled(pooled, above),
        f"Columns in the order of the rows. Blue: the group of the row is probably above that of the column; "
        f"red: below; pale: open.{note}",
        f"Heat map of P(row > column) for {len(labels)} groups.{note}",
    )


def _settled(pooled: Any, above: NDArray) -> str:
    upper = above[np.triu_indices(len(above), 1)]
    if not upper.size:
        return "One group has nothing to be compared with"
    sure = int(np.sum(np.maximum(upper, 1 - upper) >= SURE))
    i, j = np.unravel_index(int(np.argmax(above)), above.shape)
    return (
        f"{sure:,} of {upper.size:,} pairs are in a clear order (probability 0.95); the clearest: "
        f"{called(pooled, int(i))} above {called(pooled, int(j))} with {probability(float(above[i, j]))}"
    )


def _best_and_worst(mean_rank: NDArray) -> tuple[NDArray[np.intp], str]:
    """Which groups to draw, the best mean rank first."""
    order = np.argsort(mean_rank, kind="stable")
    if len(order) <= MANY:
        return order, ""
    note = f" Shown: the {EACH} best and the {EACH} worst of {len(order):,} groups."
    return np.concatenate([order[:EACH], order[-EACH:]]), note


def _binned(table: NDArray) -> tuple[NDArray, NDArray]:
    """Put neighbouring ranks together until there are at most 60 columns; the ends of the columns."""
    width = -(-table.shape[1] // MOST_RANKS)
    starts = np.arange(0, table.shape[1], width)
    return np.add.reduceat(table, starts, axis=1), np.append(starts, table.shape[1]).astype(float)


def _height(rows: int) -> int:
    return (26 if rows <= EACH else 13) * rows + 10
