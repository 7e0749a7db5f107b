"""The pooling model where estimates are published with a chance that falls with their p-value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from propto.pooling.bias.component import Component
from propto.pooling.bias.setting import Curve, Effects, Setting, at_mu, integrate
from propto.pooling.bias.steps import Steps
from propto.pooling.lattice import Lattice
from propto.pooling.marginal import GivenTau
from propto.pooling.pooled import Summary
from propto.pooling.quadrature import between_nodes, log_sum

Floats = NDArray[np.float64]

_CHUNK = 2**19  # elements of a temporary array
_FINER = 16
_SCAN, _COARSER = 0.4, 0.8  # share of the points of omega's rule: to find the posterior, to see its error
_HIGHEST = 8  # points where that is seen
_RARE = 1e-7  # weight below which a point does not show in the posterior of omega


@dataclass(frozen=True)
class Selection:
    r"""A table under a step function of the chance to be published.

    .. math:: p(y_j \mid \mu, \tau, \omega) = N(y_j; \mu, \tau^2 + s_j^2)\, \omega(p_j) / A_j

    with A_j the sum over the steps of their omega times their probability. Mu, tau and omega are integrated
    out by quadrature. Lattice points are t, which gives tau, and z, the distance of mu from its mean given
    tau without selection in its sd.

    Parameters
    ----------
    setting
        The table and the claims on mu and tau.
    steps
        The step function.
    """

    setting: Setting
    steps: Steps

    def solve(self) -> Component:
        """Integrate over everything."""
        here, k = self.setting, self.setting.y.size
        rule, rough = self.steps.rule(k), self.steps.rule(k, _SCAN)
        axes = here.tau_axis + ([] if here.prior_mu is None else [np.arange(-8.0, 9.0)])
        found = integrate(
            lambda points: self._integrands(points, rule),
            axes,
            lambda points: self._integrands(points, rough),
        )
        given, mu = self._at(found.points)
        tau = here.tau(found.points)
        effects = Effects.of(found.weights, here.y, here.s, tau, mu, np.zeros_like(mu))
        chances, error = self._chances(mu, tau, found.weights, rule)
        return Component(
            bias=str(self.steps),
            mu=None if here.prior_mu is None else self._mu(found, given, mu),
            tau=None
            if here.prior_tau is None
            else Curve.of_tau(here.line, found.marginal(0), len(here.moments)),
            effects=effects,
            of_bias=chances,
            log_evidence=found.log_integral,
            error=found.error + error,
        )

    @cached_property
    def _counts(self) -> Floats:
        """How many estimates stand on each step."""
        where = self.steps.place(self.setting.y, self.setting.s)
        return np.bincount(where, minlength=len(self.steps.cuts) + 1).astype(float)

    def _at(self, points: Floats) -> tuple[GivenTau, Floats]:
        """The sums over the table and mu at the points."""
        given = self.setting.sums(self.setting.tau(points))
        if self.setting.prior_mu is None:
            return given, np.zeros(len(points))
        variance = given.mu_variance
        return given, (given.mu_mean(variance) + np.sqrt(variance) * points[:, -1:])[:, 0]

    def _integrands(self, points: Floats, rule: tuple[Floats, Floats]) -> Floats:
        """Logarithms of the posterior at the points, and of its moments."""
        here = self.setting
        given, mu = self._at(points)
        tau = here.tau(points)
        log_g = at_mu(given, mu) + here.log_prior_tau(points, tau) + self._log_selected(mu, tau, rule)
        if here.prior_mu is not None:
            log_g += here.prior_mu.log_density(mu) + 0.5 * np.log(given.mu_variance[:, 0])
        return here.integrands(log_g, tau)

    def _log_selected(self, mu: Floats, tau: Floats, rule: tuple[Floats, Floats]) -> Floats:
        """``log E prod_j omega(p_j) / A_j`` over the prior of omega at the points."""
        rows = max(1, _CHUNK // len(rule[1]))
        parts = [
            log_sum(self._terms(mu[i : i + rows], tau[i : i + rows], rule)) for i in range(0, mu.size, rows)
        ]
        return np.concatenate(parts)

    def _terms(self, mu: Floats, tau: Floats, rule: tuple[Floats, Floats]) -> Floats:
        """The logarithm of each term of the sum over omega, shape (points, Q)."""
        omega, log_mass = rule
        s = np.broadcast_to(self.setting.s, (mu.size, self.setting.s.size))
        shares = self.steps.shares(np.broadcast_to(mu[:, None], s.shape), np.hypot(s, tau[:, None]), s)
        log_norm, product = np.zeros((mu.size, log_mass.size)), np.ones((mu.size, log_mass.size))
        for j in range(s.shape[1]):
            product *= shares[:, j] @ omega.T
            if j % 8 == 7:  # before the product can underflow
                log_norm += np.log(product)
                product[:] = 1.0
        return np.log(omega) @ self._counts + log_mass - log_norm - np.log(product)

    def _chances(
        self, mu: Floats, tau: Floats, weight: Floats, rule: tuple[Floats, Floats]
    ) -> tuple[dict[str, Summary], float]:
        """The posterior of omega beyond each cut; and the error of its rule."""
        omega, share = rule[0], np.zeros(len(rule[1]))
        order = np.argsort(-weight)[: max(_HIGHEST, int((weight > _RARE).sum()))]
        rows = max(1, _CHUNK // share.size)
        for i in range(0, order.size, rows):
            some = order[i : i + rows]
            terms = self._terms(mu[some], tau[some], rule)
            share += weight[some] @ np.exp(terms - log_sum(terms)[:, None])
        top = order[:_HIGHEST]
        rough = self._log_selected(mu[top], tau[top], self.steps.rule(self.setting.y.size, _COARSER))
        error = float(np.abs(np.expm1(rough - self._log_selected(mu[top], tau[top], rule))).max())
        cuts = self.steps.cuts
        return {f"{cut:g}": _discrete(omega[:, i + 1], share) for i, cut in enumerate(cuts)}, error

    def _mu(self, found: Lattice, given: GivenTau, mu: Floats) -> Curve:
        """The posterior of mu: for every tau a curve in z, drawn between its nodes by its Fourier series."""
        mean = float(found.weights @ mu)
        sd = math.sqrt(float(found.weights @ (mu - mean) ** 2))
        place = found.index[:, -1] - found.index[:, -1].min()
        rows, first, row = np.unique(
            found.index[:, 0] if found.index.shape[1] > 1 else np.zeros(mu.size),
            return_index=True,
            return_inverse=True,
        )
        nodes = np.zeros((rows.size, place.max() + 1))
        nodes[row, place] = found.weights
        share = nodes.sum(axis=1)
        offset, cdf, _ = between_nodes(nodes / share[:, None], _FINER)
        z = (found.index[:, -1].min() + offset) * found.step[-1]
        scale = np.sqrt(given.mu_variance[first, 0])
        centre = mu[first] - scale * found.points[first, -1]

        def below(x: Floats) -> Floats:
            each = [
                w * np.interp((x - m) / d, z, f) for w, m, d, f in zip(share, centre, scale, cdf, strict=True)
            ]
            return np.sum(each, axis=0)

        return Curve.of(below, mean, sd)


def _discrete(x: Floats, share: Floats) -> Summary:
    """Summarise weighted points; quantiles are interpolated between them."""
    order = np.argsort(x, kind="stable")
    x, share = x[order], share[order] / share.sum()
    mean = float(share @ x)
    cdf = np.cumsum(share) - 0.5 * share
    quantiles = np.interp(Summary.levels, cdf, x)
    return Summary(mean, math.sqrt(float(share @ (x - mean) ** 2)), quantiles)
