"""The matrices of a formula: response, columns of common terms, columns and groups of group terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from propto.errors import MissingExtraError, ModelError
from propto.formulas.text import GroupTerm, Parts

if TYPE_CHECKING:
    import pandas as pd

INTERCEPT = "Intercept"


@dataclass(frozen=True)
class Columns:
    """Named columns of a matrix."""

    names: tuple[str, ...]
    matrix: Float[np.ndarray, "row column"]

    def scales(self) -> np.ndarray:
        """Spread of every column; 1 for a constant one."""
        spread = self.matrix.std(axis=0)
        return np.where(spread > 0, spread, 1.0)


@dataclass(frozen=True)
class Grouped:
    """Columns whose coefficients differ from group to group."""

    term: GroupTerm
    columns: Columns
    index: Int[np.ndarray, " row"]
    labels: np.ndarray


@dataclass(frozen=True)
class Design:
    """All that a formula makes of a table; ``known`` is what stands behind the bar of the response."""

    response: Float[np.ndarray, " row"]
    known: Float[np.ndarray, " row"] | None
    common: Columns
    has_intercept: bool
    groups: tuple[Grouped, ...]


def make_design(parts: Parts, data: Any) -> Design:
    """Evaluate the parts of a formula on a table."""
    table = as_table(data)
    response = _one_column(parts.response, table, "the response")
    known = _one_column(parts.of, table, f"{parts.known}(...)") if parts.known else None
    whole = _columns(parts.common, table)
    keep = [i for i, name in enumerate(whole.names) if name != INTERCEPT]
    common = Columns(tuple(whole.names[i] for i in keep), whole.matrix[:, keep])
    constant = [
        name for name, spread in zip(common.names, common.matrix.std(axis=0), strict=True) if spread == 0
    ]
    if constant:
        raise ModelError(
            f"the column {constant[0]!r} has one value only: its coefficient cannot be told; drop it"
        )
    groups = tuple(_grouped(term, table) for term in parts.groups)
    return Design(response, known, common, INTERCEPT in whole.names, groups)


def as_table(data: Any) -> pd.DataFrame:
    """A pandas frame from a frame of any library, or from columns by name."""
    import narwhals.stable.v1 as nw
    import pandas as pd

    try:
        table = (
            pd.DataFrame(dict(data)) if isinstance(data, Mapping) else nw.from_native(data, eager_only=True)
        )
    except (TypeError, ValueError) as error:
        raise ModelError(f"data are a frame, or columns by name: {error}") from None
    table = table if isinstance(table, pd.DataFrame) else table.to_pandas()
    if len(table) == 0:
        raise ModelError("the table has no rows")
    return table.reset_index(drop=True)


def _columns(terms: str, table: pd.DataFrame) -> Columns:
    """The columns that terms stand for."""
    if find_spec("formulaic") is None:
        raise MissingExtraError("a formula", "formula")
    from formulaic import Formula

    try:
        matrix = Formula(terms).get_model_matrix(table, context={"np": np}, na_action="ignore")
        values = np.asarray(matrix, float)
    except Exception as error:  # of the parser, and of whatever the terms ask Python for
        raise ModelError(f"{terms!r}: {_first_line(error)}{_close(error, table)}") from None
    rows, places = np.nonzero(~np.isfinite(values))
    names = tuple(str(name) for name in matrix.columns)
    if len(rows):
        raise ModelError(
            f"row {int(rows[0])} of {names[places[0]]!r} is missing or not finite: leave such rows out, "
            "as with data.dropna()"
        )
    return Columns(names, values)


def _one_column(expression: str, table: pd.DataFrame, what: str) -> Float[np.ndarray, " row"]:
    if expression in table.columns and table[expression].dtype.kind not in "biuf":
        raise ModelError(
            f"{what}, {expression!r}, does not hold numbers; for two outcomes write ({expression} == 'yes')"
        )
    columns = _columns(
        f"{{{expression}}} - 1" if "(" in expression or "=" in expression else f"{expression} - 1", table
    )
    if len(columns.names) != 1:
        raise ModelError(
            f"{what}, {expression!r}, gives {len(columns.names)} columns, expected one of numbers"
        )
    return columns.matrix[:, 0]


def _grouped(term: GroupTerm, table: pd.DataFrame) -> Grouped:
    factors = [name.strip() for name in term.factor.split(":")]
    unknown = [name for name in factors if name not in table.columns]
    if unknown:
        raise ModelError(f"there is no column {unknown[0]!r} to group by{_close(unknown[0], table)}")
    if table[factors].isna().to_numpy().any():
        raise ModelError(f"a row has no group of {term.factor!r}: leave it out, or name its group")
    keys = table[factors].astype(str).agg(":".join, axis=1) if len(factors) > 1 else table[factors[0]]
    labels, index = np.unique(keys.to_numpy(), return_inverse=True)
    return Grouped(term, _columns(term.terms, table), index, labels)


def _first_line(error: Exception) -> str:
    """What the parser says, without colours."""
    import re

    lines = re.sub(r"\x1b\[[\d;]*m|[⧛⧚]", "", str(error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _close(error: Any, table: pd.DataFrame) -> str:
    """Which columns there are, where one was not found."""
    import difflib
    import re

    text = str(error)
    name = text if isinstance(error, str) else next(iter(re.findall(r"`([^`]+)` is not present", text)), None)
    if name is None:
        return ""
    close = difflib.get_close_matches(name, map(str, table.columns), 1)
    return (
        f"; did you mean {close[0]!r}?" if close else f"; the table has {', '.join(map(str, table.columns))}"
    )
