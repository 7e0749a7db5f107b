"""The tables that ``propto fit`` prints: groups, all groups together, covariates, other effects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.cells import cell_len
from rich.table import Table as Grid
from rich.text import Text

from propto.pooling import phrases
from propto.pooling.effects import EffectsFit, NormalEffects
from propto.pooling.findings import score_text
from propto.pooling.pooled import Summary
from propto.pooling.regression import Regression

if TYPE_CHECKING:
    from propto.commands.result import Result

WIDTH = 80
# More groups than this are cut to the highest and the lowest.
ROWS = 40
BAR = 17
LEAST_BAR = 7
LABEL = 18
LEAST_LABEL = 8
NAME = 30
Q5, MEDIAN, Q95 = 1, 3, 5  # places in Summary.levels


def tables(result: Result) -> list[Grid]:
    """All tables of a result, in their order."""
    answer = result.answer
    covariates = isinstance(answer, Regression) and len(answer.coefficient_names) > 1
    return [
        _groups(answer),
        _wholes(answer),
        *([_coefficients(answer)] if covariates else []),
        *_ladder(result),
    ]


def one_line(text: str) -> str:
    """A label that cannot disturb the terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _groups(answer: Any) -> Grid:
    """The table of groups, with bars as wide as there is room; with a spike P(= 0) in their place."""
    number = _format(answer.theta.sd, np.concatenate([answer.estimate, answer.std_error]))
    low, high = answer.theta.quantiles[:, Q5], answer.theta.quantiles[:, Q95]
    axis = float(np.min(low, initial=np.inf)), float(np.max(high, initial=-np.inf))
    shown = _shown(answer.theta.mean)
    rows = {j: _row(answer, j, number) for j in shown if j is not None}
    label, bar = _widths([_HEADINGS, *rows.values()])
    zero = answer.prob_zero if isinstance(answer, EffectsFit) and answer.effects.has_spike else None
    grid = _grid(*_HEADINGS, name=label)
    grid.add_column("" if zero is None else "P(=0)", no_wrap=True)
    for j in shown:
        if j is None:
            grid.add_row("…", "", "", "", "", f"{len(answer.label) - 2 * (ROWS // 2):,} more")
        elif zero is not None:
            grid.add_row(*rows[j], f"{zero[j]:.2f}")
        else:
            grid.add_row(*rows[j], _bar(low[j], answer.theta.mean[j], high[j], axis, bar))
    return grid


_HEADINGS = ("group", "estimate ± error", "pooled", "90 % interval", "P(>0)")


def _row(answer: Any, j: int, number: Any) -> tuple[str, ...]:
    """The cells of one group, without its bar."""
    q = answer.theta.quantiles[j]
    return (
        one_line(answer.label[j]),
        f"{number(answer.estimate[j])} ± {number(answer.std_error[j])}",
        number(answer.theta.mean[j]),
        f"{number(q[Q5])} .. {number(q[Q95])}",
        f"{answer.prob_positive[j]:.2f}",
    )


def _widths(rows: list[tuple[str, ...]]) -> tuple[int, int]:
    """Room for the labels and for the bars: numbers are never cut."""
    label, *numbers = (max(map(cell_len, column)) for column in zip(*rows, strict=True))
    room = WIDTH - sum(numbers) - 2 * (len(numbers) + 1)
    label = min(label, LABEL)
    if room - label < LEAST_BAR:
        return max(min(label, room + 2), LEAST_LABEL), 0
    return label, min(BAR, room - label)


def _wholes(answer: Any) -> Grid:
    """Mu, the scales and a new group."""
    scales = np.array([answer.mu.sd, answer.tau.sd])
    scales = scales if np.isfinite(scales).any() else np.array([answer.new_group.sd])
    number = _format(scales, answer.mu.quantiles)
    grid = _grid("\nall groups", "\nmean", "\n90 % interval", name=NAME)
    for name, summary in _named(answer):
        interval = f"{number(summary.quantiles[Q5])} .. {number(summary.quantiles[Q95])}"
        grid.add_row(name, number(summary.mean), interval)
    return grid


