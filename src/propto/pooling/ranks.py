"""Who is best, really: ranks of the groups from the joint posterior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from propto.errors import OptionError
from propto.options import whole
from propto.pooling import normal
from propto.pooling.components import theta_given
from propto.pooling.drawing import Drawable, Sample, blocks, draws_of
from propto.pooling.phrases import called, probability
from propto.pooling.plain import frame, plain, records
from propto.pooling.pooled import Pooled

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float64]

MOST_PAIRS = 1000  # groups in a matrix of pairs or of ranks
_RARE = 1e-13  # weight of a value of tau that no probability shows


@dataclass(frozen=True, eq=False)
class Ranks:
    """Ranks of k groups; rank 1 has the largest effect.

    Parameters
    ----------
    label
        Names, shape (k,).
    prob_best, prob_top
        P(rank = 1) and P(rank <= top), shape (k,).
    top
        The number of groups that count as the top.
    mean
        Mean rank, shape (k,).
    low, median, high
        Quantiles of the rank at 5, 50 and 95 %, shape (k,).
    probabilities
        P(rank of group j = r + 1), shape (k, k); None for more than 1,000 groups.
    draws
        Independent draws of all effects that the ranks were counted in.
    mcse
        The largest Monte Carlo standard error of a probability given here, ``sqrt(1 / (4 draws))``.
    """

    label: NDArray[np.str_]
    prob_best: Floats
    prob_top: Floats
    top: int
    mean: Floats
    low: NDArray[np.int64]
    median: NDArray[np.int64]
    high: NDArray[np.int64]
    probabilities: Floats | None
    draws: int
    mcse: float

    def findings(self) -> list[str]:
        """Say who is likely to be best."""
        if len(self.label) < 2:
            return []
        j = int(np.argmax(self.prob_best))
        return [
            f"Most likely the best is {called(self.label[j])}, with probability "
            f"{probability(float(self.prob_best[j]))}; its rank is {self.low[j]} to {self.high[j]} of "
            f"{len(self.label):,} (90 %)."
        ]

    def _columns(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "prob_best": self.prob_best,
            "prob_top": self.prob_top,
            "mean_rank": self.mean,
            "rank_q5": self.low,
            "rank_q50": self.median,
            "rank_q95": self.high,
        }

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers for JSON."""
        facts = {"top": self.top, "draws": self.draws, "mcse": self.mcse}
        return {**plain(facts), "groups": records(self._columns())}

    def to_frame(self) -> pandas.DataFrame:
        """Give one row a group."""
        return frame(self._columns())


