"""The health of a fit: which variable is weak, did the energy move freely, where did it diverge?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from propto.charts.scalars import choose, draws_group, draws_of, is_fit
from propto.charts.theme import BLUE, FORMAT, GREY, VERMILLION, WIDTH, finish, frame, layer
from propto.errors import ChartError

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import DataTree

RHAT_LIMIT = 1.01
ESS_LIMIT = 400.0
ESS_TICKS = [round(step * 10.0**power) for power in range(9) for step in (1, 4)]
MOST_DOTS = 40
MOST_POINTS = 400


def rhat_ess(fit: DataTree | DataFrame) -> alt.ConcatChart:
    """Draw R-hat and the effective sample sizes of the variables against their limits.

    Parameters
    ----------
    fit
        A fit with a ``posterior`` group (dims chain, draw, ...), or the table that `summary` makes of it.

    Returns
    -------
    altair.ConcatChart
        Left R-hat with its limit 1.01; right the effective sample sizes of bulk and tail, on a logarithmic
        axis, with their limit 400. More than 40 variables: the worst 40.

    Raises
    ------
    ChartError
        If the argument is neither.
    """
    table = _by_distance(_summary_of(fit))
    worst, note = table.iloc[:MOST_DOTS], ""
    if len(table) > MOST_DOTS:
        note = f" Shown: the worst {MOST_DOTS} of {len(table):,} variables."
    return finish(
        alt.concat(_rhat_dots(worst), _ess_dots(worst), columns=2, spacing=24).resolve_scale(
            color="independent", shape="independent"
        ),
        _weakness(worst),
        f"Dashed rules: the limits, R-hat below 1.01 and effective sample size above 400.{note}",
        f"Dot plots of R-hat and effective sample size for {len(worst)} variables.",
    )


def _summary_of(fit: Any) -> DataFrame:
    from propto.diagnosis.summary import summary

    if is_fit(fit):
        draws_group(fit, "rhat_ess")
        return summary(fit)
    if not {"r_hat", "ess_bulk", "ess_tail"} <= set(getattr(fit, "columns", ())):
        raise ChartError(f"charts.rhat_ess draws a fit or its summary; got {type(fit).__name__}.")
    return fit


def _by_distance(table: DataFrame) -> DataFrame:
    """The worst first: by how far R-hat or an effective size is on the wrong side of its limit."""
    size = np.fmin(table["ess_bulk"], table["ess_tail"])
    distance = np.maximum((table["r_hat"] - 1) / (RHAT_LIMIT - 1), ESS_LIMIT / np.maximum(size, 1e-9))
    return table.iloc[np.argsort(-np.nan_to_num(distance, nan=np.inf), kind="stable")]


def _weakness(table: DataFrame) -> str:
    values = np.nan_to_num(table["r_hat"], nan=np.inf)
    size = np.nan_to_num(np.minimum(table["ess_bulk"], table["ess_tail"]), nan=0.0)
    i, j = int(np.argmax(values)), int(np.argmin(size))
    if not values[i] < RHAT_LIMIT:
        return f"R-hat of {table.index[i]} is {values[i]:.3f}, above its limit of 1.01"
    if size[j] < ESS_LIMIT:
        return f"{table.index[j]} has an effective sample size of {size[j]:.0f}, below 400"
    return f"All within limits: R-hat at most {values[i]:.3f}, effective sample size at least {size[j]:,.0f}"


def _base(rows: DataFrame, labels: list[str]) -> alt.Chart:
    y = alt.Y("variable:N", sort=None, title=None).scale(domain=labels)
    return alt.Chart(rows, width=WIDTH // 2 - 60, height=20 * len(labels) + 8).encode(y=y)


def _limit(value: float) -> alt.Chart:
    return (
        alt.Chart(frame(limit=[value]))
        .mark_rule(color=GREY, strokeDash=[6, 4], strokeWidth=1.5)
        .encode(x="limit:Q")
    )


def _rhat_dots(table: DataFrame) -> alt.LayerChart:
    labels, values = list(table.index), table["r_hat"].to_numpy()
    state = ["within", "beyond"]
    rows = frame(variable=labels, rhat=values, state=np.where(values < RHAT_LIMIT, *state))
    x = alt.X("rhat:Q", title="R-hat").scale(nice=False, zero=False, padding=10)
    dots = _base(rows, labels).mark_point(filled=True, size=52, opacity=1)
    return layer(
        _limit(RHAT_LIMIT),
        dots.encode(
            x=x,
            color=alt.Color("state:N", legend=None).scale(domain=state, range=[BLUE, VERMILLION]),
            shape=alt.Shape("state:N", legend=None).scale(domain=state, range=["circle", "cross"]),
            tooltip=["variable:N", alt.Tooltip("rhat:Q", format=".4f")],
        ),
    )


def _ess_dots(table: DataFrame) -> alt.LayerChart:
    labels, kinds = list(table.index), ["bulk", "tail"]
    size = np.maximum(table[["ess_bulk", "ess_tail"]].to_numpy(), 1.0)
    rows = frame(variable=np.repeat(labels, 2), kind=kinds * len(labels), ess=size.ravel())
    x = alt.X("ess:Q", title="effective sample size").axis(values=ESS_TICKS, format="~s")
    dots = _base(rows, labels).mark_point(size=52, opacity=1, strokeWidth=2)
    return layer(
        _limit(ESS_LIMIT),
        dots.encode(
            x=x.scale(type="log", nice=False, padding=12),
            color=alt.Color("kind:N", title=None)
            .scale(domain=kinds, range=[BLUE, VERMILLION])
            .legend(orient="top"),
            shape=alt.Shape("kind:N", title=None).scale(domain=kinds, range=["circle", "triangle-up"]),
            tooltip=["variable:N", "kind:N", alt.Tooltip("ess:Q", format=",.0f")],
        ),
    )


def energy(fit: DataTree) -> alt.LayerChart:
    """Draw the energy of the run and the steps it took: did the sampler reach the tails?

    Parameters
    ----------
    fit
        A fit of a Hamiltonian sampler (``sample_stats`` with ``energy``, dims chain and draw).

    Returns
    -------
    altair.LayerChart
        Two histograms on one axis: energy minus its mean, and the change of energy from draw to draw.

    Raises
    ------
    ChartError
        If the fit has no energy (a sampler without gradients).

    Notes
    -----
    Betancourt (2017), "A conceptual introduction to Hamiltonian Monte Carlo", section 6.1.
    """
    from propto.diagnosis.estimators import ebfmi

    draws_group(fit, "energy")
    values = _stat(fit, "energy", "energy")
    level, steps = values - values.mean(axis=1, keepdims=True), np.diff(values, axis=1)
    ends = np.histogram_bin_edges(np.concatenate([level.ravel(), steps.ravel()]), bins=50)
    lowest = float(np.min(ebfmi(values)))
    kinds = {"energy": (level, BLUE), "change from draw to draw": (steps, VERMILLION)}
    layers = [_outline(kind, draws.ravel(), ends) for kind, (draws, _) in kinds.items()]
    colour = alt.Scale(domain=list(kinds), range=[colour for _, colour in kinds.values()])
    dash = alt.Scale(domain=list(kinds), range=[[1, 0], [5, 3]])
    return finish(
        layer(*layers).encode(
            color=alt.Color("kind:N", title=None, scale=colour).legend(orient="top"),
            strokeDash=alt.StrokeDash("kind:N", title=None, scale=dash),
        ),
        f"The energy moved {'freely' if lowest >= 0.3 else 'too slowly'}: E-BFMI {lowest:.2f} (limit 0.3)",
        "When the steps are much narrower than the energy itself, the tails are hardly reached.",
        "Two histograms, of the energy and of its steps.",
    )


def _outline(kind: str, draws: NDArray, ends: NDArray) -> alt.Chart:
    mass = np.histogram(draws, bins=ends)[0] / draws.size
    rows = frame(energy=np.repeat(ends, 2)[1:-1], share=np.repeat(mass, 2), kind=[kind] * (2 * len(mass)))
    y = alt.Y("share:Q", axis=alt.Axis(labels=False, ticks=False, grid=False, title=None, domain=False))
    return (
        alt.Chart(rows, width=WIDTH, height=180)
        .mark_line(strokeWidth=1.75)
        .encode(x=alt.X("energy:Q", title="energy, from its mean").scale(nice=False), y=y)
    )


def divergences(fit: DataTree, x: str, y: str) -> alt.LayerChart:
    """Draw two elements against each other with the divergent transitions on top.

    Parameters
    ----------
    fit
        A fit of a Hamiltonian sampler (``sample_stats`` with ``diverging``).
    x, y
        Names of two elements, such as ``"theta[A]"`` and ``"tau"``.

    Returns
    -------
    altair.LayerChart
        At most 400 evenly spaced draws as dots and at most 400 divergent ones as crosses.

    Raises
    ------
    ChartError
        If the fit records no divergences or has no such elements.
    """
    scalars, _ = choose(fit, [x, y], "divergences", 2)
    columns = [draws_of(fit, scalar).ravel() for scalar in scalars[:2]]
    divergent = _stat(fit, "diverging", "divergences").ravel().astype(bool)
    layers = [_points(x, y, columns, _thin(~divergent), "draw", BLUE, "circle", 0.35)]
    if divergent.any():
        layers.append(_points(x, y, columns, _thin(divergent), "divergent", VERMILLION, "cross", 0.95))
    count = int(divergent.sum())
    return finish(
        layer(*layers),
        f"{count:,} of {divergent.size:,} transitions diverged"
        if count
        else f"No transition of {divergent.size:,} diverged",
        "Crosses: divergent transitions. Where they gather, the sampler could not follow the posterior.",
        f"Scatter plot of {x} and {y} with divergent transitions marked.",
    )


def _thin(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    index = np.flatnonzero(mask)
    return index[:: max(1, -(-len(index) // MOST_POINTS))]


def _points(
    x: str, y: str, columns: list[NDArray], index: NDArray, kind: str, colour: str, shape: str, opacity: float
) -> alt.Chart:
    rows = frame(x=columns[0][index], y=columns[1][index])
    return (
        alt.Chart(rows, width=WIDTH, height=WIDTH * 5 // 8)
        .mark_point(filled=True, color=colour, shape=shape, opacity=opacity, size=22)
        .encode(
            x=alt.X("x:Q", title=x).scale(zero=False),
            y=alt.Y("y:Q", title=y).scale(zero=False),
            tooltip=[alt.Tooltip("x:Q", format=FORMAT), alt.Tooltip("y:Q", format=FORMAT)],
            description=alt.value(kind),
        )
    )


def _stat(fit: DataTree, name: str, chart: str) -> NDArray:
    draws_group(fit, chart)
    stats = fit.children.get("sample_stats")
    if stats is None or name not in stats:
        raise ChartError(
            f"charts.{chart} needs sample_stats['{name}'], which only Hamiltonian samplers record."
        )
    return stats[name].transpose("chain", "draw").values
