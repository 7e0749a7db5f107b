"""Evaluate a density at the positions of many chains, in the coordinates of its layers."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from propto.compiled import call
from propto.density import Density
from propto.programs import Program

# Positions are mapped to the variables in batches of at most so many, and of so many numbers; in multiples of
# what a processor works on at once, so that a result does not depend on where in a batch it is.
ROWS, NUMBERS, LANES = 4096, 2_000_000, 16


class Evaluated(NamedTuple):
    """Positions x in a centring, with the log densities of x and, where asked for, their gradients."""

    x: Float[np.ndarray, "chain dim"]
    logp: Float[np.ndarray, " chain"]
    score: Float[np.ndarray, "chain dim"] | None


def evaluate(program: Program, data: Any, x: Any, centring: Any, new: Any, gradient: bool) -> Evaluated:
    """Bring positions from one centring into another, and evaluate the density there."""

    def one(data: Any, x: Float[Array, " dim"], centring: Any, new: Any) -> Evaluated:
        moved = program.centre(data, program.uncentre(data, x, centring)[0], new)

        def logp(x: Float[Array, " dim"]) -> Float[Array, ""]:
            q, log_det = program.uncentre(data, x, new)
            return program.log_density_at(data, q) + log_det

        return Evaluated(moved, *(jax.value_and_grad(logp)(moved) if gradient else (logp(moved), None)))

    function = jax.vmap(one, in_axes=(None, 0, None, None))
    with program.raising():
        result = call(("evaluate", program, gradient), function, data, x, centring, new)
    return jax.tree.map(np.asarray, result)


def constrained(
    density: Density, x: Float[np.ndarray, "... dim"], centring: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The variables at many positions, shape (..., *shape of the variable), and log volumes of the layers.

    The log density of the model's own position is that of x, less the log volume.
    """
    program = density.program

    def one(data: Any, x: Float[Array, " dim"], centring: Any) -> tuple[Any, Any]:
        q, log_det = program.uncentre(data, x, centring)
        return program.constrain(data, q), log_det

    rows = x.reshape(-1, density.dim)
    # Always the same, filled up: one program is enough.
    size = max(LANES, min(ROWS, NUMBERS // density.dim // LANES * LANES))
    function = jax.vmap(one, in_axes=(None, 0, None))
    parts = []
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        filled = np.concatenate([batch, np.repeat(batch[-1:], size - len(batch), axis=0)])
        part = call(("constrain", program), function, density.data, filled, centring)
        parts.append(_first(part, len(batch)))
    values, log_det = jax.tree.map(lambda *columns: np.concatenate(columns), *parts)
    shape = x.shape[:-1]
    whole = {name: values[name].reshape(*shape, *values[name].shape[1:]) for name in density.names}
    return whole, log_det.reshape(shape)


def _first(tree: Any, n: int) -> Any:
    return jax.tree.map(lambda value: np.asarray(value)[:n], tree)
