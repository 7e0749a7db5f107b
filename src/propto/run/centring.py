"""Learn how far to centre the layers of a model, from the draws of a stage of warm-up."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from propto.coordinates.centring import SHARES, best_shares, kappa
from propto.programs import Program
from propto.run.evaluate import Evaluated, evaluate

# Draws of every chain that are looked at: the last, and others from the second half of the stage.
LOOKS = 2


def choose_centring(
    program: Program, data: Any, x: Float[np.ndarray, "draw chain dim"], centring: np.ndarray
) -> tuple[np.ndarray, Evaluated]:
    """The best share of centring for every element, and some draws in it, the last draw of the stage last.

    Parameters
    ----------
    program, data
        The density.
    x
        The draws of the stage, in the present centring.
    centring
        The present one, shape (d,).
    """
    looks = np.unique(np.linspace(len(x) // 2, len(x) - 1, LOOKS).astype(int))

    def seen(new: np.ndarray) -> Evaluated:
        parts = [evaluate(program, data, x[i], centring, new, gradient=True) for i in looks]
        return jax.tree.map(lambda *rows: np.stack(rows), *parts)

    rows = (-1, x.shape[-1])
    kappas = []
    for share in SHARES:
        there = seen(np.where(program.layers, share, 1.0))
        kappas.append(kappa(*(np.reshape(a, rows) for a in (there.x, there.score) if a is not None)))
    new = np.where(program.layers, best_shares(centring, SHARES, np.stack(kappas)), 1.0)
    return new, seen(new)
