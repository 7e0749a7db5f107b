"""Results as plain Python values for JSON, and as dataframes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas


def plain(value: Any) -> Any:
    """Give arrays and NumPy's numbers as Python's own; what is not finite becomes None.

    Examples
    --------
    >>> plain({"a": np.array([1.0, np.nan]), "b": np.bool_(True), "c": ("x", np.int64(3))})
    {'a': [1.0, None], 'b': True, 'c': ['x', 3]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def records(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give columns of one length as one record a row.

    Examples
    --------
    >>> records({"label": np.array(["A", "B"]), "x": np.array([1.0, np.nan])})
    [{'label': 'A', 'x': 1.0}, {'label': 'B', 'x': None}]
    """
    names = list(columns)
    rows = zip(*(plain(column) for column in columns.values()), strict=True)
    return [dict(zip(names, row, strict=True)) for row in rows]


def frame(columns: Mapping[str, Any]) -> pandas.DataFrame:
    """Give columns of one length as a pandas dataframe."""
    import pandas

    return pandas.DataFrame(dict(columns))


def _array(value: np.ndarray) -> Any:
    if value.dtype.kind != "f" or np.isfinite(value).all():
        return value.tolist()
    objects = value.astype(object)
    objects[~np.isfinite(value)] = None
    return objects.tolist()
