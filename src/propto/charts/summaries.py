"""Reading a pooled result: its summaries as single numbers and as words."""

from __future__ import annotations

from typing import Any

import numpy as np

from propto.charts.numbers import number, span
from propto.charts.theme import require

LOW90, LOW50, MEDIAN, HIGH50, HIGH90 = 1, 2, 3, 4, 5  # columns of Summary.quantiles
Z90 = 1.6448536269514722


def require_pooled(result: object, chart: str, *methods: str) -> None:
    """Refuse what is not a pooled result with these methods."""
    needs = ("label", "estimate", "std_error", "theta", "mu", "tau", "new_group", *methods)
    require(result, needs, chart, "a pooled result (of pool or pool_exact)")


def called(result: Any, j: int) -> str:
    """How a sentence names group j; a bare number reads as ``group 7``."""
    label = str(result.label[j])
    return f"group {label}" if label.isdigit() else label


def centre(summary: Any) -> float:
    """The mean, or the median where no mean exists."""
    return float(summary.mean) if np.isfinite(summary.mean) else float(summary.quantiles[MEDIAN])


def scale_of(summary: Any) -> float:
    """The sd, or what the 90 % interval makes of it where no sd exists."""
    return float(summary.sd) if np.isfinite(summary.sd) else _width(summary)


def ninety(summary: Any) -> str:
    """The 90 % interval in words."""
    return f"90 % interval {span(summary.quantiles[LOW90], summary.quantiles[HIGH90], scale_of(summary))}"


def centre_text(summary: Any) -> str:
    """The centre, with the digits that its spread allows."""
    return number(centre(summary), scale_of(summary))


def middle_text(summary: Any) -> str:
    """The median, with the digits that the 90 % interval allows."""
    return number(float(summary.quantiles[MEDIAN]), _width(summary))


def range_text(summary: Any) -> str:
    """The 90 % interval, with the digits that it allows."""
    return span(float(summary.quantiles[LOW90]), float(summary.quantiles[HIGH90]), _width(summary))


def _width(summary: Any) -> float:
    """The sd of a normal with this 90 % interval."""
    return float(summary.quantiles[HIGH90] - summary.quantiles[LOW90]) / (2 * Z90)
