"""How much the groups differ: tau, I squared, Q, and the evidence for no difference at all."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from propto.pooling.families import Uniform
from propto.pooling.phrases import number, span
from propto.pooling.plain import plain
from propto.pooling.pooled import Pooled, Summary
from propto.pooling.tails import chi_squared_tail

_LOW, _MEDIAN, _HIGH = 1, 3, 5  # places in Summary.levels: 5, 50 and 95 %


@dataclass(frozen=True)
class Heterogeneity:
    """How much the true effects differ between groups.

    Parameters
    ----------
    tau
        Posterior of the sd between groups.
    i_squared
        Posterior of ``tau**2 / (tau**2 + s**2)``, s being the typical standard error: the share of the
        scatter that is between groups, from 0 to 1. None for one group.
    typical_error
        ``s = sqrt((k - 1) W1 / (W1**2 - W2))``, W1 and W2 the sums of ``1/se**2`` and ``1/se**4`` [1]_.
    q, q_df, q_p
        Cochran's Q, its degrees of freedom k - 1, and the chance of a larger Q if no effects differ.
    i_squared_q
        ``max(0, (Q - df) / Q)``, the share as computed from Q.
    log_bayes_factor
        ``log p(y | tau = 0) - log p(y)``: above 0 the data speak for tau = 0, against tau from its
        prior. It depends on the prior's width, even where the estimates do not. None where the prior
        leaves tau = 0 out.
    prob_zero
        P(tau = 0 | y), if tau = 0 and the prior on tau were equally likely before.

    References
    ----------
    .. [1] Higgins and Thompson (2002), Quantifying heterogeneity in a meta-analysis, Statistics in
       Medicine 21.
    """

    tau: Summary
    i_squared: Summary | None
    typical_error: float
    q: float
    q_df: int
    q_p: float
    i_squared_q: float
    log_bayes_factor: float | None
    prob_zero: float | None

    def findings(self) -> list[str]:
        """Say in sentences how much the groups differ."""
        return [sentence for sentence in (self._share(), self._evidence()) if sentence]

    def _share(self) -> str:
        if self.i_squared is None:
            return ""
        low, middle, high = (100 * self.i_squared.quantiles[place] for place in (_LOW, _MEDIAN, _HIGH))
        tau, spread = self.tau.quantiles, self.tau.quantiles[_HIGH] - self.tau.quantiles[_LOW]
        between = span(tau[_LOW], tau[_HIGH], spread / 3)
        return (
            f"Groups differ by tau = {number(tau[_MEDIAN], spread / 3)} (90 % interval {between}): "
            f"{middle:.0f} % of the scatter (I^2; {low:.0f} to {high:.0f} %), the rest is error."
        )

    def _evidence(self) -> str:
        if self.log_bayes_factor is None or self.i_squared is None:
            return ""
        power = abs(self.log_bayes_factor) / math.log(10)
        if power < math.log10(3):
            return "The data do not tell whether the groups differ at all (Bayes factor below 3 either way)."
        what = "that no groups differ (tau = 0)" if self.log_bayes_factor > 0 else "that groups differ"
        size = f"{10**power:.0f} times" if power < 3 else f"about 10^{power:.0f} times"
        return f"The data are {size} as likely under the claim {what} as under its contrary."

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers for JSON."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        summaries = {
            name: value.to_dict() if isinstance(value, Summary) else value for name, value in found.items()
        }
        return plain(summaries)


def heterogeneity(pooled: Pooled) -> Heterogeneity:
    """Measure how much the groups of a pooled table differ.

    Parameters
    ----------
    pooled
        The exact engine's result.

    Returns
    -------
    Heterogeneity

    Examples
    --------
    >>> from propto.pooling.exact import pool_exact
    >>> fit = pool_exact([28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18])
    >>> found = heterogeneity(fit)
    >>> round(found.q, 3), found.q_df, found.i_squared_q
    (4.707, 7, 0.0)
    """
    y, w = pooled.estimate, pooled.std_error**-2.0
    total, df = w.sum(), len(y) - 1
    q = float(np.sum(w * (y - np.sum(w * y) / total) ** 2))
    typical = math.sqrt(df * total / (total**2 - np.sum(w**2))) if df else math.nan
    log_factor = None if _leaves_zero_out(pooled) else _log_bayes_factor(pooled)
    return Heterogeneity(
        tau=pooled.tau,
        i_squared=_i_squared(pooled, typical) if df else None,
        typical_error=typical,
        q=q,
        q_df=df,
        q_p=chi_squared_tail(q, df) if df else math.nan,
        i_squared_q=max(0.0, 1 - df / q) if q > 0 else 0.0,
        log_bayes_factor=log_factor,
        prob_zero=None if log_factor is None else 1 / (1 + math.exp(-max(log_factor, -700.0))),
    )


def _i_squared(pooled: Pooled, typical: float) -> Summary:
    """The posterior of tau, seen through a function that increases with it."""

    def share(tau: Any) -> Any:
        return tau**2 / (tau**2 + typical**2)

    at_nodes, weights = share(pooled.tau_nodes), pooled.tau_weights
    mean = float(np.sum(weights * at_nodes))
    sd = math.sqrt(float(np.sum(weights * (at_nodes - mean) ** 2)))
    return Summary(mean, sd, share(pooled.tau.quantiles))


def _leaves_zero_out(pooled: Pooled) -> bool:
    return isinstance(pooled.prior_tau, Uniform) and pooled.prior_tau.lower > 0


def _log_bayes_factor(pooled: Pooled) -> float:
    return float(pooled.marginal.given(np.zeros(1)).log_likelihood[0]) - pooled.log_evidence
