"""The sums over all groups but one, for each of the groups, at nodes of tau that serve them all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from propto.errors import OptionError
from propto.pooling.marginal import GivenTau, NormalPriors
from propto.pooling.pooled import Pooled
from propto.pooling.quadrature import log_sum

Floats = NDArray[np.float64]

_DEPTH = 40.0  # what lies exp(-40) below the peak is left out
_TOLERANCE = 1e-6  # change of an integral when the step is last halved; what is kept is far better
_COARSE = 16  # steps of the full posterior's rule between two nodes of the first scan
_HALVINGS = 6
_CHUNK = 2**21  # elements of a temporary array


def limits_without(pooled: Pooled) -> tuple[float, float]:
    """Orders below which the moments of mu, and of tau, exist without a group."""
    k, on_mu, on_tau = len(pooled.label), pooled.prior_mu.tail_index, pooled.prior_tau.tail_index
    limit_tau = k - 1 + on_tau + min(on_mu, 0.0)
    if k < 2 or limit_tau < 0.1:
        raise OptionError("to leave one group out takes at least 2 groups, and 3 where the priors are wide")
    return k - 1 + on_tau + on_mu, limit_tau


@dataclass(frozen=True)
class LeftOut:
    """What is left without each of the k groups at n equidistant nodes of t: all of shape (k, n)."""

    t: Floats
    step: float
    log_spread: Floats
    precision: Floats
    mean: Floats
    misfit: Floats
    log_g: Floats

    @property
    def log_total(self) -> Floats:
        """Logarithm of the sum over the nodes, shape (k,)."""
        return log_sum(self.log_g)

    def given(self, some: slice, prior: NormalPriors) -> GivenTau:
        """The likelihood of tau without some of the groups, groups and nodes in one row."""
        sums = (self.log_spread, self.precision, self.mean, self.misfit)
        log_spread, precision, mean, misfit = (values[some].ravel() for values in sums)
        return GivenTau(log_spread, precision, mean, misfit, prior)


def without_each(pooled: Pooled) -> LeftOut:
    """Choose nodes that serve every refit: first where any of the posteriors lies, then how close."""
    posterior = pooled.tau_posterior
    line, step = posterior.line, _COARSE * posterior.rule.step
    end = line.end(min(1.0, limits_without(pooled)[1]))
    scan = _at(pooled, np.arange(line.start, end + step, step), step)
    alive = np.flatnonzero((scan.log_g > scan.log_g.max(axis=1, keepdims=True) - _DEPTH).any(axis=0))
    low, high = scan.t[max(alive[0] - 1, 0)], scan.t[min(alive[-1] + 1, scan.t.size - 1)]
    step = posterior.rule.step
    for _ in range(_HALVINGS):
        left = _at(pooled, np.arange(low, high + step / 2, step), step)
        rough = log_sum(left.log_g[:, ::2]) + math.log(2)
        if np.abs(np.expm1(rough - left.log_total)).max() < _TOLERANCE:
            break
        step /= 2
    return left


def _at(pooled: Pooled, t: Floats, step: float) -> LeftOut:
    """Sum over all groups but one, for each, some nodes at a time."""
    marginal, line = pooled.marginal, pooled.tau_posterior.line
    tau, k = line.tau(t), len(pooled.label)
    sums = np.empty((4, k, t.size))
    nodes = max(1, _CHUNK // k)
    for i in range(0, t.size, nodes):
        some = slice(i, i + nodes)
        sums[:, :, some] = _sums(marginal.estimate, marginal.variance, tau[some])
    on_t = sum(line.log_slope(t)) + pooled.prior_tau.log_density(tau)
    log_spread, precision, mean, misfit = sums
    left = LeftOut(t, step, log_spread, precision, mean, misfit, np.empty((k, t.size)))
    rows = max(1, _CHUNK // (t.size * marginal.prior.precision.size))
    for i in range(0, k, rows):
        one = slice(i, i + rows)
        left.log_g[one] = on_t + left.given(one, marginal.prior).log_likelihood.reshape(-1, t.size)
    return left


def _sums(y: Floats, variance: Floats, tau: Floats) -> Floats:
    """The four sums of `GivenTau` over all groups but one, shape (4, k, n).

    Sums from both ends: to subtract a group from the sum over all would lose all digits where that group
    weighs more than all others together.
    """
    v = variance[:, None] + tau**2
    w, log_v = 1 / v, np.log(2 * math.pi * v)
    away = y[:, None] - (w * y[:, None]).sum(axis=0) / w.sum(axis=0)
    precision = _others(w)
    shift = _others(w * away) / precision
    misfit = np.maximum(_others(w * away * away) - precision * shift * shift, 0.0)
    mean = y[:, None] - away + shift
    return np.stack([-0.5 * (log_v.sum(axis=0) - log_v), precision, mean, misfit])


def _others(values: Floats) -> Floats:
    """For each row the sum of all other rows."""
    found = np.zeros_like(values)
    found[1:] = values[:-1].cumsum(axis=0)
    found[:-1] += values[:0:-1].cumsum(axis=0)[::-1]
    return found
