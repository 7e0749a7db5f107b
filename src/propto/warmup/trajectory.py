"""Trials of trajectories: which number of steps moves the slowest coordinate most for a gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

# Another number must be better by this factor.
MARGIN = 1.05


class Trial(NamedTuple):
    """A number of steps and what it was worth."""

    n_steps: int
    efficiency: float


def efficiency(x: Float[np.ndarray, "draw chain dim"], steps: float) -> float:
    r"""Effective draws a gradient of the slowest coordinate, in its location and spread.

    With the autocorrelation :math:`\rho` of neighbouring draws over all chains, of x_i and of its distance
    :math:`|x_i - \mathrm{median}|`, it is the smallest of :math:`(1 - \rho)/(1 + \rho)`, divided by the
    steps. Distances tell spread as squares do, without hanging on the few draws farthest out.

    Parameters
    ----------
    x
        Draws of many chains.
    steps
        Mean number of gradients in a transition.
    """
    distance = np.abs(x - np.median(x, axis=(0, 1)))
    return min(_mobility(x), _mobility(distance)) / steps


def _mobility(x: np.ndarray) -> float:
    x = x - x.mean((0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = (x[1:] * x[:-1]).mean((0, 1)) / (x**2).mean((0, 1))
    rho = np.clip(np.nan_to_num(rho, nan=0.0), 0.0, 1.0)  # draws better than independent ones earn no more
    return float(((1 - rho) / (1 + rho)).min())


def next_number(trials: Sequence[Trial]) -> int:
    """The number of steps to try next: half of the best one, else its double; in the end the best itself.

    Examples
    --------
    >>> next_number([Trial(2, 0.2)])
    1
    >>> next_number([Trial(2, 0.2), Trial(1, 0.1)])
    4
    >>> next_number([Trial(2, 0.2), Trial(1, 0.1), Trial(4, 0.1)])
    2
    """
    best = trials[0]
    for trial in trials[1:]:
        if trial.efficiency > MARGIN * best.efficiency:
            best = trial
    tried = {trial.n_steps for trial in trials}
    for n in (max(1, best.n_steps // 2), 2 * best.n_steps):
        if n not in tried:
            return n
    return best.n_steps


def is_decided(trials: Sequence[Trial]) -> bool:
    """Whether there is nothing left to try."""
    return bool(trials) and next_number(trials) in {trial.n_steps for trial in trials}
