"""Coverage for your design: simulated tables with the user's own standard errors, each fitted exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from propto.options import whole
from propto.pooling.batch import posteriors
from propto.pooling.phrases import number
from propto.pooling.plain import frame, plain, records
from propto.pooling.pooled import Pooled
from propto.pooling.stacked import Tables, TauPriors

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float64]

LEVELS = (0.5, 0.9, 0.95)
_BUDGET = 10**6  # groups simulated in all, by default
_BLOCK = 2**20  # groups simulated at once
_TAIL = (0.05, 0.95)


@dataclass(frozen=True, eq=False)
class Calibration:
    """What intervals and estimates are worth for tables with these standard errors.

    Parameters
    ----------
    tables
        Number of simulated tables.
    levels
        Nominal levels of the central intervals, shape (3,).
    coverage, coverage_mcse
        Share of the groups' intervals that hold the true effect, with its Monte Carlo standard error,
        shape (3,).
    mu_coverage, tau_coverage, new_coverage
        Coverage of the 90 % intervals of mu, tau and a new group.
    rmse, rmse_mcse
        Root mean squared error of the pooled estimates of the groups' effects.
    rmse_raw, rmse_common
        The same of the raw estimates, and of one common mean for all groups.
    label
        Names, shape (k,).
    group_coverage, group_rmse
        Coverage of the 90 % interval, and rmse of the pooled estimate, of each group, shape (k,).
    """

    tables: int
    levels: tuple[float, ...]
    coverage: Floats
    coverage_mcse: Floats
    mu_coverage: float
    tau_coverage: float
    new_coverage: float
    rmse: float
    rmse_mcse: float
    rmse_raw: float
    rmse_common: float
    label: NDArray[np.str_]
    group_coverage: Floats
    group_rmse: Floats

    def findings(self) -> list[str]:
        """Say what the intervals cover and how large the errors are."""
        place = self.levels.index(0.9)
        share, error = 100 * self.coverage[place], 100 * float(self.coverage_mcse[place])
        errors = (self.rmse, self.rmse_raw, self.rmse_common)
        pooled, raw, common = (number(each, self.rmse_mcse, 1) for each in errors)
        return [
            f"In {self.tables:,} simulated tables with these standard errors the 90 % intervals hold the "
            f"true effect in {number(share, error, 1)} % (+- {error:.1g}); the typical error is {pooled}, "
            f"against {raw} raw and {common} with one common mean."
        ]

    def _columns(self) -> dict[str, Any]:
        return {"label": self.label, "coverage90": self.group_coverage, "rmse": self.group_rmse}

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers for JSON."""
        facts = {name: value for name, value in vars(self).items() if not name.startswith(("label", "group"))}
        return {**plain(facts), "groups": records(self._columns())}

    def to_frame(self) -> pandas.DataFrame:
        """Give one row a group."""
        return frame(self._columns())


