"""Distributions of vectors; the last axis of every parameter that has one is the vector."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import gammaln, xlogy

from propto.distributions.base import Distribution, require_one
from propto.distributions.special import HALF_LOG_TWO_PI
from propto.errors import ParameterError, ShapeError
from propto.supports import Support, real
from propto.supports.checks import FINITE, POSITIVE, Limit, Parameter, broadcast_shape, is_traced
from propto.supports.events import Simplex


@dataclass(frozen=True, eq=False)
class MultivariateNormal(Distribution):
    """The multivariate normal distribution: p(x) ∝ exp(−½ (x − μ)ᵀ Σ⁻¹ (x − μ)).

    Parameters
    ----------
    loc
        Mean μ, shape (..., n), or one number for all elements.
    covariance_matrix
        Covariance Σ, symmetric and positive definite, shape (..., n, n).
    scale_tril
        Instead: the lower triangular L with Σ = L Lᵀ and a positive diagonal, shape (..., n, n).
        Filled in when another form was given.
    precision_matrix
        Instead: Σ⁻¹, symmetric and positive definite, shape (..., n, n).

    Examples
    --------
    >>> round(float(MultivariateNormal(0.0, [[2.0, 1.0], [1.0, 2.0]]).log_prob([1.0, 1.0])), 4)
    -2.7205

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, appendix A.
    """

    loc: Parameter
    covariance_matrix: Parameter = None
    scale_tril: Parameter = field(default=None, kw_only=True)
    precision_matrix: Parameter = field(default=None, kw_only=True)
    limits: ClassVar[dict[str, Limit]] = dict.fromkeys(
        ("loc", "covariance_matrix", "scale_tril", "precision_matrix"), FINITE
    )

    def __post_init__(self) -> None:
        require_one(self, ("covariance_matrix", "scale_tril", "precision_matrix"))
        super().__post_init__()
        object.__setattr__(self, "scale_tril", self._factor())

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape that the means and the matrices broadcast to, without the axes of the vector."""
        return self._full_shape()[:-1]

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one vector, ``(n,)``."""
        return self._full_shape()[-1:]

    def _support(self, shape: tuple[int, ...]) -> Support:
        return real(shape)

    def _log_prob(self, value: Array) -> Array:
        z = _solve(self.scale_tril, value - self.loc)
        log_det = jnp.sum(jnp.log(jnp.diagonal(self.scale_tril, axis1=-2, axis2=-1)), axis=-1)
        return -0.5 * jnp.sum(z**2, axis=-1) - log_det - self.event_shape[0] * HALF_LOG_TWO_PI

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        noise = jax.random.normal(key, shape)
        return self.loc + jnp.einsum("...ij,...j->...i", self.scale_tril, noise)

    def _full_shape(self) -> tuple[int, ...]:
        """Shape of a batch of vectors: that of the means and of the rows of the matrices together."""
        name, matrix = next(item for item in self._given().items() if item[0] != "loc")
        if np.ndim(matrix) < 2 or np.shape(matrix)[-1] != np.shape(matrix)[-2]:
            raise ShapeError(f"{self._name}: {name} must end in two equal axes, got {np.shape(matrix)}.")
        rows = np.shape(matrix)[:-1]
        shape = broadcast_shape(self._name, {"loc": np.shape(self.loc), f"rows of {name}": rows})
        if shape[-1] != rows[-1]:
            raise ShapeError(
                f"{self._name}: loc of shape {np.shape(self.loc)} does not fit {name} {np.shape(matrix)}."
            )
        return shape

    def _factor(self) -> Any:
        """The lower triangular L with Σ = L Lᵀ, from whichever form was given."""
        if self.covariance_matrix is not None:
            return _cholesky("covariance_matrix", self.covariance_matrix)
        if self.precision_matrix is not None:
            return _inverse_factor(self.precision_matrix)
        if not is_traced(self.scale_tril):
            _require_factor(np.asarray(self.scale_tril))
        return self.scale_tril


@dataclass(frozen=True, eq=False)
class Dirichlet(Distribution):
    """The Dirichlet distribution of shares that sum to 1: p(x) ∝ Π xᵢ^(αᵢ − 1), over all shares but the last.

    Parameters
    ----------
    concentration
        α > 0, shape (..., n); the mean of share i is αᵢ / Σ α, and the larger Σ α, the closer to it.

    Examples
    --------
    >>> round(float(Dirichlet([1.0, 1.0, 1.0]).log_prob([0.2, 0.3, 0.5])), 4)  # uniform: 2
    0.6931

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, appendix A.
    """

    concentration: Parameter
    limits: ClassVar[dict[str, Limit]] = {"concentration": POSITIVE}

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape of the concentrations without the axis of the shares."""
        if not np.shape(self.concentration):
            raise ShapeError("Dirichlet: concentration needs one number for each share, got a single number.")
        return np.shape(self.concentration)[:-1]

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one vector of shares, ``(n,)``."""
        return np.shape(self.concentration)[-1:]

    def _support(self, shape: tuple[int, ...]) -> Support:
        return Simplex(shape=shape)

    def _log_prob(self, value: Array) -> Array:
        is_nan = jnp.any(jnp.isnan(value), axis=-1)
        outside = ~(self.support.inside(value) | is_nan)
        x = jnp.where(outside[..., None], 1 / self.event_shape[0], value)
        log_norm = jnp.sum(gammaln(self.concentration), axis=-1) - gammaln(
            jnp.sum(self.concentration, axis=-1)
        )
        return jnp.where(outside, -jnp.inf, jnp.sum(xlogy(self.concentration - 1, x), axis=-1) - log_norm)

    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array:
        draws = jax.random.dirichlet(key, self.concentration, shape[:-1])
        return jnp.maximum(draws, jnp.finfo(draws.dtype).tiny)  # rounding may reach 0, theory does not


_solve = jnp.vectorize(
    lambda tril, vector: solve_triangular(tril, vector, lower=True), signature="(n,n),(n)->(n)"
)


def _cholesky(name: str, matrix: Any) -> Any:
    """The Cholesky factor; a known matrix is factored once, on the host, and must have one."""
    if is_traced(matrix):
        return jnp.linalg.cholesky(matrix)
    known = np.asarray(matrix)
    try:
        if np.allclose(known, known.swapaxes(-1, -2), rtol=1e-5, atol=1e-8 * np.abs(known).max()):
            return np.linalg.cholesky(known)
    except np.linalg.LinAlgError:
        pass
    raise ParameterError(
        f"MultivariateNormal: {name} must be symmetric and positive definite; its smallest eigenvalue "
        f"(of the symmetric part) is {np.linalg.eigvalsh(known + known.swapaxes(-1, -2)).min() / 2:.6g}. "
        "Look for two columns that say the same, or add a small number to the diagonal."
    )


def _inverse_factor(precision: Any) -> Any:
    """L with Σ = L Lᵀ from Σ⁻¹: with J reversing the order and J Σ⁻¹ J = K Kᵀ, L = J K⁻ᵀ J."""
    factor = _cholesky("precision_matrix", precision[..., ::-1, ::-1])
    inverse = jnp.linalg.inv(factor) if is_traced(factor) else np.linalg.inv(factor)
    return inverse.swapaxes(-1, -2)[..., ::-1, ::-1]


def _require_factor(factor: np.ndarray) -> None:
    smallest = np.diagonal(factor, axis1=-2, axis2=-1).min()
    n_above = np.count_nonzero(np.triu(factor, 1))
    if smallest <= 0 or n_above:
        raise ParameterError(
            "MultivariateNormal: scale_tril must be lower triangular with a positive diagonal; its smallest "
            f"diagonal element is {smallest:.6g} and {n_above} elements above the diagonal are not 0. "
            "A covariance is given as covariance_matrix=..."
        )
