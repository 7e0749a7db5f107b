"""The density of a conditioned model, as a program: its function, run at a position with data put in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from math import prod
from numbers import Integral, Real
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Var
from jaxtyping import Array, Float

from propto.density import as_data
from propto.errors import ModelError
from propto.programs import Program, Values
from propto.recorder import Recorder, Site, Variable
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

    def trace(self, data: Sequence[Any]) -> dict[str, Variable]:
        """The variables of the model, found without computing anything."""
        found: dict[str, Variable] = {}

        def once(data: Sequence[Any]) -> None:
            sites = self.run(lambda site: jnp.ones(site.shape, site.dtype), data).sites
            found.update({name: site.variable() for name, site in sites.items()})

        try:
            jax.eval_shape(once, data)
        except NOT_TRACEABLE as error:
            mend = "Write it with jax.numpy, with jnp.where in place of `if` on values."
            raise ModelError(f"{not_traced('the model function', error)}\n{mend}") from error
        if not found:
            raise ModelError(
                "the model function declares no random variable; declare them with pp.rv(name, ...)"
            )
        return found


@dataclass(frozen=True)
class ModelProgram:
    """The density of a model's unobserved variables; its data are (arguments, observed values).

    Parameters
    ----------
    call
        The model function and the shapes known.
    observed
        Names of the observed variables.
    free
        The others, in the order in which the function declares them.
    centred
        Names of those in location-scale layers: of a location or a scale that depends on other free ones.
    mark
        What the function computes, where that is known.
    """

    call: Call
    observed: tuple[str, ...]
    free: tuple[Variable, ...]
    centred: tuple[str, ...] = ()
    mark: str = ""

    has_gradient: ClassVar[bool] = True
    is_log: ClassVar[bool] = True

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {variable.name: variable.shape for variable in self.free}

    @property
    def dim(self) -> int:
        return sum(prod(variable.free_shape or ()) for variable in self.free)

    def log_density_at(self, data: Any, q: Float[Array, " dim"]) -> Float[Array, ""]:
        recorder, log_det = self._at(data, q)
        return recorder.log_density() + log_det

    @property
    def layers(self) -> np.ndarray:
        parts = [
            np.full(prod(variable.free_shape or ()), variable.name in self.centred) for variable in self.free
        ]
        return np.concatenate([np.zeros(0, bool), *parts])

    def uncentre(self, data: Any, x: Any, centring: Any) -> tuple[Any, Any]:
        shares, log_det = self._split(centring), [jnp.zeros((), x.dtype)]

        def whole(site: Site, x: Array) -> tuple[Array, Array]:
            if site.name not in self.centred:
                return x, x
            share, (m, s) = shares[site.name], site.layer()
            q = m + s ** (1 - share) * (x - share * m)
            log_det.append(jnp.sum((1 - share) * jnp.log(s)))
            return q, q

        return self._changed(data, x, whole), sum(log_det[1:], start=log_det[0])

    def centre(self, data: Any, q: Any, centring: Any) -> Any:
        shares = self._split(centring)

        def part(site: Site, q: Array) -> tuple[Array, Array]:
            if site.name not in self.centred:
                return q, q
            share, (m, s) = shares[site.name], site.layer()
            return share * m + s ** (share - 1) * (q - m), q

        return self._changed(data, q, part)

    def _changed(self, data: Any, elements: Any, change: Callable[[Site, Array], tuple[Array, Array]]) -> Any:
        """Change the elements of one site after the other, each by the values of the sites before.

        ``change`` gives the new elements of a site, and its position, from which its value follows.
        """
        if not self.centred:
            return elements
        arguments, observed = data
        parts = self._split(elements)

        def choose(site: Site) -> Any:
            if site.name in observed:
                return jnp.asarray(observed[site.name])
            parts[site.name], position = change(site, parts[site.name])
            return site.support.forward_and_log_det(position)[0]

        self.call.run(choose, arguments)
        return jnp.concatenate([jnp.ravel(parts[variable.name]) for variable in self.free])

    def with_layers(self, data: Any) -> ModelProgram:
        """The same program, knowing its location-scale layers."""

        def layers(q: Array) -> dict[str, Any]:
            sites = self._at(data, q)[0].sites
            pairs = {name: sites[name].location_scale() for name in self.shapes}
            return {name: pair for name, pair in pairs.items() if pair is not None}

        q = jax.ShapeDtypeStruct((self.dim,), jnp.result_type(float))
        traced, shape = jax.make_jaxpr(layers, return_shape=True)(q)
        depends = jax.tree.unflatten(jax.tree.structure(shape), depending_outputs(traced.jaxpr))
        return replace(self, centred=tuple(name for name, pair in depends.items() if any(pair)))

    def constrain(self, data: Any, q: Float[Array, " dim"]) -> Values:
        values = self._at(data, q)[0].values
        return {name: values[name] for name in self.shapes}

    def _at(self, data: Any, q: Float[Array, " dim"]) -> tuple[Recorder, Float[Array, ""]]:
        """Run the model at a position; the supports may depend on variables declared before."""
        arguments, observed = data
        positions = self._split(q)
        log_dets = []

        def choose(site: Site) -> Any:
            if site.name in observed:
                return jnp.asarray(observed[site.name])
            value, log_det = site.support.forward_and_log_det(positions[site.name])
            log_dets.append(log_det)
            return value

        recorder = self.call.run(choose, arguments)
        return recorder, sum(log_dets, start=jnp.zeros((), q.dtype))

    def _split(self, q: Float[Array, " dim"]) -> Values:
        positions, start = {}, 0
        for variable in self.free:
            shape = variable.free_shape or ()
            positions[variable.name] = q[start : start + prod(shape)].reshape(shape)
            start += prod(shape)
        return positions

    def log_density(self, data: Any, values: Values) -> Float[Array, ""]:
        recorder = self._given(data, values)
        inside = jnp.array(True)
        for variable in self.free:
            inside &= recorder.sites[variable.name].support.contains(values[variable.name])
        return jnp.where(inside, recorder.log_density(), -jnp.inf)

    def terms(self, data: Any, values: Values) -> Values:
        return self._given(data, values).log_terms()

    def _given(self, data: Any, values: Values) -> Recorder:
        arguments, observed = data
        known = {**observed, **values}
        return self.call.run(lambda site: jnp.asarray(known[site.name]), arguments)

    def unconstrain(self, data: Any, values: Values) -> Float[Array, " dim"]:
        sites = self._given(data, values).sites
        parts = [
            jnp.ravel(sites[name].support.inverse(jnp.asarray(values[name], float))) for name in self.shapes
        ]
        return jnp.concatenate(parts) if parts else jnp.zeros(0)

    def raising(self) -> AbstractContextManager[None]:
        return nullcontext()  # nothing of a model runs outside compiled code

    def marked(self, mark: str) -> Program:
        return replace(self, mark=mark)


def depending_outputs(jaxpr: Any) -> list[bool]:
    """Which outputs of a traced function depend on its arguments."""
    depending = set(jaxpr.invars)
    for equation in jaxpr.eqns:
        if any(isinstance(v, Var) and v in depending for v in equation.invars):
            depending.update(equation.outvars)
    return [isinstance(v, Var) and v in depending for v in jaxpr.outvars]


def _is_data(value: Any) -> bool:
    """Arrays, lists of numbers and floats are data; integers, strings and flags belong to the model."""
    if isinstance(value, (Integral, np.bool_, str)):
        return False
    if isinstance(value, (list, tuple)):
        return all(isinstance(v, Real) or (isinstance(v, (list, tuple)) and _is_data(v)) for v in value)
    return isinstance(value, float) or hasattr(value, "__array__")
