"""The weights of a mixture with given parts, by maximum likelihood: convex, solved to a known gap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_GAP = 1e-7  # of the mean log likelihood
_ROUNDS = 200
_SUM = 1e3  # weight of the row that holds the sum at 1
_HALVINGS = 40


def mixture_weights(likelihood: Floats, count: Floats, start: Floats | None = None) -> tuple[Floats, float]:
    r"""Maximise :math:`\sum_j n_j \log \sum_c L_{jc} w_c` over weights that sum to 1.

    Sequential quadratic programming [1]_: each round is a least-squares problem with weights of 0 or more,
    and a step towards its solution that raises the likelihood. With
    :math:`d_c = \sum_j n_j L_{jc} / (L w)_j / \sum_j n_j` the largest :math:`d_c - 1` bounds what the mean
    log likelihood is short of its maximum.

    Parameters
    ----------
    likelihood
        Likelihood of each row under each part, shape (rows, C); rows may be scaled.
    count
        How often each row counts, shape (rows,).
    start
        Weights to begin with.

    Returns
    -------
    weights, gap
        Shape (C,), and that bound.

    References
    ----------
    .. [1] Kim, Carbonetto, Stephens and Anitescu (2020), A fast algorithm for maximum likelihood estimation
       of mixture proportions using sequential quadratic programming, JCGS 29.

    Examples
    --------
    >>> weights, gap = mixture_weights(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), np.ones(3))
    >>> weights.round(6), gap < 1e-7
    (array([0.333333, 0.666667]), True)
    """
    parts = likelihood.shape[1]
    share = count / count.sum()
    weight = np.full(parts, 1 / parts) if start is None else 0.99 * start + 0.01 / parts
    for _ in range(_ROUNDS):
        relative = likelihood / (likelihood @ weight)[:, None]
        gap = float((share @ relative).max() - 1)
        if gap < _GAP:
            break
        aim = _quadratic(np.sqrt(share)[:, None] * relative, 2 * np.sqrt(share))
        weight = _step(likelihood, share, weight, aim)
    return weight, max(gap, 0.0)


def _quadratic(rows: Floats, aim: Floats) -> Floats:
    """The best weights of the quadratic problem."""
    from scipy.optimize import nnls

    if len(rows) > rows.shape[1]:
        both = np.asarray(np.linalg.qr(np.column_stack([rows, aim]), mode="r"))
        rows, aim = both[:, :-1], both[:, -1]
    held = np.vstack([rows, np.full(rows.shape[1], _SUM)])
    found = nnls(held, np.append(aim, _SUM))[0]
    return found / found.sum()


def _step(likelihood: Floats, share: Floats, weight: Floats, aim: Floats) -> Floats:
    """Go towards the aim as far as the likelihood rises; else one step of expectation-maximisation."""
    old, towards = likelihood @ weight, likelihood @ aim
    now, size = float(share @ np.log(old)), 1.0
    slope = float(share @ (towards / old)) - 1
    for _ in range(_HALVINGS):
        with np.errstate(divide="ignore"):
            value = float(share @ np.log((1 - size) * old + size * towards))
        if value >= now + 0.01 * size * slope and value > now:
            return (1 - size) * weight + size * aim
        size /= 2
    return weight * (share @ (likelihood / old[:, None]))