def rank(pooled: Drawable, *, top: int | None = None, draws: int | None = None, seed: int = 0) -> Ranks:
    """Rank the groups by their effects, the largest first.

    The ranks are counted in independent draws from the joint posterior. Ranks of the posterior means say
    nothing on how sure they are, and ranks drawn group by group forget that mu and tau are shared.

    Parameters
    ----------
    pooled
        A pooled result of any model. Where several effects are equal, any of their orders may come.
    top
        How many groups count as the top; by default a tenth of them, at least 1.
    draws
        Number of draws; by default 20,000, fewer for more than 400 groups, at least 400.
    seed
        Seed of the draws.

    Returns
    -------
    Ranks

    Raises
    ------
    OptionError
        ``top`` is not from 1 to k, or ``draws`` not positive.

    References
    ----------
    Lin, Louis, Paddock and Ridgeway (2006), Loss function based ranking in two-stage, hierarchical
    models, Bayesian Analysis 1.

    Examples
    --------
    >>> from propto.pooling.exact import pool_exact
    >>> found = rank(pool_exact([28, 8, -3], [5, 5, 5], label=["A", "B", "C"]))
    >>> bool(found.prob_best[0] > 0.95), found.median.tolist()
    (True, [1, 2, 3])
    """
    k = len(pooled.label)
    top = whole("top", max(1, k // 10) if top is None else top, 1, k)
    count = draws_of(pooled) if draws is None else whole("draws", draws, 1)
    best, leading, total = np.zeros(k), np.zeros(k), np.zeros(k)
    counts = np.zeros((k, k)) if k <= MOST_PAIRS else None
    kept = np.empty((count, k), dtype=np.int32)
    done = 0
    shuffle = np.random.default_rng([seed, 1])
    for theta in blocks(pooled, count, seed):
        ranks = ranks_of(theta, shuffle)
        kept[done : done + len(ranks)] = ranks
        best += (ranks == 1).sum(axis=0)
        leading += (ranks <= top).sum(axis=0)
        total += ranks.sum(axis=0, dtype=float)
        if counts is not None:
            place = np.arange(k) * k + ranks - 1
            counts += np.bincount(place.ravel(), minlength=k * k).reshape(k, k)
        done += len(ranks)
    low, median, high = _order_statistics(kept, (0.05, 0.5, 0.95))
    return Ranks(
        label=pooled.label,
        prob_best=best / count,
        prob_top=leading / count,
        top=top,
        mean=total / count,
        low=low,
        median=median,
        high=high,
        probabilities=None if counts is None else counts / count,
        draws=count,
        mcse=float(0.5 / np.sqrt(count)),
    )


def ranks_of(theta: Floats, rng: np.random.Generator) -> NDArray[np.int32]:
    """The rank of every column in each row, 1 for the largest; equal effects in any order."""
    order = np.argsort(-theta, axis=1)
    ordered = np.take_along_axis(theta, order, axis=1)
    if (ordered[:, 1:] == ordered[:, :-1]).any():
        order = np.lexsort((rng.random(theta.shape), -theta), axis=1)
    ranks = np.empty(theta.shape, dtype=np.int32)
    np.put_along_axis(ranks, order, np.arange(1, theta.shape[1] + 1, dtype=np.int32)[None], axis=1)
    return ranks


def _order_statistics(ranks: NDArray[np.int32], levels: tuple[float, ...]) -> list[NDArray[np.int64]]:
    """Quantiles of each column: the smallest rank that reaches the level."""
    places = [max(0, int(np.ceil(level * len(ranks))) - 1) for level in levels]
    ranks.partition(places, axis=0)
    return [ranks[place].astype(np.int64) for place in places]


def pairwise(pooled: Drawable) -> Floats:
    """Compute P(theta_i > theta_j) for all pairs of groups: exactly for the usual model, else by draws.

    Given tau the difference of two effects is normal, with what they share of mu taken out; the
    quadrature over tau does the rest.

    Parameters
    ----------
    pooled
        A pooled result of any model, of 1,000 groups at most. Effects that are both zero count half.

    Returns
    -------
    numpy.ndarray
        Shape (k, k); 1/2 on the diagonal.

    Raises
    ------
    OptionError
        There are more than 1,000 groups.

    Examples
    --------
    >>> from propto.pooling.exact import pool_exact
    >>> pairwise(pool_exact([1.0, -1.0], [1.0, 1.0])).round(2)
    array([[0.5 , 0.79],
           [0.21, 0.5 ]])
    """
    k = len(pooled.label)
    if k > MOST_PAIRS:
        raise OptionError(
            f"pairs of {k:,} groups are too many to list; pool at most {MOST_PAIRS:,}, or use their ranks"
        )
    if not isinstance(pooled, Pooled):
        return Sample.of(pooled).pairs()
    y, variance, joint = pooled.estimate, pooled.std_error**2, pooled.components
    above, upper = np.full((k, k), 0.5), np.triu_indices(k, 1)
    found = np.zeros(len(upper[0]))
    for place in np.flatnonzero(joint.weight > _RARE):
        tau, spread = joint.tau[place], joint.mu_variance[place]
        mean, var = theta_given(y, variance, tau, joint.mu_mean[place], np.zeros(1))
        pull = variance / (variance + tau**2)
        i, j = upper
        sd = np.sqrt(var[i] + var[j] + (pull[i] - pull[j]) ** 2 * spread)
        # At tau = 0 all effects are equal, and each order is as likely as the other.
        z = np.divide(mean[i] - mean[j], sd, out=np.zeros_like(sd), where=sd > 0)
        found += joint.weight[place] * normal.cdf_and_bell(z)[0]
    above[upper] = np.minimum(found, 1.0)
    above[upper[1], upper[0]] = 1 - above[upper]
    return above


def mean_ranks(above: Floats) -> Floats:
    """Exact mean ranks, from the matrix of `pairwise`: one more than the expected number of better groups.

    Examples
    --------
    >>> mean_ranks(np.array([[0.5, 0.9], [0.1, 0.5]]))
    array([1.1, 1.9])
    """
    return above.sum(axis=0) + 0.5
