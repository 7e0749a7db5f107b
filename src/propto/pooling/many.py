"""Many tables in one call: every one solved exactly, all of them together in about a second."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from propto.errors import OptionError, TableError, TableProblem
from propto.pooling.batch import Batch, posteriors
from propto.pooling.display import findings_html
from propto.pooling.families import Flat, HalfNormal, MuPrior
from propto.pooling.many_files import Piece, files_of, read_pieces
from propto.pooling.phrases import number
from propto.pooling.plain import frame, plain, records
from propto.pooling.priors import TauPrior, parse_mu, parse_tau
from propto.pooling.shared import shared_ratio
from propto.pooling.stacked import TauPriors
from propto.run.cluster import Team

if TYPE_CHECKING:
    from pathlib import Path

    import pandas

Floats = NDArray[np.float64]

_SURE = 0.95
_CLOSE = 3e-3  # of quantiles of groups, whose Gauss rule is right to 1e-4


@dataclass(frozen=True, eq=False)
class Many:
    """The exact posteriors of many tables.

    Parameters
    ----------
    by
        The column that told the tables apart.
    tables
        One entry a table, in the order of first appearance: ``table`` (its name), ``groups`` (their
        number), ``mu_mean``, ``mu_sd``, ``mu_q5``, ``mu_q50``, ``mu_q95``, ``mu_prob_positive``,
        ``tau_mean``, ``tau_q5``, ``tau_q50``, ``tau_q95``, ``typical_error`` (root of the mean squared
        standard error), ``shrinkage`` (mean over the groups), ``log_evidence``, ``error_bound``. Moments
        that do not exist are NaN.
    groups
        One entry a group, table by table: ``table``, ``label``, ``estimate``, ``std_error``, ``mean``,
        ``sd``, ``q5``, ``q95``, ``prob_positive``, ``shrinkage``. They rest on a
        Gauss rule of twelve values of tau: right to about 1e-4 posterior sds (2e-3 for the sds themselves
        where a heavy-tailed prior meets one or two groups).
    prior_mu, prior_tau
        The priors in words.
    shared_ratio
        The scale of tau in units of a table's typical standard error, learnt from all tables; None where
        no prior was shared.
    notes
        What was guessed in reading.
    """

    by: str
    tables: dict[str, np.ndarray]
    groups: dict[str, np.ndarray]
    prior_mu: str
    prior_tau: str
    shared_ratio: float | None
    notes: tuple[str, ...]

    def findings(self) -> list[str]:
        """Say in sentences what the tables hold."""
        table = self.tables
        positive = table["mu_prob_positive"]
        sizes = table["groups"]
        count, rows = len(sizes), int(sizes.sum())
        pulled = float(np.median(table["shrinkage"]))
        tau = float(np.median(table["tau_q50"] / table["typical_error"]))
        sentences = [
            f"{count:,} tables of {_range(sizes)} groups, {rows:,} groups in all.",
            f"The mean effect is above 0 with probability 0.95 or more in {int((positive >= _SURE).sum()):,} "
            f"tables, below 0 in {int((positive <= 1 - _SURE).sum()):,}; the rest is open.",
            f"In the median table estimates are pulled {100 * pulled:.0f} % of the way to the mean, and tau "
            f"is {number(tau, 0.1, 1)} typical standard errors.",
        ]
        if self.shared_ratio is not None:
            sentences.append(
                f"Learnt from all tables: the half-normal prior of tau has a scale of "
                f"{self.shared_ratio:.2g} typical standard errors."
            )
        return sentences

    def without_groups(self) -> Many:
        """The tables alone, for what is too large to keep."""
        return replace(self, groups={name: column[:0] for name, column in self.groups.items()})

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers for JSON: the tables, without their groups."""
        return {
            "by": self.by,
            "tables": records(self.tables),
            "priors": {"mu": self.prior_mu, "tau": self.prior_tau, "shared_ratio": plain(self.shared_ratio)},
            "findings": self.findings(),
        }

    def to_frame(self) -> pandas.DataFrame:
        """Give one row a table."""
        return frame(self.tables)

    def groups_to_frame(self) -> pandas.DataFrame:
        """Give one row a group."""
        return frame(self.groups)

    def report(self, path: str | Path | None = None, **parts: Any) -> str | Path:
        """Write a summary of the tables, or return its text; see `propto.report`."""
        import propto

        return propto.report(self, path, **parts)

    def _repr_html_(self) -> str:
        """The findings as a notebook shows them."""
        return findings_html(self.findings())


