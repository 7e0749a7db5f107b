"""``propto check``: read a table, and say what was understood."""

from __future__ import annotations

import argparse
import sys
import textwrap
from typing import Any

import numpy as np

from propto.commands.models import Model
from propto.commands.screen import bulleted
from propto.errors import OptionError
from propto.policy import harmless_lines
from propto.pooling.checks import Check, check_table
from propto.pooling.many_files import read_pieces
from propto.pooling.phrases import groups
from propto.pooling.regression.design import Design, coefficient_priors
from propto.pooling.tables import Table, read_table
from propto.pooling.tables.cells import escaped
from propto.pooling.tables.matrix import read_covariance

SHOWN = 10  # tables with doubts that are named


def check(arguments: argparse.Namespace) -> int:
    """Print what was read, and what about it makes pooling doubtful."""
    if arguments.by is not None:
        return _check_many(arguments)
    model = Model.of(arguments)
    table = read(arguments, **model.columns)
    notes = () if model.covariance is None else read_covariance(model.covariance, table)[1]
    tell(table, *notes)
    design = Design.of(table.covariates, len(table.label), {})
    design.check_rank(coefficient_priors(design.names, None, None))
    doubts = check_table(table.estimate, table.std_error, label=table.label)
    for doubt in doubts:
        print(_item(doubt))
    found = f"{len(doubts)} doubt{'s' * (len(doubts) > 1)}" if doubts else "no doubts"
    print(f"{table.source}: {groups(len(table.label))}{_structure(table)}, {found}; ready for `propto fit`")
    return 0


def _structure(table: Table) -> str:
    """How many covariates and clusters were read."""
    covariates, clusters = len(table.covariates), len(set(table.cluster or ()))
    parts = [f", {covariates} covariate{'s' * (covariates > 1)}"] if covariates else []
    parts += [f", {clusters:,} cluster{'s' * (clusters > 1)}"] if clusters else []
    return "".join(parts)


def _check_many(arguments: argparse.Namespace) -> int:
    """Read a file of many tables, and list those that are doubtful."""
    asked = Model.of(arguments).options
    if asked:
        raise OptionError(f"{asked[0]} is for one table; leave it out, or leave out --by")
    pieces = read_pieces(arguments.table, arguments.by, **columns_of(arguments))
    count = doubtful = 0
    for place, piece in enumerate(pieces):
        for note in () if place else piece.notes:
            print(f"propto: {note}", file=sys.stderr)
        ends = np.cumsum(piece.tables.size)[:-1]
        columns = (piece.tables.estimate, np.sqrt(piece.tables.variance), piece.label)
        for name, estimate, error, label in zip(
            piece.names, *(np.split(column, ends) for column in columns), strict=True
        ):
            doubts = check_table(estimate, error, label=label.tolist())
            count, doubtful = count + 1, doubtful + bool(doubts)
            if doubts and doubtful <= SHOWN:
                print("\n".join(bulleted(escaped(f"{name}: {doubt.found}", 1000)) for doubt in doubts))
    if doubtful > SHOWN:
        print(f"... and doubts about {doubtful - SHOWN:,} more tables")
    tables = f"{count:,} table{'s' * (count > 1)}"
    print(
        f"{arguments.table}: {tables}, {doubtful:,} with doubts; ready for `propto fit --by {arguments.by}`"
    )
    return 0


def _item(doubt: Check) -> str:
    """A doubt in three paragraphs: what was found, why it matters, what to do."""
    lines = [("- ", doubt.found), ("  why: ", doubt.why), ("  mend: ", doubt.mend)]
    texts = (
        textwrap.fill(escaped(text, 1000), 80, initial_indent=start, subsequent_indent="    ")
        for start, text in lines
    )
    return "\n".join(texts)


def read(arguments: argparse.Namespace, **columns: Any) -> Table:
    """The table that the arguments name, with further columns as `read_table` takes them."""
    return read_table(arguments.table, **columns_of(arguments), **columns)


def columns_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The columns that the arguments name, as `read_table` takes them."""
    return {name: getattr(arguments, name) for name in ("estimate", "std_error", "label", "log", "level")}


def tell(table: Table, *notes: str) -> None:
    """Say on stderr what was guessed and what looks doubtful."""
    for note in (*table.notes, *notes):
        print(f"propto: {harmless_lines(note)}", file=sys.stderr)
    for warning in table.warnings:
        print(f"propto: warning: {harmless_lines(warning)}", file=sys.stderr)
