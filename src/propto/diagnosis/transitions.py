"""Checks on what the sampler reported of its transitions: NaN, energy, acceptance and depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from propto.diagnosis import chains
from propto.diagnosis.estimators import MIN_DRAWS, ebfmi
from propto.diagnosis.reasons import Reason, digits, more, percent

Statistics = Mapping[str, npt.NDArray[Any]]
"""Statistics of the transitions by name, each with shape (chain, draw)."""

NAN_FAIL = 0.01
EBFMI_LIMIT = 0.3
EBFMI_CHAIN_LIMIT, EBFMI_DRAWS = 0.2, 200  # of one chain, and the draws it needs to show it
ACCEPTANCE_LIMIT = 0.1
DEPTH_LIMIT = 0.01


def reported(statistics: Statistics) -> list[Reason]:
    """All that the statistics of the transitions say by themselves."""
    checks = (_undefined, _nan_density, _energy, _acceptance, _depth, _unadjusted)
    return [reason for check in checks for reason in check(statistics)]


def _undefined(statistics: Statistics) -> list[Reason]:
    """A density or an energy that is no number: a NaN was taken for a value."""
    named = {name: statistics[name] for name in ("lp", "energy") if name in statistics}
    lost = {name: float((~np.isfinite(values)).mean()) for name, values in named.items()}
    return [
        Reason(
            "fail",
            None,
            name,
            share,
            0.0,
            f"{name} is NaN or infinite in {percent(share)} of the draws.",
            "Find the term of the density that is undefined there.",
        )
        for name, share in lost.items()
        if share > 0
    ]


def _nan_density(statistics: Statistics) -> list[Reason]:
    """A NaN met on the way counts as impossible, so a region may be missing."""
    share = float(np.mean(statistics.get("nan_density", 0.0)))
    if share == 0:
        return []
    return [
        Reason(
            "fail" if share >= NAN_FAIL else "caution",
            None,
            "nan_density",
            share,
            0.0,
            f"The density was NaN in {percent(share)} of the transitions; such points are rejected.",
            "Find the term that is undefined there: a region of the posterior may be missing from the draws.",
        )
    ]


def _energy(statistics: Statistics) -> list[Reason]:
    """E-BFMI of all chains together, and of the worst chain where they are long enough to tell."""
    energy = np.asarray(statistics.get("energy", np.empty((0, 0))), dtype=float)
    if energy.shape[1] < MIN_DRAWS or not np.isfinite(energy).all():
        return []
    change = (np.diff(energy, axis=1) ** 2).mean()
    pooled = float(np.nan_to_num(chains.ratio(change, energy.var(ddof=1))))
    if not pooled >= EBFMI_LIMIT:
        return [_slow_energy("", pooled, EBFMI_LIMIT)]
    each = np.nan_to_num(ebfmi(energy), nan=0.0)
    worst = int(np.argmin(each))
    if energy.shape[1] >= EBFMI_DRAWS and each[worst] < EBFMI_CHAIN_LIMIT:
        return [_slow_energy(f" of chain {worst}", float(each[worst]), EBFMI_CHAIN_LIMIT)]
    return []


def _slow_energy(whose: str, value: float, limit: float) -> Reason:
    moves = value > 0
    how = "moves too slowly to reach the tails" if moves else "never changes"
    return Reason(
        "caution" if moves else "fail",
        None,
        "ebfmi",
        value,
        limit,
        f"E-BFMI{whose} is {digits(value)}, the limit {limit}: the energy {how}.",
        "Rewrite the model so that its scales are even (non-centred), or give heavy tails a lighter prior.",
    )


def _acceptance(statistics: Statistics) -> list[Reason]:
    """A run that accepts hardly anything, or a chain that accepts far less than the others."""
    rate = np.asarray(statistics.get("acceptance_rate", np.empty((0, 0))), dtype=float)
    if rate.size == 0:
        return []
    each = rate.mean(axis=1)
    typical, worst = float(np.median(each)), int(np.argmin(each))
    if not typical >= ACCEPTANCE_LIMIT:
        remedy = "Lengthen the warm-up, so that it finds smaller steps."
        return [_rejects("The run", typical, ACCEPTANCE_LIMIT, remedy)]
    error = rate.std(axis=1).mean() / np.sqrt(rate.shape[1])
    if each[worst] >= typical / 2 or typical - each[worst] < 8 * error:
        return []
    who = f"Chain {worst}{more(int((each < typical / 2).sum()) - 1, 'chain')}"
    remedy = "It may be caught in a neck: look at its trace, or start it elsewhere."
    return [_rejects(who, float(each[worst]), typical / 2, remedy)]


def _rejects(who: str, value: float, limit: float, remedy: str) -> Reason:
    message = f"{who} accepts {percent(value)} of the proposals on average, the limit {percent(limit)}."
    return Reason("caution", None, "acceptance_rate", value, limit, message, remedy)


def _depth(statistics: Statistics) -> list[Reason]:
    """Trees that were cut short."""
    share = float(np.mean(statistics.get("reached_max_treedepth", 0.0)))
    if share < DEPTH_LIMIT:
        return []
    return [
        Reason(
            "caution",
            None,
            "reached_max_treedepth",
            share,
            DEPTH_LIMIT,
            f"{percent(share)} of the trees were cut at the depth limit, more than {percent(DEPTH_LIMIT)}.",
            "The draws are sound but costly: rescale or rewrite the model, or allow deeper trees.",
        )
    ]


def _unadjusted(statistics: Statistics) -> list[Reason]:
    """A sampler without acceptance step is biased; the variance v of its energy error tells by how much.

    For a Gaussian the variances are off by a share b with v = 4b³/(1 + b)² a dimension.
    """
    if "energy_error_variance" not in statistics:
        return []
    v = float(np.mean(statistics["energy_error_variance"]))
    bias = float(np.roots([4, -v, -2 * v, -v]).real.max())
    return [
        Reason(
            "caution",
            None,
            "energy_error_variance",
            v,
            0.0,
            f"The sampler accepts every step: variances may be off by about {percent(bias)}, however many "
            "the draws.",
            "For exact answers use one that accepts or refuses, as MAMS does.",
        )
    ]
