"""Pooling with heavy-tailed, spiked or mixed effects, and with estimated standard errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from propto.errors import OptionError, PriorError
from propto.pooling import priors
from propto.pooling.effects.empirical import EmpiricalPosterior, estimate_effects, log_scores, point
from propto.pooling.effects.estimated import Estimated, NoPrior
from propto.pooling.effects.families import Effects, Known, parse_effects
from propto.pooling.effects.likelihood import Errors
from propto.pooling.effects.posterior import Posterior, Problem
from propto.pooling.effects.result import EffectsFit
from propto.pooling.effects.theta import (
    GroupPosterior,
    group_posterior,
    mean_mixture,
    new_group_mixture,
    summarise_one,
)
from propto.pooling.groups import Groups
from propto.pooling.priors import Flat, MuPrior, Normal, TauPrior
from propto.pooling.summaries import MARGIN, existing, summarise_tau
from propto.pooling.tables import Table

Floats = NDArray[np.float64]

_NEARLY_NORMAL = 1e6  # degrees of freedom
_KERNELS = 1e-7  # error of probabilities from the kernels that stand for the posterior of mu
_SURPRISED = 1e-4  # share of a score that the posterior may not know well
_FEW = 8  # surprised groups that have a quadrature each; more share one


def pool_effects(
    estimate: ArrayLike,
    std_error: ArrayLike,
    *,
    effects: str | Effects = "normal",
    error_df: ArrayLike | None = None,
    label: Sequence[Any] | None = None,
    prior_mu: str | MuPrior | None = None,
    prior_tau: str | TauPrior | None = None,
) -> EffectsFit:
    r"""Pool estimates whose effects need not be normal.

    Each distribution is a mixture of normals, and so is each estimate's given mu, tau and the shape (the
    degrees of freedom, or the share of the first part):

    .. math:: p(y_j \mid \mu, \tau, \phi) = \sum_m w_m(\phi)\, N(y_j \mid a_m \mu,\ c_m^2 \tau^2 + s_j^2).

    Mu, tau and the shape are integrated out by the trapezoidal rule; Student's t is a mixture over its
    precision, integrated by a rule of its own. Given all three, theta is a mixture of normals.

    ``unimodal`` and ``nonparametric`` are empirical Bayes: the distribution itself is estimated by
    (penalised) maximum likelihood and then taken as known, so that mu and tau have no intervals, there is no
    evidence, and intervals of effects are too narrow where groups are few.

    Parameters
    ----------
    estimate, std_error
        The table, shape (k,), in one unit; ``std_error > 0``.
    effects
        The distribution, as a text or an object: ``normal``, ``student_t(df)``, ``spike_slab(share)``,
        ``two_normals(ratio, share)``, ``unimodal(mode)`` or ``nonparametric``; what is not given is estimated
        (see `parse_effects`).
    error_df
        Degrees of freedom of the standard errors, one or one a group, where these are estimates
        themselves: ``estimate_j ~ StudentT(error_df_j, theta_j, std_error_j)``.
    label
        Names of the groups; ``1 ... k`` if not given.
    prior_mu, prior_tau
        Priors (see `parse_mu` and `parse_tau`); by default `default_mu` and `default_tau`. A spike and
        slab needs a proper prior on mu: by default a normal about 0 with the scale of tau's. Estimated
        distributions have none.

    Returns
    -------
    EffectsFit

    Raises
    ------
    TableError
        The table is empty, its columns differ in length, or a number in it cannot be used.
    OptionError
        The distribution is not known, or degrees of freedom are out of range or given with an estimated
        distribution.
    PriorError
        A prior is not known, leaves a posterior that cannot be integrated, or is given with an estimated
        distribution.

    References
    ----------
    .. [1] Lee and Thompson (2008), Flexible parametric models for random-effects distributions,
       Statistics in Medicine 27.
    .. [2] Higgins, Thompson and Spiegelhalter (2009), A re-evaluation of random-effects meta-analysis,
       JRSS A 172.
    .. [3] Stephens (2017), False discovery rates: a new deal, Biostatistics 18.
    .. [4] Koenker and Mizera (2014), Convex optimization, shape constraints, compound decisions, and
       empirical Bayes rules, JASA 109.

    Examples
    --------
    >>> y = [0.1, -0.2, 0.0, 0.2, 3.0]
    >>> normal, robust = (pool_effects(y, [0.3] * 5, effects=e) for e in ("normal", "student_t(2)"))
    >>> normal.theta.mean.round(2), robust.theta.mean.round(2)
    (array([ 0.13, -0.15,  0.03,  0.22,  2.87]), array([ 0.1 , -0.13,  0.03,  0.18,  2.92]))
    """
    groups = Groups.of(estimate, std_error, label)
    y, s = groups.estimate, groups.std_error
    family, df = parse_effects(effects), _degrees(error_df, y.size)
    if isinstance(family, Estimated):
        _refuse(family, df, prior_mu, prior_tau)
        return _estimated(groups, family)
    on_mu, on_tau = _priors(y, s, family, prior_mu, prior_tau)
    limits = _moment_limits(y.size, family, df, on_mu, on_tau)
    posterior = Problem(Errors.of(y, s, df), family, on_mu, on_tau, limits["tau"]).solve()
    return _result(groups, posterior, limits, df)


def _refuse(family: Estimated, df: Floats | None, prior_mu: object, prior_tau: object) -> None:
    """Refuse what an estimated distribution cannot use."""
    if df is not None:
        raise OptionError(f"error_df: with {family} effects the standard errors must be known; leave it out.")
    if prior_mu is not None or prior_tau is not None:
        raise PriorError(f"{family} effects are estimated without priors on mu and tau; leave these out.")


def _estimated(groups: Groups, family: Estimated) -> EffectsFit:
    """Estimate the distribution, and take it as known."""
    y, s = groups.estimate, groups.std_error
    found = estimate_effects(family, y, s)
    posterior = EmpiricalPosterior(y, s, found)
    theta, new_group = posterior.theta(), posterior.new_group()
    positive, zero = posterior.positive()
    return EffectsFit(
        label=groups.label,
        estimate=y,
        std_error=s,
        effects=family,
        error_df=None,
        prior_mu=NoPrior(),
        prior_tau=NoPrior(),
        mu=point(float(new_group.mean)),
        tau=point(float(new_group.sd)),
        shape=None,
        new_group=new_group,
        theta=theta,
        prob_positive=positive,
        prob_zero=zero,
        shrinkage=np.clip(1 - (theta.sd / s) ** 2, 0.0, 1.0),
        log_score=log_scores(family, found, y, s),
        log_evidence=math.nan,
        error_bound=found.gap,
        posterior=posterior,
    )


def effects_of_table(table: Table, **options: Any) -> EffectsFit:
    """Pool a table as read; the options are those of `pool_effects`.

    Examples
    --------
    >>> from propto.pooling.tables import read_table
    >>> table = read_table({"school": ["A", "B"], "effect": [28, 8], "se": [15, 10]})
    >>> effects_of_table(table, effects="student_t(4)").label
    array(['A', 'B'], dtype='<U1')
    """
    return pool_effects(table.estimate, table.std_error, label=table.label, **options)


def _degrees(error_df: ArrayLike | None, k: int) -> Floats | None:
    """Degrees of freedom of every group's standard error."""
    if error_df is None:
        return None
    df = np.asarray(error_df, dtype=float)
    if df.ndim > 1 or df.size not in (1, k):
        raise OptionError(f"error_df: expected one number, or one for each of {k} groups, got {df.size}.")
    if not ((df >= 1) & (df <= _NEARLY_NORMAL)).all():
        worst = df.ravel()[~((df >= 1) & (df <= _NEARLY_NORMAL)).ravel()][0]
        raise OptionError(f"error_df: degrees of freedom must lie between 1 and 1e6, got {worst:g}.")
    return np.broadcast_to(df, (k,)).astype(float)


