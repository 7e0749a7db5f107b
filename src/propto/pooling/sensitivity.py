"""Would another prior change it? The posterior under alternative priors, and what depends on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from propto.pooling.exact import solve
from propto.pooling.families import (
    Exponential,
    Flat,
    HalfNormal,
    HalfStudentT,
    MuPrior,
    TauPrior,
    Uniform,
)
from propto.pooling.phrases import called, listed, number
from propto.pooling.plain import frame, plain
from propto.pooling.pooled import Pooled

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float64]

_CHUNK = 2**18  # elements of a temporary array
_WIDE = 10.0  # a uniform prior that is wide next to a scale goes up to so many of it
_ALTERNATIVES = 3
_MATERIAL = 0.1  # posterior sds: what crosses a line by less is a tie, and told as none


@dataclass(frozen=True, eq=False)
class Alternative:
    """The posterior under one other choice of priors.

    Parameters
    ----------
    prior_mu, prior_tau
        The priors.
    mu, tau_median
        Posterior mean of mu and median of tau.
    theta, prob_positive
        Posterior means of the effects, and P(effect > 0), shape (k,).
    log_evidence
        ``log p(estimate)``.
    """

    prior_mu: MuPrior
    prior_tau: TauPrior
    mu: float
    tau_median: float
    theta: Floats
    prob_positive: Floats
    log_evidence: float


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """What depends on the choice of priors.

    Signs, decisions and orders count as changed where the change is more than a tenth of a posterior sd.

    Parameters
    ----------
    label, base, sd
        Names, posterior means and sds of the effects under the priors in use, shape (k,).
    prob_positive
        P(effect > 0) under the priors in use, shape (k,).
    alternatives
        The posterior under other priors.
    bar
        The threshold of the decision that is looked at.
    """

    label: NDArray[np.str_]
    base: Floats
    sd: Floats
    prob_positive: Floats
    alternatives: tuple[Alternative, ...]
    bar: float

    @property
    def shift(self) -> Floats:
        """Largest change of each posterior mean, in posterior sds, shape (k,)."""
        changes = np.abs(np.stack([other.theta for other in self.alternatives]) - self.base)
        return changes.max(axis=0) / self.sd

    @property
    def signs(self) -> NDArray[np.intp]:
        """Groups whose posterior mean changes its sign."""
        return self._across(0.0)

    @property
    def decisions(self) -> NDArray[np.intp]:
        """Groups whose posterior mean crosses the bar."""
        return self._across(self.bar)

    @property
    def order(self) -> tuple[tuple[int, int], ...]:
        """Neighbours in the order of the posterior means whose order changes."""
        ranked = np.argsort(-self.base, kind="stable")
        first, second = ranked[:-1], ranked[1:]
        gaps = np.stack([theta[first] - theta[second] for theta in self._all()])
        swapped = _changes(gaps, np.minimum(self.sd[first], self.sd[second]))
        return tuple((int(first[i]), int(second[i])) for i in np.flatnonzero(swapped))

    @property
    def depends(self) -> bool:
        """Whether a sign, an order or a decision depends on the choice."""
        return bool(len(self.signs) or len(self.decisions) or self.order)

    def findings(self) -> list[str]:
        """Say what depends on the choice, or that nothing does."""
        j = int(np.argmax(self.shift))
        values = [theta[j] for theta in self._all()]
        sd = float(self.sd[j])
        most = (
            f"{called(self.label[j])} moves most, {number(min(values), sd)} to {number(max(values), sd)}"
            f" ({number(float(self.shift[j]), 0.1, 1)} sd)"
        )
        if self.shift[j] < 0.5 * _MATERIAL:
            most = "no group moves by 0.1 sd"
        if not self.depends:
            return [
                f"Under {len(self.alternatives)} other priors no sign, order or decision changes: {most}."
            ]
        return [f"The choice of priors matters: {'; '.join(self._changes())}; {most}."]

    def _changes(self) -> list[str]:
        parts = []
        if len(self.signs):
            parts.append(f"the sign of {listed(self._names(self.signs))}")
        if len(self.decisions) and self.bar:
            parts.append(f"which side of {self.bar:g} {listed(self._names(self.decisions))} is on")
        if self.order:
            pairs = [f"{called(self.label[i])} and {called(self.label[j])}" for i, j in self.order]
            parts.append(f"the order of {listed(pairs, 2)}")
        return parts

    def _names(self, which: NDArray[np.intp]) -> list[str]:
        return [called(self.label[j]) for j in which]

    def _across(self, bar: float) -> NDArray[np.intp]:
        return np.flatnonzero(_changes(np.stack(self._all()) - bar, self.sd))

    def _all(self) -> list[Floats]:
        """Posterior means under the priors in use, and under the others."""
        return [self.base, *(other.theta for other in self.alternatives)]

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers for JSON."""
        others = [
            {
                "prior_mu": str(other.prior_mu),
                "prior_tau": str(other.prior_tau),
                "mu": other.mu,
                "tau_median": other.tau_median,
                "theta": other.theta,
                "prob_positive": other.prob_positive,
                "log_evidence": other.log_evidence,
            }
            for other in self.alternatives
        ]
        return plain(
            {
                "depends": self.depends,
                "bar": self.bar,
                "signs": self.label[self.signs],
                "decisions": self.label[self.decisions],
                "order": [[str(self.label[i]), str(self.label[j])] for i, j in self.order],
                "largest_shift_sds": float(self.shift.max()),
                "alternatives": others,
            }
        )

    def to_frame(self) -> pandas.DataFrame:
        """Give one row a group and a column a prior."""
        columns = {"label": self.label, "base": self.base}
        for other in self.alternatives:
            columns[f"mu ~ {other.prior_mu}, tau ~ {other.prior_tau}"] = other.theta
        return frame(columns)


