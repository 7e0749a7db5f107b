"""Supports of vectors: ordered vectors and shares of a whole; the last axis is the vector."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from propto.errors import ShapeError
from propto.supports.base import Support, bounded_exp, no_map
from propto.supports.checks import Parameter, Shape, as_float, as_shape


@dataclass(frozen=True, kw_only=True)
class Ordered(Support):
    """Vectors with x₁ < x₂ < … < xₙ: x₁ = z₁, then xₖ = xₖ₋₁ + exp(zₖ)."""

    def __post_init__(self) -> None:
        _require_vector(self.shape, "ordered")

    def _forward(self, z: Array) -> tuple[Array, Array]:
        steps = jnp.concatenate([z[..., :1], bounded_exp(z[..., 1:])], axis=-1)
        return jnp.cumsum(steps, axis=-1), jnp.sum(z[..., 1:])

    def _inverse(self, x: Array) -> Array:
        return jnp.concatenate([x[..., :1], jnp.log(jnp.diff(x, axis=-1))], axis=-1)

    def _inside(self, x: Array) -> Array:
        return jnp.all(jnp.isfinite(x), axis=-1) & jnp.all(jnp.diff(x, axis=-1) > 0, axis=-1)


@dataclass(frozen=True, kw_only=True)
class Simplex(Support):
    """Vectors of n shares with sum 1: x = softmax(V z), V an orthonormal basis of the sum-zero vectors.

    The inverse of the isometric log-ratio transform, which treats all shares alike; log |dx/dz| with
    respect to all shares but the last is Σ log xᵢ + ½ log n.
    """

    tolerance: ClassVar[float] = 1e-6  # by how much the sum of given shares may differ from 1

    def __post_init__(self) -> None:
        _require_vector(self.shape, "simplex")

    @property
    def unconstrained_shape(self) -> tuple[int, ...]:
        """Shape of the free coordinates z: one fewer than shares."""
        return (*self.shape[:-1], self.shape[-1] - 1)

    def _forward(self, z: Array) -> tuple[Array, Array]:
        log_x = jax.nn.log_softmax(_sum_zero(z), axis=-1)
        n_vectors = math.prod(self.shape[:-1])
        return bounded_exp(log_x), jnp.sum(log_x) + n_vectors * 0.5 * math.log(self.shape[-1])

    def _inverse(self, x: Array) -> Array:
        log_x = jnp.log(x)
        k, norm = _helmert(self.shape[-1])
        return (jnp.cumsum(log_x, axis=-1)[..., :-1] - k * log_x[..., 1:]) / norm

    def _inside(self, x: Array) -> Array:
        has_sum_one = jnp.abs(jnp.sum(x, axis=-1) - 1) <= self.tolerance
        return has_sum_one & jnp.all(x >= 0, axis=-1)


@dataclass(frozen=True, kw_only=True)
class Counts(Support):
    """Vectors of whole numbers of 0 or more with a given sum; they have no map from R^d."""

    total: Parameter
    is_discrete: ClassVar[bool] = True

    def _forward(self, z: Array) -> tuple[Array, Array]:
        raise no_map("counts")

    def _inverse(self, x: Array) -> Array:
        raise no_map("counts")

    def _inside(self, x: Array) -> Array:
        is_count = jnp.all((x >= 0) & (jnp.floor(x) == x), axis=-1)
        return is_count & (jnp.sum(x, axis=-1) == as_float(self.total))


def ordered(n: int, batch_shape: Shape = ()) -> Ordered:
    """Vectors of n numbers in rising order.

    Parameters
    ----------
    n
        Length of a vector, at least 1.
    batch_shape
        Shape of the axes before it, for many such vectors.

    Examples
    --------
    >>> x, log_det = ordered(3).forward_and_log_det([1.0, 0.0, 0.0])
    >>> x.tolist()
    [1.0, 2.0, 3.0]
    """
    return Ordered(shape=(*as_shape(batch_shape), n))


def simplex(n: int, batch_shape: Shape = ()) -> Simplex:
    """Vectors of n shares: none below 0, and their sum is 1.

    Parameters
    ----------
    n
        Number of shares, at least 1.
    batch_shape
        Shape of the axes before it, for many such vectors.

    Examples
    --------
    >>> simplex(3).unconstrained_shape
    (2,)
    >>> x, log_det = simplex(4).forward_and_log_det([0.0, 0.0, 0.0])
    >>> [round(share, 4) for share in x.tolist()]
    [0.25, 0.25, 0.25, 0.25]

    References
    ----------
    Egozcue, Pawlowsky-Glahn, Mateu-Figueras and Barceló-Vidal (2003), Isometric logratio
    transformations for compositional data analysis, Mathematical Geology 35.
    """
    return Simplex(shape=(*as_shape(batch_shape), n))


def _helmert(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Column k of V is k ones, then −k, then zeros, all divided by norm = √(k (k + 1)), for k < n."""
    k = np.arange(1.0, n)
    return k, np.sqrt(k * (k + 1))


def _sum_zero(z: Array) -> Array:
    """V z, without building V."""
    k, norm = _helmert(z.shape[-1] + 1)
    weight = z / norm
    zero = jnp.zeros_like(z, shape=(*z.shape[:-1], 1))
    from_ones = jnp.concatenate([jax.lax.cumsum(weight, axis=z.ndim - 1, reverse=True), zero], axis=-1)
    return from_ones - jnp.concatenate([zero, k * weight], axis=-1)


def _require_vector(shape: tuple[int, ...], kind: str) -> None:
    if not shape or shape[-1] < 1:
        raise ShapeError(f"{kind}: the last axis is the vector and needs at least 1 element, got {shape}.")
