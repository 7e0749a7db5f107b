"""Makes grids of what is in memory already: columns, records, dataframes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from propto.pooling.tables.cells import shown
from propto.pooling.tables.grid import Grid, refusal


def grid_from_rows(name: str, rows: Sequence[Any], lines: Sequence[int] | None = None) -> Grid:
    """Make a grid of records; a column that a record lacks is empty there."""
    wrong = next((place for place, row in enumerate(rows) if not isinstance(row, Mapping)), None)
    if wrong is not None:
        mend = 'give records, {"label": "A", "estimate": 28, "se": 15}, or columns'
        raise refusal(name, f"row {wrong + 1} is not a record: {shown(str(rows[wrong]))}", mend)
    header = dict.fromkeys(key for row in rows for key in row)
    return grid_from_columns(name, [(key, [row.get(key) for row in rows]) for key in header], lines)


def grid_from_columns(
    name: str, columns: Iterable[tuple[Any, Any]], lines: Sequence[int] | None = None
) -> Grid:
    """Make a grid of columns, which must have one length."""
    named = [(str(key).strip(), cells) for key, cells in columns]
    for key, cells in named:
        if isinstance(cells, str) or not hasattr(cells, "__len__"):
            raise refusal(
                name, f"the column {shown(key)} is not a sequence", "give every column as a list or array"
            )
    if len({len(cells) for _, cells in named}) > 1:
        lengths = ", ".join(f"{shown(key)} {len(cells)}" for key, cells in named)
        raise refusal(
            name, f"the columns differ in length: {lengths}", "give every column one cell per group"
        )
    if not named or not len(named[0][1]):
        raise refusal(name, "there are no rows", "give one row per group")
    return Grid(name, tuple(key for key, _ in named), [cells for _, cells in named], lines)


def grid_from_frame(name: str, source: Any) -> Grid:
    """Make a grid of any dataframe that narwhals knows."""
    import narwhals as nw

    if nw.dependencies.is_pandas_dataframe(source):
        return grid_from_columns(name, _pandas_columns(source))
    try:
        frame = nw.from_native(source)
    except TypeError:
        kind = type(source).__name__
        raise refusal(
            name, f"an object of type {kind} is not a table", "give a file, a dataframe, or a dict of columns"
        ) from None
    frame = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    return grid_from_columns(name, [(column.name, _cells(column)) for column in frame.iter_columns()])


def _pandas_columns(frame: Any) -> Iterable[tuple[Any, Sequence[object]]]:
    """Give the columns of a pandas dataframe; first its index, if that is more than a row count."""
    import narwhals as nw

    if type(frame.index).__name__ != "RangeIndex":
        for level, name in enumerate(frame.index.names):
            yield "" if name is None else name, frame.index.get_level_values(level).tolist()
    for place, name in enumerate(frame.columns):  # by place, since names can stand twice
        yield name, _cells(nw.from_native(frame.iloc[:, place], series_only=True))


def _cells(column: Any) -> Sequence[object]:
    """Give a column as numbers where it is numeric and complete, else as a list."""
    numeric = column.dtype.is_numeric() and not column.dtype.is_decimal() and column.null_count() == 0
    cells: Sequence[object] = column.to_numpy() if numeric else column.to_list()
    return cells
