"""Would another prior, or one group less, change the answer? Could the model have made the data?"""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np

from propto.charts.apart import apart, most
from propto.charts.numbers import number, typeset
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
    require,
    unique,
    window,
)
from propto.pooling.phrases import called

CURVE = 60


def prior_sensitivity(part: Any) -> alt.LayerChart:
    """Draw every group's pooled mean under the priors in use and under others.

    Parameters
    ----------
    part
        What `sensitivity` of a pooled result gives.

    Returns
    -------
    altair.LayerChart
        One row a group, one mark a choice of priors. More than 60 groups: the 40 that move most.

    Raises
    ------
    ChartError
        If the argument is no such part.
    """
    require(part, ("alternatives", "base", "shift"), "prior_sensitivity", "the sensitivity to priors")
    shown, note = most(part.shift, "move")
    shown = shown[np.argsort(-part.base[shown], kind="stable")]
    means = {"as used": part.base} | {
        str(other.prior_tau) + _on_mu(other, part): other.theta for other in part.alternatives
    }
    labels = unique(part.label, shown)
    return finish(
        apart(labels, {name: values[shown] for name, values in means.items()}, "prior"),
        _moved(part),
        f"One mark for each choice of priors; a short line means that the choice hardly matters.{note}",
        f"Dot plot of the pooled means of {len(labels)} groups under {len(means)} choices of priors.{note}",
    )


def _on_mu(other: Any, part: Any) -> str:
    """The prior on mu, named where it is what differs."""
    return f", μ {other.prior_mu}" if other.prior_mu != part.alternatives[0].prior_mu else ""


def _moved(part: Any) -> str:
    j = int(np.argmax(part.shift))
    values = [float(part.base[j]), *(float(other.theta[j]) for other in part.alternatives)]
    who, sd = called(part.label[j]), float(part.sd[j])
    most = f"{who} moves most, {number(min(values), sd)} to {number(max(values), sd)}"
    if float(part.shift[j]) < 0.05:
        most = "no group moves by a tenth of its sd"
    if part.depends:
        return f"The choice of priors matters; {most}"
    return f"No sign, order or decision depends on the priors; {most}"


def leave_one_out(part: Any, mu: float | None = None) -> alt.ConcatChart:
    """Draw the average effect and the spread as they would be without each group.

    Parameters
    ----------
    part
        What `influence` of a pooled result gives.
    mu
        Posterior mean of mu with all groups, to be marked.

    Returns
    -------
    altair.ConcatChart
        Left mu with its 90 % interval, right the median of tau, without the group of the row; dashed: with
        all groups. More than 60 groups: the 40 that change mu most.

    Raises
    ------
    ChartError
        If the argument is no such part.
    """
    require(part, ("mu_mean", "mu_low", "mu_high", "tau_median", "mu_shift"), "leave_one_out", "influences")
    weight = np.abs(np.nan_to_num(part.mu_shift))
    shown, note = most(weight, "change the average")
    shown = shown[np.argsort(-part.mu_shift[shown], kind="stable")]
    middle = np.where(np.isfinite(part.mu_mean), part.mu_mean, (part.mu_low + part.mu_high) / 2)
    rows = frame(
        group=unique(part.label, shown),
        mu=middle[shown],
        low=part.mu_low[shown],
        high=part.mu_high[shown],
        tau=part.tau_median[shown],
    )
    labels = list(rows["group"])
    # What all groups together give follows from any one of them and its change.
    j = int(np.argmax(weight))
    tau = float(part.tau_median[j] + part.tau_shift[j])
    base = alt.Chart(rows, width=WIDTH // 2 - 60, height=20 * len(labels) + 10).encode(
        y=alt.Y("group:N", sort=None, title=None).scale(domain=labels),
        opacity=emphasis(),
        tooltip=[
            "group:N",
            *(alt.Tooltip(f"{name}:Q", format=FORMAT) for name in ("mu", "low", "high", "tau")),
        ],
    )
    core = [*rows["mu"], *np.quantile([*rows["low"], *rows["high"]], [0.1, 0.9])]
    limits = window(core, [*rows["low"], *rows["high"]])
    x = alt.X("mu:Q", title="average effect μ without it").scale(domain=limits, nice=False, zero=False)
    left = layer(
        *_dashed(mu),
        base.mark_rule(color=BLUE, strokeWidth=1.25, clip=True).encode(x=alt.X("low:Q"), x2="high:Q"),
        base.mark_point(color=BLUE, filled=True, size=52).encode(x=x),
    )
    dots = base.mark_point(color=BLUE, filled=True, size=52)
    right = layer(
        *_dashed(tau),
        dots.encode(x=alt.X("tau:Q", title="spread τ (median) without it").scale(zero=False, padding=12)),
    )
    return finish(
        alt.concat(left, right, columns=2, spacing=24).add_params(PICKED),
        _driver(part, j),
        f"Each row is the whole table without that group. Dashed: with all groups.{note}",
        f"Dot plots of the average effect and the spread without each of {len(labels)} groups.{note}",
    )


