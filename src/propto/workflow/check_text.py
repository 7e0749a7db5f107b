"""The text of a dry run, at most 80 columns wide."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from propto.workflow.cost import DRAWS, Cost, in_bytes, in_seconds

if TYPE_CHECKING:
    from propto.workflow.check import DryRun, Part

WIDTH = 80


def text(found: DryRun) -> str:
    """All of it."""
    lines = [f"{_count(found.dim, 'number')} to sample", "", *_table(found), ""]
    facts = [_starts(found), _gradient(found), *_costs(found.cost)]
    lines += [line for fact in facts if fact for line in textwrap.wrap(fact, WIDTH, subsequent_indent="  ")]
    verdict = "nothing speaks against sampling" if found.is_fine else "do not sample this yet:"
    lines += ["", verdict]
    for problem in found.problems:
        for line in problem.splitlines():
            lines += textwrap.wrap(line, WIDTH, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines)


def _table(found: DryRun) -> list[str]:
    rows = [("", "axes", "where", "log density at starts")]
    rows += [(part.name, _axes(part), part.domain, _range(part.log_terms)) for part in found.parts]
    if found.log_densities:
        rows.append(("in all", "", "", _range(found.log_densities)))
    widths = [min(most, max(len(row[k]) for row in rows)) for k, most in enumerate((22, 20, 14))]
    cut = [[_cut(cell, width) for cell, width in zip(row, widths, strict=False)] + [row[3]] for row in rows]
    pads = [[cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)] for row in cut]
    return ["  ".join(cells).rstrip() for cells in pads]


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else cell[: width - 1] + "…"


def _axes(part: Part) -> str:
    own = [axis if not axis.startswith(f"{part.name}_dim_") else "" for axis in part.axes]
    return ", ".join(f"{axis} {n}".strip() for axis, n in zip(own, part.shape, strict=True))


def _range(terms: tuple[float, ...]) -> str:
    """The middle of some numbers, and how far they reach."""
    if not terms:
        return ""
    low, middle, high = (f"{x:.3g}" for x in np.quantile(terms, [0, 0.5, 1]))
    return middle if low == high else f"{middle} ({low} to {high})"


def _starts(found: DryRun) -> str:
    if found.undefined == 0:
        return "starts: the density is finite wherever it was tried"
    places = _count(found.undefined, "start point")
    told = f"; at the first of them {found.reason}" if found.reason else ""
    return f"starts: nothing can start at {places} tried first; others are drawn{told}"


def _gradient(found: DryRun) -> str:
    if found.cost is None:
        return ""
    if not found.slopes:
        return "gradient: none, so that pp.Metropolis() would draw"
    wrong = [slope.name for slope in found.slopes if slope.is_wrong]
    rough = [slope.name for slope in found.slopes if slope.is_rough]
    told = f"wrong for {', '.join(wrong)}" if wrong else "agrees with finite differences"
    left = f"; these are too rough to judge {', '.join(rough)} by" if rough else ""
    return f"gradient: {told}{left}"


def _costs(cost: Cost | None) -> list[str]:
    if cost is None:
        return []
    low, usual, high = map(in_seconds, cost.seconds)
    reach = "" if low == high else f" ({low} to {high})"
    return [
        f"one {cost.what}: {in_seconds(cost.single)} alone; {in_seconds(cost.batch)} for {cost.chains} "
        f"chains, {in_seconds(cost.batch / cost.chains)} each",
        f"memory of a run: {in_bytes(cost.bytes)}, of which data {in_bytes(cost.data_bytes)}, a {cost.what} "
        f"of all chains {in_bytes(cost.work_bytes)}, {DRAWS} draws of each {in_bytes(cost.draw_bytes)}",
        f"pp.sample: {usual}{reach} for {cost.evaluations[1]} evaluations of each chain, an estimate; "
        f"the engine's own work (0.1 s) and compiling (about {in_seconds(cost.compiling)}, once) come on top",
    ]


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
