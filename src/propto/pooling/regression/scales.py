"""The posterior of the scales of a linear pooling model: of tau, or of tau and the sd between clusters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from propto.errors import PriorError
from propto.pooling import lattice
from propto.pooling.pooled import Summary
from propto.pooling.priors import Flat, Normal, TauPrior
from propto.pooling.regression.linear import Linear
from propto.pooling.regression.result import Nodes
from propto.pooling.summaries import MARGIN, existing, summarise_tau
from propto.pooling.tau import TauLine, TauPosterior, integrate_tau, tau_line

Floats = NDArray[np.float64]

_STEP, _TOLERANCE = 0.5, 1e-6
_SCAN = 1.0  # spacing of the points that look for the posterior of two scales


@dataclass(frozen=True, eq=False)
class Scales:
    """The posterior of the scales: nodes, summaries, evidence."""

    nodes: Nodes
    tau: Summary
    between: Summary | None
    log_evidence: float
    error: float


def moment_limits(
    k: int, on_beta: Sequence[Normal | Flat], on_tau: TauPrior, on_between: TauPrior | None, clusters: int
) -> list[float]:
    """Give the orders below which the posterior moments of each scale exist.

    With q flat priors and a scale whose prior falls as ``tau**-(b + 1)``, the posterior falls as
    ``tau**-(k - q + b + 1)`` (see the exact engine); for the scale between C clusters C stands for k,
    unless that is less than q. Flat coefficients and new groups fall as the heavier of both.
    """
    flat = sum(isinstance(prior, Flat) for prior in on_beta)
    if k - flat + on_tau.tail_index < MARGIN:
        raise PriorError(
            f"{on_tau} with {k} groups and {flat} flat priors leaves a posterior too heavy to integrate. "
            "Mend: more degrees of freedom, or normal priors on the coefficients."
        )
    limits = [k - flat + on_tau.tail_index]
    return limits if on_between is None else [*limits, max(clusters - flat, 0) + on_between.tail_index]


def _line(linear: Linear, prior: TauPrior) -> TauLine:
    """The line of a scale: from the error of the mean to the scatter of the data and of the priors."""
    smallest = float(np.sum(1 / linear.variance)) ** -0.5
    scatter = max(float(np.ptp(linear.estimate)), math.sqrt(linear.variance.max()))
    normal = [prior for prior in linear.priors if isinstance(prior, Normal)]
    sizes = np.abs(linear.design).max(axis=0)
    wide = [x.sd * size for x, size in zip(linear.priors, sizes, strict=True) if isinstance(x, Normal)]
    far = [abs(prior.mean) * size for prior, size in zip(normal, sizes, strict=False)]
    reach = math.sqrt(linear.estimate.size) * max([0.0, *wide]) + max([0.0, *far])
    return tau_line(prior, smallest, max(scatter, reach))


def one_scale(linear: Linear, on_tau: TauPrior, limit: float) -> Scales:
    """Integrate over tau alone."""
    orders = [float(r) for r in (0, 1, 2) if r == 0 or r + MARGIN <= limit]
    posterior = integrate_tau(linear.given, _line(linear, on_tau), on_tau, orders, limit)
    rule, tau = posterior.rule, posterior.nodes
    nodes = Nodes(rule.weights, tau, np.zeros_like(tau), rule.even, linear.given(tau), (posterior,))
    return Scales(nodes, existing(summarise_tau(posterior), limit), None, rule.log_integral, rule.error)


def two_scales(linear: Linear, on_scales: Sequence[TauPrior], limits: Sequence[float]) -> Scales:
    """Integrate over tau and the sd between clusters."""
    lines = [_line(linear, prior) for prior in on_scales]

    def log_g(points: Floats) -> Floats:
        scales = [line.tau(t) for line, t in zip(lines, points.T, strict=True)]
        g = linear.given(*scales).log_likelihood
        for line, prior, t, x in zip(lines, on_scales, points.T, scales, strict=True):
            g = g + prior.log_density(x) + np.add(*line.log_slope(t))
        moments = [
            g + r * np.log(x)
            for limit, x in zip(limits, scales, strict=True)
            for r in (1, 2)
            if r + MARGIN <= limit
        ]
        return np.stack([g, *moments], axis=1)

    axes = [np.arange(line.left - 2, line.right + 2, _SCAN) for line in lines]
    scan = np.stack([axis.ravel() for axis in np.meshgrid(*axes)], axis=1)
    found = lattice.integrate(log_g, scan, np.full(2, _STEP), _TOLERANCE)
    tau, between = (line.tau(t) for line, t in zip(lines, found.points.T, strict=True))
    each = tuple(TauPosterior(line, found.marginal(axis)) for axis, line in enumerate(lines))
    nodes = Nodes(found.weights, tau, between, found.even, linear.given(tau, between), each)
    summaries = [
        existing(summarise_tau(posterior), limit) for posterior, limit in zip(each, limits, strict=True)
    ]
    return Scales(nodes, summaries[0], summaries[1], found.log_integral, found.error)
