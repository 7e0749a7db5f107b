"""Pooling with an estimated distribution of effects: empirical Bayes, as if that distribution were known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from propto.pooling import normal
from propto.pooling.drawing import counted
from propto.pooling.effects.estimated import Estimated, Support
from propto.pooling.effects.weights import mixture_weights
from propto.pooling.pooled import Summary

Floats = NDArray[np.float64]


_SEARCH, _NEAR = 15, 3  # modes tried in the whole range, and around a mode that is known nearly
_FOLDS = 10  # parts that a long table is foretold in; a short one group by group
_EACH = 60  # groups up to which each is foretold by itself
_BISECTIONS = 60
_PRECISE = 0.01  # of the mode, in errors of the mean
_TINY = 1e-300


@dataclass(frozen=True)
class Estimate:
    """An estimated distribution of effects ``sum_c weight_c Normal(mean_c, sd_c)``.

    Parameters
    ----------
    weight, mean, sd
        Shape (C,); the parts that have any weight.
    mode
        Its mode, where it is unimodal.
    log_likelihood
        ``log p(estimates)`` under it.
    gap
        What the mean penalised log likelihood is short of its maximum, at most.
    """

    weight: Floats
    mean: Floats
    sd: Floats
    mode: float
    log_likelihood: float
    gap: float

    def log_density(self, y: Floats, s: Floats) -> Floats:
        """Log density of estimates, shape (k,)."""
        return np.log(np.maximum(np.exp(_log_parts(y, s, self.mean, self.sd)) @ self.weight, _TINY))


def estimate_effects(effects: Estimated, y: Floats, s: Floats, near: float | None = None) -> Estimate:
    """Estimate the distribution; the mode, where it is free, by a search that narrows down.

    ``near`` is a mode that the best one is close to.
    """
    if not effects.free:
        return _at_mode(effects, y, s, effects.mode or 0.0)
    error = float(np.sum(s**-2.0)) ** -0.5
    low, high, count = float(y.min()), float(y.max()), _SEARCH
    if near is not None:
        reach = 2 * error + 0.1 * float(y.std())
        low, high, count = near - reach, near + reach, _NEAR
    return _best(effects, y, s, np.linspace(low, high, count), _PRECISE * error)


def _best(effects: Estimated, y: Floats, s: Floats, modes: Floats, precise: float) -> Estimate:
    """The best of these modes, and then the best between its neighbours by Brent's method."""
    from scipy.optimize import minimize_scalar

    tried = {float(mode): _at_mode(effects, y, s, float(mode)) for mode in modes}

    def miss(mode: float) -> float:
        if mode not in tried:
            tried[mode] = _at_mode(effects, y, s, mode)
        return -_objective(effects, tried[mode], y, s)

    place = int(np.argmin([miss(float(mode)) for mode in modes]))
    between = (float(modes[max(place - 1, 0)]), float(modes[min(place + 1, modes.size - 1)]))
    if between[1] > between[0]:
        minimize_scalar(miss, bounds=between, method="bounded", options={"xatol": precise})
    return tried[min(tried, key=miss)]


def _objective(effects: Estimated, found: Estimate, y: Floats, s: Floats) -> float:
    """The penalised log likelihood."""
    pseudo = effects.support(y, s, found.mode).pseudo[0]
    none = found.weight[found.sd == 0].sum() if pseudo else 1.0
    return found.log_likelihood + pseudo * math.log(max(none, _TINY))


def _at_mode(effects: Estimated, y: Floats, s: Floats, mode: float) -> Estimate:
    """The most likely weights about this mode."""
    support = effects.support(y, s, mode)
    log_parts = _log_parts(y, s, support.mean, support.sd)
    top = log_parts.max(axis=1, keepdims=True)
    rows, count = _penalised(np.exp(log_parts - top), support)
    weight, gap = mixture_weights(rows, count)
    keep = weight > 1e-9 * weight.max()
    weight = weight[keep] / weight[keep].sum()
    likelihood = float((np.log(np.exp(log_parts - top)[:, keep] @ weight) + top[:, 0]).sum())
    return Estimate(weight, support.mean[keep], support.sd[keep], float(mode), likelihood, gap)


def _penalised(rows: Floats, support: Support) -> tuple[Floats, Floats]:
    """The rows with one more for each part that has a prior, and how often each counts."""
    held = np.flatnonzero(support.pseudo)
    extra = np.eye(support.sd.size)[held]
    return np.vstack([rows, extra]), np.concatenate([np.ones(len(rows)), support.pseudo[held]])


