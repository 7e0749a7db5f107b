"""Discrete variables summed out of a density: p(x) = Σ p(x, z), element by element of z."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from propto.errors import ModelError
from propto.modelling.sites import Variable
from propto.programs import Values

# More runs of the model function than this, one for every combination of states, are refused.
LARGEST = 256

# A function from the states of all summed variables to the additive terms of the log density.
Terms = Callable[[dict[str, Any]], dict[str, Array]]


@dataclass(frozen=True)
class Summed:
    """A discrete variable that is summed out.

    Parameters
    ----------
    variable
        The variable, with its states.
    axes
        Of every term that depends on it: the axes of the term along which the variable's own axes lie.
    """

    variable: Variable
    axes: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def name(self) -> str:
        """Name of the variable."""
        return self.variable.name

    @property
    def states(self) -> np.ndarray:
        """All its values."""
        assert self.variable.states is not None
        return np.arange(self.variable.states[0], self.variable.states[1] + 1)


def check_number(summed: Sequence[Summed]) -> None:
    """Raise unless the combinations of states are few."""
    n = prod(len(one.states) for one in summed)
    if n > LARGEST:
        names = ", ".join(f"{one.name!r} ({len(one.states)} states)" for one in summed)
        raise ModelError(
            f"{names}: to sum them out takes {n:,} combinations of states, and at most {LARGEST} are tried. "
            "Use pp.HMM or pp.Mixture, or observe one of them."
        )


def log_sum(summed: Sequence[Summed], terms: Terms) -> Float[Array, ""]:
    """Log density with all discrete variables summed out, those of the largest shape first.

    Every table has one axis for the states of every variable, of length 1 where it does not depend on it,
    and then the axes of a term.
    """
    tables = tabulate(summed, terms)
    n = len(summed)
    axes = {(one.name, term): where for one in summed for term, where in one.axes}
    for term in tables:
        keep = tuple(slice(None) if (one.name, term) in axes else slice(0, 1) for one in summed)
        tables[term] = tables[term][keep]
    for k in sorted(range(n), key=lambda k: -len(summed[k].variable.shape)):
        one = summed[k]
        own = [term for term in tables if tables[term].shape[k] > 1 or term == one.name]
        joint: Any = 0.0
        for term in own:
            table = tables.pop(term)
            where = axes.get((one.name, term), _last(table.ndim - n, one.variable.shape))
            joint = joint + _along(table, n, where)
        tables[one.name + " summed out"] = logsumexp(joint, axis=k, keepdims=True)
    return sum((jnp.sum(table) for table in tables.values()), start=jnp.zeros((), jnp.result_type(float)))


def tabulate(summed: Sequence[Summed], terms: Terms) -> dict[str, Array]:
    """All terms for every combination of states, one axis for every variable before those of the term."""
    sizes = [len(one.states) for one in summed]
    grid = np.array(list(product(*(one.states for one in summed))))
    columns = {one.name: jnp.asarray(grid[:, k]) for k, one in enumerate(summed)}
    found = jax.vmap(terms)(columns)
    return {name: table.reshape(*sizes, *table.shape[1:]) for name, table in found.items()}


def with_axes(
    one: Summed, dependent: Sequence[str], terms: Terms, dims: Mapping[str, tuple[str, ...]], rest: Values
) -> Summed:
    """Find along which axes of its terms a variable lies; every element must depend on one of its own.

    Told by trial: with all elements in random states, every element of a term must be what it is where all
    elements are in the state of the one that it belongs to.
    """
    alone = tabulate([one], lambda states: terms({**rest, **states}))
    trials = _trials(one)
    mixed = [terms({**rest, one.name: jnp.asarray(trial)}) for trial in trials]
    axes = []
    for term in dependent:
        for where in _candidates(one, term, np.ndim(mixed[0][term]), dims):
            seen = [np.asarray(some[term]) for some in mixed]
            if all(
                _is_elementwise(np.asarray(alone[term]), table, trial - one.states[0], where)
                for table, trial in zip(seen, trials, strict=True)
            ):
                axes.append((term, where))
                break
        else:
            raise ModelError(
                f"{one.name!r} is discrete and not observed, and cannot be summed out element by element: "
                f"elements of {term!r} depend on several of its elements. "
                "Use pp.HMM for a chain of states, pp.Mixture for a mixture, or sum it out by hand."
            )
    return replace(one, axes=tuple(axes))


def _trials(one: Summed) -> list[np.ndarray]:
    """Some states of all elements: in turn, and at random."""
    rng, shape = np.random.default_rng(0), one.variable.shape
    in_turn = np.arange(prod(shape)).reshape(shape) % len(one.states)
    return [one.states[in_turn], one.states[-1 - in_turn], *(rng.choice(one.states, shape) for _ in range(6))]


def _candidates(one: Summed, term: str, ndim: int, dims: Mapping[str, tuple[str, ...]]) -> list[Any]:
    """Where the variable's axes may lie among those of a term: by name, else last or first."""
    own, others = dims.get(one.name, ()), dims.get(term, ())[:ndim]
    if own and set(own) <= set(others):
        return [tuple(others.index(axis) for axis in own)]
    n = len(one.variable.shape)
    return [_last(ndim, one.variable.shape), tuple(range(n))] if n <= ndim else []


def _last(ndim: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(range(ndim - len(shape), ndim))


def _is_elementwise(alone: np.ndarray, mixed: np.ndarray, states: np.ndarray, where: tuple[int, ...]) -> bool:
    """Whether every element of a term is told by the state of its own element of the variable."""
    if tuple(mixed.shape[axis] for axis in where) != states.shape:
        return False
    spread = np.zeros(mixed.shape, int)
    others = [axis for axis in range(mixed.ndim) if axis not in where]
    np.moveaxis(spread, where, range(len(where)))[...] = states.reshape(states.shape + (1,) * len(others))
    expected = np.take_along_axis(alone, spread[None], axis=0)[0]
    return np.allclose(expected, mixed, rtol=1e-9, atol=1e-9, equal_nan=True)


def _along(table: Array, n: int, where: tuple[int, ...]) -> Array:
    """Sum a table over all axes of its term that are not the variable's, and put those in order."""
    others = tuple(n + axis for axis in range(table.ndim - n) if axis not in where)
    summed = jnp.sum(table, axis=others)
    ranks = [sorted(where).index(axis) for axis in where]
    return jnp.transpose(summed, (*range(n), *(n + rank for rank in ranks)))
