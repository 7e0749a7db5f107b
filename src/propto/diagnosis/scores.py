"""Draws of a fit, seen by its density again: positions, log densities and scores of some of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from propto.diagnosis.chains import Array
from propto.diagnosis.elements import labels
from propto.errors import NameMismatchError, ShapeError

if TYPE_CHECKING:
    from xarray import Dataset

    from propto.density import Density

DRAWS, CHAINS = 4096, 512  # at most so many draws of so many chains are evaluated
ROWS = 1024  # in one call, always filled up: one program is enough


@dataclass(frozen=True)
class Scores:
    """Some draws of all chains at their positions in unconstrained space R^d.

    Parameters
    ----------
    names
        Name of every coordinate of a position.
    q
        Positions, shape (chain, draw, d).
    logp
        Log densities, up to the constant, with the log-determinant of the map to the variables.
    gradient
        Their gradients by q, the scores; None where the density has none.
    chosen
        Which chains and draws of the fit these are.
    """

    names: list[str]
    q: Array
    logp: Array
    gradient: Array | None
    chosen: dict[str, np.ndarray]


def scores_of(density: Density, draws: Dataset) -> Scores:
    """Evaluate the density, and its gradient if it has one, at evenly chosen draws.

    Raises
    ------
    NameMismatchError, ShapeError
        The draws are not of the variables of this density.
    """
    import jax

    columns = _columns(density, draws)
    chosen = _chosen(draws.sizes["chain"], draws.sizes["draw"])
    rows = {name: x[np.ix_(*chosen.values())] for name, x in columns.items()}
    shape = next(iter(rows.values())).shape[:2]
    flat = {name: x.reshape(-1, *density.shapes[name]) for name, x in rows.items()}
    program, wanted = density.program, density.has_gradient

    def one(data: Any, values: Any) -> tuple[Any, Any, Any]:
        q = program.unconstrain(data, values)
        if wanted:
            return q, *jax.value_and_grad(lambda q: program.log_density_at(data, q))(q)
        return q, program.log_density_at(data, q), q[:0]

    q, logp, gradient = _in_batches(density, "scores", one, flat)
    q, logp, gradient = (x.reshape(*shape, *x.shape[1:]) for x in (q, logp, gradient))
    return Scores(_names(density, draws), q, logp, gradient if wanted else None, chosen)


def log_densities(density: Density, q: Array) -> Array:
    """Log densities at positions, shape (..., d) to (...); 0 where they are not a number."""

    def one(data: Any, q: Any) -> Any:
        return density.program.log_density_at(data, q)

    found = _in_batches(density, "log density", one, q.reshape(-1, q.shape[-1]))
    return np.where(np.isnan(found), -np.inf, found).reshape(q.shape[:-1])


def _in_batches(density: Density, what: str, function: Any, rows: Any) -> Any:
    """A function of the density's data and of one row, for all rows."""
    import jax

    from propto.compiled import call

    mapped = jax.vmap(function, in_axes=(None, 0))
    count, parts = len(jax.tree.leaves(rows)[0]), []
    with jax.enable_x64(True), density.program.raising():
        for start in range(0, count, ROWS):
            some = np.minimum(np.arange(start, start + ROWS), count - 1)
            batch = jax.tree.map(lambda x, some=some: x[some], rows)
            part = call(("diagnosis", what, density.program), mapped, density.data, batch)
            parts.append(jax.tree.map(lambda x, n=count - start: np.asarray(x)[:n], part))
    return jax.tree.map(lambda *columns: np.concatenate(columns), *parts)


def _columns(density: Density, draws: Dataset) -> dict[str, Array]:
    """The draws of the density's variables, shape (chain, draw, *shape)."""
    columns = {}
    for name, shape in density.shapes.items():
        if name not in draws:
            raise NameMismatchError(
                f"the fit has no variable {name!r}, which the posterior has: give the one it was drawn from"
            )
        column = draws[name].transpose("chain", "draw", ...)
        if column.shape[2:] != shape:
            raise ShapeError(
                f"{name!r} has shape {column.shape[2:]} in the fit, and {shape} in the posterior"
            )
        columns[name] = np.asarray(column.values, dtype=float)
    return columns


def _chosen(chains: int, draws: int) -> dict[str, np.ndarray]:
    """Which chains and draws to look at: evenly spread, in their order."""
    some = _spread(chains, CHAINS)
    return {"chain": some, "draw": _spread(draws, max(1, DRAWS // len(some)))}


def _spread(count: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def _names(density: Density, draws: Dataset) -> list[str]:
    """The elements' own names where each has a coordinate of its own: all but simplexes and matrices."""
    names = [label for name in density.names for label in labels(draws[name])]
    own = len(names) == density.dim
    return names if own else [f"unconstrained coordinate {i}" for i in range(density.dim)]