def _dashed(value: float | None) -> list[alt.Chart]:
    """A rule, or none where there is nothing to mark."""
    if value is None or not np.isfinite(value):
        return []
    rule = alt.Chart(frame(value=[float(value)])).mark_rule(color=VERMILLION, strokeDash=[6, 4])
    return [rule.encode(x="value:Q")]


def _driver(part: Any, j: int) -> str:
    who, sd = called(part.label[j]), float(part.mu_high[j] - part.mu_low[j]) / 3.29
    middle = part.mu_mean[j] if np.isfinite(part.mu_mean[j]) else (part.mu_low[j] + part.mu_high[j]) / 2
    shift = abs(float(part.mu_shift[j]))
    change = f" ({shift:.1f} sd)" if np.isfinite(shift) else ""
    return f"Without {who}, the most influential, the average effect would be {number(middle, sd)}{change}"


def predictive_check(part: Any, estimate: Any) -> alt.LayerChart:
    """Draw the estimates among tables that the fitted model makes.

    Parameters
    ----------
    part
        What `predictive_check` of a pooled result gives.
    estimate
        The estimates of the table, shape (k,).

    Returns
    -------
    altair.LayerChart
        The distribution function of the data over those of 50 simulated tables.

    Raises
    ------
    ChartError
        If the argument is no such part.
    """
    require(part, ("replicates", "statistic", "p"), "predictive_check", "a predictive check")
    data = np.sort(np.asarray(estimate, float))
    place = np.unique(np.linspace(0, len(data) - 1, min(CURVE, len(data))).round().astype(int))
    share = (place + 0.5) / len(data)
    curves = part.replicates[:, place]
    count = len(curves)
    rows = frame(table=np.repeat(np.arange(count), len(place)), x=curves.ravel(), share=np.tile(share, count))
    limits = window([*data, *np.quantile(curves, [0.02, 0.98])], curves)
    x = alt.X("x:Q", title="estimate").scale(domain=limits, nice=False, zero=False)
    y = alt.Y("share:Q", title="share of groups below").scale(domain=[0, 1]).axis(format="%")
    thin = alt.Chart(rows, width=WIDTH, height=260).mark_line(
        color=GREY, strokeWidth=0.75, opacity=0.4, clip=True, interpolate="step-after"
    )
    bold = alt.Chart(frame(x=data[place], share=share)).mark_line(
        color=VERMILLION, strokeWidth=2.5, clip=True, interpolate="step-after"
    )
    return finish(
        layer(thin.encode(x=x, y=y, detail="table:N"), bold.encode(x="x:Q", y="share:Q")),
        typeset(part.findings()[0]).rstrip("."),
        f"Red: the estimates of the table, in order. Grey: {count} tables simulated from the fitted model.",
        f"Distribution functions of the data and of {count} simulated tables.",
    )
