"""What follows from fits with other effects, covariates or clusters, in sentences."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from propto.pooling.effects import (
    EffectsFit,
    Ladder,
    NormalEffects,
    Step,
    StudentTEffects,
    TwoNormals,
    UnimodalEffects,
)
from propto.pooling.effects.empirical import Estimate
from propto.pooling.phrases import called, number, probability, span
from propto.pooling.pooled import Summary
from propto.pooling.regression import Regression

MOST_COEFFICIENTS = 5
_LOW, _MEDIAN, _HIGH = 1, 3, 5  # places in Summary.levels
_NARROWER = 0.7  # share of the prior's sd, below which the table has told something
_SURE = 0.05  # chance of a false sign
_WORTH = 1.0  # of log score: less is not worth a word


def shape_row(fit: EffectsFit) -> tuple[str, Summary] | None:
    """What else the distribution of effects has, by a name that is understood without it; or None.

    Of a Student's t these are the degrees of freedom, not their inverse, which has the prior.
    """
    if fit.shape is None:
        return None
    if isinstance(fit.effects, StudentTEffects):
        # The mean of df does not exist where 1 / df can be next to 0.
        return "degrees of freedom", Summary(np.nan, np.nan, 1 / fit.shape.quantiles[::-1])
    if isinstance(fit.effects, TwoNormals):
        return "share of wide groups", fit.shape
    return "share without effect", fit.shape


def effects_findings(fit: EffectsFit) -> list[str]:
    """What the distribution of the effects is, as far as the table tells, and what it says of groups."""
    return [*_errors_finding(fit), *_shape_finding(fit), *_zero_finding(fit)]


def _errors_finding(fit: EffectsFit) -> list[str]:
    if fit.error_df is None:
        return []
    low, high = float(fit.error_df.min()), float(fit.error_df.max())
    df = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return [f"The standard errors count as estimates themselves, with {df} degrees of freedom."]


def _shape_finding(fit: EffectsFit) -> list[str]:
    """What the table says of the shape; what is given is said too."""
    found = fit.estimate_of_effects
    if found is not None:
        return _estimated_findings(fit, found)
    row = shape_row(fit)
    if row is None:
        return [] if isinstance(fit.effects, NormalEffects) else [f"Effects follow {fit.effects}, as given."]
    q = row[1].quantiles
    told = f"{number(q[_MEDIAN], q[_MEDIAN])} (90 % interval {_range(q)})"
    if isinstance(fit.effects, StudentTEffects):
        said = f"Effects around their mean have {told} degrees of freedom"
    elif isinstance(fit.effects, TwoNormals):
        said = f"A share of {told} of the groups spreads {fit.effects.ratio:g} times as wide as the rest"
    else:
        said = f"A share of {told} of the groups has no effect at all"
    return [f"{said}{'' if _learnt(fit) else '; the table tells hardly more of this than its prior'}."]


def _estimated_findings(fit: EffectsFit, found: Estimate) -> list[str]:
    """That the distribution is an estimate, and what that leaves out; what it says of signs."""
    new, few = fit.new_group, float(fit.new_group.sd) or float(fit.std_error.min())
    mean, sd = (number(float(value), few) for value in (new.mean, new.sd))
    least, most = (number(float(end), few) for end in (found.mean.min(), found.mean.max()))
    what = f"{found.weight.size} points from {least} to {most}"
    signs = "Signs rest on where these points lie."
    if isinstance(fit.effects, UnimodalEffects):
        there = float(found.weight[found.sd == 0].sum())
        what = f"unimodal about {number(found.mode, few)}, with a share of {there:.2f} exactly there"
        sure = f"{int(np.sum(fit.lfsr <= _SURE))} of {len(fit.label):,}"
        signs = f"The sign of {sure} effects is sure (false with probability at most {_SURE:g})."
    if new.sd == 0:
        signs = "All effects are then the same: the table shows no differences, but there may be some."
    return [
        f"The distribution of effects is estimated and then taken as known: {what}; mean {mean}, sd {sd}.",
        f"So mu and tau have no intervals, and those of groups are too narrow where groups are few. {signs}",
    ]


def _learnt(fit: EffectsFit) -> bool:
    """Whether the posterior of the shape is clearly narrower than its uniform prior."""
    if fit.shape is None or fit.effects.shape_range is None:
        return False
    low, high = fit.effects.shape_range
    return bool(fit.shape.sd < _NARROWER * (high - low) / math.sqrt(12))


def _range(q: np.ndarray) -> str:
    """The 90 % interval of a positive quantity; of one that goes far, each end with two digits."""
    if q[_HIGH] > 10 * q[_MEDIAN]:
        return f"{number(q[_LOW], q[_LOW])} to {number(q[_HIGH], q[_HIGH])}"
    return span(q[_LOW], q[_HIGH], q[_MEDIAN])


def _zero_finding(fit: EffectsFit) -> list[str]:
    """Which group surely has an effect, and which surely has none."""
    if not fit.effects.has_spike:
        return []
    least, most = int(np.argmin(fit.prob_zero)), int(np.argmax(fit.prob_zero))
    first, last = (probability(float(fit.prob_zero[j])) for j in (least, most))
    return [
        f"{called(fit.label[least])} has no effect with probability {first}, the lowest; "
        f"{called(fit.label[most])} with {last}, the highest."
    ]


def ladder_findings(ladder: Ladder) -> list[str]:
    """Which distribution of effects foretells the groups best, and how far the estimates move."""
    return [score_finding(ladder), move_finding(ladder)] if ladder.steps else []


def score_text(step: Step) -> str:
    """The gain in log score with its standard error.

    Examples
    --------
    >>> from propto.pooling.effects import compare_effects
    >>> score_text(compare_effects([0.1, -0.2, 0.0, 0.2, 3.0], [0.3] * 5, effects=["t(2)"]).steps[0])
    '+2.82 +- 0.69'
    """
    if not np.isfinite(step.gain):
        return "-"
    error = step.gain_error
    gain = number(step.gain, max(error, 0.1))
    return f"{'' if gain.startswith('-') else '+'}{gain} +- {number(error, max(error, 0.1))}"


def score_finding(ladder: Ladder) -> str:
    """Which distribution foretells each group best from the others."""
    if not np.isfinite(ladder.steps[0].gain):
        return "One group alone cannot be foretold from others, so no distribution of effects is the better."
    best = max(ladder.steps, key=lambda step: step.gain)
    which = f"{best.fit.effects} ({score_text(best)} in log score)"
    if best.clear and best.gain > _WORTH:
        return f"Of the distributions of effects {which} foretells each group from the others best."
    if all(step.clear and step.gain < -_WORTH for step in ladder.steps):
        return "Normal effects foretell each group from the others best."
    return (
        "No distribution of effects foretells the groups clearly better than the normal; nearest comes "
        f"{which}."
    )


def move_finding(ladder: Ladder) -> str:
    """Which group moves most, and under which distribution."""
    step = max(ladder.steps, key=lambda step: float(np.abs(step.moved_sd).max()))
    j = int(np.argmax(np.abs(step.moved_sd)))
    if abs(step.moved_sd[j]) < 0.1:
        return "Under no distribution of effects does a group move by a tenth of its sd."
    sd = float(ladder.normal.theta.sd[j])
    before, after = (number(float(fit.theta.mean[j]), sd) for fit in (ladder.normal, step.fit))
    return (
        f"Under {step.fit.effects} {called(ladder.normal.label[j])} moves most against normal effects: "
        f"{before} to {after} ({abs(float(step.moved_sd[j])):.1f} sd)."
    )


def regression_findings(fit: Regression) -> list[str]:
    """What the covariates and the clusters explain."""
    names = fit.coefficient_names[1 : MOST_COEFFICIENTS + 1]
    found = [_coefficient_finding(fit, i) for i in range(1, len(names) + 1)]
    left = len(fit.coefficient_names) - 1 - len(names)
    found += [f"{left} more coefficients stand in the table."] * (left > 0)
    rest = "Groups that are alike in the covariates still" if names else "Groups"
    q = fit.tau.quantiles
    tau = f"tau = {number(q[_MEDIAN], q[_MEDIAN])} (90 % interval {span(q[_LOW], q[_HIGH], q[_MEDIAN])})"
    return [*found, f"{rest} differ by {tau}." if fit.between is None else _cluster_finding(fit)]


def _coefficient_finding(fit: Regression, i: int) -> str:
    name, row = fit.coefficient_names[i], fit.coefficients.row(i)
    q, prob = row.quantiles, float(fit.prob_coefficient_positive[i])
    width = (q[_HIGH] - q[_LOW]) / 3.29
    told = f"{number(q[_MEDIAN], width)} (90 % interval {span(q[_LOW], q[_HIGH], width)})"
    what = f"{name} against the first category" if "=" in name else f"One unit more of {name}"
    side = f"above 0 with probability {probability(prob)}"
    return f"{what} changes the effect by {told}; {side}."


@dataclass(frozen=True)
class Components:
    """The variance of the effects by level.

    Parameters
    ----------
    within, between
        Posterior medians of tau and of the sd between clusters.
    share, low, high
        Posterior mean and 90 % interval of the share of the variance that lies between clusters.
    """

    within: float
    between: float
    share: float
    low: float
    high: float


def variance_components(fit: Regression) -> Components | None:
    """Split the variance of the effects between clusters and within them; None without clusters.

    Examples
    --------
    >>> from propto.pooling.regression import pool_regression
    >>> fit = pool_regression([1.0, 1.1, 5.0, 5.2], [0.1] * 4, cluster=["a", "a", "b", "b"])
    >>> variance_components(fit).share > 0.9
    True
    """
    if fit.between is None:
        return None
    nodes = fit.nodes
    share = nodes.between**2 / (nodes.between**2 + nodes.tau**2)
    order = np.argsort(share)
    below = np.cumsum(nodes.weight[order])
    low, high = np.interp([0.05, 0.95], below - 0.5 * nodes.weight[order], share[order])
    within, across = (float(summary.quantiles[_MEDIAN]) for summary in (fit.tau, fit.between))
    return Components(within, across, float(nodes.weight @ share), float(low), float(high))


def _cluster_finding(fit: Regression) -> str:
    parts = variance_components(fit)
    assert parts is not None  # asked only where there are clusters
    return (
        f"Clusters differ by {number(parts.between, parts.between)}, groups of one cluster by "
        f"{number(parts.within, parts.within)} (sd): {100 * parts.share:.0f} % of the variance "
        f"({100 * parts.low:.0f} to {100 * parts.high:.0f} %) lies between clusters."
    )
