"""Grades: groups put in classes, where a wrong order has a stated price."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from propto.errors import OptionError
from propto.pooling.drawing import Drawable
from propto.pooling.phrases import called, groups, listed, number
from propto.pooling.plain import frame, plain, records
from propto.pooling.ranks import mean_ranks, pairwise

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grades:
    """Groups in classes; grade 1 is the best.

    Parameters
    ----------
    price
        What a pair in the wrong order costs, where a pair in the right order earns 1.
    label
        Names, shape (k,).
    grade
        Grades, shape (k,): 1, 2, ...
    mean_rank
        Exact mean ranks, shape (k,).
    ordered
        Share of the pairs that the grades put in an order.
    wrong
        Expected share of wrong ones among the ordered pairs; NaN without any.
    """

    price: float
    label: NDArray[np.str_]
    grade: NDArray[np.int64]
    mean_rank: Floats
    ordered: float
    wrong: float

    def findings(self) -> list[str]:
        """Say how many grades the data support, and who is in the first."""
        count = int(self.grade.max())
        if count == 1:
            return [
                f"At a price of {self.price:g} for a wrong order, the data do not support more than one "
                "grade."
            ]
        first = [called(name) for name in self.label[self.grade == 1]]
        return [
            f"At a price of {self.price:g} for a wrong order, {groups(len(self.label))} make {count} grades "
            f"(best: {listed(first)}); {100 * self.ordered:.0f} % of the pairs are ordered, "
            f"{number(100 * self.wrong, 1, 2)} % of them wrongly."
        ]

    def _columns(self) -> dict[str, Any]:
        return {"label": self.label, "grade": self.grade, "mean_rank": self.mean_rank}

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers for JSON."""
        facts = {"price": self.price, "ordered": self.ordered, "wrong": self.wrong}
        return {**plain(facts), "groups": records(self._columns())}

    def to_frame(self) -> pandas.DataFrame:
        """Give one row a group."""
        return frame(self._columns())


def grade(pooled: Drawable, price: float = 4.0) -> Grades:
    r"""Put the groups in grades.

    To put group i above group j earns 1 if that is right and costs ``price`` if it is wrong; pairs within
    a grade earn and cost nothing. With :math:`\pi_{ij} = P(\theta_i > \theta_j)` the grades maximise the
    expected gain

    .. math:: \sum_{i \text{ above } j} \pi_{ij} - \mathrm{price}\,\pi_{ji},

    so two groups on their own are told apart if :math:`\pi_{ij} > \mathrm{price} / (1 + \mathrm{price})`:
    above 0.8 for a price of 4. The grades are the best among those that keep to the order of the mean
    ranks.

    Parameters
    ----------
    pooled
        A pooled result of any model, of 1,000 groups at most.
    price
        1 or more; 1 ranks nearly everybody, a large one nobody.

    Returns
    -------
    Grades

    Raises
    ------
    OptionError
        ``price`` is not a finite number of at least 1, or there are more than 1,000 groups.

    References
    ----------
    Kline, Rose and Walters (2024), A discrimination report card, American Economic Review 114; their
    lambda is ``1 / price``.

    Examples
    --------
    >>> from propto.pooling.exact import pool_exact
    >>> grade(pool_exact([28, 27, -3, 8], [2, 2, 2, 2])).grade
    array([1, 1, 3, 2])
    """
    price = float(price)
    if not 1 <= price < math.inf:
        raise OptionError(f"the price of a wrong order must be a finite number of at least 1, got {price:g}")
    above = pairwise(pooled)
    ranks = mean_ranks(above)
    order = np.argsort(ranks, kind="stable")
    level = _levels(above[np.ix_(order, order)], price)
    found = np.empty(len(order), dtype=np.int64)
    found[order] = level
    ahead = found[:, None] < found
    count, pairs = int(ahead.sum()), len(order) * (len(order) - 1) / 2
    wrong = float((1 - above)[ahead].sum() / count) if count else math.nan
    return Grades(price, pooled.label, found, ranks, count / pairs if pairs else 0.0, wrong)


def _levels(above: Floats, price: float) -> NDArray[np.int64]:
    """Cut groups in order into classes: the least gain is forgone within classes, by dynamic programming."""
    k = len(above)
    gain = np.triu(above - price * (1 - above), 1)
    corner = np.zeros((k + 1, k + 1))
    corner[1:, 1:] = gain.cumsum(axis=0).cumsum(axis=1)
    least, cut = np.zeros(k + 1), np.zeros(k + 1, dtype=int)
    for end in range(1, k + 1):
        begin = np.arange(end)
        within = corner[end, end] - corner[begin, end] - corner[end, begin] + corner[begin, begin]
        forgone = least[:end] + within
        # Of equally good cuts the one with the larger class.
        cut[end] = int(np.argmin(forgone))
        least[end] = forgone[cut[end]]
    ends = [k]
    while ends[-1]:
        ends.append(int(cut[ends[-1]]))
    starts = np.zeros(k, dtype=np.int64)
    starts[ends[1:]] = 1
    return np.cumsum(starts)