def _log_parts(y: Floats, s: Floats, mean: Floats, sd: Floats) -> Floats:
    """Log density of each estimate under each part, shape (k, C)."""
    v = s[:, None] ** 2 + sd**2
    return -0.5 * (np.log(2 * math.pi * v) + (y[:, None] - mean) ** 2 / v)


def log_scores(effects: Estimated, found: Estimate, y: Floats, s: Floats) -> Floats:
    """Log density of each estimate under the distribution estimated from the others.

    Of more than 60 groups a tenth is left out at a time.
    """
    k = y.size
    if k == 1:
        return np.full(1, math.nan)
    folds = np.arange(k) % (k if k <= _EACH else _FOLDS)
    score = np.empty(k)
    for fold in np.unique(folds):
        out = folds == fold
        without = estimate_effects(effects, y[~out], s[~out], found.mode)
        score[out] = without.log_density(y[out], s[out])
    return score


@dataclass(frozen=True)
class EmpiricalPosterior:
    """The posterior of every effect under an estimated distribution.

    Parameters
    ----------
    y, s
        The table, shape (k,).
    prior
        The distribution.
    """

    y: Floats
    s: Floats
    prior: Estimate

    @property
    def parts_a_group(self) -> int:
        """How many normals one draw of one group's effect has to choose from."""
        return self.prior.weight.size

    @cached_property
    def share(self) -> Floats:
        """Posterior weights of the parts, shape (k, C)."""
        log_parts = _log_parts(self.y, self.s, self.prior.mean, self.prior.sd)
        share = np.exp(log_parts - log_parts.max(axis=1, keepdims=True)) * self.prior.weight
        return share / share.sum(axis=1, keepdims=True)

    @cached_property
    def given(self) -> tuple[Floats, Floats]:
        """Mean and sd of every effect under each part, shape (k, C)."""
        variance = self.s[:, None] ** 2
        pull = variance / (variance + self.prior.sd**2)
        mean = pull * self.prior.mean + (1 - pull) * self.y[:, None]
        return mean, np.sqrt(pull) * self.prior.sd

    def theta(self) -> Summary:
        """Summary of every effect."""
        return _summary(self.share, *self.given)

    def new_group(self) -> Summary:
        """Summary of the distribution itself."""
        found = self.prior
        return _summary(found.weight[None], found.mean[None], found.sd[None]).row(0)

    def positive(self) -> tuple[Floats, Floats]:
        """P(effect > 0) and P(effect = 0), shape (k,)."""
        mean, sd = self.given
        above = np.where(sd > 0, normal.cdf_and_bell(mean / np.maximum(sd, _TINY))[0], mean > 0)
        return (self.share * above).sum(axis=1), (self.share * ((sd == 0) & (mean == 0))).sum(axis=1)

    def draw(self, n: int, seed: int) -> dict[str, Floats]:
        """Draw effects; mu and tau are estimates, the same in every draw."""
        rng = np.random.default_rng(seed)
        mean, sd = self.given
        theta = np.empty((counted(n), self.y.size))
        for j in range(self.y.size):
            part = rng.choice(self.parts_a_group, n, p=self.share[j])
            theta[:, j] = mean[j, part] + sd[j, part] * rng.standard_normal(n)
        part = rng.choice(self.parts_a_group, n, p=self.prior.weight)
        new = self.prior.mean[part] + self.prior.sd[part] * rng.standard_normal(n)
        whole = self.new_group()
        return {"mu": np.full(n, whole.mean), "tau": np.full(n, whole.sd), "theta": theta, "new_group": new}


def point(value: float) -> Summary:
    """An estimate without any uncertainty of its own: only a mean and a median."""
    quantiles = np.full(len(Summary.levels), math.nan)
    quantiles[len(Summary.levels) // 2] = value
    return Summary(value, math.nan, quantiles)


def _summary(share: Floats, mean: Floats, sd: Floats) -> Summary:
    """Summarise rows of mixtures whose parts may be points; quantiles by bisection."""
    centre = (share * mean).sum(axis=1)
    spread = np.sqrt((share * (sd**2 + (mean - centre[:, None]) ** 2)).sum(axis=1))
    levels = np.array(Summary.levels)
    low = np.repeat((mean - 9 * sd).min(axis=1)[:, None], levels.size, axis=1) - 1e-12
    high = np.repeat((mean + 9 * sd).max(axis=1)[:, None], levels.size, axis=1)
    width, points = np.maximum(sd, _TINY), sd == 0
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        away = (middle[:, :, None] - mean[:, None]) / width[:, None]
        below = np.where(points[:, None], away >= 0, normal.cdf_and_bell(away)[0])
        cdf = (share[:, None] * below).sum(axis=2)
        low, high = np.where(cdf < levels, middle, low), np.where(cdf < levels, high, middle)
    return Summary(centre, spread, high)
