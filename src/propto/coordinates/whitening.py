"""Affine coordinates q = m + S z in which the target has about unit scale, learnt from draws and scores."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from jaxtyping import Float

# A learnt scale beyond these limits says that a coordinate has not been explored, not how wide it is.
SMALLEST, LARGEST = 1e-12, 1e12


Draws = Float[np.ndarray, "draw chain dim"]


class Whitening(Protocol):
    """An affine map between whitened positions z and unconstrained positions q; a pytree of arrays."""

    @classmethod
    def identity(cls, dim: int) -> Self:
        """The map q = z."""

    @classmethod
    def learn(cls, q: Draws, score: Draws | None) -> Self:
        """The map that whitens the draws q, whose gradients of log p are the scores."""

    def to_q(self, z: Any) -> Any:
        """From whitened to unconstrained, draws along leading axes; on the host and in compiled code."""

    def to_z(self, q: Any) -> Any:
        """From unconstrained to whitened, draws along leading axes."""

    def score(self, z_score: Any) -> Any:
        """The gradient with respect to q from the gradient with respect to z, draws along leading axes."""

    def z_score(self, score: Any) -> Any:
        """The gradient with respect to z from the gradient with respect to q, draws along leading axes."""

    def scales(self) -> Any:
        """Scale of every coordinate of q, shape (d,)."""


class Diagonal(NamedTuple):
    r"""Coordinates q_i = m_i + s_i z_i.

    The scales minimise the Fisher divergence :math:`E|s g + (q - m)/s|^2` to a Gaussian:
    :math:`s_i^2 = \sqrt{\mathrm{Var}\,q_i / \mathrm{Var}\,g_i}` and :math:`m_i = \bar q_i + s_i^2 \bar g_i`,
    g being the scores. For a Gaussian a handful of draws suffice, wherever they lie.

    References
    ----------
    Seyboldt, Carlson, Carpenter (2026), arXiv:2603.18845.
    """

    center: Float[Any, " dim"]
    scale: Float[Any, " dim"]

    @classmethod
    def identity(cls, dim: int) -> Diagonal:
        """The map q = z."""
        return cls(np.zeros(dim), np.ones(dim))

    @classmethod
    def learn(cls, q: Draws, score: Draws | None) -> Diagonal:
        """Scales and centres from draws and their scores."""
        draws, chains = 0, 1
        mean, deviation = q.mean((draws, chains)), q.std((draws, chains))
        if score is None:
            return cls(mean, np.clip(deviation, SMALLEST, LARGEST))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            variance = deviation / score.std((draws, chains))
            known = np.isfinite(variance) & (variance > 0)
            variance = np.clip(np.where(known, variance, 1.0), SMALLEST**2, LARGEST**2)
            shift = np.clip(variance * score.mean((draws, chains)), -deviation, deviation)
        return cls(mean + np.where(np.isfinite(shift), shift, 0.0), np.sqrt(variance))

    def to_q(self, z: Any) -> Any:
        """From whitened to unconstrained, draws along leading axes; on the host and in compiled code."""
        return self.center + self.scale * z

    def to_z(self, q: Any) -> Any:
        """From unconstrained to whitened, draws along leading axes."""
        return (q - self.center) / self.scale

    def score(self, z_score: Any) -> Any:
        """g = s^-1 dlogp/dz."""
        return z_score / self.scale

    def z_score(self, score: Any) -> Any:
        """dlogp/dz = s g."""
        return score * self.scale

    def scales(self) -> Any:
        """The scales s."""
        return self.scale


class Dense(NamedTuple):
    """Coordinates q = m + L z, with L the Cholesky factor of the draws' covariance."""

    center: Float[Any, " dim"]
    cholesky: Float[Any, "dim dim"]

    @classmethod
    def identity(cls, dim: int) -> Dense:
        """The map q = z."""
        return cls(np.zeros(dim), np.eye(dim))

    @classmethod
    def learn(cls, q: Draws, score: Draws | None) -> Dense:
        """Covariance of the draws, with correlations shrunk by the weight of 2d draws; no use of scores."""
        q = q.reshape(-1, q.shape[-1])
        n, dim = q.shape
        deviation = np.clip(q.std(0), SMALLEST, LARGEST)
        z = (q - q.mean(0)) / deviation
        correlation = z.T @ z / n
        kept = n / (n + 2 * dim)
        shrunk = kept * correlation + (1 - kept) * np.eye(dim)
        np.fill_diagonal(shrunk, 1.0)
        return cls(q.mean(0), deviation[:, None] * np.linalg.cholesky(shrunk))

    def to_q(self, z: Any) -> Any:
        """From whitened to unconstrained, draws along leading axes; on the host and in compiled code."""
        return self.center + z @ self.cholesky.T

    def to_z(self, q: Any) -> Any:
        """From unconstrained to whitened, draws along leading axes."""
        return (q - self.center) @ np.linalg.inv(self.cholesky).T

    def score(self, z_score: Any) -> Any:
        """g = L^-T dlogp/dz."""
        return z_score @ np.linalg.inv(self.cholesky)

    def z_score(self, score: Any) -> Any:
        """dlogp/dz = L^T g."""
        return score @ self.cholesky

    def scales(self) -> Any:
        """Standard deviation of every coordinate."""
        return np.linalg.norm(self.cholesky, axis=1)
