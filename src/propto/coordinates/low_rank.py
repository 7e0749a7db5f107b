"""Affine coordinates q = m + s A z with correlations, as far as these prove true on other draws."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from propto.coordinates.whitening import Diagonal

Draws = Float[np.ndarray, "draw dim"]

# Up to this dimension all directions may be stretched; beyond, only so many.
FULL, RANK = 256, 32
# Above this dimension the stretching is skipped while there is none.
CHEAP = 64
# Numbers below this can be squared and multiplied.
OVERFLOW = 1e50
# Draws that say enough about the directions of a large space.
ENOUGH = 512


class LowRank(NamedTuple):
    r"""Coordinates :math:`q = m + s \circ A z`, with :math:`A = I + U(\sqrt\Lambda - I)U^T`.

    As `Diagonal`, but for the covariance :math:`S = AA^T` of what the diagonal leaves: among symmetric
    matrices the Fisher divergence is smallest for the geometric mean of the covariance of the positions and
    the inverse covariance of the scores. For a Gaussian that is exact from d + 1 draws, wherever they lie.

    Parameters
    ----------
    center, scale
        m and s, shape (d,).
    directions
        Orthonormal columns U, shape (d, k).
    stretch
        Square roots of the eigenvalues, shape (k,); 1 where a direction is left as it is.

    References
    ----------
    Seyboldt, Carlson, Carpenter (2026), arXiv:2603.18845.
    """

    center: Float[Any, " dim"]
    scale: Float[Any, " dim"]
    directions: Float[Any, "dim rank"]
    stretch: Float[Any, " rank"]

    @classmethod
    def identity(cls, dim: int) -> LowRank:
        """The map q = z."""
        return cls._unstretched(np.zeros(dim), np.ones(dim))

    @classmethod
    def _unstretched(cls, center: np.ndarray, scale: np.ndarray) -> LowRank:
        dim = len(center)
        rank = _rank(dim)
        return cls(center, scale, np.eye(dim, rank), np.ones(rank))

    @classmethod
    def learn(
        cls,
        q: Float[np.ndarray, "draw chain dim"],
        score: Float[np.ndarray, "draw chain dim"] | None,
    ) -> LowRank:
        """By the recipe with the smallest Fisher divergence on chains from which nothing was learnt."""
        if score is None:
            plain = Diagonal.learn(q, None)
            return cls._unstretched(plain.center, plain.scale)
        half = q.shape[1] // 2
        learnt_from, judged_on = slice(0, half), slice(half, None)
        if half < 2:
            learnt_from = judged_on = slice(None)
        moments = Moments(q[:, learnt_from], score[:, learnt_from])
        judges = q[:, judged_on], score[:, judged_on]
        losses = [moments.coordinates(recipe).loss(*judges) for recipe in RECIPES]
        # A more complex recipe must be better by more than a whisker.
        best = int(np.argmin(np.asarray(losses) * (1 + 0.02 * np.arange(len(losses)))))
        return Moments(q, score).coordinates(RECIPES[best])

    @np.errstate(over="ignore", invalid="ignore")
    def loss(self, q: np.ndarray, score: np.ndarray) -> float:
        r"""Median over draws of :math:`|z + \nabla_z \log p|^2`; small where log p is like -|z|²/2."""
        rows = (-1, q.shape[-1])
        y, a = (q.reshape(rows) - self.center) / self.scale, score.reshape(rows) * self.scale
        gap = self._stretched(y, 1 / self.stretch) + self._stretched(a, self.stretch)
        loss = float(np.median((gap**2).sum(axis=1)))
        return loss if np.isfinite(loss) else np.inf

    def to_q(self, z: Any) -> Any:
        """From whitened to unconstrained, draws along leading axes; on the host and in compiled code."""
        if isinstance(z, np.ndarray) or z.shape[-1] <= CHEAP:
            return self.center + self.scale * self._stretched(z, self.stretch)
        is_stretched = jnp.any(self.stretch != 1)
        y = jax.lax.cond(is_stretched, lambda z: self._stretched(z, self.stretch), lambda z: z, z)
        return self.center + self.scale * y

    def to_z(self, q: Any) -> Any:
        """From unconstrained to whitened, draws along leading axes."""
        return self._stretched((q - self.center) / self.scale, 1 / self.stretch)

    def score(self, z_score: Any) -> Any:
        """g = s^-1 A^-1 dlogp/dz."""
        return self._stretched(z_score, 1 / self.stretch) / self.scale

    def z_score(self, score: Any) -> Any:
        """dlogp/dz = A s g."""
        return self._stretched(score * self.scale, self.stretch)

    def scales(self) -> Any:
        """Standard deviation of every coordinate."""
        return self.scale * np.sqrt(1 + (self.directions**2 * (self.stretch**2 - 1)).sum(axis=1))

    def _stretched(self, z: Any, stretch: Any) -> Any:
        return z + ((z @ self.directions) * (stretch - 1)) @ self.directions.T


def _rank(dim: int) -> int:
    return dim if dim <= FULL else RANK


class Recipe(NamedTuple):
    """How boldly to follow the draws.

    Parameters
    ----------
    prior
        So many draws with covariance I are added to those there are; infinitely many leave the diagonal.
    limit
        Eigenvalues within this factor of 1 become 1.
    is_recentred
        Whether the centre is where the scores of a Gaussian would vanish, instead of the mean.
    """

    prior: float
    limit: float
    is_recentred: bool


# From the simplest to the boldest.
RECIPES = tuple(
    Recipe(prior, limit, is_recentred)
    for prior, limit in ((np.inf, 1.0), (1.0, 2.0), (1.0, 1.0), (1e-8, 1.0))
    for is_recentred in (False, True)
)


class Moments:
    """What draws and their scores say about a Gaussian like them."""

    @np.errstate(over="ignore", invalid="ignore")
    def __init__(self, q: Float[np.ndarray, "draw chain dim"], score: Float[np.ndarray, "draw chain dim"]):
        self.center, self.mean_score = q.mean((0, 1)), score.mean((0, 1))
        self.scale = Diagonal.learn(q, score).scale
        rows = (-1, q.shape[-1])
        y = (q.reshape(rows) - self.center) / self.scale
        a = (score.reshape(rows) - self.mean_score) * self.scale
        self.is_usable = bool(np.abs([y, a]).max() < OVERFLOW)  # and not where any is NaN
        self.y, self.a, dim = y, a, q.shape[-1]
        self._spectra: dict[float, tuple[np.ndarray, np.ndarray]] = {}
        if self.is_usable:
            self.basis = np.eye(dim) if dim <= FULL else _leading(y, a)

    def coordinates(self, recipe: Recipe) -> LowRank:
        """The coordinates that a recipe makes of them."""
        plain = LowRank._unstretched(self.center, self.scale)
        if np.isfinite(recipe.prior) and self.is_usable:
            directions, eigenvalues = self._spectrum(recipe.prior)
            eigenvalues = np.where(np.abs(np.log(eigenvalues)) > np.log(recipe.limit), eigenvalues, 1.0)
            plain = plain._replace(directions=directions, stretch=np.sqrt(eigenvalues))
        return _recentred(plain, self.mean_score) if recipe.is_recentred else plain

    def _spectrum(self, prior: float) -> tuple[np.ndarray, np.ndarray]:
        """Directions and eigenvalues of the geometric mean of Cov(y) and Cov(a)^-1, the strongest first."""
        if prior not in self._spectra:
            of_y, of_a = (_covariance(x @ self.basis, prior) for x in (self.y, self.a))
            root, inverse_root = _powers(of_a, 0.5, -0.5)
            (middle,) = _powers(root @ of_y @ root, 0.5)
            eigenvalues, vectors = np.linalg.eigh(inverse_root @ middle @ inverse_root)
            eigenvalues = np.clip(eigenvalues, 1e-12, 1e12)
            kept = np.argsort(-np.abs(np.log(eigenvalues)))[: _rank(self.y.shape[1])]
            self._spectra[prior] = self.basis @ vectors[:, kept], eigenvalues[kept]
        return self._spectra[prior]


@np.errstate(over="ignore", invalid="ignore")
def _recentred(plain: LowRank, mean_score: np.ndarray) -> LowRank:
    """With the centre where the scores of a Gaussian would vanish."""
    shift = plain.z_score(mean_score)
    center = plain.center + plain.scale * plain._stretched(shift, plain.stretch)
    return plain._replace(center=np.where(np.isfinite(center), center, plain.center))


def _covariance(x: Draws, prior: float) -> np.ndarray:
    n, dim = x.shape
    return np.asarray((x.T @ x + prior * np.eye(dim)) / (n + prior))


def _powers(matrix: np.ndarray, *powers: float) -> list[np.ndarray]:
    """Powers of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    values = np.maximum(values, values[-1] * 1e-15)
    return [(vectors * values**power) @ vectors.T for power in powers]


def _leading(y: Draws, a: Draws) -> np.ndarray:
    """An orthonormal basis of the directions in which positions and scores vary most."""
    thin = slice(None, None, max(1, len(y) // ENOUGH))
    parts = [np.linalg.svd(x[thin], full_matrices=False)[2][: 2 * RANK].T for x in (y, a)]
    return np.linalg.qr(np.concatenate(parts, axis=1))[0]
