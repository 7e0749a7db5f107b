"""The posterior of tau, and of the shape of the effects' distribution, with mu integrated out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from propto.pooling import lattice
from propto.pooling.effects.families import Effects, Parts
from propto.pooling.effects.likelihood import Errors, GivenShape
from propto.pooling.effects.mean import MuPosterior, mu_posterior
from propto.pooling.gauss import gauss_rule
from propto.pooling.lattice import Lattice
from propto.pooling.pooled import Summary
from propto.pooling.priors import Flat, MuPrior, Normal, TauPrior
from propto.pooling.summaries import MARGIN
from propto.pooling.tau import TauLine, TauPosterior, tau_line

Floats = NDArray[np.float64]

_STEP = 0.4
# Change at the last halving, by the number of axes; what is kept is right to about its square.
_TOLERANCE = {1: 1e-5, 2: 1e-3}
_SCAN = 1.0  # spacing of the values of tau that look for the posterior
_SHAPES = (-1.5, -0.5, 0.5, 1.5)  # and of the shapes
_NEGLIGIBLE = 1e-11
_SHAPE_POINTS = 10


@dataclass(frozen=True)
class ShapeLine:
    """The real line mapped to a range: ``low + (high - low) / (1 + exp(-pi sinh x))``."""

    low: float
    high: float

    def shape(self, x: ArrayLike) -> Floats:
        """The shape at each x, increasing."""
        swing = math.pi * np.sinh(np.asarray(x, dtype=float))
        return self.low + (self.high - self.low) / (1 + np.exp(-swing))

    def log_prior(self, x: float) -> float:
        """Log density of a uniform prior on the range, per unit of x."""
        swing = abs(math.pi * math.sinh(x))
        return math.log(math.pi * math.cosh(x)) - swing - 2 * math.log1p(math.exp(-swing))


@dataclass(frozen=True)
class Problem:
    """A table, the distribution of its effects and the priors, ready to be evaluated.

    Parameters
    ----------
    errors
        The estimates around the effects.
    effects
        The distribution of the effects.
    prior_mu, prior_tau
        The priors.
    limit_tau
        Moments of tau exist below this order.
    """

    errors: Errors
    effects: Effects
    prior_mu: MuPrior
    prior_tau: TauPrior
    limit_tau: float

    @cached_property
    def line(self) -> TauLine:
        """The line of tau."""
        estimate, error = self.errors.estimate, np.sqrt(self.errors.variance.max(axis=0))
        largest = max(float(np.ptp(estimate)), float(error.max()))
        if not isinstance(self.prior_mu, Flat):
            centre = self.prior_mu.mean if isinstance(self.prior_mu, Normal) else self.prior_mu.loc
            width = self.prior_mu.sd if isinstance(self.prior_mu, Normal) else self.prior_mu.scale
            reach = float(np.abs(estimate - centre).max())
            largest = max(largest, reach, width * math.sqrt(estimate.size))
        return tau_line(self.prior_tau, float(np.sum(error**-2.0)) ** -0.5, largest)

    @cached_property
    def shapes(self) -> ShapeLine | None:
        """The line of the shape, where it is estimated."""
        return None if self.effects.shape_range is None else ShapeLine(*self.effects.shape_range)

    def node(self, weight: float, tau: float, shape: float) -> Node:
        """Everything at one value of tau and of the shape."""
        parts = self.effects.parts(tau, shape, self.errors.farthest)
        return Node(
            weight, tau, parts, self.errors, mu_posterior(self.errors.given(parts, tau), self.prior_mu)
        )

    def shape(self, x: Floats) -> Floats:
        """The shape at each x; zeros where it is given."""
        return np.zeros(x.size) if self.shapes is None else self.shapes.shape(x)

    def log_g(self, points: Floats) -> Floats:
        """Log posterior at the points, with the moments of tau that must be right too."""
        return np.array([self._one(point) for point in points])

    def _one(self, point: Floats) -> list[float]:
        tau = float(self.line.tau(point[:1])[0])
        prior = sum(float(part[0]) for part in self.line.log_slope(point[:1]))
        prior += float(self.prior_tau.log_density(tau))
        prior += 0.0 if self.shapes is None else self.shapes.log_prior(float(point[1]))
        mu = self.node(1.0, tau, float(self.shape(point[-1:])[0])).mu
        log_g = mu.log_integral + prior
        orders = [r for r in (1, 2) if r + MARGIN <= self.limit_tau]
        return [log_g, *(log_g + r * math.log(max(tau, 1e-300)) for r in orders)]

    def solve(self) -> Posterior:
        """Integrate over tau and the shape."""
        axes = [np.arange(self.line.left - 1, self.line.right + 1, _SCAN)]
        axes += [] if self.shapes is None else [np.array(_SHAPES)]
        start = np.stack([axis.ravel() for axis in np.meshgrid(*axes)], axis=1)
        found = lattice.integrate(self.log_g, start, np.full(len(axes), _STEP), _TOLERANCE[len(axes)])
        return Posterior(self, found)


@dataclass(frozen=True)
class Node:
    """One value of tau and of the shape: its share, the distribution of the effects, the estimates, mu."""

    weight: float
    tau: float
    parts: Parts
    errors: Errors
    mu: MuPosterior

    def given(self, some: slice) -> GivenShape:
        """The distribution of the estimates of some groups."""
        return self.errors.part(some).given(self.parts, self.tau)


@dataclass(frozen=True)
class Posterior:
    """The posterior of tau and the shape on a lattice."""

    problem: Problem
    lattice: Lattice

    @property
    def tau(self) -> TauPosterior:
        """The posterior of tau."""
        return TauPosterior(self.problem.line, self.lattice.marginal(0))

    @property
    def shape(self) -> Summary | None:
        """Summary of the shape, where it is estimated."""
        line = self.problem.shapes
        if line is None:
            return None
        rule = self.lattice.marginal(1)
        mean = float(rule.weights @ line.shape(rule.t))
        sd = math.sqrt(float(rule.weights @ (line.shape(rule.t) - mean) ** 2))
        return Summary(mean, sd, line.shape(rule.quantile(Summary.levels)))

    @cached_property
    def nodes(self) -> tuple[list[Node], list[Node]]:
        """Values of tau and the shape that stand for all: of the rule with twice the step in tau, and others.

        At each tau a Gauss rule stands for the shape, on which everything depends smoothly.
        """
        places = np.unique(self.lattice.index[:, 0])
        halves = [[node for i in places[places % 2 == odd] for node in self._at_tau(i)] for odd in (0, 1)]
        return halves[0], halves[1]

    def _at_tau(self, place: int) -> list[Node]:
        """The nodes at one value of tau."""
        rows = self.lattice.index[:, 0] == place
        weights, points = self.lattice.weights[rows], self.lattice.points[rows]
        total, tau = float(weights.sum()), float(self.problem.line.tau(points[:1, 0])[0])
        if total < _NEGLIGIBLE:
            return []
        count = min(_SHAPE_POINTS, len(weights))
        x, shares = gauss_rule(points[None, :, -1], weights[None] / total, count)
        pairs = zip(self.problem.shape(x[0]), shares[0], strict=True)
        return [self.problem.node(total * share, tau, shape) for shape, share in pairs if share > _NEGLIGIBLE]
