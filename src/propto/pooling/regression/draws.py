"""Independent draws from a posterior with covariates, clusters or correlated errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from propto.pooling.drawing import counted, pick, scale_at
from propto.pooling.regression.linear import Linear
from propto.pooling.regression.result import Nodes

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

_CHUNK = 2**21  # elements of a temporary array


def draw(linear: Linear, nodes: Nodes, n: int, seed: int) -> dict[str, Floats]:
    """Draw the scales from the quadrature, the coefficients given them, and the effects given all.

    Parameters
    ----------
    linear
        The model; the effects come in the order of its rows.
    nodes
        The quadrature over the scales.
    n
        Number of draws.
    seed
        Seed of NumPy's generator.
    """
    rng = np.random.default_rng(seed)
    picked = pick(nodes.weight, counted(n), rng)
    values = (nodes.tau, nodes.between)
    scales = [
        scale_at(at, nodes.weight, picked, posterior, rng)
        for at, posterior in zip(values, nodes.scales, strict=False)
    ]
    beta = _coefficients(nodes, picked, rng)
    size = max(1, _CHUNK // linear.estimate.size)
    cuts = [slice(i, i + size) for i in range(0, n, size)]
    theta = np.concatenate([_effects(linear, nodes, picked[some], beta[some], rng) for some in cuts])
    spread = np.hypot(nodes.tau, nodes.between)[picked]
    found = {"mu": beta[:, 0], **dict(zip(("tau", "between"), scales, strict=False))}
    coefficients = {"beta": beta[:, 1:]} if beta.shape[1] > 1 else {}
    return found | coefficients | {"theta": theta, "new_group": beta[:, 0] + spread * rng.standard_normal(n)}


def _coefficients(nodes: Nodes, picked: Index, rng: np.random.Generator) -> Floats:
    """Draw the coefficients at the picked nodes, shape (n, p)."""
    mean, root = nodes.given.mean, nodes.given.root
    found = mean[picked]
    for place in np.unique(picked):
        rows = picked == place
        found[rows] += rng.standard_normal((int(rows.sum()), mean.shape[1])) @ root[place].T
    return found


def _effects(linear: Linear, nodes: Nodes, picked: Index, beta: Floats, rng: np.random.Generator) -> Floats:
    """Draw the clusters' deviations and the effects, shape (n, k)."""
    mean, tau = beta @ linear.design.T, nodes.tau[picked, None]
    if nodes.given.blocks is not None:
        mean = mean + _deviations(nodes, picked, beta, rng)[:, linear.cluster]
    pull = linear.variance / (linear.variance + tau * tau)
    theta = pull * mean + (1 - pull) * linear.estimate
    theta += np.sqrt(pull) * tau * rng.standard_normal(theta.shape)
    return theta if linear.rotation is None else theta @ linear.rotation.T


def _deviations(nodes: Nodes, picked: Index, beta: Floats, rng: np.random.Generator) -> Floats:
    """Draw the clusters' deviations given the coefficients, shape (n, C)."""
    blocks = nodes.given.blocks
    assert blocks is not None
    variance = blocks.variance[picked]
    found = np.sqrt(variance) * rng.standard_normal(variance.shape)
    for place in np.unique(picked):
        rows = picked == place
        left = blocks.mean[place, :, -1] - beta[rows] @ blocks.mean[place, :, :-1].T
        found[rows] += blocks.variance[place] * blocks.precision[place] * left
    return found
