"""Many tables at once: how sure are their means, and how strongly are their groups pulled?"""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from propto.charts.theme import BLUE, GREY, WIDTH, finish, frame, layer, require

BINS = 20
SURE = 0.95


def many_means(many: Any) -> alt.LayerChart:
    """Draw how sure the tables are of the sign of their mean effect.

    Parameters
    ----------
    many
        What `pool_many` gives.

    Returns
    -------
    altair.LayerChart
        A histogram of P(mu > 0), with rules at 0.05 and 0.95.

    Raises
    ------
    ChartError
        If the argument is no such result.
    """
    require(many, ("tables", "by"), "many_means", "many pooled tables")
    positive = many.tables["mu_prob_positive"]
    above, below = int(np.sum(positive >= SURE)), int(np.sum(positive <= 1 - SURE))
    rules = alt.Chart(frame(limit=[1 - SURE, SURE])).mark_rule(color=GREY, strokeDash=[6, 4])
    return finish(
        layer(_histogram(positive, "P(mean effect > 0)"), rules.encode(x="limit:Q")),
        f"Of {len(positive):,} tables {above:,} have a mean effect above 0 and {below:,} below it, with "
        "probability 0.95 or more",
        "Right end: surely above 0. Left end: surely below. Dashed: 0.05 and 0.95.",
        "Histogram of the probability that the mean effect is above 0.",
    )


def many_shrinkage(many: Any) -> alt.LayerChart:
    """Draw how far the groups of each table are pulled to its mean.

    Parameters
    ----------
    many
        What `pool_many` gives.

    Returns
    -------
    altair.LayerChart
        A histogram of the mean shrinkage of the tables.

    Raises
    ------
    ChartError
        If the argument is no such result.
    """
    require(many, ("tables", "by"), "many_shrinkage", "many pooled tables")
    pull = many.tables["shrinkage"]
    half = 100 * float(np.median(pull))
    return finish(
        layer(_histogram(pull, "shrinkage")),
        f"In the median table estimates are pulled {half:.0f} % of the way to the mean",
        "0: groups are taken as they are; 1: each is replaced by the mean of its table.",
        "Histogram of the mean shrinkage of the tables.",
    )


def _histogram(values: NDArray, title: str) -> alt.Chart:
    counts, ends = np.histogram(values, bins=BINS, range=(0, 1))
    rows = frame(low=ends[:-1], high=ends[1:], tables=counts)
    bars = alt.Chart(rows, width=WIDTH, height=200).mark_bar(color=BLUE, opacity=0.6, binSpacing=1)
    return bars.encode(
        x=alt.X("low:Q", title=title, bin="binned").scale(domain=[0, 1]),
        x2="high:Q",
        y=alt.Y("tables:Q", title="tables"),
        tooltip=["low:Q", "high:Q", "tables:Q"],
    )