def _changes(values: Floats, sd: Floats) -> NDArray[np.bool_]:
    """Which columns hold values clearly on both sides of 0, the first row being one of them."""
    low, high = values.min(axis=0), values.max(axis=0)
    return (low <= 0) & (high > 0) & (np.maximum(-low, high) > _MATERIAL * sd)


def sensitivity(pooled: Pooled, *, bar: float = 0.0) -> Sensitivity:
    """Fit the table under other priors on tau, and a flat one on mu where that is not in use.

    Parameters
    ----------
    pooled
        The exact engine's result.
    bar
        The threshold of the decision that is looked at.

    Returns
    -------
    Sensitivity

    Examples
    --------
    >>> from propto.pooling.exact import pool_exact
    >>> found = sensitivity(pool_exact([28, 8, -3, 7], [15, 10, 16, 11], label=list("ABCD")))
    >>> [str(other.prior_tau) for other in found.alternatives]
    ['halfstudent_t(4, 13.2)', 'uniform(0, 132)', 'halfnormal(26.4)']
    >>> found.depends
    False
    """
    priors = [(pooled.prior_mu, prior) for prior in other_priors(pooled.prior_tau)]
    if not isinstance(pooled.prior_mu, Flat):
        priors.append((Flat(), pooled.prior_tau))
    others = tuple(_refit(pooled, *pair) for pair in priors)
    return Sensitivity(
        pooled.label, pooled.theta.mean, pooled.theta.sd, pooled.prob_positive, others, float(bar)
    )


def other_priors(prior: TauPrior) -> list[TauPrior]:
    """Choose three priors beside the one in use: a heavier tail, a flat one, and twice the scale.

    Parameters
    ----------
    prior
        The prior in use.

    Returns
    -------
    list
        Three priors.

    Examples
    --------
    >>> from propto.pooling.priors import HalfCauchy
    >>> [str(other) for other in other_priors(HalfCauchy(5))]
    ['halfstudent_t(4, 5)', 'uniform(0, 50)', 'halfcauchy(10)']
    >>> [str(other) for other in other_priors(Uniform(0, 100))]
    ['halfstudent_t(4, 10)', 'uniform(0, 200)', 'halfnormal(10)']
    """
    scale = prior.upper / _WIDE if isinstance(prior, Uniform) else prior.spread
    scale = float(f"{scale:.3g}")
    wider: list[TauPrior] = [
        HalfStudentT(4, scale),
        Uniform(0, _WIDE * scale),
        _doubled(prior),
        HalfNormal(scale),
    ]
    return [other for other in wider if other != prior][:_ALTERNATIVES]


def _doubled(prior: TauPrior) -> TauPrior:
    """The same family, twice as wide."""
    if isinstance(prior, Uniform):
        return Uniform(prior.lower, 2 * prior.upper)
    if isinstance(prior, Exponential):
        return Exponential(prior.rate / 2)
    return replace(prior, scale=2 * prior.scale)


def _refit(pooled: Pooled, prior_mu: MuPrior, prior_tau: TauPrior) -> Alternative:
    """The posterior means under these priors, without quantiles."""
    y, variance = pooled.estimate, pooled.std_error**2
    _, posterior, _, joint = solve(y, pooled.std_error, prior_mu, prior_tau)
    few = joint.likely()
    theta, positive, rows = np.empty(len(y)), np.empty(len(y)), max(1, _CHUNK // few.weight.size)
    for i in range(0, len(y), rows):
        some = slice(i, i + rows)
        mixture = few.theta(y[some], variance[some])
        theta[some], positive[some] = mixture.mean(), np.minimum(mixture.survival(0.0), 1.0)
    return Alternative(
        prior_mu=prior_mu,
        prior_tau=prior_tau,
        mu=float(joint.mu().mean()[0]),
        tau_median=float(posterior.quantile([0.5])[0]),
        theta=theta,
        prob_positive=positive,
        log_evidence=posterior.rule.log_integral,
    )
