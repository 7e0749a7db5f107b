"""Before warm-up, chains that start absurdly far out come in: up the gradient, while that gains much."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from propto.run.evaluate import Evaluated

Positions = Float[np.ndarray, "chain dim"]

# A step goes on only where the log density could rise by more than this; a posterior's own draws differ by
# far less, so that the starts stay dispersed.
GAIN = 1000.0
STEPS = 100


def approach(look: Callable[[Positions], Evaluated], at: Evaluated) -> Evaluated:
    r"""Move chains up the gradient until a step of their radius could gain no more than `GAIN`.

    A step is :math:`q' = q + r\,g/|g|`, with its own radius r for every chain: half as long after a step that
    did not rise, and 1.5 times as long after one that did. A concave log density gains at most
    :math:`r\,|g|`. The size of g matters only for stopping, so that starts where log p is -1e100 (a log link
    with a covariate in the hundreds) cost a few dozen evaluations.

    Parameters
    ----------
    look
        Evaluates positions of all chains, shape (chain, dim).
    at
        Where the chains start, with finite log densities and scores there.

    Returns
    -------
    Evaluated
        Positions from which a step size can be learnt that serves all chains.
    """
    x, logp, score = at
    assert score is not None  # there is nothing to follow without
    radius = np.ones(len(x))
    for _ in range(STEPS):
        direction, slope = _steepest(score)
        far = radius * slope > GAIN
        if not far.any():
            break
        new, new_logp, new_score = look(np.where(far[:, None], x + radius[:, None] * direction, x))
        assert new_score is not None
        rises = far & (new_logp > logp) & np.isfinite(new_logp) & np.isfinite(new_score).all(axis=1)
        logp = np.where(rises, new_logp, logp)
        x, score = (np.where(rises[:, None], a, b) for a, b in ((new, x), (new_score, score)))
        radius *= np.where(rises, 1.5, 0.5)
    return Evaluated(x, logp, score)


def _steepest(score: Positions) -> tuple[Positions, Float[np.ndarray, " chain"]]:
    """Unit vectors along the gradients, and their lengths, also where squares would overflow."""
    largest = np.maximum(np.abs(score).max(axis=1), np.finfo(float).tiny)
    scaled = score / largest[:, None]
    length = np.linalg.norm(scaled, axis=1)
    with np.errstate(over="ignore"):
        return scaled / np.maximum(length, 1e-300)[:, None], largest * length
