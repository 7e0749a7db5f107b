"""What all models of publication bias share: table, priors, the lattice, and posteriors as curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from propto.pooling import lattice, normal
from propto.pooling.components import theta_given
from propto.pooling.families import Normal, TauPrior
from propto.pooling.lattice import Lattice
from propto.pooling.marginal import GivenTau, Marginal, NormalPriors, normal_priors
from propto.pooling.pooled import Summary
from propto.pooling.quadrature import Rule
from propto.pooling.summaries import MARGIN
from propto.pooling.tau import TauLine, line_of

Floats = NDArray[np.float64]

_STEP, _TOLERANCE = 0.7, 1e-4  # the error of what is kept is about the square of the tolerance
_DEPTH = 20.0  # below the highest point of the scan, where it is not worth to begin
_GRID = 2001  # points of a curve
_JUMP = 1e-300  # width of the jump at zero


@dataclass(frozen=True)
class Setting:
    """A table whose high estimates are favoured, with a claim on mu and one on tau.

    Parameters
    ----------
    y, s
        Estimates and standard errors, shape (k,).
    prior_mu
        Prior on mu; None where mu is 0.
    prior_tau
        Prior on tau; None where tau is 0.
    """

    y: Floats
    s: Floats
    prior_mu: Normal | None
    prior_tau: TauPrior | None

    @cached_property
    def on_mu(self) -> NormalPriors:
        """The prior on mu in closed form; where mu is 0 it only sets scales."""
        spread = 0.0 if self.prior_tau is None else self.prior_tau.spread
        return normal_priors(self.prior_mu or Normal(0.0, self.s.max()), self.y, self.s**2, spread)

    @cached_property
    def line(self) -> TauLine[float]:
        """The line of tau."""
        assert self.prior_tau is not None
        return line_of(Marginal(self.y, self.s**2, self.on_mu), self.prior_tau)

    @property
    def tau_axis(self) -> list[Floats]:
        """Where to look for tau: one axis, or none."""
        return [] if self.prior_tau is None else [np.arange(self.line.left - 2, self.line.right + 2, 1.0)]

    def tau(self, t: Floats) -> Floats:
        """Tau at the first column of the points; zeros where tau is 0."""
        return np.zeros(len(t)) if self.prior_tau is None else self.line.tau(t[:, 0])

    def log_prior_tau(self, t: Floats, tau: Floats) -> Floats:
        """Log prior density of t; zeros where tau is 0."""
        if self.prior_tau is None:
            return np.zeros(len(t))
        return self.prior_tau.log_density(tau) + np.add(*self.line.log_slope(t[:, 0]))

    @property
    def moments(self) -> list[int]:
        """Which moments of tau there are, besides the whole."""
        if self.prior_tau is None:
            return []
        limit = self.y.size + self.prior_tau.tail_index
        return [r for r in (1, 2) if r + MARGIN <= limit]

    def integrands(self, log_g: Floats, tau: Floats) -> Floats:
        """The posterior and its moments of tau, as the lattice wants them."""
        return np.stack([log_g, *(log_g + r * np.log(tau) for r in self.moments)], axis=1)

    def sums(self, tau: Floats, shift: Floats | float = 0.0) -> GivenTau:
        """The table's sums at each tau, shape (n,), with estimates moved by the shift, shape (n, k)."""
        v = self.s**2 + tau[:, None] ** 2
        w, y = 1 / v, self.y - shift
        precision = w.sum(axis=1)
        mean = (w * y).sum(axis=1) / precision
        misfit = (w * (y - mean[:, None]) ** 2).sum(axis=1)
        return GivenTau(-0.5 * np.log(2 * math.pi * v).sum(axis=1), precision, mean, misfit, self.on_mu)


def at_mu(given: GivenTau, mu: Floats | float) -> Floats:
    """Log likelihood at each tau for these values of mu."""
    return given.log_spread - 0.5 * (given.misfit + given.precision * (given.mean - mu) ** 2)


