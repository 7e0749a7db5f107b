"""The result of a pooling with effects that need not be normal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from propto.pooling.display import findings_html, groups_html
from propto.pooling.effects.empirical import EmpiricalPosterior, Estimate
from propto.pooling.effects.estimated import NonparametricEffects, NoPrior
from propto.pooling.effects.families import Effects
from propto.pooling.effects.posterior import Posterior
from propto.pooling.plain import plain, records
from propto.pooling.pooled import Summary, as_dict
from propto.pooling.priors import MuPrior, TauPrior

if TYPE_CHECKING:
    from pathlib import Path

    import pandas

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EffectsFit:
    """The posterior of a table whose effects follow a given distribution.

    Parameters
    ----------
    label, estimate, std_error
        The table, shape (k,).
    effects
        The distribution of the effects.
    error_df
        Degrees of freedom of the standard errors, shape (k,); None where these are known.
    prior_mu, prior_tau
        The priors that were used.
    mu, tau, new_group, theta, prob_positive, shrinkage, log_evidence
        As in `Pooled`; tau is the scale of the effects' distribution, which only for the normal is its
        sd. The shrinkage is the posterior mean of the weight that is not the group's own estimate's.
    shape
        Summary of what else the distribution has: 1 / df, or the share of its first part; None where
        that is given.
    prob_zero
        P(theta_j = 0), shape (k,): zeros for distributions without a spike.
    log_score
        ``log p(estimate_j | all other estimates)``, shape (k,): how well the model foretells a group that
        it has not seen. The larger the sum, the better.
    error_bound
        Bound of the quadrature error: the largest relative change of the evidence, of the moments of
        tau and of the probabilities at the quantiles given, when the steps were last halved; 1e-7 at
        least. The evidence and the moments of tau are right to about its square. Of an estimated
        distribution: what its mean log likelihood is short of the maximum.

    Where the distribution is unimodal or nonparametric, it is estimated, with mu and tau its mean and sd, and
    then taken as known (empirical Bayes): mu and tau have no intervals, there is no evidence, and the
    intervals of the effects leave out that the distribution is uncertain. The shrinkage of a group is
    ``1 - sd(theta_j)**2 / std_error_j**2`` then, from 0 to 1.
    """

    label: NDArray[np.str_]
    estimate: Floats
    std_error: Floats
    effects: Effects
    error_df: Floats | None
    prior_mu: MuPrior | NoPrior
    prior_tau: TauPrior | NoPrior
    mu: Summary
    tau: Summary
    shape: Summary | None
    new_group: Summary
    theta: Summary
    prob_positive: Floats
    prob_zero: Floats
    shrinkage: Floats
    log_score: Floats
    log_evidence: float
    error_bound: float
    posterior: Posterior | EmpiricalPosterior = field(repr=False)

    def draws(self, n: int, seed: int) -> dict[str, Floats]:
        """Draw independently from the joint posterior; the arguments are those of `Pooled.draws`.

        Tau, mu and the shape are drawn at the nodes of the quadrature, the effects given them; no chain.
        Each draw's tau is then spread between its node and the next ones by the posterior of tau alone.

        Examples
        --------
        >>> from propto.pooling.effects import pool_effects
        >>> fit = pool_effects([28, 8, -3], [15, 10, 16], effects="student_t(4)")
        >>> fit.draws(5, seed=0)["theta"].shape
        (5, 3)
        """
        return self.posterior.draw(n, seed)

    @property
    def parts_a_group(self) -> int:
        """How many normals one draw of one group's effect has to choose from."""
        return self.posterior.parts_a_group

    @property
    def estimate_of_effects(self) -> Estimate | None:
        """The distribution of effects itself, where it is estimated and then taken as known."""
        return self.posterior.prior if isinstance(self.posterior, EmpiricalPosterior) else None

    @property
    def lfsr(self) -> Floats:
        """Local false sign rate: the chance of a wrong sign if one has to be said, shape (k,).

        NaN for nonparametric effects: the sign of a point next to zero means nothing.
        """
        if isinstance(self.effects, NonparametricEffects):
            return np.full(self.label.size, np.nan)
        return np.minimum(1 - self.prob_positive, self.prob_positive + self.prob_zero)

    def to_dict(self) -> dict[str, Any]:
        """Give the result as plain numbers for JSON: as `Pooled.to_dict`, with shape and scores."""
        answer = as_dict(self)
        columns = zip(answer["groups"], self.prob_zero, plain(self.lfsr), plain(self.log_score), strict=True)
        for group, zero, wrong, score in columns:
            group |= {"prob_zero": float(zero), "lfsr": wrong, "log_score": score}
        answer["effects"] = str(self.effects)
        if self.shape is not None:
            answer["shape"] = {"name": self.effects.shape_name, **self.shape.to_dict()}
        answer["log_score"] = plain(float(self.log_score.sum()))
        found = self.estimate_of_effects
        if found is not None:
            parts = {"weight": found.weight, "mean": found.mean, "sd": found.sd}
            answer["distribution"] = {"log_likelihood": found.log_likelihood, "parts": records(parts)}
        return answer

    def to_frame(self) -> pandas.DataFrame:
        """Give the groups as a data frame, one row a group, with the columns of `to_dict`."""
        import pandas as pd

        return pd.DataFrame(self.to_dict()["groups"])

    def report(self, path: str | Path | None = None, **parts: Any) -> str | Path:
        """Write the report, or return its text; see `propto.report`."""
        import propto

        return propto.report(self, path, **parts)

    def _repr_html_(self) -> str:
        """The findings and the groups as a notebook shows them."""
        from propto.pooling.findings import effects_findings

        return findings_html(effects_findings(self)) + groups_html(self)
