"""What ``propto fit`` prints: a verdict, a table that fits 80 columns, and where the report is."""

from __future__ import annotations

import math
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

if TYPE_CHECKING:
    from propto.commands.fit import Result

WIDTH = 80
STYLES = {"pass": "bold green", "caution": "bold yellow", "fail": "bold red"}
# More groups than this are cut to the highest and the lowest.
ROWS = 40
BAR = 17
LABEL = 18
REASONS = 5
# What stands for a sign that the terminal's encoding does not have.
ASCII = str.maketrans({"─": "-", "●": "o", "·": ".", "±": "+/-", "…": "~", "│": "|", "←": "<-", "²": "2"})
Q5, Q95 = 1, 5  # places in Summary.levels


def show(result: Result, report: str | None, *, colour: bool) -> None:
    """Print the result to standard output."""
    console = Console(
        no_color=not colour or None,
        highlight=False,
        markup=False,
        emoji=False,
        width=None if sys.stdout.isatty() else WIDTH,
    )
    parts = [_verdict(result), _groups(result), _others(result), _findings(result), _facts(result, report)]
    with console.capture() as capture:
        for part in parts:
            console.print(part, soft_wrap=isinstance(part, Text))  # paths stay whole
    text = "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())
    print(text if _printable("─●·±…│←²") else text.translate(ASCII), end="")


def _printable(signs: str) -> bool:
    try:
        signs.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _verdict(result: Result) -> Text:
    """One line, and the reasons under it."""
    status = result.verdict.status
    text = Text.assemble((status.upper(), STYLES[status]), "  ", _headline(result), "\n")
    for reason in result.verdict.reasons[:REASONS]:
        text.append(
            textwrap.fill(
                f"{reason.message} {reason.remedy}",
                WIDTH - 6,
                initial_indent="  - ",
                subsequent_indent="    ",
            )
            + "\n"
        )
    left = len(result.verdict.reasons) - REASONS
    if left > 0:
        text.append(f"  - and {left} more\n")
    return text


def _headline(result: Result) -> str:
    if result.agreement is not None:
        gap = f"{result.agreement.max_gap_mcse:.1f} MCSE apart at most (limit {result.agreement.limit:.1f})"
        return f"Two engines, exact and MCMC: {gap}."
    if result.pooled is not None:
        return f"Exact integration, error below {result.pooled.error_bound:.0e}."
    return "By MCMC alone."


def _groups(result: Result) -> Grid:
    """The table of groups."""
    answer = result.answer
    number = _format(answer.theta.sd, np.concatenate([answer.estimate, answer.std_error]))
    low, high = answer.theta.quantiles[:, Q5], answer.theta.quantiles[:, Q95]
    axis = float(np.min(low, initial=np.inf)), float(np.max(high, initial=-np.inf))
    grid = Grid(box=None, padding=(0, 1), pad_edge=False, header_style="bold", show_edge=False)
    grid.add_column("group", max_width=LABEL, no_wrap=True, overflow="ellipsis")
    for heading in ("estimate ± error", "pooled", "90 % interval", "P(>0)"):
        grid.add_column(heading, justify="right", no_wrap=True)
    grid.add_column("", no_wrap=True)
    for j in _shown(answer.theta.mean):
        if j is None:
            grid.add_row("…", "", "", "", "", f"{len(answer.label) - 2 * (ROWS // 2):,} more")
            continue
        grid.add_row(
            _one_line(answer.label[j]),
            f"{number(answer.estimate[j])} ± {number(answer.std_error[j])}",
            number(answer.theta.mean[j]),
            f"{number(low[j])} .. {number(high[j])}",
            f"{answer.prob_positive[j]:.2f}",
            _bar(low[j], answer.theta.mean[j], high[j], axis),
        )
    return grid


def _others(result: Result) -> Grid:
    """Mu, tau and a new group."""
    answer = result.answer
    number = _format(np.array([answer.mu.sd, answer.tau.sd]), answer.mu.quantiles)
    grid = Grid(box=None, padding=(0, 1), pad_edge=False, header_style="bold", show_edge=False)
    grid.add_column("\nall groups")
    grid.add_column("\nmean", justify="right")
    grid.add_column("\n90 % interval", justify="right")
    rows = [
        ("mean (mu)", answer.mu),
        ("sd between groups (tau)", answer.tau),
        ("a new group", answer.new_group),
    ]
    for name, summary in rows:
        interval = f"{number(summary.quantiles[Q5])} .. {number(summary.quantiles[Q95])}"
        grid.add_row(name, number(summary.mean), interval)
    return grid


def _findings(result: Result) -> Text:
    """What follows, in sentences."""
    if result.analysis is None:
        return Text("")
    doubts = [f"Check the table: {doubt.found}" for doubt in result.analysis.checks]
    if doubts:
        doubts[-1] += " `propto check` says why it matters and what to do."
    return Text(
        "\n" + "\n".join(bulleted(_one_line(text)) for text in [*doubts, *result.analysis.findings()])
    )


def bulleted(sentence: str) -> str:
    """A sentence as an item of a list that fits the screen."""
    whole = sentence.replace(" %", "\xa0%")  # a number stays beside its sign
    return textwrap.fill(whole, WIDTH, initial_indent="- ", subsequent_indent="  ").replace("\xa0", " ")


def _facts(result: Result, report: str | None) -> Text:
    """Priors, evidence, the gap between the engines, and where the report is."""
    answer = result.answer
    lines = [f"priors: mu ~ {answer.prior_mu}, tau ~ {answer.prior_tau}"]
    if result.pooled is not None:
        lines.append(f"log evidence: {result.pooled.log_evidence:.3f}")
    if result.agreement is not None:
        lines.append(
            f"largest gap between the engines: {result.agreement.max_gap_mcse:.2f} MCSE, "
            f"in the {_one_line(result.agreement.quantity)}"
        )
    if report is not None:
        lines.append(f"report: {report}")
    return Text("\n" + "\n".join(lines))


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
    return lambda x: "-" if np.isnan(x) else f"{x:.{decimals}f}"


def _bar(low: float, mean: float, high: float, axis: tuple[float, float]) -> str:
    """The interval as a line with a dot at the mean, on the axis that all groups share; 0 is marked."""
    width = axis[1] - axis[0]
    if not (width > 0 and np.isfinite([low, high, width]).all()):
        return ""

    def place(x: float) -> int:
        return round((BAR - 1) * (x - axis[0]) / width)

    line = [" "] * BAR
    if axis[0] < 0 < axis[1]:
        line[place(0.0)] = "│"
    start, end = place(low), place(high)
    line[start : end + 1] = ["─"] * (end - start + 1)
    line[min(max(place(0.5 * (low + high) if np.isnan(mean) else mean), start), end)] = "●"
    return "".join(line)


def _one_line(text: str) -> str:
    """A label that cannot disturb the terminal."""
    return "".join(c if c.isprintable() else "�" for c in text)
