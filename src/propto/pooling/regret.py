"""What choosing some groups now is expected to cost, against knowing all effects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from propto.options import whole
from propto.pooling.drawing import Drawable, blocks, draws_of
from propto.pooling.phrases import called, listed, number
from propto.pooling.plain import plain


@dataclass(frozen=True)
class Regret:
    """What choosing some groups now is expected to cost, against knowing the effects.

    Parameters
    ----------
    top
        How many groups are chosen.
    chosen
        Their names: those with the highest posterior means.
    expected
        Expected sum of the effects of the ``top`` truly best groups less that of the chosen.
    mcse
        Monte Carlo standard error of ``expected``.
    high
        95 % quantile of that difference.
    by_estimate
        Expected regret of choosing the highest own estimates instead.
    prob_right
        P(the chosen are the truly best).
    """

    top: int
    chosen: tuple[str, ...]
    expected: float
    mcse: float
    high: float
    by_estimate: float
    prob_right: float

    def findings(self) -> list[str]:
        """Say what the choice costs."""
        what = f"{listed([called(name) for name in self.chosen])}"
        right = "the truly best" if self.top == 1 else f"the {self.top:,} truly best"
        error = max(self.mcse, 0.05 * abs(self.expected))
        naive = number(self.by_estimate, error, 1)
        return [
            f"Choosing {what} is expected to cost {number(self.expected, error, 1)} against {right} "
            f"(95 %: at most {number(self.high, max(error, 0.05 * self.high), 1)}); "
            f"by the estimates alone {naive}."
        ]

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers for JSON."""
        return plain(vars(self))


def regret(pooled: Drawable, top: int = 1, *, draws: int | None = None, seed: int = 0) -> Regret:
    """Compute the expected regret of choosing the groups with the highest posterior means.

    Parameters
    ----------
    pooled
        A pooled result of any model.
    top
        How many groups to choose, from 1 to k.
    draws
        Independent draws of all effects; by default 20,000, fewer for more than 400 groups.
    seed
        Seed of the draws.

    Returns
    -------
    Regret

    Raises
    ------
    OptionError
        ``top`` is not from 1 to k, or ``draws`` not positive.

    Examples
    --------
    >>> from propto.pooling.exact import pool_exact
    >>> found = regret(pool_exact([28, 8, -3], [2, 2, 2], label=["A", "B", "C"]), top=1)
    >>> found.chosen, found.expected < 0.01
    (('A',), True)
    """
    k = len(pooled.label)
    top = whole("top", top, 1, k)
    count = draws_of(pooled) if draws is None else whole("draws", draws, 1)
    chosen, naive = (
        np.argsort(-value, kind="stable")[:top] for value in (pooled.theta.mean, pooled.estimate)
    )
    lost, lost_naive = [], []
    for theta in blocks(pooled, count, seed):
        best = np.partition(theta, k - top, axis=1)[:, k - top :].sum(axis=1)
        lost.append(best - theta[:, chosen].sum(axis=1))
        lost_naive.append(best - theta[:, naive].sum(axis=1))
    costs = np.maximum(np.concatenate(lost), 0.0)
    right = costs <= 1e-9 * (1 + np.abs(costs).max())
    return Regret(
        top=top,
        chosen=tuple(str(pooled.label[j]) for j in chosen),
        expected=float(costs.mean()),
        mcse=float(costs.std() / math.sqrt(count)),
        high=float(np.quantile(costs, 0.95)),
        by_estimate=float(np.maximum(np.concatenate(lost_naive), 0.0).mean()),
        prob_right=float(right.mean()),
    )
