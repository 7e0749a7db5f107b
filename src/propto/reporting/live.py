"""What the page recomputes from: the posterior on a grid of tau, for other priors and without groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from propto.pooling.families import Exponential, TauPrior, Uniform
from propto.pooling.marginal import Marginal, NormalPriors

Floats = NDArray[np.float64]

FACTORS = tuple(2 ** (step / 2) for step in range(-6, 7))  # of the prior's scale: an eighth to eight times
MOST_GROUPS = 10_000  # with more the page shows what was computed, and recomputes nothing
MOST_LEFT_OUT = 50
_REFITS = 2_000  # groups up to which single ones can be left out
_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_NODES = 8  # of the Gauss-Legendre rule in each panel
_FINE = 128  # points in a panel between which quantiles of tau are interpolated
_ROUNDS = 12
_DOUBLINGS = 60
_ROUGH = 1e-5  # share of the last two Legendre coefficients: the integral is right to about its square
_NEGLIGIBLE = 1e-12
_WRONG = 1e-6  # relative error of the evidence from which the grid cannot be used
_FAINT = -20.0  # log weight next to the largest, below which a component is left out of the page
_SMALL = 1e-6  # error of what the page is given, in sds or in logarithms
_NOTHING = -1e4  # a log density that no longer counts; JSON has no infinity


@dataclass(frozen=True)
class Live:
    """The posterior on one grid, from which the page recomputes.

    A component is a value of tau with a normal posterior of mu. The posterior under prior p without group
    g has weights proportional to ``exp(log_likelihood[g] + log_prior[p])``, and given a component all
    effects are normal: so numbers in the page are those of the engine.

    Parameters
    ----------
    priors
        The priors of tau as texts, narrow to wide.
    base
        The place of the prior in use.
    without
        Groups that can be left out, counted from 0.
    tau
        Values of tau, shape (n,).
    log_prior
        Shape (priors, n).
    log_likelihood, mu_mean, mu_variance
        Shape (1 + groups that can be left out, n); the first row is the whole table. The weights of the
        quadrature are part of the log likelihood.
    tau_quantiles
        Quantiles of tau at 5, 25, 50, 75 and 95 %, shape (priors, 1 + groups that can be left out, 5).
    """

    priors: tuple[str, ...]
    base: int
    without: tuple[int, ...]
    tau: Floats
    log_prior: Floats
    log_likelihood: Floats
    mu_mean: Floats
    mu_variance: Floats
    tau_quantiles: Floats

    def to_dict(self) -> dict[str, Any]:
        """Give plain values for the page, with no more digits than it needs."""
        finest = math.sqrt(float(self.mu_variance.min()))
        return {
            "priors": self.priors,
            "base": self.base,
            "without": self.without,
            "tau": _rounded(self.tau, self.tau / 1e8),
            "log_prior": _rounded(self.log_prior, _SMALL),
            "log_likelihood": _rounded(self.log_likelihood, _SMALL),
            "mu_mean": _rounded(self.mu_mean, _SMALL * finest),
            "mu_variance": _rounded(self.mu_variance, _SMALL * self.mu_variance),
            "tau_quantiles": _rounded(self.tau_quantiles, _SMALL * self.tau_quantiles),
        }


def live(pooled: Any, leave_out: Sequence[int] = ()) -> Live | None:
    """Lay the posterior on a grid that serves other scales of tau's prior, and the table without some groups.

    Parameters
    ----------
    pooled
        The exact engine's result.
    leave_out
        Groups that the reader may want to leave out, the most wanted first.

    Returns
    -------
    Live or None
        None for more than 10,000 groups, and where the grid does not reproduce the engine's evidence.
    """
    if len(pooled.label) > MOST_GROUPS:
        return None
    single = pooled.marginal.prior.precision.size == 1 and len(pooled.label) <= _REFITS
    without = tuple(int(j) for j in leave_out[:MOST_LEFT_OUT]) if single else ()
    priors = [scaled(pooled.prior_tau, factor) for factor in FACTORS]
    table = replace(pooled.marginal, prior=_coarser(pooled))
    tables = [table, *(_without(table, j) for j in without)]
    panels = _Panels.of(tables, priors, pooled)
    base = FACTORS.index(1.0)
    if not abs(math.expm1(panels.log_evidence(base) - pooled.log_evidence)) < _WRONG:
        return None
    tau, log_likelihood, mu_mean, mu_variance = panels.components(tables)
    log_prior = _log_densities(priors, tau)
    log_weight = log_prior[:, None] + log_likelihood
    log_weight -= log_weight.max(axis=-1, keepdims=True)
    kept = (log_weight > _FAINT).any(axis=(0, 1))
    return Live(
        priors=tuple(map(str, priors)),
        base=base,
        without=without,
        tau=tau[kept],
        log_prior=_below_zero(log_prior[:, kept]),
        log_likelihood=_below_zero(log_likelihood[:, kept]),
        mu_mean=mu_mean[:, kept],
        mu_variance=mu_variance[:, kept],
        tau_quantiles=panels.quantiles(),
    )


def _below_zero(log_values: Floats) -> Floats:
    """Less the largest of each row; JSON has no infinity."""
    return np.maximum(log_values - log_values.max(axis=-1, keepdims=True), _NOTHING)


def scaled(prior: TauPrior, factor: float) -> TauPrior:
    """The same family, wider by a factor; the new scale has three digits.

    Examples
    --------
    >>> from propto.pooling.families import HalfCauchy
    >>> str(scaled(HalfCauchy(5), 2)), str(scaled(Uniform(0, 100), 0.5)), str(scaled(Exponential(0.1), 4))
    ('halfcauchy(10)', 'uniform(0, 50)', 'exponential(0.025)')
    """
    if factor == 1:
        return prior
    if isinstance(prior, Uniform):
        return Uniform(prior.lower, prior.lower + _digits(factor * prior.spread))
    if isinstance(prior, Exponential):
        return Exponential(_digits(prior.rate / factor))
    return replace(prior, scale=_digits(factor * prior.scale))


def _digits(value: float) -> float:
    return float(f"{value:.3g}")


def _coarser(pooled: Any) -> NormalPriors:
    """The prior on mu as a sum of as few normals as tell the same."""
    exact = pooled.marginal.given(pooled.tau_nodes).log_fit
    prior = pooled.marginal.prior
    while prior.precision.size > 1:
        fewer = prior.every_second()
        rough = replace(pooled.marginal, prior=fewer).given(pooled.tau_nodes).log_fit
        if np.abs(np.expm1(rough - exact)).max() > _WRONG / 10:
            break
        prior = fewer
    return prior


def _without(table: Marginal, j: int) -> Marginal:
    return Marginal(np.delete(table.estimate, j), np.delete(table.variance, j), table.prior)


def _log_densities(priors: Sequence[TauPrior], tau: Floats) -> Floats:
    """Log prior densities, shape (priors, n)."""
    return np.stack([prior.log_density(tau) for prior in priors])


@dataclass(frozen=True)
class _Panels:
    """Gauss-Legendre rules on neighbouring intervals of tau, and the posteriors at their nodes.

    ``g`` holds the densities of tau, each divided by its largest value, ``exp(log_scale)``: shape
    (priors, tables, panels, nodes).
    """

    edges: Floats
    g: Floats
    log_scale: Floats

    @classmethod
    def of(cls, tables: Sequence[Marginal], priors: Sequence[TauPrior], pooled: Any) -> _Panels:
        """Bisect panels until all posteriors are smooth in each, and drop those that hold nothing."""
        edges = _first_edges(pooled, priors)
        for _ in range(_ROUNDS):
            panels = cls._at(edges, tables, priors)
            rough = panels._rough()
            if not rough.any():
                break
            middle = (edges[:-1] + edges[1:])[rough] / 2
            edges = np.sort(np.concatenate([edges, middle]))
        held = np.flatnonzero((panels._masses() > _NEGLIGIBLE * panels._total()).any(axis=(0, 1)))
        first, last = held[0], held[-1] + 1
        return cls(panels.edges[first : last + 1], panels.g[:, :, first:last], panels.log_scale)

    @classmethod
    def _at(cls, edges: Floats, tables: Sequence[Marginal], priors: Sequence[TauPrior]) -> _Panels:
        tau = _nodes(edges)
        likelihood = np.stack([table.given(tau.ravel()).log_likelihood for table in tables])
        log_g = likelihood + _log_densities(priors, tau.ravel())[:, None]
        log_scale = log_g.max(axis=-1, keepdims=True)
        return cls(edges, np.exp(log_g - log_scale).reshape(*log_g.shape[:2], *tau.shape), log_scale[..., 0])

    def _masses(self) -> Floats:
        """Integral over each panel, shape (priors, tables, panels)."""
        return self.g @ _WEIGHTS * np.diff(self.edges) / 2

    def _total(self) -> Floats:
        return self._masses().sum(axis=-1, keepdims=True)

    def _rough(self) -> NDArray[np.bool_]:
        """Panels in which some posterior is not yet a polynomial of low degree."""
        last = np.abs(self.g @ _TO_LEGENDRE[-2:].T).sum(axis=-1) * np.diff(self.edges)
        return (last > _ROUGH * self._total()).any(axis=(0, 1))

    def log_evidence(self, prior: int) -> float:
        """Log evidence of the whole table under a prior."""
        return float(np.log(self._total()[prior, 0, 0]) + self.log_scale[prior, 0])

    def quantiles(self) -> Floats:
        """Quantiles of tau, shape (priors, tables, levels)."""
        width = np.diff(self.edges)
        inside = (self.g @ _CUMULATIVE.T) * (width / 2)[:, None]
        before = np.cumsum(self._masses(), axis=-1) - self._masses()
        cdf = (before[..., None] + inside).reshape(*self.g.shape[:2], -1) / self._total()
        tau = (self.edges[:-1, None] + width[:, None] * np.linspace(0, 1, _FINE)).ravel()
        rows = [np.interp(_LEVELS, np.maximum.accumulate(row), tau) for row in cdf.reshape(-1, tau.size)]
        return np.reshape(rows, (*self.g.shape[:2], len(_LEVELS)))

    def components(self, tables: Sequence[Marginal]) -> tuple[Floats, Floats, Floats, Floats]:
        """Tau, and for each table the log weight without a prior, and mean and variance of mu.

        One component for each node and each term of the prior on mu.
        """
        tau = _nodes(self.edges).ravel()
        log_width = np.log(np.outer(np.diff(self.edges) / 2, _WEIGHTS)).ravel()
        given = [table.given(tau) for table in tables]
        log_weight = [(log_width + each.log_spread)[:, None] + each.log_fit_terms for each in given]
        mean, variance = (
            [each.mu_mean(each.mu_variance) for each in given],
            [each.mu_variance for each in given],
        )
        terms = variance[0].shape[1]
        stacked = [np.stack(part).reshape(len(tables), -1) for part in (log_weight, mean, variance)]
        return np.repeat(tau, terms), stacked[0], stacked[1], stacked[2]


def _first_edges(pooled: Any, priors: Sequence[TauPrior]) -> Floats:
    """Panels that double in width, from below the smallest scale to where no posterior is left."""
    s, spreads = pooled.std_error, [prior.spread for prior in priors]
    small = 0.25 * min(float(s.min()), float(np.sum(s**-2.0)) ** -0.5, *spreads)
    if isinstance(pooled.prior_tau, Uniform):
        ends = np.array(spreads)
        inner = small * 2.0 ** np.arange(1 + max(0, math.ceil(math.log2(ends.max() / small))))
        between = inner[(np.abs(inner[:, None] / ends - 1) > 1e-6).all(axis=1) & (inner < ends.max())]
        return pooled.prior_tau.lower + np.sort(np.concatenate([[0.0], between, ends]))
    large = max(float(np.ptp(pooled.estimate)), float(s.max()), *spreads)
    doublings = math.ceil(math.log2(large / small)) + 2
    edges = np.concatenate([[0.0], small * 2.0 ** np.arange(doublings + 1)])
    for _ in range(_DOUBLINGS):
        panels = _Panels._at(edges, [pooled.marginal], priors)
        if (panels._masses()[..., -1:] < _NEGLIGIBLE * panels._total()).all():
            break
        edges = np.append(edges, 2 * edges[-1])
    return edges


def _nodes(edges: Floats) -> Floats:
    """Nodes of all panels, shape (panels, nodes)."""
    return (edges[:-1] + edges[1:])[:, None] / 2 + np.diff(edges)[:, None] / 2 * _POINTS


_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(_NODES)
# From values at the nodes to Legendre coefficients, and to integrals from the left end.
_TO_LEGENDRE = (
    (np.arange(_NODES) + 0.5)[:, None] * np.polynomial.legendre.legvander(_POINTS, _NODES - 1).T * _WEIGHTS
)
_CUMULATIVE = (
    np.polynomial.legendre.legvander(np.linspace(-1, 1, _FINE), _NODES)
    @ np.polynomial.legendre.legint(np.eye(_NODES), lbnd=-1, axis=0)
    @ _TO_LEGENDRE
)


def _rounded(values: Floats, error: Floats | float) -> Any:
    """Nested lists of numbers, each as short as this error allows."""
    decimals = -np.floor(np.log10(np.broadcast_to(np.maximum(error, 1e-300), values.shape))).astype(int)
    if values.ndim == 1:
        return [
            round(value, places) for value, places in zip(values.tolist(), decimals.tolist(), strict=True)
        ]
    return [_rounded(row, 10.0**-places) for row, places in zip(values, decimals, strict=True)]
