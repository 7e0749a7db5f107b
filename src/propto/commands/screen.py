"""What ``propto fit`` prints: a verdict, a table that fits 80 columns, and where the report is."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.text import Text

from propto.commands.grids import WIDTH, one_line, tables

if TYPE_CHECKING:
    from propto.commands.result import Result

STYLES = {"pass": "bold green", "caution": "bold yellow", "fail": "bold red"}
REASONS = 5
# What stands for a sign that the terminal's encoding does not have.
ASCII = str.maketrans({"─": "-", "●": "o", "·": ".", "±": "+/-", "…": "~", "│": "|", "←": "<-", "²": "2"})


def show(result: Result, report: str | None, *, colour: bool) -> None:
    """Print the result to standard output."""
    console = Console(
        no_color=not colour or None,
        highlight=False,
        markup=False,
        emoji=False,
        width=None if sys.stdout.isatty() else WIDTH,
    )
    parts = [
        _verdict(result),
        *tables(result),
        _findings(result),
        _facts(result, report),
    ]
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


def _findings(result: Result) -> Text:
    """What follows, in sentences."""
    doubts = [f"Check the table: {doubt.found}" for doubt in result.checks]
    if doubts:
        doubts[-1] += " `propto check` says why it matters and what to do."
    return Text("\n" + "\n".join(bulleted(one_line(text)) for text in [*doubts, *result.findings()]))


def bulleted(sentence: str) -> str:
    """A sentence as an item of a list that fits the screen."""
    whole = sentence.replace(" %", "\xa0%")  # a number stays beside its sign
    return textwrap.fill(whole, WIDTH, initial_indent="- ", subsequent_indent="  ").replace("\xa0", " ")


def _facts(result: Result, report: str | None) -> Text:
    """Priors, evidence, the gap between the engines, and where the report is."""
    lines = _priors(result)
    if result.pooled is not None and np.isfinite(result.pooled.log_evidence):
        lines.append(f"log evidence: {round(result.pooled.log_evidence, 3) + 0.0:.3f}")
    if result.agreement is not None:
        lines.append(
            f"largest gap between the engines: {result.agreement.max_gap_mcse:.2f} MCSE, "
            f"in the {one_line(result.agreement.quantity)}"
        )
    if report is not None:
        lines.append(f"report: {report}")
    return Text("\n" + "\n".join(lines))


def _priors(result: Result) -> list[str]:
    """One line, and one for the coefficients and clusters."""
    priors = result.priors()
    lines = [f"priors: mu ~ {priors['mu']}, tau ~ {priors['tau']}"]
    beta = set(priors.get("beta", {}).values())
    more = [f"coefficients ~ {' or '.join(sorted(beta))}"] if beta else []
    more += [f"sd between clusters ~ {priors['between']}"] if priors.get("between") else []
    return [*lines, f"        {', '.join(more)}"] if more else lines
