"""The joint posterior of tau and mu as a finite mixture, from which all else follows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from propto.pooling.gauss import gauss_rule
from propto.pooling.marginal import GivenTau, Marginal
from propto.pooling.mixture import Mixture
from propto.pooling.tau import TauPosterior

Floats = NDArray[np.float64]

_NEGLIGIBLE = 1e-17
_RARE = 1e-9  # weight of a value of tau at which the reduction need not be right


@dataclass(frozen=True)
class Components:
    """Points of tau, each with a weight and a normal posterior of mu.

    Parameters
    ----------
    weight
        Shape (n,), summing to 1.
    tau, mu_mean, mu_variance
        Shape (n,).
    even
        True where the quadrature with twice the step has its nodes.
    """

    weight: Floats
    tau: Floats
    mu_mean: Floats
    mu_variance: Floats
    even: NDArray[np.bool_]

    def mu(self) -> Mixture:
        """The posterior of mu, one row."""
        return Mixture(self.weight, self.mu_mean[None], np.sqrt(self.mu_variance)[None])

    def new_group(self) -> Mixture:
        """The posterior of a new group's effect, one row."""
        return Mixture(self.weight, self.mu_mean[None], np.sqrt(self.mu_variance + self.tau**2)[None])

    def theta(self, estimate: Floats, variance: Floats) -> Mixture:
        """The posterior of the effects of groups with these data, one row a group."""
        y, s_squared = estimate[:, None], variance[:, None]
        mean, var = theta_given(y, s_squared, self.tau, self.mu_mean, self.mu_variance)
        return Mixture(self.weight, mean, np.sqrt(var))

    def pull(self, variance: Floats) -> Floats:
        """Posterior mean of ``s**2 / (s**2 + tau**2)`` for each squared standard error, shape (rows,)."""
        each = variance[:, None] / (variance[:, None] + self.tau**2)
        return np.einsum("ij,j->i", each, self.weight)

    def likely(self) -> Components:
        """Without the components that only matter for moments of a heavy tail."""
        keep = self.weight > _NEGLIGIBLE
        return Components(
            self.weight[keep], self.tau[keep], self.mu_mean[keep], self.mu_variance[keep], self.even[keep]
        )


def components(weight: Floats, tau: Floats, even: NDArray[np.bool_], given: GivenTau) -> Components:
    """One component for each node of tau and each term of the prior on mu.

    Where all the terms of a Student's t prior lead to nearly the same posterior of mu, which is so for
    a large table, the few points of a Gauss rule stand for them.
    """
    shares, variance = given.shares, given.mu_variance
    points = _points_needed(weight, given)
    if points is not None and points < shares.shape[1]:
        variance, shares = gauss_rule(variance, shares, points)
    terms = shares.shape[1]
    joint = (weight[:, None] * shares).ravel()
    return Components(
        joint / joint.sum(),
        np.repeat(tau, terms),
        given.mu_mean(variance).ravel(),
        variance.ravel(),
        np.repeat(even, terms),
    )


def for_groups(joint: Components, marginal: Marginal, posterior: TauPosterior) -> Components:
    """The components that the groups' effects need, fewer than all where the table tells tau well.

    Each half of the nodes of tau gives way to a Gauss rule with the same low moments of log tau. An effect
    depends on log tau smoothly, in its own sd by no more than ``1 + |y - mu| / sqrt(s**2 + tau**2)``; with
    deviations of size d in these units n points are right to about ``d**(2 n)``.
    """
    joint, weight, log_tau = (
        joint.likely(),
        posterior.rule.weights,
        np.log(np.maximum(posterior.nodes, 1e-300)),
    )
    centre = weight @ log_tau
    sd = math.sqrt(weight @ (log_tau - centre) ** 2)
    away = np.abs(marginal.estimate - joint.weight @ joint.mu_mean)
    unlike = sd * (1 + float(np.max(away / np.sqrt(marginal.variance + math.exp(2 * centre)))))
    count = _points(unlike)
    if count is None or 4 * count > joint.weight.size:
        return joint
    halves = [posterior.rule.even, ~posterior.rule.even]
    rules = [
        gauss_rule(log_tau[None, half], weight[None, half] / weight[half].sum(), count) for half in halves
    ]
    tau = np.exp(np.concatenate([points[0] for points, _ in rules]))
    shares = [weight[half].sum() * rule[1][0] for half, rule in zip(halves, rules, strict=True)]
    even = np.repeat([True, False], count)
    return components(np.concatenate(shares), tau, even, marginal.given(tau))


def theta_given(
    estimate: Floats, variance: Floats, tau: Floats, mu_mean: Floats, mu_variance: Floats
) -> tuple[Floats, Floats]:
    """Mean and variance of theta given tau, where mu has this mean and variance given tau.

    ``theta = B mu + (1 - B) y + error`` with ``B = s**2 / (s**2 + tau**2)`` and an error of variance
    ``B tau**2``.
    """
    pull = variance / (variance + tau**2)
    own = tau**2 / (variance + tau**2)
    return pull * mu_mean + own * estimate, pull * tau**2 + pull**2 * mu_variance


def _points_needed(weight: Floats, given: GivenTau) -> int | None:
    """How many Gauss points can replace the terms; ``None`` if mu differs too much between the terms.

    With relative deviations of size d, n points are right to about ``d**(2 n)``.
    """
    shares, variance = given.shares, given.mu_variance
    typical = (shares * variance).sum(axis=1)
    deviation = np.sqrt((shares * (variance - typical[:, None]) ** 2).sum(axis=1))
    shift = given.precision * np.abs(given.mean - given.prior.centre) * deviation / np.sqrt(typical)
    unlike = np.maximum(deviation / typical, shift)[weight > _RARE].max()
    return _points(float(unlike))


def _points(unlike: float) -> int | None:
    """How many points of a Gauss rule stand for deviations of this size; ``None`` if they are too large."""
    if unlike > 0.5:
        return None
    return 1 + math.ceil(math.log(1e-10) / (2 * math.log(max(unlike, 1e-10))))
