"""The report's sentences: the answer in plain language, and the verdict in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from propto.charts.numbers import bound, number, probability, span, typeset
from propto.charts.summaries import HIGH90, LOW90, MEDIAN, called, centre_text, ninety
from propto.pooling.analysis import Analysis
from propto.reporting.sections import Draws

VERDICTS = {
    "pass": ("✓", "Passed", "The draws passed every check."),
    "caution": ("!", "Use with care", "The draws can be used, with the reservations below."),
    "fail": ("✕", "Failed", "Do not rely on these draws: they did not pass the checks below."),
    "exact": ("=", "Exact", "Computed by numerical integration, without any sampling."),
}


def answer(analysis: Analysis) -> list[str]:
    """Say what a pooled result means, with no digit beyond its error, and whether it hangs on the priors."""
    pooled = analysis.pooled
    said = [sentence for part in (_average, _spread, _moved, _best, _ahead) if (sentence := part(pooled))]
    warning = analysis.sensitivity.findings() if analysis.sensitivity.depends else []
    return [*said, *map(typeset, warning)]


def asked(analysis: Analysis) -> list[str]:
    """The findings of what the reader asked for."""
    wanted = ("exceedance", "rope", "ledger", "regret", "grades", "calibration", "bias", "subsets")
    parts = [getattr(analysis, name) for name in wanted]
    found = [sentence for part in parts if part is not None for sentence in part.findings()]
    return [typeset(sentence) for sentence in found]


def _average(pooled: Any) -> str:
    count = len(pooled.estimate)
    groups = "the one group" if count == 1 else f"the {count:,} groups"
    return f"The average effect behind {groups} is {centre_text(pooled.mu)} ({ninety(pooled.mu)})."


def _spread(pooled: Any) -> str:
    half = float(pooled.tau.quantiles[MEDIAN])
    low, high = float(pooled.tau.quantiles[LOW90]), float(pooled.tau.quantiles[HIGH90])
    text = (
        f"True effects differ between groups with a standard deviation that is as likely below as above "
        f"{number(half, half)} ({ninety(pooled.tau)})"
    )
    return f"{text}; it may well be close to 0." if low < 0.1 * high else f"{text}."


def _moved(pooled: Any) -> str:
    share = 100 * float(np.median(pooled.shrinkage))
    j = int(np.argmax(np.abs(pooled.estimate - pooled.theta.mean)))
    before = number(pooled.estimate[j], pooled.std_error[j])
    after = number(pooled.theta.mean[j], pooled.theta.sd[j])
    return (
        f"Reports are pulled towards the average, a typical one by {share:.0f} %; "
        f"{called(pooled, j)} moves most, from {before} to {after}."
    )


def _best(pooled: Any) -> str:
    if len(pooled.estimate) < 2:
        return ""
    j = int(np.argmax(pooled.theta.mean))
    sd, q = float(pooled.theta.sd[j]), pooled.theta.quantiles[j]
    return (
        f"{called(pooled, j)} has the highest pooled mean, {number(pooled.theta.mean[j], sd)} "
        f"(90 % interval {span(q[LOW90], q[HIGH90], sd)}); the probability that its effect is above 0 is "
        f"{probability(float(pooled.prob_positive[j]))}, given this model and these priors."
    )


def _ahead(pooled: Any) -> str:
    return (
        f"A group that is not in the table would have an effect of about {centre_text(pooled.new_group)} "
        f"({ninety(pooled.new_group)})."
    )


def described(draws: Draws) -> list[str]:
    """Say what a general fit holds: how much there is, its first variable, and the least well known one."""
    table, (chains, size) = draws.summary, draws.sizes
    first, few = table.iloc[0], table["ess_bulk"].fillna(0.0)
    sd, error = float(first["sd"]), float(first["mcse_mean"])
    mean = number(float(first["mean"]), error if error > 0 else sd, 1)
    warning = ["The draws failed their checks, so these numbers may be wrong."] if draws.failed else []
    return [
        *warning,
        f"{chains:,} chains of {size:,} draws describe {len(table):,} variables.",
        f"{table.index[0]} has mean {mean} (90 % interval {span(first['q5'], first['q95'], sd)}).",
        f"The least well known mean, of {few.idxmin()}, rests on about {few.min():,.0f} independent draws.",
    ]


def findings(pooled: Any, draws: Draws | None) -> list[str]:
    """What stands beside the verdict: the first reasons, and how exact the exact numbers are."""
    reasons = [] if draws is None else [str(reason.message) for reason in draws.verdict.reasons]
    found = reasons[:3]
    if len(reasons) > 3:
        found.append(f"… and {len(reasons) - 3} more, listed below.")
    if pooled is not None:
        error = f"relative error below {bound(float(pooled.error_bound))}"
        found.append(f"All numbers on groups, average and spread are computed exactly ({error}).")
    return found


def badges(draws: Draws | None) -> list[tuple[str, str]]:
    """The numbers that the verdict rests on, with their names."""
    if draws is None:
        return []
    table, diverging = draws.summary, draws.stat("diverging")
    r_hat, size = table["r_hat"].to_numpy(), table[["ess_bulk", "ess_tail"]].to_numpy()
    found = [("largest R-hat", f"{r_hat.max():.3f}"), ("smallest ESS", f"{size.min():,.0f}")]
    if diverging is not None:
        found.append(("divergent transitions", f"{int(diverging.sum()):,}"))
    return [(name, "unknown" if value == "nan" else value) for name, value in found]
