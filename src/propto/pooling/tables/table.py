"""The table of estimates with standard errors, as the pooling model takes it, and how it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from propto.errors import OptionError, TableError, TableProblem
from propto.pooling.tables.cells import shown
from propto.pooling.tables.checks import doubts, meaning_problems, shape_problem
from propto.pooling.tables.columns import Chooser, Wanted
from propto.pooling.tables.extras import read_cluster, read_covariates, read_error_df
from propto.pooling.tables.rows import Rows, implied_error, read_rows
from propto.pooling.tables.sources import open_grid

_AS_IT_IS = "as it is"


@dataclass(frozen=True)
class ColumnUse:
    """The columns of the file that one column of the table comes from, and how.

    Parameters
    ----------
    names
        Names in the file: none for row numbers, two for an interval.
    how
        What was done with the numbers, such as ``"as it is"`` or ``"square root"``.
    """

    names: tuple[str, ...]
    how: str = _AS_IT_IS

    def __str__(self) -> str:
        names = ", ".join(shown(name) if name else "a column without a name" for name in self.names)
        return names if self.how == _AS_IT_IS else f"{self.how} of {names}" if names else self.how


@dataclass(frozen=True)
class Columns:
    """Which column of the file was taken for what."""

    estimate: ColumnUse
    std_error: ColumnUse
    label: ColumnUse

    def __str__(self) -> str:
        return f"estimate ← {self.estimate}, std_error ← {self.std_error}, label ← {self.label}"


@dataclass(frozen=True, eq=False)
class Table:
    """Estimates with their standard errors, one row for each of k groups.

    Parameters
    ----------
    label
        Names of the groups, k of them; not always distinct.
    estimate, std_error
        Finite numbers of shape (k,), in one unit; standard errors are positive.
    source
        Name of the file, or ``<stdin>``, ``<dataframe>``.
    columns
        Which column was taken for what, and how.
    notes
        What was guessed, in sentences.
    warnings
        What looks doubtful, in sentences.
    covariates
        Columns that may explain the effects, by their names in the file: finite numbers, or texts for
        categories, each of shape (k,). Only those asked for.
    cluster
        The cluster of each group, if it was asked for.
    error_df
        Degrees of freedom of each standard error, shape (k,), if they were asked for.
    """

    label: tuple[str, ...]
    estimate: np.ndarray
    std_error: np.ndarray
    source: str
    columns: Columns
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    covariates: Mapping[str, np.ndarray] = field(default_factory=dict)
    cluster: tuple[str, ...] | None = None
    error_df: np.ndarray | None = None


def read_table(
    source: Any,
    *,
    estimate: str | None = None,
    std_error: str | Sequence[str] | None = None,
    label: str | None = None,
    log: bool = False,
    level: float = 0.95,
    covariates: Sequence[str] = (),
    cluster: str | None = None,
    error_df: str | None = None,
) -> Table:
    r"""Read estimates with standard errors from a file, a dataframe or columns.

    Where the columns are not named they are guessed, and the guess is stated in ``notes``. Standard errors
    come from a column of them, from a variance v as sqrt(v), or from a central interval (l, u) as
    (u - l) / (2 z) with z the normal quantile of (1 + ``level``) / 2. With ``log`` the estimates are taken
    as log(e), and intervals as (log l, log u).

    Parameters
    ----------
    source
        A path (CSV, TSV, other delimited text, Excel, Parquet, JSON, JSON lines; also gzipped), ``"-"`` for
        standard input, a file object, a dataframe (pandas, Polars, PyArrow, ...), a mapping of columns, or
        a list of records.
    estimate, std_error, label
        Names of columns. ``std_error`` can name a variance column, or both limits of an interval:
        ``("lower", "upper")`` or ``"lower,upper"``.
    log
        Take logarithms: for ratios (odds, risks, hazards), whose intervals are symmetric on the log scale.
    level
        Probability of the interval, where one gives the standard errors; between 0 and 1.
    covariates
        Names of columns that may explain the effects. A column of numbers is read as numbers, one of
        texts as categories.
    cluster
        Name of the column that tells which groups belong together, such as the schools of a district.
    error_df
        Name of the column with the degrees of freedom of each standard error, 1 or more, where the errors
        are estimates themselves.

    Returns
    -------
    Table

    Raises
    ------
    TableError
        The source is no table, a column is missing or not certain, or cells cannot be used. It holds all
        problems, each with its line, column, cell and mend.
    OptionError
        ``level`` is not between 0 and 1, or ``std_error`` is not one or two names.
    MissingExtraError
        A Parquet file, and PyArrow is not installed.

    Examples
    --------
    >>> import io
    >>> table = read_table(io.StringIO("school;yi;vi\nA;28,5;225\nB;8,0;100\nC;-3,2;256\n"))
    >>> table.estimate, table.std_error
    (array([28.5,  8. , -3.2]), array([15., 10., 16.]))
    >>> print(table.notes[0])
    reading estimate ← "yi", std_error ← square root of "vi", label ← "school" (3 rows)

    References
    ----------
    Intervals of ratios: Cochrane Handbook for Systematic Reviews of Interventions, section 6.3.
    """
    if not 0 < level < 1:
        raise OptionError(
            f"level is {level!r}; it is the probability of an interval, between 0 and 1, such as 0.95"
        )
    if isinstance(covariates, str):
        raise OptionError(f"covariates is {covariates!r}; give a list of names, such as [{covariates!r}]")
    wanted = Wanted(estimate, _one_or_two(std_error), label, log, tuple(covariates), cluster, error_df)
    grid = open_grid(source, wanted.known)
    chooser = Chooser(grid, wanted)
    choice = chooser.choose()
    if choice is None:
        raise TableError(grid.name, _in_order([*chooser.problems, *grid.problems]))
    rows = read_rows(grid, choice, log)
    columns, clusters, degrees = read_covariates(rows), read_cluster(rows), read_error_df(rows)
    problems = [*meaning_problems(grid, choice, wanted, level), *grid.problems, *rows.problems]
    if not problems and choice.error_kind == "interval" and not log:
        problems = [problem for problem in [shape_problem(rows)] if problem]
    if problems:
        raise TableError(grid.name, _in_order(problems))
    return replace(_table(rows, log, level), covariates=columns, cluster=clusters, error_df=degrees)


def _one_or_two(std_error: str | Sequence[str] | None) -> str | tuple[str, str] | None:
    """Check that the error is one name, or the two names of an interval."""
    if std_error is None or isinstance(std_error, str):
        return std_error
    if len(std_error) != 2:
        raise OptionError(
            f"std_error is {std_error!r}; give one name, or the two names of an interval's limits"
        )
    return (std_error[0], std_error[1])


def _in_order(problems: Iterable[TableProblem]) -> list[TableProblem]:
    return sorted(problems, key=lambda problem: problem.line or 0)


def _table(rows: Rows, log: bool, level: float) -> Table:
    """Turn sound rows into estimates with standard errors."""
    grid, choice = rows.grid, rows.choice
    estimate = np.log(rows.values[0]) if log else rows.values[0]
    std_error = implied_error(choice.error_kind, rows.values[1:], level, log)
    columns = _columns(rows, log, level)
    count = "1 row" if len(rows.label) == 1 else f"{len(rows.label)} rows"
    notes = (f"reading {columns} ({count})", *grid.notes, *rows.notes)
    warnings = (*grid.warnings, *rows.warnings, *doubts(rows, estimate, std_error, log, level))
    return Table(rows.label, estimate, std_error, grid.name, columns, notes, warnings)


def _columns(rows: Rows, log: bool, level: float) -> Columns:
    """Say which columns were taken for what, and what was done with them."""
    choice, header = rows.choice, rows.grid.header
    how = {"variance": "square root", "interval": f"width of the {100 * level:g} % interval"}.get(
        choice.error_kind
    )
    if log and choice.error_kind == "interval":
        how = f"{how} on the log scale"
    return Columns(
        ColumnUse((header[choice.estimate],), "log" if log else _AS_IT_IS),
        ColumnUse(tuple(header[place] for place in choice.std_error), how or _AS_IT_IS),
        ColumnUse((), "row numbers") if choice.label is None else ColumnUse((header[choice.label],)),
    )
