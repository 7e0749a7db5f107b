"""``propto fit --by``: many tables of one file, each pooled on its own."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np

import propto
from propto.commands.check import columns_of
from propto.commands.fit import asked_of_exact, priors_of
from propto.commands.models import Model
from propto.commands.outputs import SCHEMA_VERSION, STDOUT, Outputs, write
from propto.commands.screen import bulleted
from propto.errors import OptionError
from propto.files import write_whole
from propto.policy import harmless_cell
from propto.pooling.many import Many, joined, pool_parts
from propto.pooling.many_files import read_pieces
from propto.pooling.phrases import number
from propto.pooling.plain import records

SHOWN = 10


def fit_many(arguments: argparse.Namespace) -> int:
    """Do what the command says; returns the exit code."""
    began = time.monotonic()
    outputs = _outputs(arguments)
    pieces = read_pieces(arguments.table, arguments.by, **columns_of(arguments))
    parts = pool_parts(pieces, arguments.by, **priors_of(arguments), shared_prior=arguments.shared_prior)
    many = joined(_kept(parts, outputs))
    if not arguments.quiet:
        for note in many.notes:
            print(f"propto: {note}", file=sys.stderr)
    if outputs.json:
        write(outputs.json, json.dumps(_document(many, arguments, time.monotonic() - began), indent=2) + "\n")
    if outputs.report:
        _write_report(many, outputs, arguments, time.monotonic() - began)
    if not outputs.takes_stdout:
        _show(many, outputs)
    return 0


def _write_report(many: Many, outputs: Outputs, arguments: argparse.Namespace, seconds: float) -> None:
    from propto.reporting import write_report

    source = "standard input" if arguments.table == STDOUT else Path(arguments.table).name
    run = {"file": source, "version": propto.__version__, "seconds": round(seconds, 3)}
    try:
        write_report(str(outputs.report), many=many, run=run, title=source, format=outputs.format)
    except OSError as error:
        raise OptionError(f"--report {outputs.report}: {error.strerror or error}") from error


def _outputs(arguments: argparse.Namespace) -> Outputs:
    """Where results go; options that many tables cannot serve are refused."""
    refused = {
        "--save": arguments.save,
        "--engine": arguments.engine not in (None, "exact"),
    }
    asked = [*asked_of_exact(arguments), *Model.of(arguments).options]
    for option in [*(option for option, given in refused.items() if given), *asked]:
        raise OptionError(f"{option} is for one table; leave it out, or leave out --by")
    outputs = Outputs.of(arguments)
    if outputs.beside and arguments.format is None:
        outputs = replace(outputs, report=None, beside=False)  # a page for many tables only where asked for
    outputs.check()
    return outputs


def _kept(parts: Iterator[Many], outputs: Outputs) -> list[Many]:
    """Write the groups of each part as it comes, and keep its tables only."""
    if outputs.csv is None:
        return [part.without_groups() for part in parts]
    if outputs.csv == STDOUT:
        return _write_groups(parts, sys.stdout)
    kept: list[Many] = []
    write_whole(Path(outputs.csv), lambda path: kept.extend(_to_file(parts, path)))
    return kept


def _to_file(parts: Iterator[Many], path: Path) -> list[Many]:
    with path.open("w", encoding="utf-8", newline="") as file:
        return _write_groups(parts, file)


def _write_groups(parts: Iterator[Many], file: TextIO) -> list[Many]:
    """One row a group; numbers that do not exist are empty."""
    writer = csv.writer(file, lineterminator="\n")
    kept: list[Many] = []
    for part in parts:
        columns = list(part.groups.values())
        if not kept:
            writer.writerow(map(harmless_cell, [part.by, *list(part.groups)[1:]]))
        writer.writerows(zip(*map(_cells, columns), strict=True))
        kept.append(part.without_groups())
    return kept


def _cells(column: np.ndarray) -> list[Any]:
    """The cells of a column, none of them a formula."""
    cells: list[Any] = column.tolist()
    return cells if column.dtype.kind in "biuf" else [harmless_cell(cell) for cell in cells]


def _document(many: Many, arguments: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """The JSON document; docs/json.md describes it."""
    run = {"version": propto.__version__, "seconds": round(seconds, 3)}
    return {"schema_version": SCHEMA_VERSION, **many.to_dict(), "source": arguments.table, "run": run}


def _show(many: Many, outputs: Outputs) -> None:
    """The findings, and the tables whose means are surest to differ from 0."""
    for sentence in many.findings():
        print(bulleted(sentence))
    size = np.abs(many.tables["mu_prob_positive"] - 0.5) + 1e-3 * np.abs(_z(many))
    order = np.argsort(-np.nan_to_num(size), kind="stable")[:SHOWN]
    print(f"\n{'table':<24} {'groups':>7} {'mean (mu)':>12} {'90 % interval':>22} {'P(>0)':>6}")
    for row in records({name: column[order] for name, column in many.tables.items()}):
        print(_line(row))
    left = len(many.tables["table"]) - len(order)
    if left:
        print(f"... and {left:,} more, less sure")
    print(f"\npriors: mu ~ {many.prior_mu}, tau ~ {many.prior_tau}")
    if outputs.report:
        print(f"report: {outputs.report}")
    elif not (outputs.csv or outputs.json):
        print("--csv FILE: every group; --json FILE: every table; --report FILE: a page")


def _z(many: Many) -> np.ndarray:
    """Means in units of their sds; NaN where there are none."""
    return many.tables["mu_mean"] / many.tables["mu_sd"]


def _line(row: dict[str, Any]) -> str:
    spread = (row["mu_q95"] - row["mu_q5"]) / 3 or 1.0
    name = "".join(c if c.isprintable() else "?" for c in str(row["table"]))
    name = name if len(name) <= 24 else f"{name[:23]}~"
    interval = f"{number(row['mu_q5'], spread)} .. {number(row['mu_q95'], spread)}"
    mean = number(row["mu_q50"] if row["mu_mean"] is None else row["mu_mean"], spread)
    return f"{name:<24} {row['groups']:>7,} {mean:>12} {interval:>22} {row['mu_prob_positive']:>6.2f}"