def integrate(
    log_g: Callable[[Floats], Floats], axes: Sequence[Floats], rough: Callable[[Floats], Floats] | None = None
) -> Lattice:
    """Integrate over as many axes as there are; over none there is one point.

    ``rough`` is a cheap stand-in for log_g that tells where to begin.
    """
    if not axes:
        values = log_g(np.zeros((1, 0)))
        return Lattice(np.zeros((1, 0), dtype=np.int64), np.zeros(0), values[:, 0], 0.0, values[:, 1:])
    scan = np.stack([axis.ravel() for axis in np.meshgrid(*axes)], axis=1)
    if rough is not None:
        seen = rough(scan)[:, 0]
        scan = scan[seen > np.nanmax(seen) - _DEPTH]
    return lattice.integrate(log_g, scan, np.full(len(axes), _STEP), _TOLERANCE)


@dataclass(frozen=True, eq=False)
class Curve:
    """A distribution by its distribution function on a grid, right to about 1e-5.

    Parameters
    ----------
    x, cdf
        Shape (n,), never falling.
    mean, sd
        Moments; NaN where they do not exist.
    """

    x: Floats
    cdf: Floats
    mean: float
    sd: float

    @classmethod
    def of_tau(cls, line: TauLine[float], rule: Rule, moments: int) -> Curve:
        """That of a scale, from the rule over its line; so many moments exist."""
        t, cdf, _ = rule.table
        tau, weights = line.tau(rule.t), rule.weights
        mean = float(weights @ tau)
        sd = math.sqrt(float(weights @ (tau - mean) ** 2)) if moments > 1 else math.nan
        return cls(line.tau(t), cdf, mean if moments else math.nan, sd)

    @classmethod
    def of(cls, cdf: Callable[[Floats], Floats], mean: float, sd: float) -> Curve:
        """That of a function, on a grid twelve standard deviations to both sides."""
        x = np.linspace(mean - 12 * sd, mean + 12 * sd, _GRID)
        return cls(x, np.clip(np.maximum.accumulate(cdf(x)), 0.0, 1.0), mean, sd)

    def summary(self) -> Summary:
        """Mean, sd and quantiles."""
        return mixed([(1.0, self)])

    def mirrored(self) -> Curve:
        """The distribution of the negative."""
        return Curve(-self.x[::-1], 1 - self.cdf[::-1], -self.mean, self.sd)


def mixed(parts: Sequence[tuple[float, Curve | None]]) -> Summary:
    """Summarise a mixture of curves; None stands for a point mass at zero."""
    total = sum(weight for weight, _ in parts)
    parts = [(weight / total, curve) for weight, curve in parts]
    curves = [(weight, curve) for weight, curve in parts if curve is not None]
    mean = math.fsum(weight * curve.mean for weight, curve in curves)
    square = math.fsum(weight * (curve.sd**2 + curve.mean**2) for weight, curve in curves)
    atom = sum(weight for weight, curve in parts if curve is None)
    x = np.unique(np.concatenate([[-_JUMP, 0.0], *(curve.x for _, curve in curves)]))
    cdf = np.where(x >= 0, atom, 0.0)
    for weight, curve in curves:
        cdf = cdf + weight * np.interp(x, curve.x, curve.cdf, left=0.0, right=1.0)
    quantiles = np.interp(Summary.levels, cdf, x)
    quantiles = np.where(np.abs(quantiles) <= _JUMP, 0.0, quantiles)
    return Summary(mean, math.sqrt(max(square - mean**2, 0.0)), quantiles)


@dataclass(frozen=True, eq=False)
class Effects:
    """Mean, square and P(> 0) of every group's effect, shape (k,) each."""

    mean: Floats
    square: Floats
    positive: Floats

    @classmethod
    def of(
        cls, weight: Floats, y: Floats, s: Floats, tau: Floats, mu_mean: Floats, mu_variance: Floats
    ) -> Effects:
        """Average over n points, at each of which mu is normal; y of shape (k,) or (n, k)."""
        mean, variance = theta_given(y, s**2, tau[:, None], mu_mean[:, None], mu_variance[:, None])
        sd = np.sqrt(np.maximum(variance, 1e-300))
        above = np.where(mean == 0, 0.0, normal.cdf_and_bell(mean / sd)[0])
        above = np.where((mean == 0) & (variance > 0), 0.5, above)
        return cls(weight @ mean, weight @ (mean**2 + variance), weight @ above)

    def mirrored(self, zero: bool) -> Effects:
        """Those of the negative effects; ``zero`` says that all are zero."""
        positive = np.zeros_like(self.positive) if zero else 1 - self.positive
        return Effects(-self.mean, self.square, positive)