def calibrate(pooled: Pooled, *, tables: int | None = None, seed: int = 0) -> Calibration:
    """Simulate tables from the fitted model and fit each: do the intervals cover what they promise?

    Mu and tau come from the posterior, effects from Normal(mu, tau), estimates from the effects with the
    table's own standard errors. Every simulated table is fitted by the exact engine under the same priors.

    Parameters
    ----------
    pooled
        The exact engine's result; its prior on mu is flat or normal.
    tables
        Number of tables; by default 2,000, fewer for more than 500 groups, at least 20.
    seed
        Seed of the simulation.

    Returns
    -------
    Calibration

    Raises
    ------
    OptionError
        ``tables`` is not a positive whole number.
    PriorError
        The prior on mu is Student's t.

    Examples
    --------
    >>> from propto.pooling.exact import pool_exact
    >>> found = calibrate(pool_exact([28, 8, -3, 7], [15, 10, 16, 11]), tables=200)
    >>> bool(0.8 < found.coverage[1] < 1), bool(found.rmse < found.rmse_raw)
    (True, True)
    """
    k = len(pooled.label)
    count = int(np.clip(_BUDGET // k, 20, 2000)) if tables is None else whole("tables", tables, 2)
    hits, hyper, errors = np.empty((count, k, len(LEVELS)), dtype=bool), np.empty((count, 3), dtype=bool), []
    squares, done = np.zeros(k), 0
    for truth, many in _simulated(pooled, count, seed):
        theta = truth["theta"]
        raw = many.estimate.reshape(theta.shape)
        common = (raw / pooled.std_error**2).sum(axis=1) / np.sum(pooled.std_error**-2.0)
        pit, mean, hyper[done : done + len(theta)] = _fitted(pooled, many, truth)
        away = np.abs(pit - 0.5)[..., None]
        hits[done : done + len(theta)] = away < np.array(LEVELS) / 2
        squares += ((mean - theta) ** 2).sum(axis=0)
        errors.append([((x - theta) ** 2).mean(axis=1) for x in (mean, raw, common[:, None])])
        done += len(theta)
    table_hits, each = hits.mean(axis=1), np.concatenate(errors, axis=1)
    rmse = np.sqrt(each.mean(axis=1))
    return Calibration(
        tables=count,
        levels=LEVELS,
        coverage=table_hits.mean(axis=0),
        coverage_mcse=table_hits.std(axis=0) / np.sqrt(count),
        mu_coverage=float(hyper[:, 0].mean()),
        tau_coverage=float(hyper[:, 1].mean()),
        new_coverage=float(hyper[:, 2].mean()),
        rmse=float(rmse[0]),
        rmse_mcse=float(each[0].std() / np.sqrt(count) / (2 * rmse[0])),
        rmse_raw=float(rmse[1]),
        rmse_common=float(rmse[2]),
        label=pooled.label,
        group_coverage=hits[..., LEVELS.index(0.9)].mean(axis=0),
        group_rmse=np.sqrt(squares / count),
    )


def _simulated(pooled: Pooled, count: int, seed: int) -> Iterator[tuple[dict[str, Floats], Tables]]:
    """True values and the tables made from them, some tables at a time."""
    k, s = len(pooled.label), pooled.std_error
    hyper = pooled.hyperdraws(count, seed)
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    rows = max(1, _BLOCK // k)
    for i in range(0, count, rows):
        mu, tau = (hyper[name][i : i + rows, None] for name in ("mu", "tau"))
        theta = mu + tau * rng.standard_normal((len(mu), k))
        new = mu + tau * rng.standard_normal((len(mu), 1))
        y = theta + s * rng.standard_normal(theta.shape)
        size = np.full(len(mu), k, dtype=np.intp)
        truth = {"theta": theta, "mu": mu[:, 0], "tau": tau[:, 0], "new": new[:, 0]}
        yield truth, Tables(y.ravel(), np.tile(s**2, len(mu)), size)


def _fitted(pooled: Pooled, many: Tables, truth: dict[str, Floats]) -> tuple[Floats, Floats, Any]:
    """Where the true effects lie in their posteriors, posterior means, and whether 90 % hold the rest."""
    theta = truth["theta"]
    pit, mean, held = np.empty(theta.shape), np.empty(theta.shape), np.empty((len(theta), 3), dtype=bool)
    for which, batch in posteriors(many, pooled.prior_mu, TauPriors.of(many, pooled.prior_tau)):
        effects = batch.theta()
        pit[which] = effects.cdf(theta[which].ravel()).reshape(len(which), -1)
        mean[which] = effects.mean().reshape(len(which), -1)
        low, high = batch.tau_quantiles(_TAIL).T
        for column, mixture in ((0, batch.mu()), (2, batch.new_group())):
            true = truth[("mu", "tau", "new")[column]][which]
            held[which, column] = np.abs(mixture.cdf(true) - 0.5) < 0.45
        held[which, 1] = (truth["tau"][which] >= low) & (truth["tau"][which] <= high)
    return pit, mean, held
