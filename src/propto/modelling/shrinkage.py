"""Priors for many coefficients of which few matter: the regularised horseshoe, and R2D2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from propto.distributions import Beta, Dirichlet, HalfCauchy, InverseGamma, Normal
from propto.errors import ModelError
from propto.modelling.recorder import rv
from propto.supports.checks import Parameter


def horseshoe(
    name: str,
    global_scale: Parameter,
    *,
    dims: str | Sequence[str] | None = None,
    shape: int | Sequence[int] | None = None,
    slab_scale: Parameter = 2.0,
    slab_df: Parameter = 4.0,
) -> Any:
    """Declare coefficients under the regularised horseshoe prior.

    β ~ Normal(0, τ λ̃), λ̃² = c² λ² / (c² + τ² λ²), with τ ~ HalfCauchy(τ₀), λ ~ HalfCauchy(1) for every
    coefficient and c² ~ InverseGamma(ν / 2, ν s² / 2). Small coefficients go to 0, large ones are as under a
    Student t prior with ν degrees of freedom and scale s. It declares ``<name>_global``, ``<name>_local``
    and ``<name>_slab`` as well.

    Parameters
    ----------
    name
        Name of the coefficients.
    global_scale
        τ₀ > 0: if p of P coefficients are expected to matter, p / (P − p) · σ / √n.
    dims, shape
        As in `rv`.
    slab_scale, slab_df
        s > 0 and ν > 0.

    Returns
    -------
    Array
        The coefficients.

    Examples
    --------
    >>> import numpy as np, propto as pp
    >>> def model(x):
    ...     beta = pp.horseshoe("beta", 0.1, shape=3)
    ...     pp.rv("y", pp.Normal(x @ beta, 1))
    >>> pp.Model(model, np.ones((5, 3))).given(y=np.zeros(5))
    Density(beta_global, beta_local[3], beta_slab, beta[3]; d=8)

    References
    ----------
    Piironen and Vehtari (2017), Sparsity information and regularization in the horseshoe and other shrinkage
    priors, Electronic Journal of Statistics 11.
    """
    _require_axes(name, dims, shape)
    tau = rv(f"{name}_global", HalfCauchy(global_scale))
    lam = rv(f"{name}_local", HalfCauchy(1.0), dims=dims, shape=shape)
    c2 = rv(f"{name}_slab", InverseGamma(slab_df / 2, slab_df * slab_scale**2 / 2))
    scale = tau * lam * jnp.sqrt(c2 / (c2 + (tau * lam) ** 2))
    return rv(name, Normal(0.0, scale), dims=dims, shape=shape)


def r2d2(
    name: str,
    sigma: Parameter,
    sd: Parameter,
    *,
    mean: float = 0.5,
    precision: float = 2.0,
    concentration: float = 0.5,
    dims: str | None = None,
) -> Any:
    """Declare coefficients of a linear regression by a prior on its R².

    R² ~ Beta with the given mean and precision, shares φ ~ Dirichlet(α, …, α), and
    βᵢ ~ Normal(0, σ / sᵢ · √(φᵢ R² / (1 − R²))). It declares ``<name>_r2`` and ``<name>_share`` as well.

    Parameters
    ----------
    name
        Name of the coefficients.
    sigma
        Standard deviation σ of the residuals.
    sd
        Standard deviations s of the covariates, shape (n,).
    mean, precision
        Of the prior on R²: Beta(mean · precision, (1 − mean) · precision).
    concentration
        α > 0: the smaller, the fewer coefficients share what is explained.
    dims
        As in `rv`.

    Returns
    -------
    Array
        The coefficients, shape (n,).

    Examples
    --------
    >>> import numpy as np, propto as pp
    >>> def model(x):
    ...     sigma = pp.rv("sigma", pp.HalfNormal(1))
    ...     beta = pp.r2d2("beta", sigma, np.ones(3))
    ...     pp.rv("y", pp.Normal(x @ beta, sigma))
    >>> pp.Model(model, np.ones((5, 3))).given(y=np.zeros(5))
    Density(sigma, beta_r2, beta_share[3], beta[3]; d=7)

    References
    ----------
    Zhang, Naughton, Bondell and Reich (2022), Bayesian regression using a prior on the model fit: the R2-D2
    shrinkage prior, Journal of the American Statistical Association 117.
    """
    n = np.shape(sd)[0]
    r2 = rv(f"{name}_r2", Beta(mean * precision, (1 - mean) * precision))
    share = rv(f"{name}_share", Dirichlet(np.full(n, concentration)), dims=dims)
    scale = sigma / jnp.asarray(sd) * jnp.sqrt(share * r2 / (1 - r2))
    return rv(name, Normal(0.0, scale), dims=dims)


def _require_axes(name: str, dims: Any, shape: Any) -> None:
    if dims is None and shape is None:
        raise ModelError(f"{name!r}: a shrinkage prior is for many coefficients; give dims or shape")
