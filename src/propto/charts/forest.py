"""The shrinkage forest: what did pooling do to each group?"""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from propto.charts.numbers import number
from propto.charts.summaries import HIGH50, HIGH90, LOW50, LOW90, called, centre, centre_text, require_pooled
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
    layer,
    records,
    unique,
    window,
)
from propto.errors import OptionError

Z50, Z90 = 0.6744897501960817, 1.6448536269514722
KINDS = ("reported", "pooled", "predicted")
NEW = "a new group"


def shrinkage_forest(pooled: Any, sort: str = "pooled") -> alt.LayerChart:
    """Draw every group's estimate as reported and as pooled, one above the other.

    Parameters
    ----------
    pooled
        A pooled result.
    sort
        Order of the rows: ``"pooled"`` (largest pooled mean first), ``"estimate"``, ``"std_error"``
        (smallest first) or ``"given"``.

    Returns
    -------
    altair.LayerChart
        Dots with 50 % (thick) and 90 % (thin) intervals, the posterior mean of mu as a dashed rule, and the
        prediction for a new group in the last row. More than 60 groups: the 20 highest and the 20 lowest.

    Raises
    ------
    ChartError
        If the argument is not a pooled result.
    OptionError
        If ``sort`` is none of these.
    """
    require_pooled(pooled, "shrinkage_forest")
    keys = {"pooled": -pooled.theta.mean, "estimate": -pooled.estimate, "std_error": pooled.std_error}
    if sort not in (*keys, "given"):
        raise OptionError(f"sort={sort!r} is not an order; expected one of {', '.join([*keys, 'given'])}.")
    shown, note = extremes(pooled.theta.mean)
    if sort in keys:
        shown = shown[np.argsort(keys[sort][shown], kind="stable")]
    return finish(
        _forest(pooled, shown),
        _mover(pooled),
        f"Thick: 50 % intervals; thin: 90 %. Dashed: the average effect, {centre_text(pooled.mu)}.{note}",
        f"Forest plot of {len(pooled.estimate):,} groups, as reported and as pooled, and a new group.{note}",
    )


def _forest(pooled: Any, shown: NDArray[np.intp]) -> alt.LayerChart:
    reported, pooled_rows = _reported(pooled, shown), _pooled(pooled, shown)
    labels = pooled_rows["group"]
    core = np.concatenate([reported["mid"], pooled_rows["mid"], pooled_rows["low90"], pooled_rows["high90"]])
    limits = window(core, [*reported["low90"], *reported["high90"]])
    kind = alt.Scale(domain=list(KINDS), range=[GREY, BLUE, GREEN])
    base = alt.Chart(width=WIDTH, height=30 * len(labels) + 10).encode(
        y=alt.Y("group:N", sort=None, title=None).scale(domain=labels, paddingInner=0.3),
        yOffset=alt.YOffset("lane:N", sort=None).scale(
            domain=["above", "below"], paddingInner=0, paddingOuter=0.2
        ),
        color=alt.Color("kind:N", title=None, scale=kind).legend(orient="top", direction="horizontal"),
        opacity=emphasis(),
        tooltip=["group:N", "kind:N"]
        + [alt.Tooltip(f"{name}:Q", format=FORMAT, title=title) for name, title in _FOREST_FACTS.items()],
    )
    mean = alt.Chart(alt.NamedData("centre")).mark_rule(color=VERMILLION, strokeDash=[6, 4], strokeWidth=1.5)
    marks = [mark for name in KINDS[:2] for mark in _marks(base.properties(data=alt.NamedData(name)), limits)]
    rows = {"reported": records(**reported), "pooled": records(**pooled_rows)}
    chart = layer(mean.encode(x="mu:Q"), *marks).add_params(PICKED)
    return chart.properties(datasets=rows | {"centre": records(mu=[centre(pooled.mu)])})


def _marks(base: alt.Chart, limits: list[float]) -> list[alt.Chart]:
    """Two intervals and a dot a row."""
    x = alt.X("mid:Q", title="effect").scale(domain=limits, nice=False, zero=False)
    shape = alt.Shape("kind:N", title=None).scale(domain=list(KINDS), range=["circle", "square", "diamond"])
    return [
        base.mark_rule(strokeWidth=1.25, clip=True).encode(x=alt.X("low90:Q"), x2="high90:Q"),
        base.mark_rule(strokeWidth=4, clip=True).encode(x=alt.X("low50:Q"), x2="high50:Q"),
        base.mark_point(size=54, filled=True, clip=True).encode(x=x, shape=shape),
    ]


_FOREST_FACTS = {
    "mid": "value",
    "low50": "50 % from",
    "high50": "50 % to",
    "low90": "90 % from",
    "high90": "90 % to",
}


def _reported(pooled: Any, shown: NDArray[np.intp]) -> dict[str, Any]:
    """One row a group: the estimate with its intervals."""
    ends = {"mid": 0.0, "low50": -Z50, "high50": Z50, "low90": -Z90, "high90": Z90}
    values = {name: pooled.estimate[shown] + z * pooled.std_error[shown] for name, z in ends.items()}
    return {**_rows(unique(pooled.label, shown), KINDS[0], "above"), **values}


def _pooled(pooled: Any, shown: NDArray[np.intp]) -> dict[str, Any]:
    """One row a group, and one for a group not yet seen: the posterior."""
    order = [LOW50, HIGH50, LOW90, HIGH90]
    theta = [pooled.theta.mean[shown], *pooled.theta.quantiles[shown][:, order].T]
    ahead = [centre(pooled.new_group), *np.asarray(pooled.new_group.quantiles)[order]]
    names = ("mid", "low50", "high50", "low90", "high90")
    labels = [*unique(pooled.label, shown), unique([*pooled.label, NEW])[-1]]
    rows = _rows(labels, KINDS[1], "below")
    rows["kind"][-1] = KINDS[2]
    return rows | {name: np.append(theta[i], ahead[i]) for i, name in enumerate(names)}


def _rows(labels: list[str], kind: str, lane: str) -> dict[str, Any]:
    return {"group": labels, "kind": [kind] * len(labels), "lane": [lane] * len(labels)}


def _mover(pooled: Any) -> str:
    """The group that moved most, from where to where, and why."""
    moved = np.abs(pooled.estimate - pooled.theta.mean)
    j = int(np.argmax(moved))
    error, tau = float(pooled.std_error[j]), centre(pooled.tau)
    if moved[j] < 0.1 * error:
        return "Pooling changes little: no group moves by more than a tenth of its standard error"
    path = f"{number(pooled.estimate[j], error)} → {number(pooled.theta.mean[j], pooled.theta.sd[j])}"
    since = f"its error ({number(error, error)}) exceeds the spread between groups (about {number(tau, tau)})"
    return f"{called(pooled, j)} moves most: {path}{f', since {since}' if error > tau else ''}"
