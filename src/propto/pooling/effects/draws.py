"""Independent draws from a posterior whose effects are mixtures of normals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from propto.pooling.drawing import counted, pick, scale_at
from propto.pooling.effects.likelihood import GivenTau
from propto.pooling.effects.posterior import Posterior, Sheet

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

_CHUNK = 2**21  # elements of a temporary array


def draw(posterior: Posterior, n: int, seed: int) -> dict[str, Floats]:
    """Draw tau, mu and the shape from the quadrature, and the effects given them.

    Parameters
    ----------
    posterior
        The posterior of tau, and at its nodes that of mu and the shape.
    n
        Number of draws.
    seed
        Seed of NumPy's generator.
    """
    rng = np.random.default_rng(seed)
    nodes = [node for half in posterior.nodes for node in half]
    weight = np.array([node.weight for node in nodes])
    tau = np.array([node.sheet.given.tau for node in nodes])
    picked = pick(weight, counted(n), rng)
    scale = scale_at(tau, weight, picked, posterior.tau, rng)
    drawn = _Drawn(np.empty(n), np.empty((n, posterior.problem.errors.estimate.size)), np.empty(n))
    for place in np.unique(picked):
        drawn.fill(np.flatnonzero(picked == place), nodes[place].sheet, rng)
    return {"mu": drawn.mu, "tau": scale, "theta": drawn.theta, "new_group": drawn.new_group}


@dataclass(frozen=True)
class _Drawn:
    """Draws, to be filled node by node."""

    mu: Floats
    theta: Floats
    new_group: Floats

    def fill(self, rows: Index, sheet: Sheet, rng: np.random.Generator) -> None:
        """Draw some rows at one value of tau."""
        given = sheet.given
        size = max(1, _CHUNK // given.variance.size)
        for i in range(0, rows.size, size):
            some = rows[i : i + size]
            mu, shape = _mu_and_shape(sheet, some.size, rng)
            self.mu[some] = mu
            self.theta[some] = _effects(given, mu, shape, rng)
            part = _choose(given.parts.weight[shape].T[:, :, None], rng)[:, 0]
            spread = given.parts.scale[part] * given.tau
            self.new_group[some] = given.parts.about_mu[part] * mu + spread * rng.standard_normal(some.size)


def _mu_and_shape(sheet: Sheet, n: int, rng: np.random.Generator) -> tuple[Floats, Index]:
    """Draw mu from the kernels through its nodes, and the place of the shape."""
    point = sheet.mu.kernels
    share = (sheet.mu.by_shape[:, sheet.mu.within] * point.weight) @ point.mixing.T
    shape, kernel = np.divmod(pick(np.maximum(share, 0.0).ravel(), n, rng), point.mu.size)
    return point.mu[kernel] + point.sd[kernel] * rng.standard_normal(n), shape


def _effects(given: GivenTau, mu: Floats, shape: Index, rng: np.random.Generator) -> Floats:
    """Draw the part of every effect and error, and the effect given both, shape (n, k)."""
    terms, _ = given.terms(mu)
    parts, errors, n, k = terms.shape
    terms *= given.parts.weight[shape].T[:, None, :, None]
    part, error = np.divmod(_choose(terms.reshape(parts * errors, n, k), rng), errors)
    variance = given.errors.variance[error, np.arange(k)]
    inner, about = given.inner[part, 0, 0], given.parts.about_mu[part]
    pull = variance / (inner + variance)
    mean = pull * about * mu[:, None] + (1 - pull) * given.errors.estimate
    return np.asarray(mean + np.sqrt(pull * inner) * rng.standard_normal((n, k)))


def _choose(weight: Floats, rng: np.random.Generator) -> Index:
    """Draw a place along the first axis for all others, with weights that need not sum to 1."""
    top = np.cumsum(weight, axis=0)
    return np.asarray((top[:-1] < rng.random(top.shape[1:]) * top[-1]).sum(axis=0))
