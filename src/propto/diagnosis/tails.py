"""A check on the tails of each element: does its mean exist?"""

from __future__ import annotations

import numpy as np

from propto.diagnosis import chains
from propto.diagnosis.chains import Array
from propto.diagnosis.mixing import Measured
from propto.diagnosis.reasons import Reason, guilty
from propto.diagnosis.scored import Scored

LIMIT = 0.7
MIN_DRAWS = 1000  # in all chains; fewer show too little of the tails
MIN_DISTINCT = 20  # values in a tail; a discrete variable with fewer has no power law to fit


class Tails:
    r"""Does the mean exist? The index of a generalised Pareto tail says so.

    The index of the 3 root(S) largest (or smallest) of S draws is estimated from their probability-weighted
    moments: :math:`2 - a_0 / (a_0 - 2 a_1)`, with :math:`a_r` the mean of the excess times the r-th power of
    the probability of going beyond it. A tail with index 1 has no mean; from about 0.7 on, the mean of the
    draws settles too slowly to be of use.

    Measured on 2,000 samples of 1,000 to 8,000 draws, it speaks for 55 to 90 % of half-Cauchy variables, for
    0.3 % or less of Student's t with 3 degrees of freedom, and for no t with 4, log-normal(0, 1) or normal.

    References
    ----------
    Hosking, Wallis (1987), Technometrics 29(3); Vehtari, Simpson, Gelman, Yao, Gabry (2024), JMLR 25(72).
    """

    def measure(self, scored: Scored) -> Measured:
        """The larger index of both tails; 0 where that cannot be told."""
        size = scored.ordered.shape[-1]
        if size < MIN_DRAWS:
            return (np.zeros(len(scored.ordered)),)
        count = int(3 * np.sqrt(size))
        upper, lower = scored.ordered[:, -count - 1 :], -scored.ordered[:, count::-1]
        return (np.maximum(_index(upper), _index(lower)),)

    def judge(self, names: list[str], measured: Measured) -> list[Reason]:
        """Caution from 0.7."""
        (index,) = measured
        return [
            Reason(
                one.severity,
                one.name,
                "tail_index",
                index[one.index],
                LIMIT,
                f"{one.who} has so heavy a tail (index {index[one.index]:.2f}, the limit {LIMIT}) that its "
                "mean may not exist.",
                "Report its median and quantiles, or give it a prior with lighter tails.",
            )
            for one in guilty(names, index, index >= LIMIT, np.zeros(len(index), dtype=bool))
        ]


def _index(rising: Array) -> Array:
    """The index of the tail above the first entry of rising rows."""
    excess = rising[:, 1:] - rising[:, :1]
    count = excess.shape[-1]
    beyond = 1 - (np.arange(1, count + 1) - 0.35) / count
    distinct = (np.diff(rising, axis=-1) > 0).sum(axis=-1)
    mean, weighted = excess.mean(axis=-1), (excess * beyond).mean(axis=-1)
    return np.where(distinct < MIN_DISTINCT, 0.0, 2 - chains.ratio(mean, mean - 2 * weighted))
