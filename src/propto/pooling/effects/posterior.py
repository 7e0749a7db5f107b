"""The posterior of tau, and of the shape of the effects' distribution, with mu integrated out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from propto.pooling import lattice
from propto.pooling.effects.families import Known
from propto.pooling.effects.likelihood import Errors, GivenTau, Index
from propto.pooling.effects.mean import MuPoints, MuPosterior, mu_posterior
from propto.pooling.effects.shapes import ShapeRule
from propto.pooling.lattice import Lattice
from propto.pooling.pooled import Summary
from propto.pooling.priors import Flat, MuPrior, Normal, TauPrior
from propto.pooling.quadrature import log_sum
from propto.pooling.summaries import MARGIN
from propto.pooling.tau import TauLine, TauPosterior, tau_line

Floats = NDArray[np.float64]

_STEP = 0.4
_TOLERANCE = 1e-5  # change at the last halving; what is kept is right to about its square
_SCAN = 1.0  # spacing of the values of tau that look for the posterior
_SHAPES = (16, 32, 64, 128)  # steps of the rule over the shapes
_SHAPE_TOLERANCE = 1e-4  # change when they were doubled
_NEGLIGIBLE = 1e-11


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
    effects: Known
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

    def solve(self) -> Posterior:
        """Integrate over tau and the shape; a coarse look at all of tau tells how many shapes it takes."""
        start = np.arange(self.line.left - 1, self.line.right + 1, _SCAN)
        for steps in _SHAPES:
            sheets = Sheets(self, ShapeRule.of(self.effects.shape_range, steps))
            total, half = log_sum(sheets.log_g(_STEP * np.rint(start[:, None] / _STEP)).T[:2])
            if abs(math.expm1(half - total)) <= _SHAPE_TOLERANCE:
                break
        found = lattice.integrate(sheets.log_g, start[:, None], np.array([_STEP]), _TOLERANCE)
        return Posterior(self, sheets, found)


@dataclass(frozen=True)
class Sheets:
    """The posterior of mu and the shape at any value of tau, each found once.

    Parameters
    ----------
    problem
        The table and the model.
    rule
        The quadrature over the shapes.
    left_out
        Groups without each of which the integrals are to be found as well.
    """

    problem: Problem
    rule: ShapeRule
    left_out: Index = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    known: dict[float, Sheet] = field(default_factory=dict, repr=False)

    def log_g(self, t: Floats) -> Floats:
        """Log posterior of tau, and what must be right too.

        That is the same by every second shape, without each of the groups left out, and moments of tau.
        """
        line, prior, limit = self.problem.line, self.problem.prior_tau, self.problem.limit_tau
        tau = line.tau(t[:, 0])
        sheets = [self.at(float(x)) for x in tau]
        on_tau = sum(line.log_slope(t[:, 0])) + prior.log_density(tau)
        total = np.array([sheet.log_integral for sheet in sheets]) + on_tau
        half = np.array([sheet.log_half for sheet in sheets]) + on_tau
        log_tau = np.log(np.maximum(tau, 1e-300))
        without = [sheet.mu.log_without for sheet in sheets] + on_tau[:, None]
        moments = [total + r * log_tau for r in (1, 2) if r + MARGIN <= limit]
        return np.column_stack([total, half, without, *moments])

    def at(self, tau: float) -> Sheet:
        """What is known at one value of tau."""
        if tau not in self.known:
            parts = self.problem.effects.parts(tau, self.rule.shapes, self.problem.errors.farthest)
            given = GivenTau(self.problem.errors, parts, tau)
            mu = mu_posterior(given, np.log(self.rule.share), self.problem.prior_mu, self.left_out)
            self.known[tau] = Sheet(given, mu, self.rule)
        return self.known[tau]


@dataclass(frozen=True)
class Sheet:
    """One value of tau: the estimates given mu and the shape, and the posterior of these."""

    given: GivenTau
    mu: MuPosterior
    rule: ShapeRule

    @property
    def log_integral(self) -> float:
        """Logarithm of the integral over mu and the shape."""
        return float(log_sum(self.mu.log_integral))

    @property
    def log_half(self) -> float:
        """The same with every second shape."""
        share = self.rule.half / self.rule.share
        return self.log_integral + math.log(max(float(share @ self.shape_mass), 1e-300))

    @property
    def shape_mass(self) -> Floats:
        """Posterior share of every shape, shape (S,)."""
        return np.exp(self.mu.log_integral - self.log_integral)

    @cached_property
    def points(self) -> tuple[MuPoints, Floats]:
        """Values of mu that stand for all, and the share of each shape in them, shape (S, n)."""
        found = self.mu.points(self.given.tau)
        if found is self.mu.kernels:
            return found, self.mu.by_shape[:, self.mu.within] * found.weight
        log = self.given.total(found.mu) + np.log(self.rule.share)[:, None]
        return found, np.exp(log - log_sum(log.T)) * found.weight


@dataclass(frozen=True)
class Node:
    """One value of tau with its share in the posterior."""

    weight: float
    sheet: Sheet


@dataclass(frozen=True)
class Posterior:
    """The posterior of tau on a lattice."""

    problem: Problem
    sheets: Sheets
    lattice: Lattice

    @property
    def tau(self) -> TauPosterior:
        """The posterior of tau."""
        return TauPosterior(self.problem.line, self.lattice.marginal(0))

    @cached_property
    def nodes(self) -> tuple[list[Node], list[Node]]:
        """The values of tau: of the rule with twice the step, and the others."""
        tau, even = self.problem.line.tau(self.lattice.points[:, 0]), self.lattice.even
        found = [
            Node(float(w), self.sheets.at(float(x))) for w, x in zip(self.lattice.weights, tau, strict=True)
        ]
        pairs = [(node, first) for node, first in zip(found, even, strict=True) if node.weight > _NEGLIGIBLE]
        return [node for node, first in pairs if first], [node for node, first in pairs if not first]

    @property
    def shape(self) -> Summary | None:
        """Summary of the shape, where it is estimated."""
        mass = [node.weight * node.sheet.shape_mass for half in self.nodes for node in half]
        return self.sheets.rule.summary(np.sum(mass, axis=0))

    @property
    def parts_a_group(self) -> int:
        """How many normals one draw of one group's effect has to choose from."""
        given = next(node for half in self.nodes for node in half).sheet.given
        return int(given.parts.scale.size * given.errors.variance.shape[0])

    def draw(self, n: int, seed: int) -> dict[str, Floats]:
        """Draw independently; see `propto.pooling.effects.draws.draw`."""
        from propto.pooling.effects.draws import draw

        return draw(self, n, seed)

    def log_without(self, some: Index) -> Floats:
        """Logarithm of the integral without each of some groups, by one lattice that serves them all."""
        sheets = Sheets(self.problem, self.sheets.rule, some)
        found = lattice.integrate(sheets.log_g, self.lattice.points, self.lattice.step, _TOLERANCE)
        return log_sum(found.others[:, 1 : 1 + some.size].T) + math.log(found.step[0])

    def log_without_each(self, some: Index) -> Floats:
        """The same by a quadrature for each group, which costs less where errors are very unequal."""
        problem = self.problem
        rest = [replace(problem, errors=problem.errors.without(int(j)), limit_tau=0.0) for j in some]
        return np.array([one.solve().lattice.log_integral for one in rest])

    @property
    def error(self) -> float:
        """Relative change of an integral when the steps in tau, and those in the shape, were last halved."""
        half = float(log_sum(self.lattice.others[:, 0])) - float(log_sum(self.lattice.log_g))
        return self.lattice.error + abs(math.expm1(half))