def pool_many(
    source: Any,
    by: str,
    *,
    estimate: str | None = None,
    std_error: Any = None,
    label: str | None = None,
    log: bool = False,
    level: float = 0.95,
    prior_mu: str | MuPrior | None = None,
    prior_tau: str | TauPrior | None = None,
    shared_prior: bool = False,
    executor: Executor | None = None,
) -> Many:
    """Pool many tables that stand in one file or dataframe, or in a folder of files, each on its own.

    Parameters
    ----------
    source
        Whatever `read_table` takes; or a folder of Parquet files, with whole tables in each.
    by
        The column that says which table a row belongs to.
    estimate, std_error, label, log, level
        As in `read_table`.
    prior_mu
        Flat by default, or normal.
    prior_tau
        The same for all tables; by default half-normal with each table's own scale, see `default_tau`.
    shared_prior
        Learn the scale of tau from all tables: tau, in units of the table's typical standard error, is
        half-normal with the scale that all the data make most probable, under a weak prior. It takes five
        tables; tables in different units can share it. Of a folder, the first file is what it is learnt from.
    executor
        Any ``concurrent.futures.Executor``: each file of a folder is a job of its own, and is read where the
        job runs. The numbers do not depend on it.

    Returns
    -------
    Many

    Raises
    ------
    TableError
        The source cannot be used.
    WorkerError
        Workers of the executor were lost too often.
    OptionError
        ``shared_prior`` and ``prior_tau`` are both given, or there are too few tables to share one.
    PriorError
        A prior is not known, or cannot be used here.

    Examples
    --------
    >>> tests = {
    ...     "metric": ["clicks"] * 3 + ["sales"] * 3,
    ...     "estimate": [1.0, 2.0, 0.5, 30.0, -10.0, 12.0],
    ...     "se": [1.0, 1.0, 1.0, 20.0, 20.0, 20.0],
    ... }
    >>> many = pool_many(tests, by="metric")
    >>> many.tables["table"].tolist(), many.tables["mu_mean"].round(2)
    (['clicks', 'sales'], array([ 1.17, 10.67]))
    """
    on_mu, on_tau = _priors(prior_mu, prior_tau, shared_prior)
    columns = {"estimate": estimate, "std_error": std_error, "label": label, "log": log, "level": level}
    files = files_of(source)
    ratio = None
    if shared_prior:
        ratio = shared_ratio(next(read_pieces(files[0], by, **columns)).tables, on_mu)
    jobs = [(file, by, columns, on_mu, on_tau, ratio) for file in files]
    if executor is None:
        return joined(_whole([_pool_file(*job) for job in jobs], source))
    with Team(executor) as team:
        pending = [team.submit(_pool_file, *job) for job in jobs]
        return joined(_whole([job.result() for job in pending], source))


def pool_parts(
    pieces: Iterator[Piece],
    by: str,
    *,
    prior_mu: str | MuPrior | None = None,
    prior_tau: str | TauPrior | None = None,
    shared_prior: bool = False,
) -> Iterator[Many]:
    """Pool the tables piece by piece, so that no more than a piece is ever in memory.

    A shared prior is learnt from the first piece.
    """
    on_mu, on_tau = _priors(prior_mu, prior_tau, shared_prior)
    ratio = None
    for piece in pieces:
        if shared_prior and ratio is None:
            ratio = shared_ratio(piece.tables, on_mu)
        yield _pool_piece(piece, by, on_mu, on_tau, ratio)


def _priors(prior_mu: Any, prior_tau: Any, shared_prior: bool) -> tuple[MuPrior, TauPrior | None]:
    if shared_prior and prior_tau is not None:
        raise OptionError("a shared prior is learnt from the tables; leave out prior_tau (--prior-tau)")
    on_mu = Flat() if prior_mu is None else parse_mu(prior_mu)
    return on_mu, None if prior_tau is None else parse_tau(prior_tau)


