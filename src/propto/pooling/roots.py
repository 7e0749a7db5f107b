"""Quantiles of many distributions at once: Newton's method kept inside brackets."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
CdfAndPdf = Callable[[Floats, Rows], tuple[Floats, Floats]]

CLOSE = 1e-6  # in log odds; the step that is taken from here squares it
_PATIENCE = 12  # steps
_TINY = np.finfo(float).tiny


def quantiles(
    evaluate: CdfAndPdf, level: Floats, low: Floats, high: Floats, start: Floats, close: float = CLOSE
) -> Floats:
    """Solve ``cdf_i(x_i) = level_i`` for every i.

    Newton's steps are taken on the log odds of the cdf, whose slope does not vanish in the tails; a
    step that leaves its bracket is replaced by the middle of the bracket. Steps can be short where a
    narrow component is steep, so that after some of them every second step halves the bracket.

    Parameters
    ----------
    evaluate
        ``evaluate(x, i)`` gives cdf and density of the distributions ``i`` at the points ``x``.
    level
        Probabilities in (0, 1), shape (n,).
    low, high, start
        Brackets of the quantiles and first guesses, shape (n,).
    close
        Log odds from which one more step is enough; that step about squares them.

    Returns
    -------
    numpy.ndarray
        The quantiles, shape (n,).

    Examples
    --------
    >>> def exponential(x, i):
    ...     return -np.expm1(-x), np.exp(-x)
    >>> one = np.ones(1)
    >>> quantiles(exponential, 0.5 * one, 0 * one, 50 * one, one).round(9)
    array([0.69314718])
    """
    x, low, high = (np.array(part, dtype=float) for part in (start, low, high))
    todo = np.arange(x.size)
    for count in itertools.count():
        if not todo.size:
            return x
        here, wanted = x[todo], level[todo]
        cdf, pdf = evaluate(here, todo)
        low[todo] = np.where(cdf <= wanted, here, low[todo])
        high[todo] = np.where(cdf >= wanted, here, high[todo])
        miss, step = _newton(cdf, pdf, wanted)
        far = np.abs(miss) > close
        halve = far & (count >= _PATIENCE and count % 2 == 0)
        x[todo] = _inside(np.where(halve, np.nan, here - step), low[todo], high[todo])
        open_ = high[todo] - low[todo] > 4 * np.spacing(np.abs(here))
        todo = todo[far & open_]
    raise AssertionError  # the loop ends by its return


def _newton(cdf: Floats, pdf: Floats, level: Floats) -> tuple[Floats, Floats]:
    """How far the log odds are from their goal, and Newton's step towards it."""
    cdf = np.clip(cdf, 1e-300, 1 - 1e-16)
    miss = np.log(cdf / level) - np.log((1 - cdf) / (1 - level))
    return miss, miss * cdf * (1 - cdf) / np.maximum(pdf, _TINY)


def _inside(x: Floats, low: Floats, high: Floats) -> Floats:
    """The point itself where it lies in its bracket, else the middle of the bracket."""
    return np.where((x >= low) & (x <= high), x, 0.5 * (low + high))
