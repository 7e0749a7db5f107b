"""Rank plots: does every chain visit low, middle and high values equally often?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import altair as alt
import numpy as np
from numpy.typing import NDArray

from propto.charts.scalars import choose, chosen_chains, draws_of, worst
from propto.charts.theme import BLUE, GREY, PALE, VERMILLION, WIDTH, finish, frame, layer

if TYPE_CHECKING:
    from xarray import DataTree

RANK_BINS = 20
PANELS = 4


def rank_plot(fit: DataTree, var_names: Sequence[str] | None = None) -> alt.ConcatChart:
    """Draw how each chain's draws rank among those of all chains.

    Parameters
    ----------
    fit
        A fit with a ``posterior`` group (dims chain, draw, ...).
    var_names
        Variables or elements; by default the 4 with the worst R-hat.

    Returns
    -------
    altair.ConcatChart
        For every chain a histogram of ranks in 20 bins as the difference from an even share, over the band
        that holds 99 % of the bars of independent draws. More than 8 chains: the 8 farthest from the rest.

    Raises
    ------
    ChartError
        If the argument is no fit, or has no such variable.

    Notes
    -----
    Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), "Rank-normalization, folding, and localization",
    Bayesian Analysis 16(2), section 4.
    """
    scalars, note = choose(fit, var_names, "rank_plot", PANELS, by=worst)
    chains, chain_note = chosen_chains(fit, scalars)
    excess = [rank_excess(draws_of(fit, scalar)) for scalar in scalars]
    band = rank_band(draws_of(fit, scalars[0]).shape[1])
    panels = [
        _ranks(scalar.label, table[chains], chains, band)
        for scalar, table in zip(scalars, excess, strict=True)
    ]
    outside = float(np.mean([np.abs(table[chains]) > band for table in excess]))
    return finish(
        alt.concat(*panels, columns=2, spacing=24),
        _evenness(outside),
        f"Bars above 0: the chain has more draws of that rank than its share.{note}{chain_note}",
        f"Rank plots of {', '.join(scalar.label for scalar in scalars)} for {len(chains)} chains.",
    )


def _evenness(outside: float) -> str:
    share = f"{100 * outside:.0f} % of the bars leave the band"
    return f"Even ranks: {share}" if outside <= 0.05 else f"Uneven ranks: {share}, where 1 % would by chance"


def rank_excess(draws: NDArray) -> NDArray[np.floating]:
    """How many draws more than an even share each chain has in each of 20 bins of the pooled ranks.

    Parameters
    ----------
    draws
        Shape (chain, draw).

    Returns
    -------
    numpy.ndarray
        Relative excess, shape (chain, 20): 0 is an even share, 1 twice the share, -1 none.
    """
    chains, size = draws.shape
    order = np.argsort(draws, axis=None, kind="stable")
    bins = np.empty(draws.size, int)
    bins[order] = np.arange(draws.size) * RANK_BINS // draws.size
    cells = np.repeat(np.arange(chains), size) * RANK_BINS + bins
    counts = np.bincount(cells, minlength=chains * RANK_BINS).reshape(chains, RANK_BINS)
    return counts * RANK_BINS / size - 1.0


def rank_band(size: int) -> float:
    """Half-width of the relative band that holds 99 % of the bars of ``size`` independent draws."""
    return 2.5758293 * float(np.sqrt((RANK_BINS - 1) / size))


def _ranks(label: str, excess: NDArray, chains: NDArray[np.intp], band: float) -> alt.LayerChart:
    """One strip a chain; each strip is one unit high, so that all share one axis."""
    scale = 0.46 / max(1.3 * band, float(np.abs(excess).max()))
    size = len(chains)
    middle = -np.arange(size, dtype=float)
    belt = alt.Chart(frame(low=middle - scale * band, high=middle + scale * band)).mark_rect(
        color=PALE, opacity=0.5
    )
    zero = alt.Chart(frame(y=middle)).mark_rule(color=GREY, strokeWidth=0.75)
    names = "[" + ",".join(f"'{c + 1}'" for c in chains) + "]"
    axis = alt.Axis(
        values=middle.tolist(), labelExpr=f"{names}[-datum.value]", grid=False, ticks=False, domain=False
    )
    y = alt.Y("low:Q", title="chain", axis=axis).scale(domain=[0.5 - size, 0.5], nice=False, zero=False)
    layers = [
        belt.encode(y=y, y2="high:Q"),
        _rank_bars(label, excess, chains, band, scale),
        zero.encode(y="y:Q"),
    ]
    return layer(*layers).properties(width=WIDTH // 2 - 60, height=38 * size)


def _rank_bars(label: str, excess: NDArray, chains: NDArray[np.intp], band: float, scale: float) -> alt.Chart:
    size = len(chains)
    middle, bins = np.repeat(-np.arange(size, dtype=float), RANK_BINS), np.arange(RANK_BINS)
    states = ["inside", "outside the band"]
    rows = frame(
        chain=np.repeat([str(c + 1) for c in chains], RANK_BINS),
        low=np.tile(bins / RANK_BINS, size),
        high=np.tile((bins + 1) / RANK_BINS, size),
        foot=middle,
        top=middle + scale * excess.ravel(),
        excess=excess.ravel(),
        state=np.where(np.abs(excess) > band, *reversed(states)).ravel(),
    )
    return (
        alt.Chart(rows)
        .mark_rect(stroke=None)
        .encode(
            x=alt.X("low:Q", title=f"rank of {label}")
            .axis(format="%", values=[0, 0.5, 1], grid=False)
            .scale(domain=[0, 1]),
            x2="high:Q",
            y="foot:Q",
            y2="top:Q",
            color=alt.Color("state:N", legend=None).scale(domain=states, range=[BLUE, VERMILLION]),
            tooltip=[
                "chain:N",
                alt.Tooltip("low:Q", format="%"),
                alt.Tooltip("excess:Q", format="+.0%"),
                "state:N",
            ],
        )
    )
