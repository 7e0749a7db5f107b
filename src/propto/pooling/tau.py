"""The posterior of tau: a one-dimensional quadrature whose nodes carry all else."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from propto.pooling.families import TauPrior, Uniform
from propto.pooling.marginal import Marginal
from propto.pooling.quadrature import Rule, trapezoid

Floats = NDArray[np.float64]
OneOrMany = TypeVar("OneOrMany", float, Floats)

_STEP = 0.25
_TOLERANCE = 1e-9
_DEPTH = 45.0  # the ends of the line hold less than exp(-_DEPTH)
_FARTHEST = 300.0  # of log tau: beyond it squares overflow


class Likelihood(Protocol):
    """The log likelihood of tau in two parts: ``log_spread`` falls with tau, ``log_fit`` rises."""

    @property
    def log_spread(self) -> Floats: ...
    @property
    def log_fit(self) -> Floats: ...


@dataclass(frozen=True)
class TauLine(Generic[OneOrMany]):
    """The real line mapped to tau, so that every posterior of tau fades fast at both ends.

    ``tau = lower + u / (1 + u / width)`` with ``log u = t - exp(left - t) + exp(t - right)``:
    logarithmic between left and right, where the likelihood changes with tau, and running out doubly
    exponentially beyond, however heavy the tail. ``width`` is that of a prior's range, or infinite.
    The four are numbers, or columns of them for many tables at once.
    """

    left: OneOrMany
    right: OneOrMany
    lower: OneOrMany
    width: OneOrMany

    def tau(self, t: Floats) -> Floats:
        """Tau at each t, increasing."""
        u = np.exp(self._log_u(t))
        return np.minimum(self.lower + u / (1 + u / self.width), self.lower + self.width)

    def log_slope(self, t: Floats) -> tuple[Floats, Floats]:
        """Logarithm of d tau / dt, in two parts: one increases with t, the other decreases."""
        log_u = self._log_u(t)
        rising = log_u + np.log1p(np.exp(self.left - t) + np.exp(t - self.right))
        return rising, -2 * np.log1p(np.exp(log_u) / self.width)

    @property
    def start(self: TauLine[float]) -> float:
        """Where the line begins to matter."""
        return self.left - math.log(_DEPTH)

    def end(self: TauLine[float], rate: float) -> float:
        """Where the line ends to matter, for a posterior that falls as ``u**-rate`` or faster."""
        return self.right + math.log(min(_DEPTH / rate, _FARTHEST - self.right))

    def _log_u(self, t: Floats) -> Floats:
        return t - np.exp(self.left - t) + np.exp(t - self.right)


@dataclass(frozen=True)
class TauPosterior:
    """The posterior of tau: a quadrature rule over t, and the map from t to tau."""

    line: TauLine[float]
    rule: Rule

    @cached_property
    def nodes(self) -> Floats:
        """Values of tau at the nodes, shape (n,)."""
        return self.line.tau(self.rule.t)

    def quantile(self, levels: ArrayLike) -> Floats:
        """Quantiles of tau, continuous in the level."""
        return self.line.tau(self.rule.quantile(levels))


def tau_posterior(marginal: Marginal, prior: TauPrior, orders: Sequence[float], limit: float) -> TauPosterior:
    """Integrate the posterior of tau.

    Parameters
    ----------
    marginal
        The table with the prior on mu.
    prior
        The prior on tau.
    orders
        Orders of the moments of tau that must be right too, each below ``limit``.
    limit
        The posterior density falls as ``tau**-(limit + 1)``, or faster.
    """
    return integrate_tau(marginal.given, line_of(marginal, prior), prior, orders, limit)


def integrate_tau(
    given: Callable[[Floats], Likelihood],
    line: TauLine[float],
    prior: TauPrior,
    orders: Sequence[float],
    limit: float,
) -> TauPosterior:
    """Integrate the posterior of tau over a line, for any likelihood of the two monotone parts."""

    def split(t: Floats) -> tuple[Floats, Floats, Floats]:
        tau = line.tau(t)
        at = given(tau)
        rising, falling = line.log_slope(t)
        falling = falling + at.log_spread + prior.log_density(tau)
        return rising + at.log_fit, falling, np.log(tau)

    rate = min(1.0, limit - max(orders))
    return TauPosterior(line, trapezoid(split, orders, line.start, line.end(rate), _STEP, _TOLERANCE))


def line_of(marginal: Marginal, prior: TauPrior) -> TauLine[float]:
    """The line for a table: between the sd that mu would have at tau = 0 and the scatter of the data."""
    precision = float(np.sum(1 / marginal.variance) + marginal.prior.precision.max())
    scatter = max(float(np.ptp(marginal.estimate)), math.sqrt(marginal.variance.max()))
    return tau_line(prior, precision**-0.5, max(scatter, marginal.prior.reach))


def tau_line(prior: TauPrior, smallest: float, largest: float) -> TauLine[float]:
    """Put left and right where the posterior has stopped changing its shape.

    Below the smallest scale of the data, and below that of the prior, nothing depends on tau any more;
    above the largest scale of both all is a power of tau.
    """
    left = math.log(min(prior.spread, smallest))
    if isinstance(prior, Uniform):
        return TauLine(left, math.log(prior.spread) + 1, prior.lower, prior.spread)
    return TauLine(left, math.log(max(prior.spread, largest)) + 1, 0.0, math.inf)
