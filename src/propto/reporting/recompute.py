"""What a page needs to recompute an analysis: the table, the posterior on its grid, ranks and thresholds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from propto.charts.summaries import HIGH90, LOW90
from propto.charts.theme import unique
from propto.pooling.analysis import Analysis
from propto.pooling.plain import plain
from propto.reporting.live import live

_MARGIN = 0.1  # as in the engine: a moment nearer to the edge of existence is not given
_STEPS = 100


def facts(analysis: Analysis) -> dict[str, Any] | None:
    """Give plain values for the page, or None where it recomputes nothing.

    Parameters
    ----------
    analysis
        What was found.
    """
    pooled, influence = analysis.pooled, analysis.influence
    usable = influence is not None and bool(np.isfinite(influence.mu_low).all())
    weight = np.abs(np.nan_to_num(influence.mu_shift)) if influence is not None and usable else np.zeros(0)
    grid = live(pooled, np.argsort(-weight, kind="stable").tolist())
    if grid is None:
        return None
    size = len(pooled.label)
    return {
        "labels": unique(pooled.label.tolist()),
        "estimate": plain(pooled.estimate),
        "error": plain(pooled.std_error),
        "grid": grid.to_dict(),
        "threshold": _threshold(analysis),
        "exists": [_moments(pooled, size), _moments(pooled, size - 1)],
        "ranks": _ranks(analysis),
    }


def _threshold(analysis: Analysis) -> dict[str, float]:
    """A range of round numbers around all effects, and the threshold to start with."""
    start = 0.0 if analysis.threshold is None else analysis.threshold
    q = analysis.pooled.theta.quantiles
    low, high = min(float(q[:, LOW90].min()), start), max(float(q[:, HIGH90].max()), start)
    width = (high - low) or 1.0
    rough = width / _STEPS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    return {
        "start": start,
        "low": float(f"{math.floor(low / step) * step:.9g}"),
        "high": float(f"{math.ceil(high / step) * step:.9g}"),
        "step": float(f"{step:.3g}"),
    }


def _moments(pooled: Any, size: int) -> dict[str, int]:
    """How many moments mu, and tau and a new group, have in a table of so many groups."""
    on_mu, on_tau = pooled.prior_mu.tail_index, pooled.prior_tau.tail_index
    limits = {"mu": size + on_tau + on_mu, "tau": size + on_tau + min(on_mu, 0.0)}
    return {name: sum(limit >= order + _MARGIN for order in (1, 2)) for name, limit in limits.items()}


def _ranks(analysis: Analysis) -> dict[str, Any] | None:
    part = analysis.ranks
    if part is None:
        return None
    return plain({"best": np.round(part.prob_best, 5), "low": part.low, "high": part.high})
