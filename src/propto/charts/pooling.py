"""The whole of a pooled result: the average effect, the spread between groups, and what the spread does."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from propto.charts.halfeye import half_eye
from propto.charts.numbers import number
from propto.charts.summaries import MEDIAN, called, centre, centre_text, ninety, require_pooled
from propto.charts.theme import (
    BLUE,
    FORMAT,
    PICKED,
    VERMILLION,
    WIDTH,
    emphasis,
    extremes,
    finish,
    frame,
    layer,
    records,
    unique,
)

MOST_LABELLED = 20


def mu_tau(pooled: Any) -> alt.ConcatChart:
    """Draw the posterior of the average effect and of the spread between groups, with their priors.

    Parameters
    ----------
    pooled
        A pooled result of the exact engine (it must know its posterior densities).

    Returns
    -------
    altair.ConcatChart
        Two half-eyes: exact posterior density, prior density dashed (an improper one is left out), 50 % and
        90 % interval, median. The density of tau starts at 0 and nothing leaks below it.

    Raises
    ------
    ChartError
        If the argument is not a pooled result with exact densities.
    """
    require_pooled(pooled, "mu_tau", "density_mu", "density_tau")
    size = WIDTH // 2 - 34
    mu = half_eye("average effect μ", pooled.mu.quantiles, pooled.density_mu, pooled.prior_mu, size)
    tau = half_eye(
        "spread between groups τ", pooled.tau.quantiles, pooled.density_tau, pooled.prior_tau, size, lower=0.0
    )
    return finish(
        alt.concat(mu, tau, columns=2, spacing=24),
        f"Average effect {centre_text(pooled.mu)} ({ninety(pooled.mu)}); spread between groups "
        f"{centre_text(pooled.tau)} ({ninety(pooled.tau)})",
        "Filled: posterior. Dashed: prior. Dot: median; lines: 50 % and 90 % intervals.",
        "Two density plots, of the average effect and of the spread between groups.",
    )


def shrinkage_against_tau(pooled: Any) -> alt.VConcatChart:
    """Draw every group's pooled mean as the spread between groups tau goes from 0 upwards.

    Parameters
    ----------
    pooled
        A pooled result of the exact engine (``conditional_theta`` and ``density_tau``).

    Returns
    -------
    altair.VConcatChart
        Above: E[theta_j | tau] for every group (more than 60: the 20 highest and the 20 lowest); below: how
        probable each tau is. The dashed rule marks the median of tau in both.

    Raises
    ------
    ChartError
        If the argument is not a pooled result with exact densities.
    """
    require_pooled(pooled, "shrinkage_against_tau", "conditional_theta", "density_tau")
    shown, note = extremes(pooled.estimate)
    top = float(pooled.tau.quantiles[-1]) or float(np.median(pooled.std_error))
    tau = np.linspace(0.0, top, 40)
    lines = _tau_lines(pooled, shown, tau)
    density = pooled.density_tau(np.linspace(0.0, top, 120))
    area = alt.Chart(frame(tau=np.linspace(0.0, top, 120), density=density), width=WIDTH, height=80)
    below = area.mark_area(color=BLUE, opacity=0.3, line={"color": BLUE}).encode(
        x=alt.X("tau:Q", title="spread between groups τ").scale(domain=[0, top], nice=False),
        y=alt.Y("density:Q", title="density", axis=alt.Axis(ticks=False, labels=False, grid=False)),
    )
    rule = alt.Chart(alt.NamedData("median")).mark_rule(color=VERMILLION, strokeDash=[6, 4], clip=True)
    above = layer(*lines, rule.encode(x="tau:Q"))
    return finish(
        alt.vconcat(above, layer(below, rule.encode(x="tau:Q")), spacing=14)
        .add_params(PICKED)
        .properties(datasets={"median": records(tau=[float(pooled.tau.quantiles[MEDIAN])])}),
        _pull(pooled),
        f"Above: pooled means if τ were known. Below: how probable each τ is. Dashed: its median.{note}",
        f"Line chart of the pooled means against the spread between groups, over its density.{note}",
    )


def _tau_lines(pooled: Any, shown: NDArray[np.intp], tau: NDArray) -> list[alt.Chart]:
    mean = np.asarray(pooled.conditional_theta(tau)[0])[:, shown]
    labels = unique(pooled.label, shown)
    rows = frame(group=np.repeat(labels, len(tau)), tau=np.tile(tau, len(shown)), mean=mean.T.ravel())
    x = alt.X("tau:Q", title=None).scale(domain=[0, float(tau[-1])], nice=False)
    lines = alt.Chart(rows, width=WIDTH, height=300).mark_line(color=BLUE, strokeWidth=1.4)
    y = alt.Y("mean:Q", title="pooled mean, given τ").scale(zero=False)
    facts = ["group:N", alt.Tooltip("tau:Q", format=FORMAT), alt.Tooltip("mean:Q", format=FORMAT)]
    drawn = [lines.encode(x=x, y=y, detail="group:N", opacity=emphasis(0.8), tooltip=facts)]
    return drawn if len(shown) > MOST_LABELLED else [*drawn, _ends(labels, float(tau[-1]), mean[-1])]


def _ends(labels: list[str], tau: float, last: NDArray) -> alt.Chart:
    """Labels at the right end of the lines, moved apart so that none hides another."""
    order = np.argsort(last, kind="stable")
    gap = 0.045 * (float(np.ptp(last)) or 1.0)
    height = last[order].astype(float)
    for i in range(1, len(height)):
        height[i] = max(height[i], height[i - 1] + gap)
    height -= (height - last[order]).mean()
    short = [labels[j] if len(labels[j]) <= 12 else labels[j][:11] + "…" for j in order]
    rows = frame(group=[labels[j] for j in order], label=short, tau=[tau] * len(order), height=height)
    text = alt.Chart(rows).mark_text(align="left", dx=5, fontSize=11)
    return text.encode(x="tau:Q", y="height:Q", text="label:N", opacity=emphasis())


def _pull(pooled: Any) -> str:
    j = int(np.argmax(np.abs(pooled.estimate - centre(pooled.mu))))
    tau = float(pooled.tau.quantiles[MEDIAN])
    at = float(np.asarray(pooled.conditional_theta(np.array([tau]))[0])[0, j])
    error = float(pooled.theta.sd[j])
    return (
        f"The less groups differ, the closer all move together: at τ = {number(tau, tau)}, "
        f"{called(pooled, j)}’s {number(pooled.estimate[j], pooled.std_error[j])} becomes {number(at, error)}"
    )
