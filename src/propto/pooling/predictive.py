"""Could this model have made these data? Replicated tables against the real one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from propto.options import whole
from propto.pooling.phrases import listed, number
from propto.pooling.plain import frame, plain, records
from propto.pooling.pooled import Pooled

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float64]

_BUDGET = 2**23  # numbers drawn in all
_BLOCK = 2**20  # numbers drawn at once
_SHOWN = 50
_ODD = 0.005  # five statistics: a right model is called odd one time in twenty at most


@dataclass(frozen=True, eq=False)
class Predictive:
    """A posterior predictive check.

    Parameters
    ----------
    statistic
        Names of what is compared: maximum, minimum and sd of the estimates; the largest distance from
        mu in units of ``sqrt(tau**2 + se**2)``, and the correlation of estimate and standard error.
    observed
        Their values in the data; those that need mu and tau are averaged over the posterior.
    low, median, high
        Their quantiles at 5, 50 and 95 % over replicated tables.
    p
        Share of replicated tables in which the statistic exceeds that of the data; near 0 or 1 the
        model does not make such data.
    replicates
        Sorted estimates of some replicated tables, shape (50, k).
    draws
        Number of replicated tables.
    """

    statistic: tuple[str, ...]
    observed: Floats
    low: Floats
    median: Floats
    high: Floats
    p: Floats
    replicates: Floats
    draws: int

    def findings(self) -> list[str]:
        """Say which features of the data the model does not make."""
        odd = np.flatnonzero(np.minimum(self.p, 1 - self.p) < _ODD)
        if not len(odd):
            return ["Tables simulated from the fitted model look like the data."]
        parts = [
            f"{self.statistic[i]} is {number(self.observed[i], self.high[i] - self.low[i])} "
            f"(90 % of simulated tables: {number(self.low[i], self.high[i] - self.low[i])} to "
            f"{number(self.high[i], self.high[i] - self.low[i])})"
            for i in odd
        ]
        return [f"Tables simulated from the fitted model differ from the data: the {listed(parts, 2)}."]

    def _columns(self) -> dict[str, Any]:
        names = ("observed", "low", "median", "high", "p")
        return {"statistic": np.array(self.statistic), **{name: getattr(self, name) for name in names}}

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers for JSON."""
        return {"draws": plain(self.draws), "statistics": records(self._columns())}

    def to_frame(self) -> pandas.DataFrame:
        """Give one row a statistic."""
        return frame(self._columns())


def predictive_check(pooled: Pooled, *, draws: int | None = None, seed: int = 0) -> Predictive:
    """Simulate tables of new groups with the same standard errors, and compare them with the data.

    Each table has its mu and tau from the posterior, effects of new groups from these, and estimates
    from the effects. (Replicates of the same effects would hardly test how the effects are distributed.)

    Parameters
    ----------
    pooled
        The exact engine's result.
    draws
        Number of tables; by default 4,000, fewer for more than 2,000 groups.
    seed
        Seed of the draws.

    Returns
    -------
    Predictive

    References
    ----------
    Gelman, Meng and Stern (1996), Posterior predictive assessment of model fitness via realized
    discrepancies, Statistica Sinica 6.

    Examples
    --------
    >>> from propto.pooling.exact import pool_exact
    >>> found = predictive_check(pool_exact([28, 8, -3, 7], [15, 10, 16, 11]))
    >>> found.statistic[0], bool(0.1 < found.p[0] < 0.9)
    ('largest estimate', True)
    """
    k, s = len(pooled.label), pooled.std_error
    count = int(np.clip(_BUDGET // k, 200, 4000)) if draws is None else whole("draws", draws, 1)
    statistics = {name: f for name, f in _STATISTICS.items() if k > 2 or "estimate" in name}
    made, real, shown = [], [], []
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    for block in _blocks(pooled, count, seed):
        mu, tau = block["mu"][:, None], block["tau"][:, None]
        sd = np.sqrt(tau**2 + s**2)
        y = mu + sd * rng.standard_normal(sd.shape)
        made.append([f(y, s, (y - mu) / sd) for f in statistics.values()])
        real.append([f(pooled.estimate[None], s, (pooled.estimate - mu) / sd) for f in statistics.values()])
        shown.append(np.sort(y[:_SHOWN], axis=1))
    drawn = np.concatenate([np.stack(np.broadcast_arrays(*each)) for each in made], axis=1)
    data = np.concatenate([np.stack(np.broadcast_arrays(*each)) for each in real], axis=1)
    low, median, high = np.quantile(drawn, (0.05, 0.5, 0.95), axis=1)
    above = (drawn > data).mean(axis=1) + 0.5 * (drawn == data).mean(axis=1)
    return Predictive(
        tuple(statistics), data.mean(axis=1), low, median, high, above, np.concatenate(shown)[:_SHOWN], count
    )


def _blocks(pooled: Pooled, count: int, seed: int) -> list[dict[str, Floats]]:
    """Draws of mu and tau, cut into blocks whose tables fit in memory."""
    drawn = pooled.hyperdraws(count, seed)
    size = max(1, _BLOCK // len(pooled.label))
    starts = range(0, count, size)
    return [{name: values[i : i + size] for name, values in drawn.items()} for i in starts]


def _against_error(y: Floats, s: Floats, z: Floats) -> Floats:
    """Correlation of estimates and standard errors in each row; 0 where all errors are equal."""
    away, error = y - y.mean(axis=1, keepdims=True), s - s.mean()
    size = np.sqrt((away**2).sum(axis=1) * (error**2).sum())
    return np.divide(away @ error, size, out=np.zeros(len(y)), where=size > 0)


# Each takes tables of estimates (n, k), the standard errors (k,) and the distances from mu (n, k).
_STATISTICS: dict[str, Callable[[Floats, Floats, Floats], Floats]] = {
    "largest estimate": lambda y, s, z: y.max(axis=1),
    "smallest estimate": lambda y, s, z: y.min(axis=1),
    "sd of the estimates": lambda y, s, z: y.std(axis=1),
    "largest distance from mu in sds": lambda y, s, z: np.abs(z).max(axis=1),
    "correlation with the error": _against_error,
}
