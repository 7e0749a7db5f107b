"""Who makes the groups differ, who moves the average (Baujat), and what subsets of the groups say (GOSH)."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np

from propto.charts.numbers import typeset
from propto.charts.summaries import MEDIAN, called, centre, require_pooled
from propto.charts.theme import (
    BLUE,
    FORMAT,
    PICKED,
    VERMILLION,
    WIDTH,
    emphasis,
    finish,
    frame,
    layer,
    require,
    unique,
    window,
)
from propto.pooling.influence import influence

MOST_DOTS = 4000
MOST_NAMED = 6


def baujat(pooled: Any) -> alt.LayerChart:
    """Draw how much each group adds to the scatter, against how much it moves the average effect.

    Parameters
    ----------
    pooled
        A pooled result of the exact engine, of three groups at least.

    Returns
    -------
    altair.LayerChart
        A dot a group; across ``(y_j - mu)**2 / (s_j**2 + tau**2)`` at the mean of mu and the median of tau,
        upwards the squared change of mu without the group, in its posterior sd. The six farthest are named.

    Raises
    ------
    ChartError
        If the argument is not a pooled result.

    References
    ----------
    Baujat et al. (2002), A graphical method for exploring heterogeneity in meta-analyses, Statistics in
    Medicine 21.

    Examples
    --------
    >>> import propto as pp
    >>> chart = baujat(pp.pool([28, 8, -3, 7], [15, 10, 16, 11], label=list("ABCD")))
    >>> chart.to_dict()["title"]["text"][0]
    'A moves the average effect most, by 0.54 of its sd'
    """
    require_pooled(pooled, "baujat", "marginal")
    scatter, moved = baujat_numbers(pooled)
    rank = np.hypot(scatter / scatter.max(), moved / moved.max())
    labels = unique(pooled.label)
    rows = frame(group=labels, scatter=scatter, moved=moved)
    named = np.sort(np.argsort(-rank)[:MOST_NAMED])
    base = alt.Chart(rows, width=WIDTH, height=300)
    x = alt.X("scatter:Q", title="contribution to the scatter (squared distance in sds)").scale(zero=True)
    y = alt.Y("moved:Q", title="squared change of μ without it (sd²)").scale(zero=True)
    facts = ["group:N", *(alt.Tooltip(f"{name}:Q", format=FORMAT) for name in ("scatter", "moved"))]
    dots = base.mark_point(color=BLUE, filled=True, size=52).encode(
        x=x, y=y, opacity=emphasis(0.85), tooltip=facts
    )
    names = alt.Chart(rows.iloc[named]).mark_text(align="left", dx=7, dy=-3, fontSize=11, limit=150)
    j = int(np.argmax(moved))
    return finish(
        layer(dots, names.encode(x="scatter:Q", y="moved:Q", text="group:N", opacity=emphasis())).add_params(
            PICKED
        ),
        f"{called(pooled, j)} moves the average effect most, by {np.sqrt(moved[j]):.2f} of its sd",
        "Right: does not fit to the others. Above: the average hangs on it. Look twice at who is both.",
        f"Scatter of {len(labels)} groups: contribution to the scatter against influence on the average.",
    )


def baujat_numbers(pooled: Any) -> tuple[np.ndarray, np.ndarray]:
    """Contribution of each group to the scatter, and its squared influence on mu, shape (k,) each."""
    variance = pooled.std_error**2 + float(pooled.tau.quantiles[MEDIAN]) ** 2
    scatter = (pooled.estimate - centre(pooled.mu)) ** 2 / variance
    return scatter, np.nan_to_num(influence(pooled).mu_shift) ** 2


def gosh(found: Any) -> alt.LayerChart:
    """Draw mu and tau under many subsets of the groups, those with the most divisive group apart.

    Parameters
    ----------
    found
        What `subsets` of a pooled result gives (``pp.analyse(pooled, subsets=True).subsets``).

    Returns
    -------
    altair.LayerChart
        A dot a subset (of more than 4,000 every so many). Two clouds mean two kinds of groups.

    Raises
    ------
    ChartError
        If the argument is not that.

    References
    ----------
    Olkin, Dahabreh and Trikalinos (2012), GOSH - a graphical display of study heterogeneity, Research
    Synthesis Methods 3.
    """
    require(found, ("inside", "mu", "tau", "split"), "gosh", "the fits to subsets of analyse")
    j = int(np.nanargmax(np.abs(found.split)))
    shown = np.arange(0, found.mu.size, -(-found.mu.size // MOST_DOTS))
    sides = np.where(found.inside[shown, j], f"with {called(found, j)}", f"without {called(found, j)}")
    rows = frame(mu=found.mu[shown], tau=found.tau[shown], subset=sides)
    names = [f"with {called(found, j)}", f"without {called(found, j)}"]
    colour = alt.Color("subset:N", title=None).scale(domain=names, range=[VERMILLION, BLUE])
    limits = window(np.quantile(found.mu, [0.01, 0.99]), found.mu)
    dots = alt.Chart(rows, width=WIDTH, height=320).mark_point(filled=True, size=10, opacity=0.35, clip=True)
    note = f" Shown: {len(shown):,} of {found.mu.size:,}." if len(shown) < found.mu.size else ""
    return finish(
        layer(
            dots.encode(
                x=alt.X("mu:Q", title="average effect μ").scale(domain=limits, nice=False, zero=False),
                y=alt.Y("tau:Q", title="spread τ (median)").scale(zero=False),
                color=colour.legend(orient="top", symbolOpacity=1, symbolSize=60, labelLimit=400),
            )
        ),
        typeset(found.findings()[0]).rstrip("."),
        f"A dot is the whole fit to a subset of the groups; separate clouds mean groups of two kinds.{note}",
        f"Scatter of the average effect and the spread over {found.mu.size:,} subsets of the groups.{note}",
    )
