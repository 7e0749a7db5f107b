"""Many tables at once: the exact engine's integral over tau, one row of nodes for each table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from propto.errors import PriorError
from propto.pooling.components import theta_given
from propto.pooling.families import Flat, MuPrior, Normal, StudentT, Uniform
from propto.pooling.gauss import gauss_rule
from propto.pooling.quadrature import log_sum, quantile_places
from propto.pooling.row_mixture import RowMixture
from propto.pooling.stacked import Tables, TauPriors
from propto.pooling.tau import TauLine

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

_CHUNK = 2**17  # elements of a temporary array
_SCAN, _NODES, _MOST = 25, 49, 6145  # nodes that look for the posterior, that integrate it, and at most
_SCANS, _NARROWED = 4, 0.25  # looks at most; a look that narrows less is the last
_DEPTH = 32.0  # what lies exp(-32) below the peak is left out
_TOLERANCE = 1e-4  # of the last halving of the step; what is kept is right to about its square
_POINTS = 12  # values of tau that stand for all of them in the posteriors of the groups
_NEAR = 1e-3  # log odds from which one more step gives a quantile to 1e-6
_MARGIN = 0.1  # a moment nearer to the edge of existence cannot be integrated in double precision


@dataclass(frozen=True)
class Batch:
    """The posteriors of some tables: nodes of tau, each with a weight and a normal posterior of mu.

    Parameters
    ----------
    tables
        The data.
    prior_mu
        The prior on mu, flat or normal.
    line, t, step
        The map from t to tau, the nodes on it, shape (tables, n), and their distance, shape (tables, 1).
    tau, log_likelihood
        Tau and ``log p(estimates | tau)`` at the nodes, shape (tables, n).
    weight, mu_mean, mu_variance
        Shape (tables, n); the weights of a table sum to 1.
    log_evidence
        Shape (tables,).
    error
        Relative change of the integrals when the step was last halved, shape (tables,).
    limit_mu, limit_tau
        Orders below which moments of mu, and of tau, exist, shape (tables,).
    """

    tables: Tables
    prior_mu: Flat | Normal
    line: TauLine[Floats]
    t: Floats
    step: Floats
    tau: Floats
    log_likelihood: Floats
    weight: Floats
    mu_mean: Floats
    mu_variance: Floats
    log_evidence: Floats
    error: Floats
    limit_mu: NDArray[np.floating[Any]]
    limit_tau: NDArray[np.floating[Any]]

    def mu(self) -> RowMixture:
        """The posteriors of mu, one row a table."""
        return RowMixture(self.weight, self.mu_mean, np.sqrt(self.mu_variance))

    def new_group(self) -> RowMixture:
        """The posteriors of the effect of a new group of each table."""
        return RowMixture(self.weight, self.mu_mean, np.sqrt(self.mu_variance + self.tau**2))

    def mu_quantile(self, level: float) -> Floats:
        """Quantiles of mu, shape (tables,): on the few values of tau first, and from there on all."""
        start = self._few.mu().quantile(level, _NEAR)
        return self.mu().quantile(level, _NEAR, start)

    def theta(self) -> RowMixture:
        """The posteriors of the groups' effects, one row a group, on a few values of tau."""
        few = self._few
        y, variance = self.tables.estimate[:, None], self.tables.variance[:, None]
        tau, mean, var = (part[self.tables.table] for part in (few.tau, few.mu_mean, few.mu_variance))
        mean, var = theta_given(y, variance, tau, mean, var)
        return RowMixture(few.weight[self.tables.table], mean, np.sqrt(var))

    def mu_moments(self) -> tuple[Floats, Floats]:
        """Posterior means and sds of mu; NaN where they do not exist."""
        mu = self.mu()
        moments = (mu.mean(), 1), (mu.sd(), 2)
        mean, sd = (np.where(self.limit_mu >= r + _MARGIN, value, np.nan) for value, r in moments)
        return mean, sd

    def shrinkage(self) -> Floats:
        """Posterior mean of ``s**2 / (s**2 + tau**2)`` for every group."""
        few, variance = self._few, self.tables.variance[:, None]
        pull = variance / (variance + few.tau[self.tables.table] ** 2)
        return np.einsum("ij,ij->i", few.weight[self.tables.table], pull)

    def tau_mean(self) -> Floats:
        """Posterior means of tau; NaN where they do not exist."""
        mean = np.einsum("ij,ij->i", self.weight, self.tau)
        return np.where(self.limit_tau >= 1 + _MARGIN, mean, np.nan)

    def tau_quantiles(self, levels: tuple[float, ...]) -> Floats:
        """Quantiles of tau, shape (tables, levels)."""
        return self.line.tau(self.t[:, :1] + self.step * quantile_places(self.weight, levels))

    @cached_property
    def _few(self) -> Batch:
        """The same posteriors on the few values of tau of a Gauss rule.

        In ``x = tau / (tau + c)``, c the geometric mean of tau: what the groups' posteriors depend on is
        smooth in x, and x is bounded.
        """
        middle = np.exp(np.einsum("ij,ij->i", self.weight, np.log(self.tau)))[:, None]
        x, weight = gauss_rule(self.tau / (self.tau + middle), self.weight, _POINTS)
        tau = middle * x / np.maximum(1 - x, 1e-12)
        _, _, mean, variance = _given(self.tables, self.prior_mu, tau)
        return replace(self, tau=tau, weight=weight, mu_mean=mean, mu_variance=variance)


