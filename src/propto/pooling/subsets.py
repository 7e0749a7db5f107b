"""The table's fit to every subset of its groups, or to many: does the answer hang on who is in it?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from propto.errors import OptionError
from propto.pooling.marginal import GivenTau
from propto.pooling.phrases import called, number, span
from propto.pooling.plain import frame, plain
from propto.pooling.pooled import Pooled
from propto.pooling.quadrature import log_sum

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float64]

MOST_SUBSETS = 10_000
_FEWEST = 2  # groups of a subset
_CHUNK = 2**20  # elements of a temporary array
_APART = 2.0  # sds by which a group splits the subsets, from where on it is worth a word


@dataclass(frozen=True, eq=False)
class Subsets:
    """The posterior of mu and tau for many subsets of the groups.

    Parameters
    ----------
    label
        Names of the groups, shape (k,).
    inside
        Which groups are in each subset, shape (n, k).
    mu, tau
        Posterior mean of mu and median of tau under each subset, shape (n,).
    every
        Whether these are all subsets of two groups at least.
    """

    label: NDArray[np.str_]
    inside: NDArray[np.bool_]
    mu: Floats
    tau: Floats
    every: bool

    @property
    def split(self) -> Floats:
        """How far the subsets with a group lie from those without it, in the sd of mu within them."""
        return np.array([self._split(j) for j in range(self.label.size)])

    def _split(self, j: int) -> float:
        inside = self.inside[:, j]
        if inside.all() or not inside.any():
            return math.nan
        parts = self.mu[inside], self.mu[~inside]
        within = math.sqrt(float(np.mean([part.var() for part in parts])))
        return float(parts[0].mean() - parts[1].mean()) / (within or math.inf)

    def findings(self) -> list[str]:
        """Say how far mu moves between subsets, and which group splits them."""
        low, high = np.quantile(self.mu, (0.05, 0.95))
        sd = float(self.mu.std()) or 1.0
        j = int(np.nanargmax(np.abs(self.split)))
        inside = self.inside[:, j]
        with_, without = (number(float(self.mu[rows].mean()), sd) for rows in (inside, ~inside))
        far = abs(self.split[j]) > _APART
        count = f"{'all' if self.every else 'random'} subsets of the groups ({len(self.mu):,})"
        return [
            f"Over {count} mu goes from {span(float(low), float(high), sd)} (90 % of them); "
            f"{called(self.label[j])} {'splits' if far else 'moves'} them most: {with_} with it, {without} "
            f"without."
        ]

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers for JSON: of the subsets the spread, of each group how it splits them."""
        levels = (0.05, 0.25, 0.5, 0.75, 0.95)
        spread = {
            name: {f"q{100 * level:g}": float(np.quantile(values, level)) for level in levels}
            for name, values in (("mu", self.mu), ("tau", self.tau))
        }
        groups = [
            {"label": str(name), "split": plain(value)}
            for name, value in zip(self.label, self.split, strict=True)
        ]
        return {"subsets": len(self.mu), "every": self.every, **spread, "groups": groups}

    def to_frame(self) -> pandas.DataFrame:
        """Give one row a subset: its mu, its tau, and which groups are in it."""
        columns = {str(name): self.inside[:, j] for j, name in enumerate(self.label)}
        return frame({"mu": self.mu, "tau": self.tau, "groups": self.inside.sum(axis=1), **columns})


def subsets(pooled: Pooled, count: int = MOST_SUBSETS, *, seed: int = 0) -> Subsets:
    """Fit every subset of two groups at least, or so many of them by chance, with the same priors.

    Given tau a subset only adds up its groups' terms, so that all subsets are a product of matrices at the
    nodes of tau. Subsets that form separate clouds show that the table mixes groups of different kinds.

    Parameters
    ----------
    pooled
        The exact engine's result, of 3 groups at least.
    count
        Up to so many subsets all are taken; else so many, each group in a subset with probability 1/2.
    seed
        Seed of that choice.

    Returns
    -------
    Subsets

    Raises
    ------
    OptionError
        There are fewer than three groups.

    References
    ----------
    .. [1] Olkin, Dahabreh and Trikalinos (2012), GOSH - a graphical display of study heterogeneity,
       Research Synthesis Methods 3.

    Examples
    --------
    >>> from propto.pooling.exact import pool_exact
    >>> found = subsets(pool_exact([28, 8, -3, 7], [15, 10, 16, 11]))
    >>> found.every, found.mu.size, found.findings()[0].startswith("Over all subsets")
    (True, 11, True)
    """
    k = pooled.label.size
    if k <= _FEWEST:
        raise OptionError(f"subsets: needs {_FEWEST + 1} groups at least, got {k}")
    every = k < 60 and 2**k - 1 - k <= count
    inside = _every(k) if every else _some(k, count, np.random.default_rng(seed))
    mu, tau = np.empty(len(inside)), np.empty(len(inside))
    line, rule = pooled.tau_posterior.line, pooled.tau_posterior.rule
    t = np.arange(line.start, line.end(1.0) + rule.step, rule.step)
    rows = max(1, _CHUNK // (t.size * pooled.marginal.prior.precision.size))
    for i in range(0, len(inside), rows):
        some = slice(i, i + rows)
        mu[some], tau[some] = _fits(pooled, t, inside[some].astype(float))
    return Subsets(pooled.label, inside, mu, tau, every)


def _every(k: int) -> NDArray[np.bool_]:
    """All subsets of two groups at least."""
    inside = (np.arange(2**k)[:, None] >> np.arange(k)) & 1 == 1
    return inside[inside.sum(axis=1) >= _FEWEST]


def _some(k: int, count: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Subsets by chance."""
    inside = rng.random((2 * count + 20, k)) < 0.5
    return inside[inside.sum(axis=1) >= _FEWEST][:count]


def _fits(pooled: Pooled, t: Floats, inside: Floats) -> tuple[Floats, Floats]:
    """Mean of mu and median of tau for each subset, by the sums over its groups at every node."""
    marginal, line = pooled.marginal, pooled.tau_posterior.line
    tau = line.tau(t)
    v = marginal.variance[:, None] + tau**2
    away = (marginal.estimate - float(np.median(marginal.estimate)))[:, None]
    precision = inside @ (1 / v)
    mean = inside @ (away / v) / precision
    misfit = np.maximum(inside @ (away**2 / v) - precision * mean**2, 0.0)
    log_spread = -0.5 * (inside @ np.log(2 * math.pi * v))
    mean += float(np.median(marginal.estimate))
    given = GivenTau(log_spread.ravel(), precision.ravel(), mean.ravel(), misfit.ravel(), marginal.prior)
    shape = (len(inside), t.size)
    log_g = given.log_likelihood.reshape(shape) + pooled.prior_tau.log_density(tau)
    log_g += np.add(*line.log_slope(t))
    weight = np.exp(log_g - log_sum(log_g)[:, None])
    mu = (given.shares * given.mu_mean(given.mu_variance)).sum(axis=1).reshape(shape)
    return (weight * mu).sum(axis=1), line.tau(_middle(t, weight))


def _middle(t: Floats, weight: Floats) -> Floats:
    """Where half of each row's weight is passed, on a line between two nodes."""
    below = np.cumsum(weight, axis=1) - 0.5 * weight
    place = np.clip((below < 0.5).sum(axis=1), 1, t.size - 1)
    row = np.arange(len(weight))
    low, high = below[row, place - 1], below[row, place]
    return t[place - 1] + (t[place] - t[place - 1]) * (0.5 - low) / (high - low)
