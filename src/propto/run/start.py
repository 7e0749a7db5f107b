"""Start points: dispersed positions where the density and its gradient are finite."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from propto.compiled import call
from propto.density import Density
from propto.errors import DensityError, ShapeError, StartError
from propto.names import check_names
from propto.run.block import START, random_key
from propto.warmup.approach import approach
from propto.words import describe

ATTEMPTS = 100
RADIUS = 2.0


def start_points(
    density: Density, chains: int, seed: int, init: Mapping[str, Any] | None, needs_gradient: bool
) -> tuple[Float[np.ndarray, "chain dim"], Float[np.ndarray, "chain dim"] | None]:
    """Positions for all chains, with their scores where the sampler needs gradients.

    Uniform on (-2, 2)^d, drawn again up to 100 times where the density is 0 or undefined, and brought in
    where the density is absurdly low; or what the user gives.

    Raises
    ------
    StartError
        No finite density was found; the text explains it term by term.
    DensityError
        A proportion is negative or NaN.
    """
    if init is not None:
        return _given(density, chains, init, needs_gradient)
    q = _uniform(density.dim, chains, seed, attempt=0)
    first = q.copy()
    logp, score = _evaluate(density, q, needs_gradient)
    for attempt in range(1, ATTEMPTS):
        good = _good(logp, score)
        if good.all() and score is not None:
            return approach(partial(_evaluate, density, needs_gradient=True), q, logp, score)
        if good.all():
            return q, None
        q = np.where(good[:, None], q, _uniform(density.dim, chains, seed, attempt))
        logp, score = _evaluate(density, q, needs_gradient)
    worst = int(np.argmin(_good(logp, score)))
    where = f"none of {ATTEMPTS} start points of chain {worst} has a finite density; the first"
    raise _failure(density, density.unpack(first[worst]), where)


def _uniform(dim: int, chains: int, seed: int, attempt: int) -> Float[np.ndarray, "chain dim"]:
    with jax.enable_x64(True):
        key = jax.random.fold_in(random_key(seed, START), attempt)
        return np.asarray(jax.random.uniform(key, (chains, dim), float, -RADIUS, RADIUS))


def _given(
    density: Density, chains: int, init: Mapping[str, Any], needs_gradient: bool
) -> tuple[Float[np.ndarray, "chain dim"], Float[np.ndarray, "chain dim"] | None]:
    """Positions from values in the user's variables, one for all chains or one for each."""
    points = _points(density, chains, init)
    q = np.stack([density.pack(**point) for point in points])
    logp, score = _evaluate(density, q, needs_gradient)
    good = _good(logp, score)
    if not good.all():
        raise _failure(density, points[int(np.argmin(good))], "the given start point")
    return q, score


def _points(density: Density, chains: int, init: Mapping[str, Any]) -> list[dict[str, np.ndarray]]:
    check_names("variable in init", set(init), set(density.names))
    columns = {}
    for name, shape in density.shapes.items():
        value, full = np.asarray(init[name], float), (chains, *shape)
        if value.shape not in (shape, full):
            raise ShapeError(
                f"init of {name!r} has shape {value.shape}; expected {shape}, or {full} for all chains"
            )
        columns[name] = np.broadcast_to(value, full)
    return [{name: column[chain] for name, column in columns.items()} for chain in range(chains)]


def _good(logp: np.ndarray, score: np.ndarray | None) -> np.ndarray:
    """Which positions can start a chain."""
    return np.isfinite(logp) & (True if score is None else np.isfinite(score).all(axis=1))


def _evaluate(density: Density, q: Any, needs_gradient: bool) -> tuple[np.ndarray, Any]:
    """Log densities at positions, and their scores where they are needed."""
    program = density.program
    with program.raising():
        if needs_gradient:
            gradient = jax.vmap(jax.value_and_grad(program.log_density_at, argnums=1), in_axes=(None, 0))
            logp, score = map(np.asarray, call(("logp and score", program), gradient, density.data, q))
        else:
            value = jax.vmap(program.log_density_at, in_axes=(None, 0))
            logp, score = np.asarray(call(("logp", program), value, density.data, q)), None
    undefined = np.isnan(logp) & np.isfinite(q).all(axis=1)
    if undefined.any() and not program.is_log:
        point = describe(density.unpack(q[int(np.argmax(undefined))]))
        raise DensityError(f"the density is {density.undefined} at {point}; a proportion is at least 0")
    return logp, score


def _failure(density: Density, values: Mapping[str, np.ndarray], what: str) -> StartError:
    if not np.isfinite(density.pack(**values)).all() and not density.explain(**values):
        lines = "it lies on the edge of its support"
    else:
        lines = density.explain(**values) or (
            "the log density is finite, but its gradient is not: look for sqrt, log or division at 0"
        )
    mend = "Give a start inside with init={...}, or look at the model or the data named above."
    return StartError(f"{what} is {describe(values)}\n{lines}\n{mend}")
