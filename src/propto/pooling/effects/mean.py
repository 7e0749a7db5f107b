"""The posterior of mu given scale and shape: a quadrature, and the mixture of normals through its nodes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from propto.pooling import lattice
from propto.pooling.effects.likelihood import GivenShape
from propto.pooling.gauss import gauss_rule
from propto.pooling.priors import Flat, MuPrior, Normal

Floats = NDArray[np.float64]

_STEP, _TOLERANCE = 0.55, 1e-6
_WIDTH = 1.0  # of a kernel, in units of the spacing: its ripple is about exp(-2 (pi _WIDTH)**2)
_LINEAR = 4.0  # how many standard deviations beyond the data the nodes stay equidistant
_SEEDS = 90  # values of the estimates, over all groups, where a peak of a small table may hide
_SCANNED = 10_000  # values of mu, over all groups, that a small table is scanned at from end to end
_NARROW = 0.4  # where mu is this narrow beside tau, few points stand for all of them


@dataclass(frozen=True)
class MuPoints:
    """Values of mu, and the kernels that make a smooth distribution of any weights of them.

    Parameters
    ----------
    mu, weight
        Nodes and their shares, shape (n,).
    sd
        Widths of the kernels, shape (n,); zeros where the nodes themselves do.
    mixing
        ``mixing @ weights`` are the weights of the kernels, shape (n, n).
    """

    mu: Floats
    weight: Floats
    sd: Floats
    mixing: Floats


@dataclass(frozen=True)
class MuPosterior:
    """Quadrature over mu: nodes, their shares, the spacing about them.

    Parameters
    ----------
    mu, weight, spacing
        Shape (n,).
    log_integral
        Logarithm of the integral of likelihood times prior.
    error
        Relative change of the integral when the step was last halved.
    """

    mu: Floats
    weight: Floats
    spacing: Floats
    log_integral: float
    error: float

    @cached_property
    def kernels(self) -> MuPoints:
        """Normal kernels at the nodes whose mixture passes through the density at every node.

        A smooth density that the trapezoidal rule integrates is such a mixture, up to a ripple far below
        the rule's own error.
        """
        sd = _WIDTH * self.spacing
        away = (self.mu[:, None] - self.mu) / sd
        bells = np.exp(-0.5 * away * away) / (math.sqrt(2 * math.pi) * sd)
        mixing = np.linalg.solve(bells, np.diag(1 / self.spacing))
        return MuPoints(self.mu, self.weight, sd, np.asarray(mixing, dtype=float))

    def points(self, tau: float) -> MuPoints:
        """The kernels; or, where mu is narrow beside tau, n points, right to ``(sd / tau)**(2 n)``."""
        mean = float(self.weight @ self.mu)
        sd = math.sqrt(float(self.weight @ (self.mu - mean) ** 2))
        if sd > _NARROW * tau:
            return self.kernels
        count = 2 + math.ceil(math.log(1e-8) / (2 * math.log(max(sd / tau, 1e-4))))
        mu, weight = gauss_rule(self.mu[None], self.weight[None], min(count, self.mu.size))
        return MuPoints(mu[0], weight[0], np.zeros(mu.size), np.eye(mu.size))


def mu_posterior(given: GivenShape, prior: MuPrior) -> MuPosterior:
    """Integrate over mu.

    The nodes lie at ``mu = m + r c sinh(z / c)``: r is a width that no peak of the likelihood falls below,
    c keeps them equidistant over the data and lets them run out along a heavy tail.
    """
    curvature, (loc, precision) = given.curvature(), _about(prior)
    total = float(curvature.sum()) + precision
    centre = float(curvature @ given.estimate + precision * loc) / total
    radius = total**-0.5
    ends = [*(given.estimate.min(), given.estimate.max()), *([loc] if precision else [])]
    bend = _LINEAR + float(np.ptp(ends)) / radius

    def log_g(z: Floats) -> Floats:
        mu = centre + radius * bend * np.sinh(z[:, 0] / bend)
        slope = np.log(radius) + np.log(np.cosh(z[:, 0] / bend))
        return (given.total(mu) + prior.log_density(mu) + slope)[:, None]

    k = given.estimate.size
    levels = np.linspace(0, 1, min(max(_SEEDS // k, 2), k))
    seeds = np.append(np.quantile(given.estimate, levels), loc if precision else centre)
    seeds = bend * np.arcsinh((seeds - centre) / (radius * bend))
    few = np.ptp(seeds) * k < _SCANNED * _STEP
    between = np.arange(seeds.min(), seeds.max(), _STEP) if few else np.empty(0)
    start = np.concatenate([seeds, between, _STEP * np.arange(-17, 18)])[:, None]
    found = lattice.integrate(log_g, start, np.array([_STEP]), _TOLERANCE)
    z = found.points[:, 0]
    order = np.argsort(z)
    z, weight = z[order], found.weights[order]
    mu = centre + radius * bend * np.sinh(z / bend)
    spacing = found.step[0] * radius * np.cosh(z / bend)
    return MuPosterior(mu, weight, spacing, found.log_integral, found.error)


def _about(prior: MuPrior) -> tuple[float, float]:
    """Centre of a prior, and the largest curvature of its log density."""
    if isinstance(prior, Flat):
        return 0.0, 0.0
    if isinstance(prior, Normal):
        return prior.mean, prior.sd**-2.0
    return prior.loc, (prior.df + 1) / (prior.df * prior.scale**2)
