"""The section that compares the two engines: exact against sampled, in Monte Carlo standard errors."""

from __future__ import annotations

import numpy as np

from propto.charts.numbers import number
from propto.reporting.sections import Draws, Section, Table

LIMIT = 4.0
MOST = 20


def engines(draws: Draws) -> Section | None:
    """How far the sampled means lie from the exact ones."""
    rows = [] if draws.pooled is None else _gaps(draws)
    told = draws.told.get("max_gap_mcse")
    if not rows and told is None:
        return None
    largest = float(told) if told is not None else max(abs(gap) for *_, gap in rows)
    rows.sort(key=lambda row: -abs(row[-1]))
    cells = [_cells(*row) for row in rows[:MOST]]
    note = f"The {MOST} largest gaps of {len(rows):,}." if len(rows) > MOST else ""
    columns = ("quantity", "exact mean", "sampled mean", "MCSE", "gap in MCSE")
    reading = "The same model computed twice, by integration and by sampling."
    table = Table(columns, cells, note) if cells else None
    return Section("engines", "Two engines", _finding(draws, largest), reading, table=table)


def _finding(draws: Draws, largest: float) -> str:
    limit = float(draws.told.get("limit", LIMIT))
    what = f" ({draws.told['max_gap_of']})" if draws.told.get("max_gap_of") else ""
    gap = f"the largest gap is {largest:.1f} Monte Carlo standard errors{what}"
    if draws.failed:
        return f"{gap[0].upper()}{gap[1:]}, which says little about draws that failed their checks"
    return f"The two engines {'agree' if largest <= limit else 'do not agree'}: {gap}"


def _gaps(draws: Draws) -> list[tuple[str, float, float, float, float]]:
    """Name, exact mean, sampled mean, its error and the gap in such errors, where both engines know it."""
    pooled, table = draws.pooled, draws.summary
    theta = [str(name) for name in table.index if str(name).startswith("theta[")]
    exact = {"mu": float(pooled.mu.mean), "tau": float(pooled.tau.mean)}
    exact["new_group"] = float(pooled.new_group.mean)
    if len(theta) == len(pooled.theta.mean):
        exact |= dict(zip(theta, map(float, pooled.theta.mean), strict=True))
    rows = []
    for name, mean in exact.items():
        if np.isfinite(mean) and name in table.index and table["mcse_mean"][name] > 0:
            sampled, error = float(table["mean"][name]), float(table["mcse_mean"][name])
            rows.append((name, mean, sampled, error, (sampled - mean) / error))
    return rows


def _cells(name: str, exact: float, sampled: float, error: float, gap: float) -> tuple[str, ...]:
    return name, number(exact, error), number(sampled, error), number(error, error), number(gap, 1.0)