def posteriors(
    tables: Tables, prior_mu: MuPrior, prior_tau: TauPriors, nodes: int = _NODES
) -> Iterator[tuple[Index, Batch]]:
    """Solve the pooling model for every table.

    Some tables at a time; those whose integrals have not settled come later, with twice the nodes.

    Parameters
    ----------
    tables
        The tables.
    prior_mu
        Flat or normal, the same for all.
    prior_tau
        One for each table.
    nodes
        Number of values of tau to begin with, odd.

    Yields
    ------
    which, batch
        Places of some tables, and their posteriors.

    Raises
    ------
    PriorError
        The prior on mu is Student's t, or a prior leaves a posterior that cannot be integrated.
    """
    if isinstance(prior_mu, StudentT):
        raise PriorError(
            f"{prior_mu}: many tables at once take a flat or a normal prior on mu. "
            f"Mend: normal({prior_mu.loc:g}, {prior_mu.scale:g}), or one table at a time."
        )
    left = []
    for which in _chunks(tables.size, _CHUNK // nodes):
        batch = _integrate(tables.part(which), prior_mu, prior_tau.part(which), nodes)
        settled = (batch.error <= _TOLERANCE) | (2 * nodes > _MOST)
        left.append(which[~settled])
        if settled.any():
            yield which[settled], batch if settled.all() else _part(batch, np.flatnonzero(settled))
    again = np.concatenate(left)
    if again.size:
        rest = posteriors(tables.part(again), prior_mu, prior_tau.part(again), 2 * nodes - 1)
        yield from ((again[which], batch) for which, batch in rest)


def _chunks(size: Index, rows: int) -> Iterator[Index]:
    """Places of neighbouring tables with about so many rows together."""
    chunk = np.cumsum(size) // max(1, rows)
    yield from np.split(np.arange(size.size), np.flatnonzero(np.diff(chunk)) + 1)


def _integrate(tables: Tables, prior_mu: Flat | Normal, prior_tau: TauPriors, nodes: int) -> Batch:
    """Find where each posterior of tau lies, and put the nodes of the trapezoidal rule there."""
    limit_mu = tables.size + prior_tau.family.tail_index + prior_mu.tail_index
    limit_tau = tables.size + prior_tau.family.tail_index + min(prior_mu.tail_index, 0.0)
    if limit_tau.min() < _MARGIN:
        raise PriorError(
            f"{prior_tau.family} for a table of one group leaves a posterior too heavy to integrate. "
            "Mend: more degrees of freedom, or a normal prior on mu."
        )
    order = np.clip(np.floor(limit_tau - _MARGIN), 0, 2)[:, None]
    line = _lines(tables, prior_mu, prior_tau)
    low = np.asarray(line.left) - math.log(_DEPTH)
    high = line.right + np.log(_DEPTH / np.minimum(1.0, limit_tau[:, None] - order))

    def log_g(t: Floats) -> tuple[Floats, Floats, tuple[Floats, ...]]:
        tau = line.tau(t)
        given = _given(tables, prior_mu, tau)
        return tau, sum(line.log_slope(t)) + prior_tau.log_density(tau) + given[0] + given[1], given

    for _ in range(_SCANS):
        width = high - low
        t = low + width * np.linspace(0, 1, _SCAN)
        tau, scanned, _ = log_g(t)
        low, high = _where(t, scanned, scanned + order * np.log(tau))
        if np.median((high - low) / width) > _NARROWED:
            break
    t = low + (high - low) * np.linspace(0, 1, nodes)
    tau, fine, (log_spread, log_fit, mean, variance) = log_g(t)
    step = t[:, 1:2] - t[:, :1]
    total = log_sum(fine)
    moments = np.stack([fine, fine + order * np.log(tau)])
    error = np.abs(np.expm1(log_sum(moments[..., ::2]) + math.log(2) - log_sum(moments))).max(axis=0)
    return Batch(
        tables=tables,
        prior_mu=prior_mu,
        line=line,
        t=t,
        step=step,
        tau=tau,
        log_likelihood=log_spread + log_fit,
        weight=np.exp(fine - total[:, None]),
        mu_mean=mean,
        mu_variance=variance,
        log_evidence=total + np.log(step[:, 0]),
        error=error,
        limit_mu=limit_mu,
        limit_tau=limit_tau,
    )


def _where(t: Floats, *log_g: Floats) -> tuple[Floats, Floats]:
    """The stretch outside which all functions are negligible, shape (tables, 1) each."""
    alive = np.zeros(t.shape, dtype=bool)
    for values in log_g:
        alive |= values > values.max(axis=1, keepdims=True) - _DEPTH
    last = t.shape[1] - 1
    first = np.maximum(alive.argmax(axis=1) - 1, 0)
    end = np.minimum(last - alive[:, ::-1].argmax(axis=1) + 1, last)
    rows = np.arange(len(t))
    return t[rows, first][:, None], t[rows, end][:, None]


def _given(tables: Tables, prior_mu: Flat | Normal, tau: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """The likelihood of tau in its falling and its rising part, and mean and variance of mu given tau."""
    centre = precision = height = 0.0
    if isinstance(prior_mu, Normal):
        centre, precision = prior_mu.mean, prior_mu.sd**-2.0
        height = float(prior_mu.log_density(prior_mu.mean))
    origin = tables.sums(tables.estimate / tables.variance) / tables.sums(1 / tables.variance)
    y = (tables.estimate - origin[tables.table])[:, None]
    v = (tau * tau)[tables.table]
    v += tables.variance[:, None]
    log_spread = -0.5 * (tables.sums(np.log(v)) + math.log(2 * math.pi) * tables.size[:, None])
    w = np.divide(1, v, out=v)
    total = tables.sums(w)
    w *= y
    mean = tables.sums(w) / total
    w *= y
    misfit = np.maximum(tables.sums(w) - total * mean * mean, 0.0)
    mean += origin[:, None]
    variance = 1 / (total + precision)
    pull = variance * total * (mean - centre)
    misfit += precision * pull * (mean - centre)
    log_fit = 0.5 * (np.log(2 * math.pi * variance) - misfit) + height
    return log_spread, log_fit, centre + pull, variance


def _lines(tables: Tables, prior_mu: Flat | Normal, prior_tau: TauPriors) -> TauLine[Floats]:
    """The map from t to tau of each table; see `propto.pooling.tau`."""
    on_mu = 0.0 if isinstance(prior_mu, Flat) else prior_mu.sd**-2.0
    spread = (prior_tau.family.spread * prior_tau.scale)[:, None]
    precision = (tables.sums(1 / tables.variance) + on_mu)[:, None]
    left = np.log(np.minimum(spread, precision**-0.5))
    if isinstance(prior_tau.family, Uniform):
        lower = prior_tau.family.lower * prior_tau.scale[:, None]
        return TauLine(left, np.log(spread) + 1, lower, spread)
    least, most = (f.reduceat(tables.estimate, tables.start) for f in (np.minimum, np.maximum))
    scatter = np.maximum(most - least, np.sqrt(np.maximum.reduceat(tables.variance, tables.start)))
    if isinstance(prior_mu, Normal):
        away = np.maximum(np.abs(most - prior_mu.mean), np.abs(least - prior_mu.mean))
        scatter = np.maximum(scatter, np.maximum(away, prior_mu.sd * np.sqrt(tables.size)))
    right = np.log(np.maximum(spread, scatter[:, None])) + 1
    return TauLine(left, right, np.zeros_like(left), np.full_like(left, math.inf))


def _part(batch: Batch, which: Index) -> Batch:
    """The posteriors of some of the tables."""
    line = batch.line
    arrays = ("t", "step", "tau", "log_likelihood", "weight", "mu_mean", "mu_variance", "log_evidence")
    some = {name: getattr(batch, name)[which] for name in (*arrays, "error", "limit_mu", "limit_tau")}
    cut = TauLine(line.left[which], line.right[which], line.lower[which], line.width[which])
    return replace(batch, tables=batch.tables.part(which), line=cut, **some)