def _named(answer: Any) -> list[tuple[str, Summary]]:
    """What is said of all groups together, by name."""
    mean, spread, new = "mean (mu)", "sd between groups (tau)", "a new group"
    between = []
    if isinstance(answer, EffectsFit) and not isinstance(answer.effects, NormalEffects):
        estimated = answer.estimate_of_effects is not None
        mean = "mean without zeros (mu)" if answer.effects.has_spike and not estimated else mean
        spread = "sd of effects (tau)" if estimated else "scale of effects (tau)"
    if isinstance(answer, Regression):
        between = [] if answer.between is None else [("sd between clusters", answer.between)]
        if len(answer.coefficient_names) > 1:
            mean, new = "mean at average covariates", "a new group there"
    return [(mean, answer.mu), (spread, answer.tau), *between, (new, answer.new_group)]


def _coefficients(fit: Any) -> Grid:
    """What one unit more of each covariate does."""
    grid = _grid("\ncovariate", "\nchange", "\n90 % interval", "\nP(>0)", name=NAME)
    for i, name in enumerate(fit.coefficient_names[1:], 1):
        q, prob = fit.coefficients.quantiles[i], float(fit.prob_coefficient_positive[i])
        width = (q[Q95] - q[Q5]) / 3.29
        low, middle, high = (phrases.number(float(q[place]), width) for place in (Q5, MEDIAN, Q95))
        grid.add_row(one_line(name), middle, f"{low} .. {high}", f"{prob:.2f}")
    return grid


def _ladder(result: Result) -> list[Grid]:
    """How well each distribution of effects foretells the groups, and how far it moves them."""
    if result.ladder is None or not result.ladder.steps:
        return []
    grid = _grid("\neffects", "\nlog score", "\nmoves most", "\nby", name=NAME)
    grid.add_row("normal", "0", "", "")
    for step in result.ladder.steps:
        j = int(np.argmax(np.abs(step.moved_sd)))
        who = Text(one_line(phrases.called(step.fit.label[j])))
        who.truncate(LABEL, overflow="ellipsis")
        moved, score = (
            f"{round(float(step.moved_sd[j]), 2) + 0.0:+.2f} sd",
            score_text(step).replace("+-", "±"),
        )
        grid.add_row(str(step.fit.effects), score, who, moved)
    return [grid]


def _grid(first: str, *headings: str, name: int) -> Grid:
    """A table of numbers after a first column of names, which may be cut."""
    grid = Grid(box=None, padding=(0, 1), pad_edge=False, header_style="bold", show_edge=False)
    grid.add_column(first, max_width=name, no_wrap=True, overflow="ellipsis")
    for heading in headings:
        grid.add_column(heading, justify="right", no_wrap=True)
    return grid


def _shown(mean: np.ndarray) -> list[int | None]:
    """Which groups to print, in their own order; of many only the highest and lowest, None between them."""
    if len(mean) <= ROWS:
        return list(range(len(mean)))
    order = [int(j) for j in np.argsort(-mean)]
    half = ROWS // 2
    return [*order[:half], None, *order[-half:]]


def _format(scales: np.ndarray, values: np.ndarray) -> Any:
    """A formatter with the decimals that the errors support: two digits of the typical sd."""
    scale = float(np.nanmedian(scales)) if np.isfinite(scales).any() else 1.0
    decimals = 1 - math.floor(math.log10(scale)) if scale > 0 else 0
    largest = float(np.max(np.abs(values), initial=0.0))
    if decimals > 5 or largest >= 1e7:
        return lambda x: "-" if np.isnan(x) else f"{x:.3g}"
    decimals = max(0, decimals)
    return lambda x: "-" if np.isnan(x) else f"{round(float(x), decimals) + 0.0:.{decimals}f}"


def _bar(low: float, mean: float, high: float, axis: tuple[float, float], size: int) -> str:
    """The interval as a line with a dot at the mean, on the axis that all groups share; 0 is marked."""
    width = axis[1] - axis[0]
    if not (size > 0 and width > 0 and np.isfinite([low, high, width]).all()):
        return ""

    def place(x: float) -> int:
        return round((size - 1) * (x - axis[0]) / width)

    line = [" "] * size
    if axis[0] < 0 < axis[1]:
        line[place(0.0)] = "│"
    start, end = place(low), place(high)
    line[start : end + 1] = ["─"] * (end - start + 1)
    line[min(max(place(0.5 * (low + high) if np.isnan(mean) else mean), start), end)] = "●"
    return "".join(line)
