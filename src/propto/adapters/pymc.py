"""Models written for PyMC: their graph of log density, transforms and deterministics, taken over by JAX."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from propto.adapters.foreign import ForeignDensity, ForeignProgram, Functions, Layer
from propto.density import Density
from propto.errors import MissingExtraError, ModelError
from propto.precision import in_double_precision
from propto.programs import Data, Values

# Random variables with a location and a scale, and where these are among their parameters.
LOCATION_SCALE = {"normal": (0, 1), "cauchy": (0, 1), "t": (1, 2)}


@in_double_precision
def from_pymc(model: Any) -> Density:
    """Take a PyMC model, with the data that it observes, as a density.

    PyMC's own log density, transforms and deterministics are compiled by JAX. Names, dims and coords stay;
    the centring of location-scale variables is learnt.

    Parameters
    ----------
    model
        A ``pymc.Model``. Its observations, ``pm.Data`` and arrays of floats are arguments of the compiled
        code: the same model of other data of the same shape compiles nothing.

    Returns
    -------
    Density
        The posterior of the model's free variables.

    Raises
    ------
    ModelError
        The model has discrete free variables, or none, or an operation that JAX does not have.
    MissingExtraError
        PyMC is not installed.

    Examples
    --------
    >>> import pymc as pm, propto as pp  # doctest: +SKIP
    >>> with pm.Model(coords={"school": ["A", "B", "C"]}) as model:  # doctest: +SKIP
    ...     mu, tau = pm.Normal("mu", 0, 20), pm.HalfCauchy("tau", 5)
    ...     theta = pm.Normal("theta", mu, tau, dims="school")
    ...     pm.Normal("y", theta, [15.0, 10, 16], observed=[28.0, 8, -3], dims="school")
    >>> pp.from_pymc(model)  # doctest: +SKIP
    Density(mu, tau, theta[3]; d=5)
    """
    if find_spec("pymc") is None:
        raise MissingExtraError("a PyMC model", "pymc")
    _check(model)
    try:
        graphs = _Graphs(model)
        program = graphs.program()
    except NotImplementedError as error:
        raise ModelError(f"the model uses an operation that JAX does not have: {error}") from error
    known = {*program.shapes, *graphs.observed, *graphs.derived_shapes}
    dims = {name: tuple(axes) for name, axes in model.named_vars_to_dims.items() if name in known}
    return ForeignDensity(
        program,
        graphs.data,
        dims={name: axes for name, axes in dims.items() if all(axes)},
        coords={axis: np.asarray(labels) for axis, labels in model.coords.items() if labels is not None},
        observed=graphs.observed,
        derived_shapes=graphs.derived_shapes,
    )


def _check(model: Any) -> None:
    """Raise unless the model can be sampled by gradients."""
    if not hasattr(model, "free_RVs"):
        raise ModelError(f"pp.from_pymc takes a pymc.Model, got {model!r}")
    if not model.free_RVs:
        raise ModelError("the model has no free variables: all are observed, and there is nothing to draw")
    discrete = [rv.name for rv in model.free_RVs if rv.dtype.startswith(("int", "uint", "bool"))]
    if discrete:
        raise ModelError(
            f"{', '.join(map(repr, discrete))} is discrete and not observed: sum it out "
            "(pymc_extras.marginalize, or pm.Mixture); samplers move in continuous space"
        )


class _Graphs:
    """The parts of a PyMC model as functions of data and flat inputs."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.free = model.free_RVs
        self.positions = [model.rvs_to_values[rv] for rv in self.free]
        self.values = [rv.type(name=rv.name) for rv in self.free]
        starts = model.initial_point()
        self.position_shapes = [np.shape(starts[value.name]) for value in self.positions]
        ends = np.cumsum([0, *map(prod, self.position_shapes)])
        self.places = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        self.data: dict[str, np.ndarray] = {}
        self.inputs: dict[Any, Any] = {}  # constants and shared variables to the inputs that replace them
        self.observed = {rv.name: _constant(model.rvs_to_values[rv]) for rv in model.observed_RVs}

    def program(self) -> ForeignProgram:
        """The model as a program."""
        model, positions = self.model, self.positions
        by_name = {variable.name: variable for variable in model.unobserved_value_vars}
        log_density_at = self._function(positions, [model.logp()])
        without_jacobian = self._function(positions, [model.logp(jacobian=False)])
        constrain = self._function(positions, [by_name[rv.name] for rv in self.free])
        inverse = self._function(self.values, self._of_values(map(self._position, self.free)))
        derived = self._function(self.values, self._of_values(model.deterministics))
        names, derived_names = [[v.name for v in some] for some in (self.free, model.deterministics)]

        def at(data: Data, q: Array) -> Array:
            return log_density_at(data, self._split(q))[0]

        def forward(data: Data, q: Array) -> Values:
            return dict(zip(names, constrain(data, self._split(q)), strict=True))

        def backward(data: Data, values: Values) -> Array:
            parts = inverse(data, [values[name] for name in names])
            return jnp.concatenate([jnp.ravel(part) for part in parts])

        def log_density(data: Data, values: Values) -> Array:
            q = backward(data, values)
            inside = jnp.all(jnp.isfinite(q))
            log_p = without_jacobian(data, self._split(jnp.where(jnp.isfinite(q), q, 0.0)))[0]
            return jnp.where(inside, log_p, -jnp.inf)

        def following(data: Data, values: Values) -> Values:
            found = derived(data, [values[name] for name in names])
            return dict(zip(derived_names, found, strict=True))

        q = jax.ShapeDtypeStruct((self.places[-1].stop,), jnp.float64)
        layers = tuple(self._layers())
        values = jax.eval_shape(forward, self.data, q)
        self.derived_shapes = {n: v.shape for n, v in jax.eval_shape(following, self.data, values).items()}
        traced = [
            *(jax.make_jaxpr(function)(self.data, q) for function in (at, forward)),
            *(jax.make_jaxpr(layer.location_scale)(self.data, q) for layer in layers),
            *(jax.make_jaxpr(function)(self.data, values) for function in (backward, log_density, following)),
        ]
        shapes = tuple((name, values[name].shape) for name in names)
        functions = Functions(at, log_density, forward, backward, following, layers)
        return ForeignProgram(shapes, q.shape[0], _digest(traced), functions)

    def _split(self, q: Float[Array, " dim"]) -> list[Array]:
        pieces = zip(self.places, self.position_shapes, strict=True)
        return [q[place].reshape(shape) for place, shape in pieces]

    def _position(self, rv: Any) -> Any:
        """The position of a free variable, as a graph of the random variables themselves."""
        transform = self.model.rvs_to_transforms[rv]
        return rv if transform is None else transform.forward(rv, *rv.owner.inputs)

    def _of_values(self, graphs: Any) -> list[Any]:
        """Graphs of random variables as graphs of their values."""
        from pytensor.graph.replace import clone_replace

        observed = {rv: self.model.rvs_to_values[rv] for rv in self.model.observed_RVs}
        free = dict(zip(self.free, self.values, strict=True))
        return clone_replace(list(graphs), {**free, **observed}, rebuild_strict=False)

    def _layers(self) -> Any:
        """Location-scale variables whose location or scale depends on other free ones."""
        from pytensor.graph.traversal import ancestors

        for rv, place in zip(self.free, self.places, strict=True):
            which = LOCATION_SCALE.get(getattr(rv.owner.op, "name", ""))
            if which is None or self.model.rvs_to_transforms[rv] is not None:
                continue
            parameters = rv.owner.op.dist_params(rv.owner)
            pair = self.model.replace_rvs_by_values([parameters[i] for i in which])
            if set(ancestors(pair)) & set(self.positions):
                yield Layer(place, self._location_scale(pair, self.position_shapes[self.free.index(rv)]))

    def _location_scale(self, pair: Sequence[Any], shape: tuple[int, ...]) -> Callable[..., Any]:
        function = self._function(self.positions, pair)

        def location_scale(data: Data, q: Array) -> tuple[Array, Array]:
            m, s = (jnp.broadcast_to(x, shape).ravel() for x in function(data, self._split(q)))
            return m, s

        return location_scale

    def _function(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> Callable[..., Any]:
        """A graph as a function of data and inputs; arrays in it become data."""
        from pytensor.graph.replace import clone_replace
        from pytensor.graph.traversal import graph_inputs

        if not outputs:
            return lambda data, values: []
        found = [v for v in graph_inputs(outputs) if v not in self.inputs and self._is_data(v)]
        for variable in dict.fromkeys(found):
            name = f"data_{len(self.data)}"
            self.data[name] = _constant(variable)
            self.inputs[variable] = variable.type(name=name)
        replaced = clone_replace(list(outputs), self.inputs, rebuild_strict=False)
        used = list(self.data)
        function = _bridge_to_jax()(inputs=[*inputs, *self.inputs.values()], outputs=replaced)

        def call(data: Data, values: Sequence[Array]) -> Sequence[Array]:
            return function(*map(jnp.asarray, values), *(jnp.asarray(data[name]) for name in used))

        return call

    def _is_data(self, variable: Any) -> bool:
        """Observations, `pm.Data` and arrays of floats; whole numbers may be shapes and stay constants."""
        if hasattr(variable, "get_value"):
            return variable.type.ndim > 0
        if np.ndim(getattr(variable, "data", 0)) == 0:
            return False
        is_observed = any(variable is self.model.rvs_to_values[rv] for rv in self.model.observed_RVs)
        return is_observed or np.asarray(variable.data).dtype.kind == "f"


@cache
def _bridge_to_jax() -> Callable[..., Any]:
    """PyTensor's function that turns graphs into JAX.

    Its first import changes JAX's precision for the whole process. A thread of its own sees the user's
    setting, whatever context we are in, and puts it back.
    """

    def load() -> Callable[..., Any]:
        before = getattr(jax.config, "jax_enable_x64")  # noqa: B009 - the name is made at run time
        from pymc.sampling.jax import get_jaxified_graph

        jax.config.update("jax_enable_x64", before)
        return get_jaxified_graph

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(load).result()


def _constant(variable: Any) -> np.ndarray:
    """The value of a constant, of a shared variable or of a graph of them."""
    return np.asarray(variable.get_value() if hasattr(variable, "get_value") else variable.eval())


def _digest(traced: Sequence[Any]) -> str:
    """What traced functions compute, as a short text."""
    digest = hashlib.sha256()
    for one in traced:
        digest.update(str(one).encode())
        for constant in one.consts:
            digest.update(np.asarray(constant).tobytes())
    return digest.hexdigest()
