"""Generative models: a Python function with named random variables, run forwards or conditioned on data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import Array

from propto.conditioned import Call, ModelProgram, Template
from propto.density import Density, as_data
from propto.errors import ModelError, ShapeError
from propto.names import Coords, axes_of, check_axes, check_names
from propto.options import LARGEST_SEED, whole
from propto.precision import in_double_precision
from propto.programs import Values, run_traced
from propto.recorder import Site, Variable, rv

if TYPE_CHECKING:
    import xarray

__all__ = ["Model", "rv"]


class Model:
    """A generative model: a Python function that declares random variables with `rv`.

    Parameters
    ----------
    function
        The model function.
    *args, **kwargs
        Its arguments. Arrays, lists of numbers and floats are data, also inside of dicts, lists and tuples:
        they are arguments of the compiled code. Everything else (integers, strings, flags) is a fixed part
        of the model.
    coords
        Labels along named axes, as in xarray.

    Examples
    --------
    >>> import numpy as np, propto as pp
    >>> def schools(std_estimate):
    ...     mu = pp.rv("mu", pp.Normal(8.75, 20))
    ...     sigma = pp.rv("sigma", pp.Uniform(0, 100))
    ...     t = pp.rv("t", pp.Normal(mu, sigma), dims="school")
    ...     pp.rv("effect_estimate", pp.Normal(t, std_estimate), dims="school")
    >>> model = pp.Model(schools, np.array([15.0, 10, 16]), coords={"school": ["A", "B", "C"]})
    >>> model.given(effect_estimate=[28, 8, -3])
    Density(mu, sigma, t[3]; d=5)
    """

    def __init__(
        self, function: Callable[..., Any], *args: Any, coords: Coords | None = None, **kwargs: Any
    ) -> None:
        self.function = function
        self.coords = {name: np.asarray(labels) for name, labels in (coords or {}).items()}
        template, self._data = Template.of(args, kwargs)
        self._call = Call(function, template, tuple((name, len(c)) for name, c in self.coords.items()), ())

    def __repr__(self) -> str:
        return f"Model({getattr(self.function, '__name__', self.function)})"

    @in_double_precision
    def simulate(self, draws: int = 1000, *, seed: int = 0, **fixed: Any) -> xarray.Dataset:
        """Run the model forwards.

        Parameters
        ----------
        draws
            Number of independent draws, at least 1.
        seed
            Seed of the random numbers.
        **fixed
            Variables whose values are supposed known, by name.

        Returns
        -------
        xarray.Dataset
            Every variable, with dims (draw, ...).

        Examples
        --------
        >>> import propto as pp
        >>> def school():
        ...     t = pp.rv("t", pp.Normal(0, 10))
        ...     pp.rv("effect_estimate", pp.Normal(t, 15))
        >>> pp.Model(school).simulate(draws=3, t=42)["effect_estimate"].shape
        (3,)
        """
        import xarray as xr

        draws, seed = whole("draws", draws, 1), whole("seed", seed, 0, LARGEST_SEED)
        call, variables, known = self._with("fixed", fixed)
        shapes, dims = _shapes_and_dims(variables)
        check_axes(shapes, dims, self.coords)

        def once(key: Array, data: Any, known: Values) -> Values:
            keys = iter(jax.random.split(key, len(variables)))

            def choose(site: Site) -> Any:
                key = next(keys)
                return known[site.name] if site.name in known else site.sample(key)

            return call.run(choose, data).values

        keys = jax.random.split(jax.random.key(seed), draws)
        values = run_traced(jax.vmap(once, in_axes=(0, None, None)), keys, self._data, known)
        columns = {
            name: (("draw", *axes_of(name, len(shape), dims)), np.asarray(values[name]))
            for name, shape in shapes.items()
        }
        return xr.Dataset(columns, coords={**self.coords, "draw": np.arange(draws)}, attrs={"seed": seed})

    @in_double_precision
    def given(self, **observed: Any) -> Density:
        """Bayes: condition the model on observed values.

        Parameters
        ----------
        **observed
            Observed variables by name.

        Returns
        -------
        Density
            The posterior of the other variables, up to a constant.

        Raises
        ------
        NameMismatchError, ShapeError
            An observed name is unknown, or its shape does not fit.
        ModelError
            An observation is NaN, or an unobserved variable is discrete.
        """
        call, variables, values = self._with("observed", observed)
        free = [variable for name, variable in variables.items() if name not in values]
        for variable in free:
            if variable.free_shape is None:
                raise ModelError(
                    f"{variable.name!r} is discrete ({variable.family}) and not observed. "
                    "Sum it out in the model function, or observe it: samplers move in continuous space."
                )
        data, dims = (self._data, values), _shapes_and_dims(variables)[1]
        program = ModelProgram(call, tuple(sorted(values)), tuple(free)).with_layers(data)
        return Density.from_program(program, data, dims=dims, coords=self.coords, observed=values)

    def _with(self, role: str, given: Mapping[str, Any]) -> tuple[Call, dict[str, Variable], Values]:
        """The call that knows the shapes of given values, its variables, and the values as arrays."""
        arrays = {name: as_data(f"the {role} variable {name!r}", value) for name, value in given.items()}
        call = self._call.knowing(arrays)
        variables = call.trace(self._data)
        check_names(f"{role} variable", set(arrays), set(variables), required=set())
        for name, array in arrays.items():
            _check_value(variables[name], array)
        return call, variables, arrays


def _shapes_and_dims(variables: Mapping[str, Variable]) -> tuple[dict[str, Any], dict[str, Any]]:
    shapes = {name: variable.shape for name, variable in variables.items()}
    return shapes, {name: variable.dims for name, variable in variables.items() if variable.dims}


def _check_value(variable: Variable, array: Any) -> None:
    """Raise unless an observed or fixed value has the variable's shape and no holes."""
    if array.shape != variable.shape:
        raise ShapeError(
            f"{variable.name!r} is given with shape {array.shape}, but has {variable.shape} in the model"
        )
    missing = np.argwhere(np.isnan(np.asarray(array, float)))
    if len(missing):
        raise ModelError(
            f"{variable.name!r} is NaN at index {missing[0].tolist()}: leave the missing observation out"
        )
