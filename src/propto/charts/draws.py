"""The draws of a fit: what is the answer, and did the chains agree on it?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import altair as alt
import numpy as np
from numpy.typing import NDArray

from propto.charts.numbers import number
from propto.charts.scalars import Scalar, choose, chosen_chains, draws_of, r_hat, worst
from propto.charts.theme import BLUE, CHAIN_COLOURS, CHAIN_DASHES, FORMAT, WIDTH, finish, frame, layer

if TYPE_CHECKING:
    from xarray import DataTree

TRACES = 4
PANELS = 8


def marginals(fit: DataTree, var_names: Sequence[str] | None = None) -> alt.ConcatChart:
    """Draw the posterior of each variable by itself, as a histogram of its draws.

    Parameters
    ----------
    fit
        A fit with a ``posterior`` group (dims chain, draw, ...).
    var_names
        Variables (``"tau"``) or elements (``"theta[A]"``); by default the first 8 elements.

    Returns
    -------
    altair.ConcatChart
        A histogram of 40 bars each, with the 90 % interval and the median below it.

    Raises
    ------
    ChartError
        If the argument is no fit, or has no such variable.
    """
    scalars, note = choose(fit, var_names, "marginals", PANELS)
    panels = [_marginal(scalar, draws_of(fit, scalar).ravel()) for scalar in scalars]
    return finish(
        alt.concat(*panels, columns=2, spacing=24),
        _centres(fit, scalars),
        f"Bars: the draws. Dot: median; line: 90 % interval.{note}",
        f"Histograms of {', '.join(scalar.label for scalar in scalars)}.",
    )


def _marginal(scalar: Scalar, draws: NDArray) -> alt.LayerChart:
    finite = draws[np.isfinite(draws)]
    low, middle, high = np.quantile(finite, [0.05, 0.5, 0.95])
    inner, outer = np.quantile(finite, [0.003, 0.997])
    mass, ends = np.histogram(finite, bins=40, range=None if inner == outer else (inner, outer))
    bars = histogram(scalar.label, ends, mass / len(draws), WIDTH // 2 - 40)
    rows = frame(low=[low], middle=[middle], high=[high], y=[-0.06 * mass.max() / len(draws)])
    marks = alt.Chart(rows).encode(
        y="y:Q", tooltip=[alt.Tooltip(f"{name}:Q", format=FORMAT) for name in ("low", "middle", "high")]
    )
    line = marks.mark_rule(color=BLUE, strokeWidth=1.75).encode(x="low:Q", x2="high:Q")
    return layer(
        bars, line, marks.mark_point(color=BLUE, filled=True, size=70, opacity=1).encode(x="middle:Q")
    )


def histogram(title: str, ends: NDArray, mass: NDArray, width: int) -> alt.Chart:
    """Draw one histogram from its edges and probabilities."""
    rows = frame(low=ends[:-1], high=ends[1:], probability=mass)
    y = alt.Y("probability:Q", axis=alt.Axis(labels=False, ticks=False, grid=False, title=None, domain=False))
    return (
        alt.Chart(rows, width=width, height=150)
        .mark_bar(color=BLUE, opacity=0.45, binSpacing=1)
        .encode(
            x=alt.X("low:Q", title=title, bin="binned").scale(nice=False, zero=False),
            x2="high:Q",
            y=y,
            tooltip=[alt.Tooltip(f"{name}:Q", format=FORMAT) for name in ("low", "high", "probability")],
        )
    )


def _centres(fit: DataTree, scalars: Sequence[Scalar]) -> str:
    parts = []
    for scalar in scalars[:3]:
        draws = draws_of(fit, scalar)
        parts.append(f"{scalar.label} {number(float(np.mean(draws)), float(np.std(draws)))}")
    return f"Posterior mean of {', '.join(parts)}{', …' if len(scalars) > 3 else ''}"


def traces(fit: DataTree, var_names: Sequence[str] | None = None) -> alt.VConcatChart:
    """Draw the draws in the order they came, one line a chain.

    Parameters
    ----------
    fit
        A fit with a ``posterior`` group (dims chain, draw, ...).
    var_names
        Variables or elements; by default the 4 with the worst R-hat.

    Returns
    -------
    altair.VConcatChart
        A panel a variable. Long runs are cut into bins of which the lowest and the highest draw are kept, so
        that the line has the shape of the whole run. More than 8 chains: the 8 farthest from the rest.

    Raises
    ------
    ChartError
        If the argument is no fit, or has no such variable.
    """
    scalars, note = choose(fit, var_names, "traces", TRACES, by=worst)
    chains, chain_note = chosen_chains(fit, scalars)
    bins = max(4900 // (2 * len(scalars) * len(chains)), 2)
    panels = [_trace(scalar, draws_of(fit, scalar), chains, min(bins, 150)) for scalar in scalars]
    return finish(
        alt.vconcat(*panels, spacing=10).resolve_scale(color="shared", strokeDash="shared"),
        _agreement(fit, scalars[0]),
        f"One line a chain; lines that cover the same ground from start to end are good.{note}{chain_note}",
        f"Trace plots of {', '.join(scalar.label for scalar in scalars)} for {len(chains)} chains.",
    )


def _trace(scalar: Scalar, draws: NDArray, chains: NDArray[np.intp], bins: int) -> alt.Chart:
    picked = [envelope(draws[c], bins) for c in chains]
    names = [str(c + 1) for c in chains]
    rows = frame(
        chain=np.repeat(names, [len(p) for p in picked]),
        draw=np.concatenate(picked) + 1,
        value=np.concatenate([draws[c][p] for c, p in zip(chains, picked, strict=True)]),
    )
    colours, dashes = (
        alt.Scale(domain=names, range=list(c[: len(names)])) for c in (CHAIN_COLOURS, CHAIN_DASHES)
    )
    return (
        alt.Chart(rows, width=WIDTH, height=110)
        .mark_line(strokeWidth=0.9, opacity=0.75, strokeJoin="round")
        .encode(
            x=alt.X("draw:Q", title=None).scale(domain=[0, draws.shape[1]], nice=False),
            y=alt.Y("value:Q", title=scalar.label).scale(zero=False),
            color=alt.Color("chain:N", scale=colours).legend(orient="top", direction="horizontal"),
            strokeDash=alt.StrokeDash("chain:N", scale=dashes),
            tooltip=["chain:N", "draw:Q", alt.Tooltip("value:Q", format=FORMAT)],
        )
    )


def envelope(draws: NDArray, bins: int) -> NDArray[np.intp]:
    """Indices of the lowest and the highest draw of every bin, in the order of the run.

    Parameters
    ----------
    draws
        One chain, shape (draw,).
    bins
        How many bins; with fewer than two draws a bin, all draws are kept.

    Returns
    -------
    numpy.ndarray
        Sorted indices, at most ``2 * bins``.

    Examples
    --------
    >>> envelope(np.array([0.0, 5.0, 1.0, 2.0, -3.0, 2.5]), 2)
    array([0, 1, 4, 5])
    """
    if len(draws) <= 2 * bins:
        return np.arange(len(draws))
    parts = np.array_split(np.arange(len(draws)), bins)
    safe = np.where(np.isfinite(draws), draws, np.nanmedian(draws))
    return np.unique(
        [index for part in parts for index in (part[safe[part].argmin()], part[safe[part].argmax()])]
    )


def _agreement(fit: DataTree, scalar: Scalar) -> str:
    value = r_hat(fit, scalar)
    if not value < 1.01:
        return f"The chains do not agree on {scalar.label}: R-hat {value:.3f}, above 1.01"
    return f"The chains agree: R-hat of {scalar.label}, the first drawn, is {value:.3f}"
