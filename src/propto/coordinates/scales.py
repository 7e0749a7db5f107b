"""Coordinates without funnels: locations and scales that depend on a few others, learnt from scores."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

# Most coordinates on which others may depend.
PARENTS = 3
# A slope counts from so many standard errors, and if it changes a scale by so much over the draws' spread.
SIGNIFICANT, WORTHWHILE = 6.0, 0.2
# No scale changes by more than this factor's logarithm over one unit of a parent's spread.
STEEPEST = 5.0
# Variance of the logarithm of a squared normal variable.
LOG_CHI2 = np.pi**2 / 2


class Scales(NamedTuple):
    r"""The map :math:`q_j = x_j e^{w_j \cdot h} + b_j \cdot h`, with :math:`h = x_A - c` for the parents A.

    Parents stay as they are, :math:`q_A = x_A`. In a funnel the children's scale is an exponential of the
    parent; in x they are free of it. The scale that minimises the Fisher divergence at each h is
    :math:`\sqrt{\mathrm{Var}(q_j|h)/\mathrm{Var}(g_j|h)}`, so its slope follows from regressions of
    :math:`\log q_j^2` and :math:`\log g_j^2` on h, where g is the score.

    Parameters
    ----------
    parents
        Indices A, shape (p,).
    center
        c, shape (p,).
    log_scale, location
        Slopes w and b, shape (d, p); rows of parents are 0.
    """

    parents: Int[Any, " parent"]
    center: Float[Any, " parent"]
    log_scale: Float[Any, "dim parent"]
    location: Float[Any, "dim parent"]

    def to_q(self, x: Float[Array, " dim"]) -> tuple[Float[Array, " dim"], Float[Array, ""]]:
        """The position q, and the log-determinant of q(x)."""
        h = x[self.parents] - self.center
        log_scale = self.log_scale @ h
        return x * jnp.exp(log_scale) + self.location @ h, jnp.sum(log_scale)

    def all_to_q(self, x: Float[np.ndarray, "*draws dim"]) -> tuple[np.ndarray, np.ndarray]:
        """`to_q` on the host, draws along leading axes."""
        h = x[..., self.parents] - self.center
        log_scale = h @ self.log_scale.T
        with np.errstate(over="ignore", invalid="ignore"):  # far out, where no chain stays
            return x * np.exp(log_scale) + h @ self.location.T, log_scale.sum(axis=-1)

    def to_x(
        self, q: Float[np.ndarray, "*draws dim"], score: Float[np.ndarray, "*draws dim"]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates and scores of positions with their scores, on the host."""
        h = q[..., self.parents] - self.center
        log_scale = h @ self.log_scale.T
        with np.errstate(over="ignore", invalid="ignore"):
            x = (q - h @ self.location.T) * np.exp(-log_scale)
            return x, self._to_parents(x, score * np.exp(log_scale), score, 1)

    def from_x(
        self, x: Float[np.ndarray, "*draws dim"], score: Float[np.ndarray, "*draws dim"]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Positions and scores of coordinates with their scores, on the host; the inverse of `to_x`."""
        q, _ = self.all_to_q(x)
        of_q = score * np.exp(-((x[..., self.parents] - self.center) @ self.log_scale.T))
        return q, self._to_parents(x, score, of_q, -1)

    def _to_parents(self, x: np.ndarray, of_x: np.ndarray, of_q: np.ndarray, sign: int) -> np.ndarray:
        """The new scores, with what reaches the parents through their children added or taken away."""
        through = (x * of_x + 1) @ self.log_scale + of_q @ self.location
        new = np.array(of_x if sign > 0 else of_q)
        for k, parent in enumerate(self.parents):
            new[..., parent] += sign * through[..., k]
        return new


def learn_scales(
    q: Float[np.ndarray, "draw chain dim"], score: Float[np.ndarray, "draw chain dim"]
) -> Scales | None:
    """The scales that draws and scores suggest, or None if no scale depends on any coordinate."""
    q, g = q.reshape(-1, q.shape[-1]), score.reshape(-1, score.shape[-1])
    center, spread = q.mean(axis=0), q.std(axis=0)
    usable = (spread > 0) & (g.std(axis=0) > 0)
    if len(q) < 50 or not usable.all() or not np.isfinite(g).all():
        return None
    parents: list[int] = []
    while len(parents) < PARENTS:
        best = _next_parent(q, g, center, spread, parents)
        if best is None:
            break
        parents.append(best)
    if not parents:
        return None
    h = q[:, parents] - center[parents]
    log_scale, location = _fit(q, g, h)
    log_scale[parents], location[parents] = 0.0, 0.0
    limit = STEEPEST / spread[parents]
    none = PARENTS - len(parents)  # as many columns in every case, so that one program serves all
    return Scales(
        np.asarray(parents + [0] * none),
        np.append(center[parents], np.zeros(none)),
        np.pad(np.clip(log_scale, -limit, limit), ((0, 0), (0, none))),
        np.pad(location, ((0, 0), (0, none))),
    )


def _log_square(x: np.ndarray) -> np.ndarray:
    square = x**2
    return np.log(square + np.finfo(float).tiny)


def _next_parent(
    q: np.ndarray, g: np.ndarray, center: np.ndarray, spread: np.ndarray, parents: list[int]
) -> int | None:
    """The coordinate on which the scales of most others depend, beyond the parents there are."""
    h = q[:, parents] - center[parents]
    log_scale, _ = _fit(q, g, h)
    left = _log_square(g * np.exp(h @ log_scale.T))
    left -= left.mean(axis=0)
    z = (q - center) / spread
    slope = -0.5 * z.T @ left / len(q)  # (parent, child): change of the log scale over one spread
    error = 0.5 * np.sqrt(left.var(axis=0) / len(q))
    counts = (np.abs(slope) > SIGNIFICANT * error) & (np.abs(slope) > WORTHWHILE)
    np.fill_diagonal(counts, False)
    counts[parents] = counts[:, parents] = False
    strength = np.where(counts, np.abs(slope), 0.0).sum(axis=1)
    best = int(strength.argmax())
    return best if strength[best] > 0 else None


def _fit(q: np.ndarray, g: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes on h of every coordinate's log scale and location."""
    log_scale = -0.5 * _slopes(h, _log_square(g))
    if not h.shape[1]:
        return log_scale, log_scale
    slopes, centers = zip(*(_location(q[:, j], h, log_scale[j]) for j in range(q.shape[1])), strict=True)
    location = np.stack(slopes)
    residual = _log_square(q - np.asarray(centers) - h @ location.T)
    return 0.5 * log_scale + 0.25 * _slopes(h, residual), location


def _location(q: np.ndarray, h: np.ndarray, log_scale: np.ndarray) -> tuple[np.ndarray, float]:
    """Slopes of one coordinate's location, 0 where chance explains them, and the location at h = 0.

    Draws are weighted by the scale where they lie: in the neck of a funnel the smallest slope by chance would
    be many times the width of the neck.
    """
    weight = np.exp(-np.clip(h @ log_scale, -20, 20))
    design = np.column_stack([h, np.ones(len(h))]) * weight[:, None]
    solution, *_ = np.linalg.lstsq(design, q * weight, rcond=None)
    variance = (q * weight - design @ solution).var()
    error = np.sqrt(variance * np.diag(np.linalg.pinv(design.T @ design)))
    slopes = np.where(np.abs(solution) > SIGNIFICANT * error, solution, 0.0)[:-1]
    return slopes, float(solution[-1])


def _slopes(h: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Least-squares slopes of the columns of y on those of h, with a constant: (column, slope)."""
    solution = np.linalg.lstsq(np.column_stack([h, np.ones(len(h))]), y, rcond=None)[0]
    return solution[:-1].T