def _priors(
    y: Floats, s: Floats, family: Known, prior_mu: str | MuPrior | None, prior_tau: str | TauPrior | None
) -> tuple[MuPrior, TauPrior]:
    """The priors asked for, and the default ones; a spike needs a proper one on mu."""
    on_mu, on_tau = priors.of(y, s, prior_mu, prior_tau)
    if not family.has_spike or not isinstance(on_mu, Flat):
        return on_mu, on_tau
    if prior_mu is not None:
        raise PriorError(
            "prior on mu 'flat': where all effects may be zero nothing holds mu, and a flat prior leaves no "
            "posterior. Mend: normal(0, sd), with the largest effect that is likely for sd."
        )
    return Normal(0.0, priors.default_tau(y, s).scale), on_tau


def _moment_limits(
    k: int, family: Known, df: Floats | None, on_mu: MuPrior, on_tau: TauPrior
) -> dict[str, float]:
    """Give the orders below which the posterior moments exist, as in the exact engine.

    Tau falls as there. Mu can be far away with a large tau, as there; or with any tau if every estimate
    is far out in a tail ``|y - mu|**-(nu + 1)`` of the effects or of the errors. A new effect falls as
    the heaviest of tau, mu and its own distribution. Where every effect may be zero by a spike, no estimate
    says anything about a large tau.
    """
    k = 0 if family.has_spike else k
    tail = min(family.tail_index, math.inf if df is None else float(df.min()))
    limit_tau = k + on_tau.tail_index + min(on_mu.tail_index, 0.0)
    limit_mu = min(k + on_tau.tail_index, k * (tail + 1)) + on_mu.tail_index
    if min(limit_tau, limit_mu) < MARGIN:
        raise PriorError(
            f"{on_tau} with one group and a flat prior on mu leaves a posterior too heavy to integrate. "
            "Mend: more degrees of freedom, or a normal prior on mu."
        )
    return {"tau": limit_tau, "mu": limit_mu, "new": min(limit_tau, limit_mu, family.tail_index)}


