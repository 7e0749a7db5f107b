"""``propto check``: read a table, and say what was understood."""

from __future__ import annotations

import argparse
import sys

from propto.pooling.tables import Table, read_table


def check(arguments: argparse.Namespace) -> int:
    """Print what was read."""
    table = read(arguments)
    tell(table)
    print(f"{table.source}: {len(table.label)} groups; ready for `propto fit`")
    return 0


def read(arguments: argparse.Namespace) -> Table:
    """The table that the arguments name."""
    return read_table(
        arguments.table,
        estimate=arguments.estimate,
        std_error=arguments.std_error,
        label=arguments.label,
        log=arguments.log,
        level=arguments.level,
    )


def tell(table: Table) -> None:
    """Say on stderr what was guessed and what looks doubtful."""
    for note in table.notes:
        print(f"propto: {note}", file=sys.stderr)
    for warning in table.warnings:
        print(f"propto: warning: {warning}", file=sys.stderr)