def _pool_file(
    source: Any, by: str, columns: dict[str, Any], prior_mu: MuPrior, prior_tau: Any, ratio: float | None
) -> Many:
    """The tables of one source; a job for a worker."""
    pieces = read_pieces(source, by, **columns)
    return joined([_pool_piece(piece, by, prior_mu, prior_tau, ratio) for piece in pieces])


def _whole(parts: list[Many], source: Any) -> list[Many]:
    """The parts, none of whose tables is in another one too."""
    names, counts = np.unique(np.concatenate([part.tables["table"] for part in parts]), return_counts=True)
    if (counts > 1).any():
        message = f"the rows of {names[counts > 1][0]!r} are scattered over several files"
        mend = "write every table into one file, whole"
        raise TableError(str(source), [TableProblem(message, column=parts[0].by, mend=mend)])
    return parts


def joined(parts: list[Many]) -> Many:
    """Put parts together."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    tables, groups = (
        {
            name: np.concatenate([getattr(part, which)[name] for part in parts])
            for name in getattr(first, which)
        }
        for which in ("tables", "groups")
    )
    return Many(first.by, tables, groups, first.prior_mu, first.prior_tau, first.shared_ratio, first.notes)


def _pool_piece(piece: Piece, by: str, prior_mu: MuPrior, prior_tau: Any, ratio: float | None) -> Many:
    """Solve the tables of a piece."""
    data = piece.tables
    scaled = TauPriors.of(data, prior_tau)
    words = "halfnormal(scale of each table's data)" if prior_tau is None else str(prior_tau)
    if ratio is not None:
        scaled = TauPriors(HalfNormal(ratio), data.typical_error())
        words = f"halfnormal({ratio:.3g} typical standard errors of each table)"
    tables = {name: np.empty(data.size.size) for name in _TABLE_COLUMNS}
    groups = {name: np.empty(data.estimate.size) for name in _GROUP_COLUMNS}
    for which, batch in posteriors(data, prior_mu, scaled):
        rows = data.rows(which)
        for name, values in _of_tables(batch).items():
            tables[name][which] = values
        for name, values in _of_groups(batch).items():
            groups[name][rows] = values
    return Many(
        by=by,
        tables={"table": piece.names, "groups": data.size, **tables},
        groups={
            "table": piece.names[data.table],
            "label": piece.label,
            "estimate": data.estimate,
            "std_error": np.sqrt(data.variance),
            **groups,
        },
        prior_mu=str(prior_mu),
        prior_tau=words,
        shared_ratio=ratio,
        notes=piece.notes,
    )


_TABLE_COLUMNS = (
    *("mu_mean", "mu_sd", "mu_q5", "mu_q50", "mu_q95", "mu_prob_positive"),
    *("tau_mean", "tau_q5", "tau_q50", "tau_q95"),
    *("typical_error", "shrinkage", "log_evidence", "error_bound"),
)
_GROUP_COLUMNS = ("mean", "sd", "q5", "q95", "prob_positive", "shrinkage")


def _of_tables(batch: Batch) -> dict[str, Floats]:
    """Columns of the tables."""
    tau = batch.tau_quantiles((0.05, 0.5, 0.95))
    mean, sd = batch.mu_moments()
    values = (mean, sd, *map(batch.mu_quantile, (0.05, 0.5, 0.95)), 1 - batch.mu().cdf(0.0))
    shrinkage = batch.tables.sums(batch.shrinkage()) / batch.tables.size
    values = (*values, batch.tau_mean(), *tau.T, batch.tables.typical_error(), shrinkage)
    values = (*values, batch.log_evidence, batch.error)
    return dict(zip(_TABLE_COLUMNS, values, strict=True))


def _of_groups(batch: Batch) -> dict[str, Floats]:
    """Columns of the groups."""
    theta = batch.theta()
    values = (
        theta.mean(),
        theta.sd(),
        *(theta.quantile(level, _CLOSE) for level in (0.05, 0.95)),
        1 - theta.cdf(0.0),
    )
    return dict(zip(_GROUP_COLUMNS, (*values, batch.shrinkage()), strict=True))


def _range(sizes: np.ndarray) -> str:
    low, high = int(sizes.min()), int(sizes.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
