"""A density whose log density and whose maps come from another library, as a program."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from propto.compiled import call
from propto.density import Density
from propto.names import Coords, Dims, axes_of, check_axes, check_names
from propto.precision import in_double_precision
from propto.programs import Data, Program, Values


class Layer(NamedTuple):
    """Elements of the position with a location and a scale that depend on elements before them.

    Parameters
    ----------
    places
        Where the elements are.
    location_scale
        (data, q) to their locations and scales, flat.
    """

    places: slice
    location_scale: Callable[[Data, Array], tuple[Array, Array]]


class Functions(NamedTuple):
    """What another library computes; data come first, so that they are arguments of compiled code.

    Parameters
    ----------
    log_density_at
        (data, q) to the log density of a position, with the log-determinant of the map.
    log_density
        (data, values) to the log density of the variables.
    constrain
        (data, q) to the variables.
    unconstrain
        (data, values) to the position.
    derived
        (data, values) to what follows from the variables.
    layers
        Location-scale layers, each after those that it depends on.
    raising
        A context in which errors of the library come out.
    """

    log_density_at: Callable[[Data, Array], Array]
    log_density: Callable[[Data, Values], Array]
    constrain: Callable[[Data, Array], Values]
    unconstrain: Callable[[Data, Values], Array]
    derived: Callable[[Data, Values], Values]
    layers: tuple[Layer, ...] = ()
    raising: Callable[[], AbstractContextManager[None]] = nullcontext


class ForeignDensity(Density):
    """A density of another library's model, with the values that follow from its variables.

    Parameters
    ----------
    program, data, dims, coords, observed
        As of any density; dims name the axes of derived values as well.
    derived_shapes
        Shapes of the derived values.
    """

    program: ForeignProgram

    def __init__(
        self,
        program: ForeignProgram,
        data: Data,
        *,
        dims: Dims,
        coords: Coords,
        observed: Mapping[str, Any],
        derived_shapes: Mapping[str, tuple[int, ...]],
    ) -> None:
        known = {*program.shapes, *observed}
        check_names("variable in dims", set(dims), known | set(derived_shapes), required=set())
        own = {name: axes for name, axes in dims.items() if name in known}
        self._set(program, data, own, coords, observed)
        self.derived_shapes = dict(derived_shapes)
        self.derived_dims = {name: _as_axes(axes) for name, axes in dims.items() if name not in known}
        check_axes(self.derived_shapes, self.derived_dims, coords)

    @in_double_precision
    def derived(self, values: Mapping[str, np.ndarray]) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
        """Names of the axes, and values, of all that follows from draws of the variables.

        Parameters
        ----------
        values
            Draws of all variables, any number of axes before those of the variable.
        """
        if not self.derived_shapes:
            return {}
        first = values[self.names[0]]
        lead = first.shape[: first.ndim - len(self.shapes[self.names[0]])]
        rows = {name: np.reshape(values[name], (-1, *shape)) for name, shape in self.shapes.items()}
        found = call(
            ("derived", self.program), jax.vmap(self.program.derived, in_axes=(None, 0)), self.data, rows
        )
        return {
            name: (axes_of(name, len(shape), self.derived_dims), np.reshape(found[name], (*lead, *shape)))
            for name, shape in self.derived_shapes.items()
        }


def _as_axes(axes: str | Sequence[str]) -> tuple[str, ...]:
    return (axes,) if isinstance(axes, str) else tuple(axes)


@dataclass(frozen=True)
class ForeignProgram:
    """A program made of another library's functions; programs with one key compute the same.

    Parameters
    ----------
    variables
        Name and shape of every variable, in the order of their places in the position.
    dim
        Dimension of unconstrained space.
    key
        What the functions compute.
    functions
        The functions.
    """

    variables: tuple[tuple[str, tuple[int, ...]], ...]
    dim: int
    key: Hashable
    functions: Functions = field(compare=False)

    has_gradient: ClassVar[bool] = True
    is_log: ClassVar[bool] = True

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return dict(self.variables)

    def log_density_at(self, data: Data, q: Float[Array, " dim"]) -> Float[Array, ""]:
        return self.functions.log_density_at(data, q)

    def log_density(self, data: Data, values: Values) -> Float[Array, ""]:
        return self.functions.log_density(data, values)

    @property
    def layers(self) -> np.ndarray:
        places = np.zeros(self.dim, bool)
        for layer in self.functions.layers:
            places[layer.places] = True
        return places

    def uncentre(self, data: Data, x: Any, centring: Any) -> tuple[Any, Any]:
        q, log_det = x, jnp.zeros((), x.dtype)
        for places, location_scale in self.functions.layers:
            share, (m, s) = centring[places], location_scale(data, q)
            q = q.at[places].set(m + s ** (1 - share) * (x[places] - share * m))
            log_det += jnp.sum((1 - share) * jnp.log(s))
        return q, log_det

    def centre(self, data: Data, q: Any, centring: Any) -> Any:
        x = q
        for places, location_scale in self.functions.layers:
            share, (m, s) = centring[places], location_scale(data, q)
            x = x.at[places].set(share * m + s ** (share - 1) * (q[places] - m))
        return x

    def constrain(self, data: Data, q: Float[Array, " dim"]) -> Values:
        return self.functions.constrain(data, q)

    def unconstrain(self, data: Data, values: Values) -> Float[Array, " dim"]:
        return self.functions.unconstrain(data, values)

    def derived(self, data: Data, values: Values) -> Values:
        """What follows from the variables."""
        return self.functions.derived(data, values)

    def terms(self, data: Data, values: Values) -> Values:
        return {"log_p": self.functions.log_density(data, values)}

    def raising(self) -> AbstractContextManager[None]:
        return self.functions.raising()

    def marked(self, mark: str) -> Program:
        return self  # the key says already what the functions compute
