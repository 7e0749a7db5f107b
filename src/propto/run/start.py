"""Start points: dispersed positions where the density and its gradient are finite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from propto.density import Density
from propto.errors import DensityError, ShapeError, StartError
from propto.names import check_names
from propto.run.approach import approach
from propto.run.evaluate import Evaluated, constrained, evaluate
from propto.words import describe

ATTEMPTS = 100
RADIUS = 2.0


def start_points(
    density: Density,
    chains: int,
    seed: int,
    init: Mapping[str, Any] | None,
    centring: Float[np.ndarray, " dim"],
    needs_gradient: bool,
) -> Evaluated:
    """Positions for all chains in a centring, with their scores where the sampler needs gradients.

    Uniform on (-2, 2)^d, drawn again up to 100 times where the density is 0 or undefined, and brought in
    where the density is absurdly low; or what the user gives.

    Raises
    ------
    StartError
        No finite density was found; the text explains it term by term.
    DensityError
        A proportion is negative or NaN.
    """
    look = partial(_evaluate, density, centring=centring, needs_gradient=needs_gradient)
    if init is not None:
        return _given(density, chains, init, look)
    at = look(_uniform(density.dim, chains, seed, attempt=0))
    first = at.x.copy()
    for attempt in range(1, ATTEMPTS):
        good = _good(at)
        if good.all() and at.score is not None:
            return approach(look, at)
        if good.all():
            return at
        at = look(np.where(good[:, None], at.x, _uniform(density.dim, chains, seed, attempt)))
    worst = int(np.argmin(_good(at)))
    where = f"none of {ATTEMPTS} start points of chain {worst} has a finite density; the first"
    raise _failure(density, _variables(density, first[worst], centring), where)


def _uniform(dim: int, chains: int, seed: int, attempt: int) -> Float[np.ndarray, "chain dim"]:
    return np.random.default_rng([seed, attempt]).uniform(-RADIUS, RADIUS, (chains, dim))


def _given(
    density: Density, chains: int, init: Mapping[str, Any], look: Callable[..., Evaluated]
) -> Evaluated:
    """Positions from values in the user's variables, one for all chains or one for each."""
    points = _points(density, chains, init)
    at = look(np.stack([density.pack(**point) for point in points]), given=np.ones(density.dim))
    good = _good(at)
    if not good.all():
        raise _failure(density, points[int(np.argmin(good))], "the given start point")
    return at


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


def _good(at: Evaluated) -> np.ndarray:
    """Which positions can start a chain."""
    return np.isfinite(at.logp) & (True if at.score is None else np.isfinite(at.score).all(axis=1))


def _evaluate(
    density: Density,
    x: Any,
    centring: np.ndarray,
    needs_gradient: bool,
    given: np.ndarray | None = None,
) -> Evaluated:
    """Log densities at positions, and their scores where they are needed."""
    of_x = centring if given is None else given
    at = evaluate(density.program, density.data, x, of_x, centring, needs_gradient)
    undefined = np.isnan(at.logp) & np.isfinite(at.x).all(axis=1)
    if undefined.any() and not density.program.is_log:
        point = describe(_variables(density, at.x[int(np.argmax(undefined))], centring))
        raise DensityError(f"the density is {density.undefined} at {point}; a proportion is at least 0")
    return at


def _variables(density: Density, x: np.ndarray, centring: np.ndarray) -> dict[str, np.ndarray]:
    """The variables at a position."""
    values, _ = constrained(density, x[None], centring)
    return {name: value[0] for name, value in values.items()}


def _failure(density: Density, values: Mapping[str, np.ndarray], what: str) -> StartError:
    if not np.isfinite(density.pack(**values)).all() and not density.explain(**values):
        lines = "it lies on the edge of its support"
    else:
        lines = density.explain(**values) or (
            "the log density is finite, but its gradient is not: look for sqrt, log or division at 0"
        )
    mend = "Give a start inside with init={...}, or look at the model or the data named above."
    return StartError(f"{what} is {describe(values)}\n{lines}\n{mend}")
