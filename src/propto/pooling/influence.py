"""Leave one group out: the posterior without each group in turn, exactly and at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from propto.pooling.left_out import LeftOut, limits_without, without_each
from propto.pooling.phrases import called, number
from propto.pooling.plain import frame, plain, records
from propto.pooling.pooled import Pooled
from propto.pooling.quadrature import quantile_places
from propto.pooling.row_mixture import RowMixture

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float64]

_LOW, _MEDIAN, _HIGH = 1, 3, 5  # places in Summary.levels: 5, 50 and 95 %
_Z90 = 1.6448536269514722
_CHUNK = 2**21  # elements of a temporary array


@dataclass(frozen=True, eq=False)
class Influence:
    """The posterior without each of the k groups, and how each agrees with the others.

    Parameters
    ----------
    label, estimate
        Names and estimates, shape (k,).
    mu_mean, mu_sd
        Posterior mean and sd of mu without the group, shape (k,).
    mu_low, mu_high
        90 % interval of mu without the group, shape (k,).
    tau_median
        Posterior median of tau without the group, shape (k,).
    mu_shift
        Change of mu's mean through the group, in posterior sds of mu with all groups, shape (k,).
    tau_shift
        Change of tau's median through the group, shape (k,).
    predicted, predicted_sd
        Mean and sd of the estimate that the other groups predict for this one, shape (k,).
    pit
        P(predicted estimate < actual one | the others): uniform where the model is right, shape (k,).
    log_score
        ``log p(estimate_j | the others)``, shape (k,); their sum scores the model.
    tau_grid, weights
        Values of tau, shape (n,), and the posterior weights of tau without each group, shape (k, n).
    """

    label: NDArray[np.str_]
    estimate: Floats
    mu_mean: Floats
    mu_sd: Floats
    mu_low: Floats
    mu_high: Floats
    tau_median: Floats
    mu_shift: Floats
    tau_shift: Floats
    predicted: Floats
    predicted_sd: Floats
    pit: Floats
    log_score: Floats
    tau_grid: Floats
    weights: Floats

    @property
    def score(self) -> float:
        """Sum of the log scores: how well the model predicts groups that it has not seen."""
        return float(self.log_score.sum())

    @property
    def surprise(self) -> Floats:
        """Two-sided chance of an estimate as far from what the others predict, shape (k,)."""
        return 2 * np.minimum(self.pit, 1 - self.pit)

    def findings(self) -> list[str]:
        """Say which group drives the mean most."""
        if not np.isfinite(self.mu_shift).any():
            return []
        j = int(np.nanargmax(np.abs(self.mu_shift)))
        sd, low, high = float(self.mu_sd[j]), float(self.mu_low[j]), float(self.mu_high[j])
        return [
            f"Without {called(self.label[j])}, the most influential, mu would be "
            f"{number(float(self.mu_mean[j]), sd)} (90 %: {number(low, sd)} to {number(high, sd)}) and tau "
            f"{number(float(self.tau_median[j]), sd)} (median); the estimate is "
            f"{'far from' if self.surprise[j] < 0.05 / len(self.label) else 'in line with'} what the others "
            f"predict (p = {float(self.surprise[j]):.2g})."
        ]

    def _columns(self) -> dict[str, Any]:
        names = (
            *("label", "estimate", "mu_mean", "mu_sd", "mu_low", "mu_high", "tau_median"),
            *("mu_shift", "tau_shift", "predicted", "predicted_sd", "pit", "log_score"),
        )
        return {name: getattr(self, name) for name in names}

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers for JSON."""
        return {"score": plain(self.score), "groups": records(self._columns())}

    def to_frame(self) -> pandas.DataFrame:
        """Give one row a group."""
        return frame(self._columns())


def influence(pooled: Pooled) -> Influence:
    """Fit without each group in turn, with the same priors.

    Given tau a group only adds its terms to a few sums, which are taken over all the other groups; so k
    refits cost about one fit.

    Parameters
    ----------
    pooled
        The exact engine's result, of 2 groups at least.

    Returns
    -------
    Influence

    Raises
    ------
    OptionError
        There is only one group, or nothing proper would be left without one.

    Examples
    --------
    >>> from propto.pooling.exact import pool_exact
    >>> found = influence(pool_exact([28, 8, -3, 7], [15, 10, 16, 11], prior_tau="halfnormal(10)"))
    >>> refit = pool_exact([8, -3, 7], [10, 16, 11], prior_tau="halfnormal(10)")
    >>> bool(abs(found.mu_mean[0] - refit.mu.mean) < 1e-6)
    True
    """
    limits = limits_without(pooled)
    left = without_each(pooled)
    weights = np.exp(left.log_g - left.log_total[:, None])
    columns = _summaries(pooled, left, weights, limits)
    t = left.t[0] + left.step * quantile_places(weights, (0.5,))[:, 0]
    median = pooled.tau_posterior.line.tau(t)
    low, high = pooled.mu.quantiles[[_LOW, _HIGH]]
    scale = pooled.mu.sd if math.isfinite(pooled.mu.sd) else (high - low) / (2 * _Z90)
    return Influence(
        label=pooled.label,
        estimate=pooled.estimate,
        tau_median=median,
        mu_shift=(pooled.mu.mean - columns["mu_mean"]) / scale,
        tau_shift=float(pooled.tau.quantiles[_MEDIAN]) - median,
        log_score=pooled.log_evidence - left.log_total - math.log(left.step),
        tau_grid=pooled.tau_posterior.line.tau(left.t),
        weights=weights,
        **columns,
    )


def _summaries(
    pooled: Pooled, left: LeftOut, weights: Floats, limits: tuple[float, float]
) -> dict[str, Floats]:
    """Mu, and the estimate to be expected, without each group; some groups at a time."""
    prior, tau = pooled.marginal.prior, pooled.tau_posterior.line.tau(left.t)
    k, n, terms = *weights.shape, pooled.marginal.prior.precision.size
    names = ("mu_mean", "mu_sd", "mu_low", "mu_high", "predicted", "predicted_sd", "pit")
    found = {name: np.empty(k) for name in names}
    rows = max(1, _CHUNK // (n * terms))
    for i in range(0, k, rows):
        some = slice(i, i + rows)
        given = left.given(some, prior)
        shares = (given.shares * weights[some].reshape(-1, 1)).reshape(-1, n * terms)
        variance = given.mu_variance
        mean, variance = given.mu_mean(variance).reshape(shares.shape), variance.reshape(shares.shape)
        scatter = np.repeat(tau**2, terms) + pooled.marginal.variance[some, None]
        mu, ahead = (RowMixture(shares, mean, np.sqrt(variance + more)) for more in (0.0, scatter))
        on_mu = (mu.mean(), mu.sd(), mu.quantile(0.05), mu.quantile(0.95))
        on_estimate = (ahead.mean(), ahead.sd(), ahead.cdf(pooled.estimate[some]))
        for name, values in zip(names, (*on_mu, *on_estimate), strict=True):
            found[name][some] = values
    # Moments near the edge of existence would show where the nodes end.
    needs = {"mu_mean": (0, 1), "mu_sd": (0, 2), "predicted": (1, 1), "predicted_sd": (1, 2)}
    missing = [name for name, (which, order) in needs.items() if limits[which] < order + 1]
    return found | {name: np.full(k, np.nan) for name in missing}
