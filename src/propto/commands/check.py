"""``propto check``: read a table, and say what was understood."""

from __future__ import annotations

import argparse
import sys
import textwrap
from typing import Any

from propto.pooling.checks import Check, check_table
from propto.pooling.tables import Table, read_table
from propto.pooling.tables.cells import escaped


def check(arguments: argparse.Namespace) -> int:
    """Print what was read, and what about it makes pooling doubtful."""
    table = read(arguments)
    tell(table)
    doubts = check_table(table.estimate, table.std_error, label=table.label)
    for doubt in doubts:
        print(_item(doubt))
    found = f"{len(doubts)} doubt{'s' * (len(doubts) > 1)}" if doubts else "no doubts"
    groups = f"{len(table.label):,} group{'s' * (len(table.label) > 1)}"
    print(f"{table.source}: {groups}, {found}; ready for `propto fit`")
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
    return read_table(
        arguments.table,
        estimate=arguments.estimate,
        std_error=arguments.std_error,
        label=arguments.label,
        log=arguments.log,
        level=arguments.level,
        **columns,
    )


def tell(table: Table, *notes: str) -> None:
    """Say on stderr what was guessed and what looks doubtful."""
    for note in (*table.notes, *notes):
        print(f"propto: {note}", file=sys.stderr)
    for warning in table.warnings:
        print(f"propto: warning: {warning}", file=sys.stderr)
