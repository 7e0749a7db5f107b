"""Gaussian processes: covariance functions, and their spectra on a basis of sines (Hilbert space).

The exact process is `MultivariateNormal` with a covariance matrix from here. With many points the basis of
m sines is cheaper, n m in place of n³.
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from propto.errors import ParameterError
from propto.options import whole
from propto.supports.checks import Parameter, as_float


def squared_exponential(x: Parameter, y: Parameter, scale: Parameter, length: Parameter) -> Array:
    """Covariance of very smooth functions: k(x, y) = σ² exp(−r² / 2), r being the distance of x and y over ℓ.

    Parameters
    ----------
    x, y
        Places, shapes (n,) and (m,), or (n, d) and (m, d).
    scale
        Standard deviation σ of the function at one place.
    length
        Length ℓ over which it stays alike; one for each of d axes, or one for all.

    Returns
    -------
    Array
        Covariances, shape (n, m). Add a small number to the diagonal before factoring: 1e-8 σ².

    Examples
    --------
    >>> round(float(squared_exponential([2.0], [0.0], 1.0, 2.0)[0, 0]), 4)
    0.6065

    References
    ----------
    Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, chapter 4.
    """
    return scale**2 * jnp.exp(-_squares(x, y, length) / 2)


def matern32(x: Parameter, y: Parameter, scale: Parameter, length: Parameter) -> Array:
    """Covariance of once differentiable functions: k = σ² (1 + √3 r) exp(−√3 r), r = distance / ℓ.

    Parameters
    ----------
    x, y, scale, length
        As in `squared_exponential`.

    Examples
    --------
    >>> round(float(matern32([2.0], [0.0], 1.0, 2.0)[0, 0]), 4)
    0.4834

    References
    ----------
    Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, chapter 4.
    """
    r = math.sqrt(3) * _root(_squares(x, y, length))
    return scale**2 * (1 + r) * jnp.exp(-r)


def matern52(x: Parameter, y: Parameter, scale: Parameter, length: Parameter) -> Array:
    """Covariance of twice differentiable functions: k = σ² (1 + √5 r + 5 r² / 3) exp(−√5 r).

    Parameters
    ----------
    x, y, scale, length
        As in `squared_exponential`.

    Examples
    --------
    >>> round(float(matern52([2.0], [0.0], 1.0, 2.0)[0, 0]), 4)
    0.524

    References
    ----------
    Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, chapter 4.
    """
    r = math.sqrt(5) * _root(_squares(x, y, length))
    return scale**2 * (1 + r + r**2 / 3) * jnp.exp(-r)


def hilbert_basis(x: Parameter, terms: int, half_width: float) -> tuple[np.ndarray, np.ndarray]:
    """Sines on [−L, L]: the process is Σⱼ φⱼ(x) √S(ωⱼ) zⱼ with standard normal zⱼ.

    Parameters
    ----------
    x
        Known places in (−L, L), shape (n,): centre them first.
    terms
        Number of sines m, at least 1.
    half_width
        L; 1.5 times the largest distance from 0, or more where the length ℓ is large.

    Returns
    -------
    basis
        φ, shape (n, m).
    frequencies
        ω, shape (m,): for `spectrum`.

    Examples
    --------
    >>> basis, frequencies = hilbert_basis([-1.0, 0.0, 1.0], 20, 3.0)
    >>> z = np.ones(20)
    >>> (basis @ (np.sqrt(spectrum(frequencies, 1.0, 0.5)) * z)).shape
    (3,)

    References
    ----------
    Riutort-Mayol, Bürkner, Andersen, Solin and Vehtari (2023), Practical Hilbert space approximate Bayesian
    Gaussian processes for probabilistic programming, Statistics and Computing 33.
    """
    places = np.asarray(x, float)
    if not np.abs(places).max() < half_width:
        raise ParameterError(
            f"hilbert_basis: places reach {np.abs(places).max():.6g}, but half_width is {half_width:.6g}: "
            "centre the places, and take a half_width of 1.5 times the largest."
        )
    frequencies = np.arange(1, whole("terms", terms, 1) + 1) * math.pi / (2 * half_width)
    return np.sin(frequencies * (places[:, None] + half_width)) / math.sqrt(half_width), frequencies


def spectrum(frequencies: Any, scale: Parameter, length: Parameter) -> Array:
    """Spectral density of `squared_exponential` on a line: S(ω) = σ² √(2π) ℓ exp(−ℓ² ω² / 2).

    Parameters
    ----------
    frequencies
        ω, shape (m,).
    scale, length
        σ and ℓ.

    Examples
    --------
    >>> round(float(spectrum([0.0], 1.0, 1.0)[0]), 4)
    2.5066

    References
    ----------
    Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, section 4.2.
    """
    omega = jnp.asarray(as_float(frequencies))
    return scale**2 * math.sqrt(2 * math.pi) * length * jnp.exp(-0.5 * (length * omega) ** 2)


def _squares(x: Parameter, y: Parameter, length: Parameter) -> Array:
    """Squared distances in lengths, shape (n, m)."""
    a, b = (jnp.asarray(as_float(places)) for places in (x, y))
    a, b = (places[:, None] if places.ndim == 1 else places for places in (a, b))
    return jnp.sum(((a[:, None] - b[None]) / as_float(length)) ** 2, axis=-1)


def _root(squares: Array) -> Array:
    """The distance; its gradient at distance 0 is taken as 0."""
    return jnp.where(squares > 0, jnp.sqrt(jnp.where(squares > 0, squares, 1.0)), 0.0)
