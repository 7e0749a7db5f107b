"""Two engines, one answer: how far the MCMC engine's draws lie from the exact posterior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from propto.diagnosis.estimators import mcse_mean, mcse_quantile
from propto.pooling.pooled import Pooled, Summary

if TYPE_CHECKING:
    import xarray

NAMES = ("mu", "tau", "theta", "new_group")
# Where the two posteriors are compared, beside the mean.
QUANTILES = (0.05, 0.5, 0.95)
# How often engines that agree may be said to differ, over all the numbers compared.
FALSE_ALARM = 1e-3


@dataclass(frozen=True)
class Agreement:
    """The largest gap between the engines.

    Attributes
    ----------
    max_gap_mcse
        In units of the Monte Carlo standard error of the number concerned.
    quantity
        The number concerned, as in ``mean of theta[A]``.
    limit
        The largest gap that chance explains.
    compared
        How many numbers were compared.
    """

    max_gap_mcse: float
    quantity: str
    limit: float
    compared: int

    @property
    def agrees(self) -> bool:
        """Whether the gap is within what chance explains; an undefined gap is not."""
        return self.max_gap_mcse <= self.limit


def compare(pooled: Pooled, fit: xarray.DataTree) -> Agreement:
    r"""Compare means and quantiles of mu, tau, every theta and a new group between the engines.

    The limit is the normal quantile that the largest of the m gaps of engines that agree exceeds once in a
    thousand times, :math:`\Phi^{-1}(1 - 0.001 / 2m)`, but at least 4.

    Parameters
    ----------
    pooled
        The exact engine's result.
    fit
        The fit of `pool_mcmc` to the same table and priors.
    """
    from scipy.special import ndtri

    draws = fit["posterior"].to_dataset()
    gaps, quantities = [], []
    for name in NAMES:
        gap = _gaps(getattr(pooled, name), draws[name].values)
        gaps.append(gap.ravel())
        what = ["mean", *(f"{100 * q:g} % quantile" for q in QUANTILES)]
        where = [f"theta[{label}]" for label in pooled.label] if name == "theta" else [name.replace("_", " ")]
        quantities += [f"{a} of {b}" for a in what for b in where]
    gap = np.concatenate(gaps)
    known = np.flatnonzero(np.isfinite(gap))
    if not len(known):
        return Agreement(float("nan"), "nothing", 4.0, 0)
    worst = known[np.argmax(gap[known])]
    limit = max(4.0, float(-ndtri(FALSE_ALARM / 2 / len(known))))
    return Agreement(float(gap[worst]), quantities[worst], limit, len(known))


def _gaps(exact: Summary, draws: np.ndarray) -> np.ndarray:
    """Distances of the mean and the quantiles in MCSE, one row each; NaN where the exact one is undefined."""
    flat = draws.reshape(-1, *draws.shape[2:])
    rows: list[Any] = [np.abs(flat.mean(0) - exact.mean) / mcse_mean(draws)]
    for probability in QUANTILES:
        wanted = np.asarray(exact.quantiles)[..., Summary.levels.index(probability)]
        rows.append(
            np.abs(np.quantile(flat, probability, axis=0) - wanted) / mcse_quantile(draws, probability)
        )
    return np.atleast_2d(np.array(rows, float)).reshape(len(rows), -1)
