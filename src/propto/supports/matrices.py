"""Supports of matrices: correlations, their Cholesky factors, and covariances; the last two axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from propto.errors import ShapeError
from propto.supports.base import Support, bounded_exp
from propto.supports.checks import Shape, as_shape

TOLERANCE = 1e-6  # by how much given matrices may miss what they should be


@dataclass(frozen=True, kw_only=True)
class _Matrix(Support):
    """Square matrices told by their lower triangle."""

    def __post_init__(self) -> None:
        if len(self.shape) < 2 or self.shape[-1] != self.shape[-2]:
            raise ShapeError(f"the last two axes are the matrix and must be equal, got {self.shape}.")

    @property
    def _n(self) -> int:
        return self.shape[-1]

    @property
    def unconstrained_shape(self) -> tuple[int, ...]:
        """Shape of the free coordinates z: the elements below the diagonal, row by row."""
        return (*self.shape[:-2], self._n * (self._n - 1) // 2)


@dataclass(frozen=True, kw_only=True)
class CorrelationCholesky(_Matrix):
    """Lower triangular L with rows of length 1 and a positive diagonal, from partial correlations tanh z.

    Lᵢⱼ = cᵢⱼ Πₖ<ⱼ √(1 − cᵢₖ²), with cᵢⱼ = tanh zᵢⱼ below the diagonal and 1 on it.
    """

    def _forward(self, z: Array) -> tuple[Array, Array]:
        # log(1 − tanh² z), which underflows in no direction.
        rest = _lower(2 * (math.log(2) + z - jax.nn.softplus(2 * z)), self._n)
        before = jnp.cumsum(rest, axis=-1) - rest
        x = (_lower(jnp.tanh(z), self._n) + jnp.eye(self._n)) * jnp.exp(before / 2)
        return jnp.tril(x), jnp.sum(_later(self._n) * rest)

    def _inverse(self, x: Array) -> Array:
        before = jnp.cumsum(x**2, axis=-1) - x**2
        rows, columns = np.tril_indices(self._n, -1)
        return jnp.arctanh((x / jnp.sqrt(1 - before))[..., rows, columns])

    def _inside(self, x: Array) -> Array:
        is_lower = jnp.all(x == jnp.tril(x), axis=(-2, -1))
        has_length_one = jnp.all(jnp.abs(jnp.sum(x**2, axis=-1) - 1) <= TOLERANCE, axis=-1)
        return is_lower & has_length_one & jnp.all(jnp.diagonal(x, axis1=-2, axis2=-1) > 0, axis=-1)


@dataclass(frozen=True, kw_only=True)
class Correlation(_Matrix):
    """Correlation matrices R = L Lᵀ, by their Cholesky factors; |dR / dL| = Π Lₖₖ^(n − k)."""

    def _forward(self, z: Array) -> tuple[Array, Array]:
        factor, log_det = CorrelationCholesky(shape=self.shape)._forward(z)
        powers = self._n - 1 - np.arange(self._n)
        more = jnp.sum(powers * jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1)))
        return factor @ factor.swapaxes(-1, -2), log_det + more

    def _inverse(self, x: Array) -> Array:
        return CorrelationCholesky(shape=self.shape)._inverse(jnp.linalg.cholesky(x))

    def _inside(self, x: Array) -> Array:
        is_one = jnp.abs(jnp.diagonal(x, axis1=-2, axis2=-1) - 1) <= TOLERANCE
        return jnp.all(is_one, axis=-1) & _is_positive(x)


@dataclass(frozen=True, kw_only=True)
class Covariance(_Matrix):
    """Covariance matrices Σ = L Lᵀ, L with diagonal exp(z); |dΣ / dL| = 2ⁿ Π Lₖₖ^(n − k + 1)."""

    @property
    def unconstrained_shape(self) -> tuple[int, ...]:
        """Shape of the free coordinates z: the logs of the diagonal, then the elements below it."""
        return (*self.shape[:-2], self._n * (self._n + 1) // 2)

    def _forward(self, z: Array) -> tuple[Array, Array]:
        n = self._n
        factor = _lower(z[..., n:], n) + bounded_exp(z[..., :n, None]) * jnp.eye(n)
        powers = n - np.arange(n) + 1
        n_matrices = math.prod(self.shape[:-2])
        log_det = jnp.sum(powers * z[..., :n]) + n_matrices * n * math.log(2)
        return factor @ factor.swapaxes(-1, -2), log_det

    def _inverse(self, x: Array) -> Array:
        factor = jnp.linalg.cholesky(x)
        rows, columns = np.tril_indices(self._n, -1)
        logs = jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1))
        return jnp.concatenate([logs, factor[..., rows, columns]], axis=-1)

    def _inside(self, x: Array) -> Array:
        return _is_positive(x)


def correlation_cholesky(n: int, batch_shape: Shape = ()) -> CorrelationCholesky:
    """Cholesky factors of n × n correlation matrices.

    Parameters
    ----------
    n
        Number of rows.
    batch_shape
        Shape of the axes before it, for many such matrices.

    Examples
    --------
    >>> correlation_cholesky(3).unconstrained_shape
    (3,)
    """
    return CorrelationCholesky(shape=(*as_shape(batch_shape), n, n))


def correlation(n: int, batch_shape: Shape = ()) -> Correlation:
    """Correlation matrices with n rows.

    Parameters
    ----------
    n
        Number of rows.
    batch_shape
        Shape of the axes before it, for many such matrices.

    Examples
    --------
    >>> bool(correlation(2).contains([[1.0, 0.5], [0.5, 1.0]]))
    True
    """
    return Correlation(shape=(*as_shape(batch_shape), n, n))


def covariance(n: int, batch_shape: Shape = ()) -> Covariance:
    """Covariance matrices with n rows.

    Parameters
    ----------
    n
        Number of rows.
    batch_shape
        Shape of the axes before it, for many such matrices.

    Examples
    --------
    >>> covariance(2).forward_and_log_det([0.0, 0.0, 0.0])[0].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return Covariance(shape=(*as_shape(batch_shape), n, n))


def _lower(elements: Array, n: int) -> Array:
    """A matrix with the given elements below the diagonal, row by row."""
    rows, columns = np.tril_indices(n, -1)
    return jnp.zeros((*elements.shape[:-1], n, n), elements.dtype).at[..., rows, columns].set(elements)


def _later(n: int) -> np.ndarray:
    """Of every element below the diagonal: 1, and one half for each one after it in its row."""
    row, column = np.indices((n, n))
    return np.where(column < row, 1 + (row - 1 - column) / 2, 0.0)


def _is_positive(x: Array) -> Array:
    is_symmetric = jnp.all(jnp.abs(x - x.swapaxes(-1, -2)) <= TOLERANCE, axis=(-2, -1))
    return is_symmetric & (jnp.linalg.eigvalsh(x)[..., 0] > 0)
