"""Generative models: a Python function with named random variables, run forwards or conditioned on data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import Array

from propto.density import as_data
from propto.errors import ModelError, NameMismatchError, ShapeError
from propto.modelling.calls import Call, Declarations, Template
from propto.modelling.conditioned import ModelProgram
from propto.modelling.described import graph_of, lines_of
from propto.modelling.posterior import Posterior
from propto.modelling.recorder import det, factor, rv
from propto.modelling.sites import Site, Variable
from propto.modelling.summing import with_sums
from propto.names import Coords, axes_of, check_axes, check_names
from propto.options import LARGEST_SEED, whole
from propto.precision import in_double_precision
from propto.programs import Values, run_traced

if TYPE_CHECKING:
    import xarray

__all__ = ["Model", "det", "factor", "rv"]


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
        self.coords: dict[str, np.ndarray] = {
            name: np.asarray(labels) for name, labels in (coords or {}).items()
        }
        template, data = Template.of(args, kwargs)
        self.data: list[Any] = data
        self.call: Call = Call(
            function, template, tuple((name, len(c)) for name, c in self.coords.items()), ()
        )

    def __repr__(self) -> str:
        return f"Model({getattr(self.function, '__name__', self.function)})"

    @in_double_precision
    def describe(self) -> str:
        """The model in mathematics, one line a declaration.

        What a parameter follows from is shown by names: ``f(alpha, x)`` is some function of the two.

        Examples
        --------
        >>> import propto as pp
        >>> def school(std_estimate):
        ...     t = pp.rv("t", pp.Normal(0, 10))
        ...     pp.rv("effect_estimate", pp.Normal(t, std_estimate))
        >>> print(pp.Model(school, 15.0).describe())
        t ~ Normal(0, 10)
        effect_estimate ~ Normal(t, std_estimate)
        """
        return "\n".join(map(str, lines_of(self.call, self.data)))

    @in_double_precision
    def graph(self) -> str:
        """The model as a graph in the language of Graphviz, for ``dot -Tsvg`` or a notebook.

        Arrows lead from what is given to what follows; data have no frame, values that follow from others
        (`det`) are boxes, and variables with the same axes share a frame.

        Examples
        --------
        >>> import propto as pp
        >>> def coin(n):
        ...     p = pp.rv("p", pp.Beta(1, 1))
        ...     pp.rv("heads", pp.Binomial(n, p))
        >>> '"p" -> "heads";' in pp.Model(coin, 10.0).graph()
        True
        """
        return graph_of(lines_of(self.call, self.data))

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
        call, found, known = self._with("fixed", fixed)
        for name, value in known.items():
            _require_no_missing(name, value)
        shapes, dims = found.shapes, found.dims
        check_axes(shapes, dims, self.coords)

        def once(key: Array, data: Any, known: Values) -> Values:
            keys = iter(jax.random.split(key, len(found.variables)))

            def choose(site: Site) -> Any:
                key = next(keys)
                return known[site.name] if site.name in known else site.sample(key)

            recorder = call.run(choose, data)
            derived = {name: one.value for name, one in recorder.deterministics.items()}
            return {**recorder.values, **derived}

        keys = jax.random.split(jax.random.key(seed), draws)
        values = run_traced(jax.vmap(once, in_axes=(0, None, None)), keys, self.data, known)
        columns = {
            name: (("draw", *axes_of(name, len(shape), dims)), np.asarray(values[name]))
            for name, shape in shapes.items()
        }
        return xr.Dataset(columns, coords={**self.coords, "draw": np.arange(draws)}, attrs={"seed": seed})

    @in_double_precision
    def given(self, **observed: Any) -> Posterior:
        """Bayes: condition the model on observed values.

        Parameters
        ----------
        **observed
            Observed variables by name. NaN is a missing observation: its value becomes a variable
            ``<name>_missing`` of the density, or, of a discrete variable, is summed over.

        Returns
        -------
        Density
            The posterior of the other variables, up to a constant. Discrete ones of few values are summed
            out where each of their elements speaks for itself.

        Raises
        ------
        NameMismatchError, ShapeError
            An observed name is unknown, or its shape does not fit.
        ModelError
            An unobserved variable is discrete and cannot be summed out.
        """
        call, found, values = self._with("observed", observed)
        parts = [_open_part(variable, values) for variable in found.variables.values()]
        free = [variable for variable in parts if variable is not None]
        continuous = tuple(variable for variable in free if variable.free_shape is not None)
        discrete = tuple(variable for variable in free if variable.free_shape is None)
        data = (self.data, values)
        coords = self._coords_of(continuous, found, values)
        program = ModelProgram(call, tuple(sorted(values)), continuous)
        program = with_sums(program, data, discrete, found.dims).with_layers(data)
        return Posterior.of(program, data, found, coords)

    def _coords_of(
        self, free: Sequence[Variable], found: Declarations, values: Values
    ) -> dict[str, np.ndarray]:
        """The labels of all axes, those of missing elements too."""
        coords = dict(self.coords)
        for part in filter(lambda variable: variable.is_missing_part, free):
            if part.name in found.lines:
                raise NameMismatchError(
                    f"{part.name!r} is declared, but is also the name of what is missing in {part.site!r}"
                )
            axes = axes_of(part.site, np.ndim(values[part.site]), found.dims)
            coords[part.dims[0]] = _labels(np.asarray(values[part.site]), axes, self.coords)
        return coords

    def _with(self, role: str, given: Mapping[str, Any]) -> tuple[Call, Declarations, Values]:
        """The call that knows the shapes of given values, its declarations, and the values as arrays."""
        arrays = {name: as_data(f"the {role} variable {name!r}", value) for name, value in given.items()}
        call = self.call.knowing(arrays)
        found = call.trace(self.data)
        derived = set(arrays) & (set(found.shapes) - set(found.variables))
        if derived:
            raise NameMismatchError(
                f"{min(derived)!r} follows from other variables (pp.det) and cannot be {role}; "
                "declare it with pp.rv, or give what it follows from"
            )
        check_names(f"{role} variable", set(arrays), set(found.variables), required=set())
        for name, array in arrays.items():
            if array.shape != found.variables[name].shape:
                raise ShapeError(
                    f"{name!r} is given with shape {array.shape}, but has {found.variables[name].shape} in "
                    f"the model\n  at {found.lines[name]}"
                )
        return call, found, arrays


def _open_part(variable: Variable, values: Values) -> Variable | None:
    """What is not known of a variable: all of it, its missing elements, or nothing."""
    name = variable.name
    if name not in values:
        return variable
    n = int(np.isnan(np.asarray(values[name], float)).sum())
    if n == 0:
        return None
    if variable.free_shape is None and variable.batch_ndim < len(variable.shape):
        raise ModelError(f"{name!r} has missing counts in some of its vectors: leave these vectors out")
    if variable.free_shape is None:
        return variable
    if n == np.size(values[name]):
        raise ModelError(f"all of {name!r} is NaN: leave it out of given(...), it is a variable like others")
    return replace(
        variable, name=f"{name}_missing", shape=(n,), free_shape=(n,), dims=(f"{name}_missing_at",)
    )


def _labels(value: np.ndarray, axes: Sequence[str], coords: Coords) -> np.ndarray:
    """Where the missing elements are, in the user's own labels; several axes make texts such as ``A, 3``."""
    places = np.argwhere(np.isnan(value))
    columns = [
        np.asarray(coords[axis])[places[:, k]] if axis in coords else places[:, k]
        for k, axis in enumerate(axes)
    ]
    if len(columns) == 1:
        return columns[0]
    return np.array([", ".join(map(str, row)) for row in zip(*columns, strict=True)])


def _require_no_missing(name: str, value: Any) -> None:
    missing = np.argwhere(np.isnan(np.asarray(value, float)))
    if len(missing):
        raise ModelError(f"{name!r} is NaN at index {missing[0].tolist()}: a fixed value must be known")
