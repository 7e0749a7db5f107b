"""The posterior of mu and the shape given tau: a quadrature, and the mixture of normals through its nodes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from propto.pooling import lattice
from propto.pooling.effects.likelihood import GivenTau, Index
from propto.pooling.gauss import gauss_rule
from propto.pooling.priors import Flat, MuPrior, Normal
from propto.pooling.quadrature import log_sum

Floats = NDArray[np.float64]

_STEP, _TOLERANCE = 0.45, 1e-7
_WIDTH = 1.0  # of a kernel, in units of the spacing: its ripple is about exp(-2 (pi _WIDTH)**2)
_LINEAR = 4.0  # how many standard deviations beyond the data the nodes stay equidistant
_CUBE = 0.1  # how much faster the line runs out than a hyperbolic sine
_AHEAD = 8
_RARE = 1e-10
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
    """Quadrature over mu: nodes, their shares, the spacing about them, and what the shapes have of each.

    Parameters
    ----------
    mu, weight, spacing
        Shape (n,).
    by_shape
        Share of every shape in the weight of each node, shape (S, n): columns sum to 1.
    log_integral
        Logarithm of the integral of likelihood times priors, of every shape, shape (S,).
    log_without
        Logarithm of the integral over all shapes without each of some groups, shape (groups left out,).
    error
        Relative change of an integral when the step was last halved.
    """

    mu: Floats
    weight: Floats
    spacing: Floats
    by_shape: Floats
    log_integral: Floats
    log_without: Floats
    error: float

    @cached_property
    def within(self) -> slice:
        """The nodes between the ends that are next to nothing."""
        found = np.flatnonzero(self.weight > _RARE)
        return slice(int(found[0]), int(found[-1]) + 1)

    @cached_property
    def kernels(self) -> MuPoints:
        """Normal kernels at the nodes within the ends, whose mixture passes through the density at each.

        A smooth density that the trapezoidal rule integrates is such a mixture, up to a ripple far below
        the rule's own error.
        """
        mu, spacing = self.mu[self.within], self.spacing[self.within]
        sd = _WIDTH * spacing
        away = (mu[:, None] - mu) / sd
        bells = np.exp(-0.5 * away * away) / (math.sqrt(2 * math.pi) * sd)
        mixing = np.linalg.solve(bells, np.diag(1 / spacing))
        return MuPoints(mu, self.weight[self.within], sd, np.asarray(mixing, dtype=float))

    def points(self, tau: float) -> MuPoints:
        """The kernels; or, where mu is narrow beside tau, n points, right to ``(sd / tau)**(2 n)``."""
        mean = float(self.weight @ self.mu)
        sd = math.sqrt(float(self.weight @ (self.mu - mean) ** 2))
        if sd > _NARROW * tau:
            return self.kernels
        count = 2 + math.ceil(math.log(1e-8) / (2 * math.log(max(sd / tau, 1e-4))))
        mu, weight = gauss_rule(self.mu[None], self.weight[None], min(count, self.mu.size))
        return MuPoints(mu[0], weight[0], np.zeros(mu.size), np.eye(mu.size))


@dataclass(frozen=True)
class MuLine:
    """The real line mapped to mu: equidistant over the data, and running out fast along any tail.

    ``mu = centre + width bend sinh(u + u**3 / 10)`` with ``u = z / bend``.
    """

    centre: float
    width: float
    bend: float

    def mu(self, z: Floats) -> Floats:
        """Mu at each z, increasing."""
        u = z / self.bend
        return np.asarray(self.centre + self.width * self.bend * np.sinh(u + _CUBE * u**3))

    def slope(self, z: Floats) -> Floats:
        """The derivative d mu / dz."""
        u = z / self.bend
        return np.asarray(self.width * np.cosh(u + _CUBE * u**3) * (1 + 3 * _CUBE * u**2))

    def z(self, mu: Floats) -> Floats:
        """The z at each mu, by the formula for cubics with one real root."""
        rise = np.arcsinh((mu - self.centre) / (self.width * self.bend))
        root = math.sqrt(1 / (3 * _CUBE))
        return np.asarray(2 * self.bend * root * np.sinh(np.arcsinh(1.5 * rise / root) / 3))


def mu_posterior(given: GivenTau, log_share: Floats, prior: MuPrior, left_out: Index) -> MuPosterior:
    """Integrate over mu, for shapes of these prior shares; no peak is narrower than the line's width.

    All integrals go over the same nodes: those that the integrals without a group need are among them.
    """
    line = _line(given, prior)

    def log_g(z: Floats) -> Floats:
        mu = line.mu(z[:, 0])
        on_z = prior.log_density(mu) + np.log(line.slope(z[:, 0]))
        total, without = given.totals(mu, left_out)
        each = (total + on_z).T + log_share
        rest = log_sum(np.moveaxis(without, 0, 2) + log_share) + on_z[:, None]
        return np.concatenate([log_sum(each)[:, None], each, rest], axis=1)

    seeds = line.z(_seeds(given.errors.estimate, line.centre))
    few = np.ptp(seeds) * given.errors.estimate.size < _SCANNED * _STEP
    between = np.arange(seeds.min(), seeds.max(), _STEP) if few else np.empty(0)
    start = np.concatenate([seeds, between, _STEP * np.arange(-17, 18)])[:, None]
    found = lattice.integrate(log_g, start, np.array([_STEP]), _TOLERANCE, _AHEAD)
    order = np.argsort(found.index[:, 0])
    z, log_all = found.points[order, 0], found.log_g[order]
    each, without = np.split(found.others[order].T, [log_share.size])
    log_step = math.log(found.step[0])
    return MuPosterior(
        line.mu(z),
        found.weights[order],
        found.step[0] * line.slope(z),
        np.exp(each - log_all),
        log_sum(each) + log_step,
        log_sum(without) + log_step,
        found.error,
    )


def _line(given: GivenTau, prior: MuPrior) -> MuLine:
    """The line for a value of tau."""
    estimate, curvature, (loc, precision) = given.errors.estimate, given.curvature(), _about(prior)
    total = float(curvature.sum()) + precision
    ends = [*(estimate.min(), estimate.max()), *([loc] if precision else [])]
    centre = float(curvature @ estimate + precision * loc) / total
    return MuLine(centre, total**-0.5, _LINEAR + float(np.ptp(ends)) * math.sqrt(total))


def _seeds(estimate: Floats, centre: float) -> Floats:
    """Where a peak may be: some of the estimates, and the centre."""
    levels = np.linspace(0, 1, min(max(_SEEDS // estimate.size, 2), estimate.size))
    return np.append(np.quantile(estimate, levels), centre)


def _about(prior: MuPrior) -> tuple[float, float]:
    """Centre of a prior, and the largest curvature of its log density."""
    if isinstance(prior, Flat):
        return 0.0, 0.0
    if isinstance(prior, Normal):
        return prior.mean, prior.sd**-2.0
    return prior.loc, (prior.df + 1) / (prior.df * prior.scale**2)