def _result(groups: Groups, posterior: Posterior, limits: dict[str, float], df: Floats | None) -> EffectsFit:
    """Put the posterior of everything together."""
    problem, halves = posterior.problem, posterior.nodes
    mu, mu_error = summarise_one(halves, mean_mixture)
    new_group, new_error = summarise_one(halves, new_group_mixture)
    per_group = group_posterior(halves)
    inner = sum(node.weight * node.sheet.mu.error for half in halves for node in half)
    return EffectsFit(
        label=groups.label,
        estimate=groups.estimate,
        std_error=groups.std_error,
        effects=problem.effects,
        error_df=df,
        prior_mu=problem.prior_mu,
        prior_tau=problem.prior_tau,
        mu=existing(mu, limits["mu"]),
        tau=existing(summarise_tau(posterior.tau), limits["tau"]),
        shape=posterior.shape,
        new_group=existing(new_group, limits["new"]),
        theta=per_group.theta,
        prob_positive=per_group.prob_positive,
        prob_zero=per_group.prob_zero,
        shrinkage=per_group.shrinkage,
        log_score=_scores(posterior, per_group),
        log_evidence=posterior.lattice.log_integral,
        error_bound=max(_KERNELS, posterior.error, inner, mu_error, new_error, per_group.error),
        posterior=posterior,
    )


def _scores(posterior: Posterior, groups: GroupPosterior) -> Floats:
    """Log scores; of groups that their model did not expect by nodes that reach where it would be without."""
    score = groups.log_score.copy()
    if score.size == 1:
        return np.full(1, math.nan)
    some = np.flatnonzero(groups.surprise > _SURPRISED)
    if some.size:
        without = posterior.log_without_each if some.size <= _FEW else posterior.log_without
        score[some] = posterior.lattice.log_integral - without(some)
    return score
