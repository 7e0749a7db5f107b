"""The result of the MCMC engine, summarised as the exact engine summarises its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from propto.pooling.pooled import Summary, as_dict

if TYPE_CHECKING:
    import xarray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Drawn:
    """Summaries of the draws of a pooling model; the fields mean what those of `Pooled` mean.

    Parameters
    ----------
    label, estimate, std_error
        The table, shape (k,).
    prior_mu, prior_tau
        The priors as texts.
    mu, tau, new_group, theta
        Summaries.
    prob_positive, shrinkage
        Shape (k,).
    log_evidence
        None: chains do not give it.
    """

    label: NDArray[np.str_]
    estimate: Floats
    std_error: Floats
    prior_mu: str
    prior_tau: str
    mu: Summary
    tau: Summary
    new_group: Summary
    theta: Summary
    prob_positive: Floats
    shrinkage: Floats
    log_evidence: None = None

    @classmethod
    def of(cls, fit: xarray.DataTree) -> Drawn:
        """Summarise a fit of `pool_mcmc`."""
        draws, table = fit["posterior"].to_dataset(), fit["observed_data"].to_dataset()
        std_error = table["std_error"].values
        tau_squared = draws["tau"].values[..., None] ** 2
        return cls(
            label=np.asarray(table["group"].values, dtype=str),
            estimate=table["estimate"].values,
            std_error=std_error,
            prior_mu=fit.attrs["prior_mu"],
            prior_tau=fit.attrs["prior_tau"],
            prob_positive=(draws["theta"].values > 0).mean(axis=(0, 1)),
            shrinkage=(std_error**2 / (std_error**2 + tau_squared)).mean(axis=(0, 1)),
            mu=_summary(draws["mu"].values),
            tau=_summary(draws["tau"].values),
            new_group=_summary(draws["new_group"].values),
            theta=_summary(draws["theta"].values),
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the result as plain numbers for JSON."""
        return as_dict(self)


def _summary(draws: Floats) -> Summary:
    """Mean, sd and quantiles of draws of shape (chain, draw, ...)."""
    quantiles = np.moveaxis(np.quantile(draws, Summary.levels, axis=(0, 1)), 0, -1)
    return Summary(draws.mean(axis=(0, 1)), draws.std(axis=(0, 1)), quantiles)
