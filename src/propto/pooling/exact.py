"""The pooling model solved exactly: theta and mu in closed form, tau by quadrature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from propto.errors import PriorError
from propto.pooling import priors
from propto.pooling.components import Components, components, for_groups
from propto.pooling.groups import Groups
from propto.pooling.marginal import GivenTau, Marginal, normal_priors
from propto.pooling.pooled import Pooled, Summary
from propto.pooling.priors import MuPrior, TauPrior
from propto.pooling.summaries import MARGIN, existing, summarise, summarise_tau
from propto.pooling.tau import TauPosterior, tau_posterior

__all__ = ["Pooled", "Summary", "pool_exact"]

Floats = NDArray[np.float64]

_CHUNK = 2**18  # elements of a temporary array


def pool_exact(
    estimate: ArrayLike,
    std_error: ArrayLike,
    *,
    label: Sequence[Any] | None = None,
    prior_mu: str | MuPrior | None = None,
    prior_tau: str | TauPrior | None = None,
) -> Pooled:
    """Solve the pooling model by quadrature, without sampling.

    ``theta_j ~ Normal(mu, tau)``, ``estimate_j ~ Normal(theta_j, std_error_j)``, with priors on mu and
    tau. Given tau everything is normal, so that the posterior is a mixture of normals over tau, and one
    integral over tau is all that is left to do [1]_. A Student's t prior on mu is a mixture of normals
    too, over its precision.

    Parameters
    ----------
    estimate, std_error
        The table, shape (k,), in one unit; ``std_error > 0``.
    label
        Names of the groups; ``1 ... k`` if not given.
    prior_mu, prior_tau
        Priors, as texts or objects (see `parse_mu` and `parse_tau`); by default `default_mu` and
        `default_tau`.

    Returns
    -------
    Pooled

    Raises
    ------
    TableError
        The table is empty, its columns differ in length, or a number in it cannot be used.
    PriorError
        A prior is not known, or leaves a posterior that cannot be integrated.

    References
    ----------
    .. [1] Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, section 5.4.

    Examples
    --------
    >>> fit = pool_exact(
    ...     [28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18],
    ...     label=list("ABCDEFGH"), prior_mu="normal(8.75, 20)", prior_tau="uniform(0, 100)",
    ... )
    >>> round(float(fit.theta.mean[0]), 2), round(float(fit.theta.sd[0]), 2)
    (11.37, 8.22)
    """
    groups = Groups.of(estimate, std_error, label)
    y, s = groups.estimate, groups.std_error
    on_mu, on_tau = priors.of(y, s, prior_mu, prior_tau)
    limit_mu, limit_tau = _moment_limits(y.size, on_mu, on_tau)
    marginal, posterior, given, joint = solve(y, s, on_mu, on_tau)
    rule = posterior.rule
    mu, mu_error = summarise(joint.mu(), joint.even)
    new_group, new_error = summarise(joint.new_group(), joint.even)
    theta, prob_positive, shrinkage, theta_error = each_group(for_groups(joint, marginal, posterior), y, s**2)
    return Pooled(
        label=groups.label,
        estimate=y,
        std_error=s,
        prior_mu=on_mu,
        prior_tau=on_tau,
        mu=existing(mu.row(0), limit_mu),
        tau=existing(summarise_tau(posterior), limit_tau),
        new_group=existing(new_group.row(0), limit_tau),
        theta=theta,
        prob_positive=prob_positive,
        shrinkage=shrinkage,
        log_evidence=rule.log_integral,
        tau_nodes=posterior.nodes,
        tau_weights=rule.weights,
        error_bound=max(rule.error, _prior_error(given, rule.weights), mu_error, new_error, theta_error),
        marginal=marginal,
        tau_posterior=posterior,
        components=joint,
    )


def solve(
    y: Floats, s: Floats, on_mu: MuPrior, on_tau: TauPrior
) -> tuple[Marginal, TauPosterior, GivenTau, Components]:
    """Integrate over tau, and give the joint posterior of tau and mu as a mixture, without summaries."""
    limit_mu, limit_tau = _moment_limits(y.size, on_mu, on_tau)
    marginal = Marginal(y, s**2, normal_priors(on_mu, y, s**2, on_tau.spread))
    posterior = tau_posterior(marginal, on_tau, _orders(limit_mu, limit_tau, on_mu), limit_tau)
    given = marginal.given(posterior.nodes)
    joint = components(posterior.rule.weights, posterior.nodes, posterior.rule.even, given)
    return marginal, posterior, given, joint


def _moment_limits(k: int, on_mu: MuPrior, on_tau: TauPrior) -> tuple[float, float]:
    """Give the orders below which the posterior moments of mu, and of tau, exist.

    Let the priors fall as ``|mu|**-(a + 1)`` and ``tau**-(b + 1)``: a is -1 for a flat prior, df for
    Student's t, infinite for a normal; b is df for a half-t (1 for the half-Cauchy), infinite for a
    lighter tail.

    - Tau: far out ``p(y | mu, tau) ~ tau**-k exp(-k mu**2 / (2 tau**2))``. Integrated over mu against a
      proper prior that is ``tau**-k``, against a flat one ``tau**-(k - 1)``. So the posterior falls as
      ``tau**-(k + b + min(a, 0) + 1)``.
    - Mu: only a large tau makes a large mu likely. Integrating ``tau**-(k + b + 1)
      exp(-k mu**2 / (2 tau**2))`` over tau leaves ``|mu|**-(k + b)``, times the prior on mu: the
      posterior falls as ``|mu|**-(k + b + a + 1)``.
    - A new group's effect is mu and tau together, and falls as the heavier of the two, tau.
    - Theta_j given tau is normal with a bounded mean and variance: all its moments exist.

    The moment of order r exists if r is less than the exponent less one. The posterior is proper if that
    of order 0 exists, which it does for every prior here, since all those on tau are proper.
    """
    limit_mu = k + on_tau.tail_index + on_mu.tail_index
    limit_tau = k + on_tau.tail_index + min(on_mu.tail_index, 0.0)
    if limit_tau < MARGIN:
        raise PriorError(
            f"{on_tau} with one group and a flat prior on mu leaves a posterior too heavy to integrate. "
            "Mend: more degrees of freedom, or a normal prior on mu."
        )
    return limit_mu, limit_tau


def _orders(limit_mu: float, limit_tau: float, on_mu: MuPrior) -> list[float]:
    """The powers of tau whose integrals must be right; the r-th moment of mu grows as tau**(r - a)."""
    for_tau = {float(r) for r in (0, 1, 2) if r + MARGIN <= limit_tau or r == 0}
    for_mu = {max(0.0, r - max(on_mu.tail_index, 0.0)) for r in (1, 2) if r + MARGIN <= limit_mu}
    return sorted(for_tau | for_mu)


def each_group(joint: Components, y: Floats, variance: Floats) -> tuple[Summary, Floats, Floats, float]:
    """Summary, P(theta > 0) and shrinkage of every group, some groups at a time."""
    rows = max(1, _CHUNK // (len(Summary.levels) * joint.weight.size))
    mean, sd, quantiles = np.empty(y.size), np.empty(y.size), np.empty((y.size, len(Summary.levels)))
    positive, shrinkage, error = np.empty(y.size), np.empty(y.size), 0.0
    for i in range(0, y.size, rows):
        some = slice(i, i + rows)
        mixture = joint.theta(y[some], variance[some])
        summary, change = summarise(mixture, joint.even)
        mean[some], sd[some], quantiles[some] = summary.mean, summary.sd, summary.quantiles
        positive[some] = np.minimum(mixture.survival(0.0), 1.0)  # the sum of the weights is rounded
        shrinkage[some] = np.minimum(joint.pull(variance[some]), 1.0)
        error = max(error, change)
    return Summary(mean, sd, quantiles), positive, shrinkage, error


def _prior_error(given: GivenTau, weights: Floats) -> float:
    """Relative change of the evidence when the rule behind a Student's t prior takes twice the step."""
    halved = replace(given, prior=given.prior.every_second())
    return abs(float(np.sum(weights * np.expm1(halved.log_fit - given.log_fit))))
