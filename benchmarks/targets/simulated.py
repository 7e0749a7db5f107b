"""Data that are simulated with fixed seeds, and tables typed in."""

from __future__ import annotations

from typing import Any

import numpy as np

SCHOOLS = {
    "J": 8,
    "effect_estimate": np.array([28.0, 8, -3, 7, -1, 1, 18, 12]),
    "std_estimate": np.array([15.0, 10, 16, 11, 9, 11, 10, 18]),
}


def rotated_gaussian(d: int, condition: float) -> dict[str, Any]:
    """A precision matrix with eigenvalues evenly spread on a log scale, along random directions."""
    directions, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(d, d)))
    variances = np.geomspace(1 / condition, 1, d)
    precision = (directions / variances) @ directions.T
    ends = directions[:, [0, -1]].T / np.sqrt(variances[[0, -1], None])
    return {"D": d, "precision": (precision + precision.T) / 2, "ends": ends}


def gaussian_variances(data: dict[str, Any]) -> np.ndarray:
    """Variances of the coordinates of a Gaussian with a precision matrix."""
    return np.diag(np.linalg.inv(data["precision"]))


def logistic(n: int, k: int, seed: int = 2) -> dict[str, Any]:
    """Standard normal covariates after a column of ones; coefficients of total size about 1."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, k))
    x[:, 0] = 1
    beta = random.normal(size=k) / np.sqrt(k)
    y = random.uniform(size=n) < 1 / (1 + np.exp(-x @ beta))
    return {"N": n, "K": k, "X": x, "y": y.astype(int), "beta_scale": 1.0}


def hierarchical_logistic(groups: int) -> dict[str, Any]:
    """Groups of 2 to 38 yes-no outcomes, one covariate within groups."""
    random = np.random.default_rng(3)
    group = np.repeat(np.arange(groups), random.integers(2, 39, size=groups))
    x = random.normal(size=len(group))
    logit = (-0.5 + 0.8 * random.normal(size=groups))[group] + 0.5 * x
    y = random.uniform(size=len(group)) < 1 / (1 + np.exp(-logit))
    return {"N": len(group), "J": groups, "group": group + 1, "x": x, "y": y.astype(int)}


def stochastic_volatility(days: int) -> dict[str, Any]:
    """Returns whose log variance is an autoregression."""
    random = np.random.default_rng(4)
    mu, phi, sigma = -1.0, 0.95, 0.25
    h = np.empty(days)
    h[0] = mu + sigma / np.sqrt(1 - phi**2) * random.normal()
    for t in range(1, days):
        h[t] = mu + phi * (h[t - 1] - mu) + sigma * random.normal()
    return {"T": days, "y": random.normal(size=days) * np.exp(h / 2)}
