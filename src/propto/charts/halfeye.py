"""The half-eye: a posterior density with its prior, its median and its intervals, in one panel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import ArrayLike, NDArray

from propto.charts.theme import BLUE, FORMAT, GREY, frame, layer

POINTS = 200


def half_eye(
    title: str,
    quantiles: ArrayLike,
    density: Callable[[NDArray], NDArray],
    prior: Any,
    width: int,
    lower: float = -np.inf,
) -> alt.LayerChart:
    """Draw one posterior density over its prior.

    Parameters
    ----------
    title
        Name of the quantity, on the axis.
    quantiles
        Posterior quantiles at 2.5, 5, 25, 50, 75, 95 and 97.5 %.
    density, prior
        The posterior density, and the prior with its ``log_density``; one that is flat on the whole drawn
        range without being proper (``flat``) is not drawn.
    width
        Width of the panel in pixels.
    lower
        The bound of the support: nothing is drawn below it.

    Returns
    -------
    altair.LayerChart
        One panel with two marks for the intervals beneath the axis line.
    """
    q = np.asarray(quantiles, float)
    x = _range(q, lower)
    posterior = np.asarray(density(x), float)
    base = alt.Chart(width=width, height=200)
    domain = alt.Scale(domain=[float(x[0]), float(x[-1])], nice=False, zero=False)
    peak = float(posterior.max())
    y = alt.Y("density:Q", axis=alt.Axis(labels=False, ticks=False, grid=False, title=None, domain=False))
    y = y.scale(domain=[-0.12 * peak, 1.04 * peak], nice=False, zero=False)
    area = base.mark_area(color=BLUE, opacity=0.3, line={"color": BLUE}).encode(
        x=alt.X("x:Q", title=title, scale=domain), y=y, y2=alt.datum(0)
    )
    layers = [area.properties(data=frame(x=x, density=posterior)), *_lines(base, q, peak)]
    dashed = _prior_line(base, x, prior)
    return layer(*layers, *([] if dashed is None else [dashed]))


def _range(q: NDArray, lower: float) -> NDArray[np.floating]:
    """From where to where: all that matters, cut at the bound, and all of it when the bound is near."""
    width = float(q[-1] - q[0]) or abs(float(q[3])) or 1.0
    start = float(q[0]) - 0.35 * width
    start = max(start, lower) if start < lower + width or lower == -np.inf else start
    return np.linspace(start, float(q[-1]) + 0.35 * width, POINTS)


def _lines(base: alt.Chart, q: NDArray, peak: float) -> list[alt.Chart]:
    rows = frame(low50=[q[2]], high50=[q[4]], low90=[q[1]], high90=[q[5]], median=[q[3]], y=[-0.06 * peak])
    marks = base.properties(data=rows).encode(
        y="y:Q",
        tooltip=[
            alt.Tooltip(f"{name}:Q", format=FORMAT)
            for name in ("median", "low50", "high50", "low90", "high90")
        ],
    )
    return [
        marks.mark_rule(color=BLUE, strokeWidth=1.25).encode(x="low90:Q", x2="high90:Q"),
        marks.mark_rule(color=BLUE, strokeWidth=4.5).encode(x="low50:Q", x2="high50:Q"),
        marks.mark_point(color=BLUE, filled=True, size=70, opacity=1).encode(x="median:Q"),
    ]


def _prior_line(base: alt.Chart, x: NDArray, prior: Any) -> alt.Chart | None:
    if str(prior) == "flat":
        return None
    rows = frame(x=x, density=np.exp(np.asarray(prior.log_density(x), float)))
    return (
        base.properties(data=rows)
        .mark_line(color=GREY, strokeDash=[5, 4], strokeWidth=1.75, clip=True)
        .encode(x="x:Q", y="density:Q")
    )
