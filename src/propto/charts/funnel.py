"""The funnel: do imprecise groups report something else than precise ones?"""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np

from propto.charts.numbers import number
from propto.charts.summaries import MEDIAN, centre, require_pooled
from propto.charts.theme import (
    BLUE,
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
from propto.pooling.checks import egger

Z95 = 1.959963984540054
MOST_DOTS = 2000
ENOUGH = 10  # groups, below which a trend cannot be told from chance
CHANCE = 0.01


def funnel(pooled: Any) -> alt.LayerChart:
    """Draw estimates against their standard errors, with the funnel in which 95 % of them should lie.

    Parameters
    ----------
    pooled
        A pooled result.

    Returns
    -------
    altair.LayerChart
        A dot a group (of more than 2,000 every so many), precise groups above; the average effect and,
        around it, ``± 1.96 sqrt(se**2 + tau**2)`` at the median of tau.

    Raises
    ------
    ChartError
        If the argument is not a pooled result.

    References
    ----------
    Sterne and Egger (2005), Regression methods to detect publication and other bias in meta-analysis.
    """
    require_pooled(pooled, "funnel")
    size = len(pooled.estimate)
    shown = np.arange(0, size, -(-size // MOST_DOTS))
    note = f" Shown: {len(shown):,} of {size:,} groups." if len(shown) < size else ""
    reach = Z95 * float(np.hypot(pooled.std_error.max(), pooled.tau.quantiles[MEDIAN]))
    sides = [centre(pooled.mu) - reach, centre(pooled.mu) + reach]
    limits = window(pooled.estimate, sides)
    x = alt.X("estimate:Q", title="estimate").scale(domain=limits, nice=False, zero=False)
    return finish(
        layer(*_funnel(pooled, x), _dots(pooled, shown, x))
        .add_params(PICKED)
        .properties(width=WIDTH, height=300),
        _trend(pooled),
        f"Precise groups are above. Dashed: the average effect. Grey lines: 95 % of all groups lie "
        f"between them if effects do not depend on precision.{note}",
        f"Scatter of {size:,} estimates against their standard errors.{note}",
    )


def _dots(pooled: Any, shown: np.ndarray, x: alt.X) -> alt.Chart:
    rows = frame(
        group=unique(pooled.label, shown), estimate=pooled.estimate[shown], error=pooled.std_error[shown]
    )
    y = alt.Y("error:Q", title="standard error").scale(reverse=True, zero=True)
    facts = ["group:N", alt.Tooltip("estimate:Q", format=FORMAT), alt.Tooltip("error:Q", format=FORMAT)]
    dots = alt.Chart(rows).mark_point(color=BLUE, filled=True, size=44, clip=True)
    return dots.encode(x=x, y=y, opacity=emphasis(0.85), tooltip=facts)


def _funnel(pooled: Any, x: alt.X) -> list[alt.Chart]:
    mu, tau = centre(pooled.mu), float(pooled.tau.quantiles[MEDIAN])
    error = np.linspace(0.0, 1.05 * float(pooled.std_error.max()), 30)
    reach = Z95 * np.sqrt(error**2 + tau**2)
    rows = frame(
        side=np.repeat(["low", "high"], 30),
        estimate=np.concatenate([mu - reach, mu + reach]),
        error=np.tile(error, 2),
    )
    sides = alt.Chart(rows).mark_line(color=GREY, strokeWidth=1.25, clip=True)
    rule = alt.Chart(frame(estimate=[mu])).mark_rule(color=VERMILLION, strokeDash=[6, 4], strokeWidth=1.5)
    return [
        sides.encode(x=x, y="error:Q", detail="side:N", order="error:Q"),
        rule.encode(x=x),
    ]


def trend(pooled: Any) -> tuple[float, float, float]:
    """Slope of the estimates on their standard errors, its error and p; NaN for less than 10 groups."""
    if len(pooled.estimate) < ENOUGH:
        return np.nan, np.nan, np.nan
    return egger(pooled.estimate, pooled.std_error)


def _trend(pooled: Any) -> str:
    size = len(pooled.estimate)
    if size < ENOUGH:
        count = "One group is" if size == 1 else f"{size} groups are"
        return f"{count} too few to tell whether estimates depend on their precision"
    slope, error, p = trend(pooled)
    if np.isnan(p):
        return "All groups are equally precise, so estimates cannot depend on precision"
    change = f"{number(slope, error)} ± {number(error, error)} for each unit of standard error"
    if p >= CHANCE:
        return f"No sign that estimates depend on their precision: {change}"
    return f"Less precise groups have {'higher' if slope > 0 else 'lower'} estimates: {change}"
