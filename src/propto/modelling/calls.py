"""A model function together with its arguments: the fixed parts, the data, and the shapes that are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from propto.density import as_data
from propto.errors import ModelError
from propto.modelling.recorder import Recorder
from propto.modelling.sites import Site, Variable
from propto.words import NOT_TRACEABLE, not_traced


@dataclass(frozen=True)
class Template:
    """How a model's arguments are put together from its fixed parts and from data.

    Parameters
    ----------
    structure
        The nesting of the arguments, as JAX describes it.
    parts
        The fixed part at every leaf, or `DATA`.
    positional
        Number of arguments that are given by position.
    """

    structure: Any
    parts: tuple[Any, ...]
    positional: int

    @classmethod
    def of(cls, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Template, list[Any]]:
        """Split arguments into the template and the data that go through it."""
        named = {**{str(i): value for i, value in enumerate(args, 1)}, **kwargs}
        leaves, structure = jax.tree.flatten_with_path(named, is_leaf=_is_data)
        data, parts = [], []
        for (name, *inner), value in leaves:
            what = f"argument {name.key}{jax.tree_util.keystr(tuple(inner))} of the model function"
            if _is_data(value):
                data.append(as_data(what, value))
            elif type(value).__hash__ is None:
                raise ModelError(f"{what} is {value!r}; it takes numbers, arrays, strings, dicts and lists")
            parts.append(DATA if _is_data(value) else value)
        return cls(structure, tuple(parts), len(args)), data

    def fill(self, data: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of the model function."""
        arrays = iter(data)
        leaves = [jnp.asarray(next(arrays)) if part is DATA else part for part in self.parts]
        named = jax.tree.unflatten(self.structure, leaves)
        return [named.pop(str(i)) for i in range(1, self.positional + 1)], named


class _Data:
    """Marks the place of data in a template."""

    def __repr__(self) -> str:
        return "DATA"

    def __reduce__(self) -> str:
        return "DATA"


DATA = _Data()


@dataclass(frozen=True)
class Call:
    """A model function with its template and the shapes that are known: all that a run needs besides data."""

    function: Callable[..., Any]
    template: Template
    sizes: tuple[tuple[str, int], ...]
    known_shapes: tuple[tuple[str, tuple[int, ...]], ...]

    def knowing(self, values: Mapping[str, Any]) -> Call:
        """The same call, with the shapes of some variables taken from their values."""
        return replace(
            self, known_shapes=tuple((name, np.shape(value)) for name, value in sorted(values.items()))
        )

    def run(self, choose: Callable[[Site], Any], data: Sequence[Any]) -> Recorder:
        """Run the function with a rule for the values of its variables."""
        args, kwargs = self.template.fill(data)
        return Recorder(choose, dict(self.sizes), dict(self.known_shapes)).run(self.function, args, kwargs)

    def trace(self, data: Sequence[Any]) -> Declarations:
        """What the function declares, found without computing anything."""
        found: list[Declarations] = []

        def once(data: Sequence[Any]) -> None:
            recorder = self.run(lambda site: jnp.ones(site.shape, site.dtype), data)
            found.append(Declarations.of(recorder))

        try:
            jax.eval_shape(once, data)
        except NOT_TRACEABLE as error:
            mend = "Write it with jax.numpy, with jnp.where in place of `if` on values."
            raise ModelError(f"{not_traced('the model function', error)}\n{mend}") from error
        if not found[0].variables:
            raise ModelError(
                "the model function declares no random variable; declare them with pp.rv(name, ...)"
            )
        return found[0]


@dataclass(frozen=True)
class Declarations:
    """What a model function declares, in its order.

    Parameters
    ----------
    variables
        The random variables.
    shapes, dims
        Of the random variables and of the deterministic values.
    factors
        Names of the factors.
    lines
        Where in the user's code each name is declared.
    """

    variables: dict[str, Variable]
    shapes: dict[str, tuple[int, ...]]
    dims: dict[str, tuple[str, ...]]
    factors: tuple[str, ...]
    lines: dict[str, str]

    @classmethod
    def of(cls, recorder: Recorder) -> Declarations:
        """What a recorder has met."""
        variables = {name: site.variable() for name, site in recorder.sites.items()}
        derived = recorder.deterministics
        shapes = {name: variable.shape for name, variable in variables.items()}
        dims = {name: site.dims for name, site in recorder.sites.items() if site.dims}
        dims |= {name: one.dims for name, one in derived.items() if one.dims}
        shapes |= {name: one.value.shape for name, one in derived.items()}
        return cls(variables, shapes, dims, tuple(recorder.factors), recorder.lines)


def _is_data(value: Any) -> bool:
    """Arrays, lists of numbers and floats are data; integers, strings and flags belong to the model."""
    if isinstance(value, (Integral, np.bool_, str)):
        return False
    if isinstance(value, (list, tuple)):
        return all(isinstance(v, Real) or (isinstance(v, (list, tuple)) and _is_data(v)) for v in value)
    return isinstance(value, float) or hasattr(value, "__array__")
