"""Reads a user's table of estimates with standard errors, from any source, and says what it took for what."""

from propto.pooling.tables.table import Columns, ColumnUse, Table, read_table

__all__ = ["ColumnUse", "Columns", "Table", "read_table"]
