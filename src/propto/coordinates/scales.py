"""Coordinates without funnels and bends: locations and scales that depend on a few others."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

# Most coordinates on which others may depend.
PARENTS = 3
# A slope counts from so many standard errors, and if it changes a scale by so much over the draws' spread.
SIGNIFICANT, WORTHWHILE = 6.0, 0.2
# Another parent must bring the loss on other chains down to this share.
BETTER = 0.9
# No scale changes by more than this factor's logarithm over one unit of a parent's spread.
STEEPEST = 5.0
# Beyond so many spreads of a parent scales stay as they are: a chain that far out is on its way in.
REACH = 10.0


class Scales(NamedTuple):
    r"""The map :math:`q_j = x_j e^{w_j \cdot h} + b_j \cdot h + c_j \cdot h^2`, h depending on the parents A.

    It is :math:`x_A - m`, cut off at :math:`\pm r`. Parents stay as they are, :math:`q_A = x_A`. In a funnel
    the children's scale is an exponential of the parent, in a banana their location is a parabola; in x they
    are free of it. The scale that minimises the Fisher divergence at each h is
    :math:`\sqrt{\mathrm{Var}(q_j|h)/\mathrm{Var}(g_j|h)}`, so its slope follows from regressions of
    :math:`\log q_j^2` and :math:`\log g_j^2` on h, where g is the score.

    Parameters
    ----------
    parents
        Indices A, shape (p,).
    center
        m, shape (p,).
    reach
        r, shape (p,).
    log_scale, location, bend
        Slopes w and b and bends c, shape (d, p); rows of parents are 0.
    """

    parents: Int[Any, " parent"]
    center: Float[Any, " parent"]
    reach: Float[Any, " parent"]
    log_scale: Float[Any, "dim parent"]
    location: Float[Any, "dim parent"]
    bend: Float[Any, "dim parent"]

    def to_q(self, x: Float[Array, " dim"]) -> tuple[Float[Array, " dim"], Float[Array, ""]]:
        """The position q, and the log-determinant of q(x)."""
        h = jnp.clip(x[self.parents] - self.center, -self.reach, self.reach)
        log_scale = self.log_scale @ h
        return x * jnp.exp(log_scale) + self.location @ h + self.bend @ h**2, jnp.sum(log_scale)

    def all_to_q(self, x: Float[np.ndarray, "*draws dim"]) -> tuple[np.ndarray, np.ndarray]:
        """`to_q` on the host, draws along leading axes."""
        h = self._of_parents(x)
        log_scale = h @ self.log_scale.T
        with np.errstate(over="ignore", invalid="ignore"):  # far out, where no chain stays
            return x * np.exp(log_scale) + self._locations(h), log_scale.sum(axis=-1)

    def to_x(
        self, q: Float[np.ndarray, "*draws dim"], score: Float[np.ndarray, "*draws dim"]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates and scores of positions with their scores, on the host."""
        h = self._of_parents(q)
        log_scale = h @ self.log_scale.T
        with np.errstate(over="ignore", invalid="ignore"):
            x = (q - self._locations(h)) * np.exp(-log_scale)
            return x, self._to_parents(x, score * np.exp(log_scale), score, 1)

    def from_x(
        self, x: Float[np.ndarray, "*draws dim"], score: Float[np.ndarray, "*draws dim"]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Positions and scores of coordinates with their scores, on the host; the inverse of `to_x`."""
        q, _ = self.all_to_q(x)
        of_q = score * np.exp(-(self._of_parents(x) @ self.log_scale.T))
        return q, self._to_parents(x, score, of_q, -1)

    def _of_parents(self, x: np.ndarray) -> np.ndarray:
        """h."""
        return np.clip(x[..., self.parents] - self.center, -self.reach, self.reach)

    def _locations(self, h: np.ndarray) -> np.ndarray:
        return h @ self.location.T + h**2 @ self.bend.T

    def _to_parents(self, x: np.ndarray, of_x: np.ndarray, of_q: np.ndarray, sign: int) -> np.ndarray:
        """The new scores, with what reaches the parents through their children added or taken away."""
        h = self._of_parents(x)
        through = (x * of_x + 1) @ self.log_scale + of_q @ self.location + 2 * h * (of_q @ self.bend)
        through = np.where(np.abs(x[..., self.parents] - self.center) < self.reach, through, 0.0)
        new = np.array(of_x if sign > 0 else of_q)
        for k, parent in enumerate(self.parents):
            new[..., parent] += sign * through[..., k]
        return new


def learn_scales(
    q: Float[np.ndarray, "draw chain dim"], score: Float[np.ndarray, "draw chain dim"]
) -> Scales | None:
    """The scales that draws and scores suggest, or None if no scale depends on any coordinate."""
    usable = (q.std(axis=(0, 1)) > 0) & (score.std(axis=(0, 1)) > 0)
    if q[..., 0].size < 50 or not usable.all() or not np.isfinite(score).all():
        return None
    parents: list[int] = []
    while len(parents) < PARENTS:
        best = _next_parent(q, score, parents)
        if best is None or (parents and not _is_better(q, score, [*parents, best], parents)):
            break
        parents.append(best)
    return _scales(q, score, parents) if parents else None


def _is_better(q: np.ndarray, g: np.ndarray, parents: list[int], fewer: list[int]) -> bool:
    """Whether scales on these parents are better than on fewer, for chains not learnt from."""
    half = q.shape[1] // 2
    if half < 2:
        return False
    losses = []
    for some in (parents, fewer):
        scales = _scales(q[:, :half], g[:, :half], some)
        x, score = scales.to_x(q, g)
        spread = x[:, :half].std(axis=(0, 1))
        with np.errstate(over="ignore", invalid="ignore"):
            gap = (x - x[:, :half].mean(axis=(0, 1))) / spread + score * spread
            losses.append(np.median((gap[:, half:] ** 2).sum(axis=-1)))
    return bool(losses[0] < BETTER * losses[1])


def _scales(q: np.ndarray, g: np.ndarray, parents: list[int]) -> Scales:
    """The scales on given parents."""
    chains = q.shape[1]
    q, g = _rows(q), _rows(g)
    center, spread = q.mean(axis=0)[parents], q.std(axis=0)[parents]
    log_scale, location, bend = _fit(q, g, q[:, parents] - center, chains)
    limit = STEEPEST / spread
    none = PARENTS - len(parents)  # as many columns in every case, so that one program serves all

    def for_children(slopes: np.ndarray) -> np.ndarray:
        slopes[parents] = 0.0
        return np.pad(slopes, ((0, 0), (0, none)))

    return Scales(
        np.asarray(parents + [0] * none),
        np.append(center, np.zeros(none)),
        np.append(REACH * spread, np.zeros(none)),
        for_children(np.clip(log_scale, -limit, limit)),
        for_children(location),
        for_children(bend),
    )


def _rows(x: np.ndarray) -> np.ndarray:
    return x.reshape(-1, x.shape[-1])


def _log_square(x: np.ndarray) -> np.ndarray:
    square = x**2
    return np.log(square + np.finfo(float).tiny)


def _next_parent(q: np.ndarray, g: np.ndarray, parents: list[int]) -> int | None:
    """The coordinate on which scales or, by a bend, locations of most others depend, beyond the parents."""
    chains = q.shape[1]
    q, g = _rows(q), _rows(g)
    z = _standardised(q)
    h = z[:, parents]
    log_scale, location, bend = _fit(q, g, h, chains)
    left = _log_square(g * np.exp(h @ log_scale.T))
    left -= left.mean(axis=0)
    of_scale = -0.5 * z.T @ left / len(q)  # (parent, child): change of the log scale over one spread
    error_of_scale = 0.5 * np.sqrt(left.var(axis=0) / len(q))
    left = _standardised((q - h @ location.T - h**2 @ bend.T) * np.exp(-h @ log_scale.T))
    square = _standardised(z**2 - (z**3).mean(axis=0) * z)
    of_bend = square.T @ left / len(q)  # the correlation with what of the parent's square is new
    error_of_bend = np.sqrt((square**2).T @ left**2) / len(q)
    strength = np.zeros(q.shape[1])
    for slope, error in ((of_scale, error_of_scale), (of_bend, error_of_bend)):
        counts = (np.abs(slope) > SIGNIFICANT * error) & (np.abs(slope) > WORTHWHILE)
        np.fill_diagonal(counts, False)
        counts[parents] = counts[:, parents] = False
        strength += np.where(counts, np.abs(slope), 0.0).sum(axis=1)
    best = int(strength.argmax())
    return best if strength[best] > 0 else None


def _standardised(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), np.finfo(float).tiny)


def _fit(q: np.ndarray, g: np.ndarray, h: np.ndarray, chains: int) -> tuple[np.ndarray, ...]:
    """On h of every coordinate: slopes of its log scale, slopes and bends of its location."""
    log_scale = -0.5 * _slopes(h, _log_square(g))
    if not h.shape[1]:
        return log_scale, log_scale, log_scale
    fits = [_location(q[:, j], h, log_scale[j], chains) for j in range(q.shape[1])]
    location, bend, at_center = (np.asarray(part) for part in zip(*fits, strict=True))
    residual = _log_square(q - at_center - h @ location.T - h**2 @ bend.T)
    return 0.5 * log_scale + 0.25 * _slopes(h, residual), location, bend


def _location(
    q: np.ndarray, h: np.ndarray, log_scale: np.ndarray, chains: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Slopes and bends of one coordinate's location, 0 where chance explains them, and the one at h = 0.

    Draws are weighted by the scale where they lie: in the neck of a funnel the smallest slope by chance would
    be many times the width of the neck.
    """
    weight = np.exp(-np.clip(h @ log_scale, -20, 20))
    design = np.column_stack([h, h**2, np.ones(len(h))]) * weight[:, None]
    solution, *_ = np.linalg.lstsq(design, q * weight, rcond=None)
    residual = q * weight - design @ solution
    # By the chain, because neighbouring draws of one say nearly the same.
    by_chain = (design * residual[:, None]).reshape(-1, chains, design.shape[1]).sum(axis=0)
    error = np.sqrt(((np.linalg.pinv(design.T @ design) @ by_chain.T) ** 2).sum(axis=1))
    known = np.where(np.abs(solution) > SIGNIFICANT * error, solution, 0.0)
    slopes, bends = np.split(known[:-1], 2)
    return slopes, bends, float(solution[-1])


def _slopes(h: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Least-squares slopes of the columns of y on those of h, with a constant: (column, slope)."""
    solution = np.linalg.lstsq(np.column_stack([h, np.ones(len(h))]), y, rcond=None)[0]
    return solution[:-1].T
