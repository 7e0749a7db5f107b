"""Bridge sampling between a density known up to its integral and a normal one; NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import solve_triangular
from scipy.special import expit

from propto.diagnosis import chains
from propto.diagnosis.design import Design

TOLERANCE, MOST = 1e-12, 10_000


@dataclass(frozen=True)
class Bell:
    """A multivariate normal density: its mean, and the Cholesky factor of its covariance."""

    mean: Float[np.ndarray, " dim"]
    factor: Float[np.ndarray, "dim dim"]

    @classmethod
    def over(cls, x: Float[np.ndarray, "row dim"]) -> Bell:
        """The one with the mean and covariance of some points."""
        return cls(x.mean(axis=0), np.linalg.cholesky(np.atleast_2d(np.cov(x, rowvar=False))))

    def draw(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, "row dim"]:
        """Independent draws."""
        return self.mean + rng.normal(size=(n, len(self.mean))) @ self.factor.T

    def log_density(self, x: Float[np.ndarray, "row dim"]) -> Float[np.ndarray, " row"]:
        """Log density at some points."""
        z = solve_triangular(self.factor, (x - self.mean).T, lower=True)
        log_volume = np.log(np.diag(self.factor)).sum() + 0.5 * len(self.mean) * np.log(2 * np.pi)
        return -0.5 * (z**2).sum(axis=0) - log_volume


def bridge(
    at_draws: Float[np.ndarray, "chain draw"], at_bell: Float[np.ndarray, " row"]
) -> tuple[float, float]:
    """Log of the integral of p, and its standard error.

    Parameters
    ----------
    at_draws
        log p - log g at draws from p.
    at_bell
        log p - log g at independent draws from g.

    Notes
    -----
    With s the share of p among the draws, counted by their effective number, and w = p / g, the estimate
    solves Z = mean_g[w / (s w + (1 - s) Z)] / mean_p[1 / (s w + (1 - s) Z)] (Meng and Wong 1996).
    """
    at_bell = np.where(np.isnan(at_bell), -np.inf, at_bell)
    n, m = effective_size(at_draws), len(at_bell)
    odds = np.log(n / m)  # of a draw to be one from p
    log_z = float(np.median(at_draws))
    for _ in range(MOST):
        # s w / (s w + (1 - s) Z) is expit(log w - log Z + odds)
        of_bell = expit(at_bell - log_z + odds).mean()
        of_draws = expit(log_z - at_draws - odds).mean()
        step = float(np.log(of_bell) - np.log(of_draws) - odds)
        log_z += step
        if not abs(step) > TOLERANCE:
            break
    return log_z, _error(expit(log_z - at_draws - odds), expit(at_bell - log_z + odds))


def effective_size(x: Float[np.ndarray, "chain draw"]) -> float:
    """Effective number of draws for the mean; all of them where they never differ."""
    design = Design(len(x), x.shape[1], len(x))
    size = float(design.size(chains.split(x[None]))[0])
    return min(size, x.size) if np.isfinite(size) else float(x.size)


def _error(of_draws: np.ndarray, of_bell: np.ndarray) -> float:
    """Relative standard error of Z, from those of both means (Frühwirth-Schnatter 2004)."""
    draws = of_draws.var() / of_draws.mean() ** 2 / effective_size(of_draws)
    bell = of_bell.var() / of_bell.mean() ** 2 / len(of_bell)
    return float(np.sqrt(draws + bell))
