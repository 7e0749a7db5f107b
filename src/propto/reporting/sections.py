"""The parts of the page: a section is a small function from a result to a heading, a chart and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import DataTree

    from propto.pooling.checks import Check

MOST_ROWS = 1000


class HasPooled(Protocol):
    """What holds the pooled result that a section is about, of whatever model."""

    @property
    def pooled(self) -> Any: ...


class HasChecks(Protocol):
    """What holds doubts about the table."""

    @property
    def checks(self) -> tuple[Check, ...]: ...


@dataclass(frozen=True)
class Table:
    """A table of text cells; the first column names the row.

    Parameters
    ----------
    columns
        Headings.
    rows
        Cells, as text.
    note
        A sentence under the table, such as what was left out.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    @classmethod
    def cut(cls, columns: Sequence[str], rows: Sequence[Sequence[str]], size: int, what: str) -> Table:
        """A table of the first rows of ``size``, which says so when there are more."""
        note = f"The first {len(rows):,} of {size:,} {what}." if size > len(rows) else ""
        return cls(columns, rows, note)


@dataclass(frozen=True)
class Section:
    """One question of the page, answered.

    Parameters
    ----------
    key
        Anchor within the page.
    name
        A few words for the list of contents.
    title
        The heading; empty where the chart's own finding is the heading.
    reading
        One line: how to read what follows.
    chart
        An Altair chart, or None.
    table
        The same facts as a table: folded under a chart, open without one.
    terms
        Keys of the words in it that the glossary explains.
    """

    key: str
    name: str
    title: str = ""
    reading: str = ""
    chart: Any = None
    table: Table | None = None
    terms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Draws:
    """A fit with what is said about it.

    Parameters
    ----------
    fit
        The draws.
    verdict
        Their diagnosis: ``status`` and ``reasons``.
    pooled
        The exact engine's result for the same model, or None.
    told
        Facts of the comparison of the engines (``max_gap_mcse``, ``max_gap_of``, ``limit``), or nothing.
    """

    fit: DataTree
    verdict: Any
    pooled: Any = None
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether the diagnosis says not to rely on the draws."""
        return str(self.verdict.status) == "fail"

    @property
    def stable(self) -> bool:
        """Whether all draws are finite numbers that differ, so that parts of the run can be looked at."""
        return bool(np.isfinite(self.summary["r_hat"].to_numpy(float)).all())

    @property
    def acceptance(self) -> dict[str, str]:
        """The mean acceptance rate, where the sampler has one."""
        rate = self.stat("acceptance_rate")
        return {} if rate is None else {"acceptance": f"{float(np.mean(rate)):.2f}"}

    @property
    def sizes(self) -> tuple[int, int]:
        """Number of chains and of draws in each."""
        sizes = self.fit.children["posterior"].sizes
        return sizes["chain"], sizes["draw"]

    @cached_property
    def summary(self) -> DataFrame:
        """The table of all elements of the fit, computed once for the whole page."""
        from propto.diagnosis.summary import summary

        return summary(self.fit)

    def stat(self, name: str) -> Any:
        """One of the sample statistics, shape (chain, draw), or None."""
        stats = self.fit.children.get("sample_stats")
        if stats is None or name not in stats.data_vars:
            return None
        return stats.data_vars[name].transpose("chain", "draw").values
