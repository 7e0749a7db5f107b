"""Gauss rules of discrete measures: the same low moments from far fewer points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def gauss_rule(points: Floats, weights: Floats, count: int) -> tuple[Floats, Floats]:
    """Reduce weighted points to ``count`` points that integrate polynomials just as they do.

    Lanczos' recurrence from ``sqrt(weights)`` turns ``diag(points)`` into a tridiagonal matrix; its
    eigenvalues are the new points, the squared first entries of its eigenvectors the new weights [1]_.
    The moments up to order ``2 count - 1`` are kept.

    Parameters
    ----------
    points, weights
        Shape (rows, n); the weights of a row sum to 1.
    count
        Number of points to keep, 1 or more.

    Returns
    -------
    points, weights
        Shape (rows, count).

    References
    ----------
    .. [1] Golub and Meurant (2010), Matrices, Moments and Quadrature with Applications, chapter 5.

    Examples
    --------
    >>> points, weights = gauss_rule(np.array([[-1.0, 0.0, 1.0]]), np.array([[0.25, 0.5, 0.25]]), 2)
    >>> points.round(3), weights.round(3)
    (array([[-0.707,  0.707]]), array([[0.5, 0.5]]))
    """
    centre = (points * weights).sum(axis=1, keepdims=True)
    scale = np.abs(points - centre).max(axis=1, keepdims=True)
    scaled = (points - centre) / np.where(scale > 0, scale, 1.0)
    nodes, vectors = np.linalg.eigh(_lanczos(scaled, np.sqrt(weights), count))
    return centre + scale * nodes, vectors[:, 0, :] ** 2


def _lanczos(diagonal: Floats, start: Floats, count: int) -> Floats:
    """Tridiagonal matrices, shape (rows, count, count), with full orthogonalisation."""
    basis = [start]
    for _ in range(count - 1):
        ahead = diagonal * basis[-1]
        for _ in range(2):
            for vector in basis:
                ahead = ahead - (ahead * vector).sum(axis=1, keepdims=True) * vector
        length = np.sqrt((ahead * ahead).sum(axis=1, keepdims=True))
        basis.append(ahead / np.where(length > 0, length, 1.0))
    stacked = np.stack(basis, axis=1)
    return np.einsum("rin,rn,rjn->rij", stacked, diagonal, stacked, optimize=True)
