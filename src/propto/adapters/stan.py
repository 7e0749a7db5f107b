"""Models written in Stan: its own code gives log density and gradient, called from ours."""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import count
from math import prod
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from propto.adapters.foreign import ForeignDensity, ForeignProgram, Functions
from propto.adapters.host import call_host, on_threads
from propto.adapters.stan_engines import build, choose_engine, read_source, shapes_of, without_model
from propto.density import Density
from propto.names import Coords, Dims
from propto.programs import Values

# Quicker gradients than this, in seconds, are not worth a thread of their own.
WORTH_A_THREAD = 5e-5


def from_stan(
    program: str | Path,
    data: Mapping[str, Any] | None = None,
    *,
    dims: Dims | None = None,
    coords: Coords | None = None,
    engine: str | None = None,
) -> Density:
    """Take a Stan program with its data as a density.

    Stan's own code gives log density and gradient, on all processors. Parameters keep their names and shapes;
    transformed parameters and generated quantities come out with the draws.

    Parameters
    ----------
    program
        The program's text, or the path of a ``.stan`` file.
    data
        Data by name. New data that leave the shapes of all variables as they are compile nothing.
    dims, coords
        Names of the axes of Stan's variables and labels along them, as in xarray.
    engine
        ``"bridgestan"`` (needs a C++ compiler; a minute for a new program, which is then kept on disk) or
        ``"stanli"`` (an interpreter; no compiler, no wait). By default BridgeStan where a compiler and its
        sources are there, else stanli.

    Returns
    -------
    Density
        The posterior, with gradients. Where Stan rejects a point, the density is 0.

    Raises
    ------
    ModelError
        Stan refuses the program or the data; its own words are told.
    MissingExtraError
        The engine is not installed.
    OptionError
        The engine is unknown.

    Examples
    --------
    >>> import propto as pp
    >>> coin = "data { int n, k; } parameters { real<lower=0, upper=1> p; } model { k ~ binomial(n, p); }"
    >>> pp.from_stan(coin, {"n": 10, "k": 7})  # doctest: +SKIP
    Density(p; d=1)
    """
    model = StanModel(read_source(program), dict(data or {}), choose_engine(engine))
    maps = (model.constrain, model.unconstrain, model.derived)
    functions = Functions(_log_density_at, model.log_density, *maps)
    return ForeignDensity(
        ForeignProgram(tuple(model.shapes.items()), model.dim, model.key, functions),
        {"model": np.uint32(model.number)},
        dims=dims or {},
        coords=coords or {},
        observed={},
        derived_shapes=model.derived_shapes,
    )


class StanModel:
    """A Stan program with its data; compiled code knows it by its number, which is all its data."""

    known: ClassVar[WeakValueDictionary[int, StanModel]] = WeakValueDictionary()
    numbers: ClassVar[count[int]] = count()

    def __init__(self, source: str, data: Mapping[str, Any], engine: str) -> None:
        self.source, self.data, self.engine = source, data, engine
        self.model = build(source, data, engine)
        self.dim = self.model.param_unc_num()
        every = shapes_of(self.model.param_names(include_tp=True, include_gq=True))
        self.shapes = shapes_of(self.model.param_names())
        self.derived_shapes = {name: shape for name, shape in every.items() if name not in self.shapes}
        self.key = (hashlib.sha256(source.encode()).hexdigest(), engine, tuple(every.items()))
        self.number = next(self.numbers)
        self.known[self.number] = self
        began = time.perf_counter()
        self.gradient(np.zeros(self.dim))
        self.is_slow = time.perf_counter() - began > WORTH_A_THREAD

    def gradient(self, q: np.ndarray) -> np.ndarray:
        """Log density and gradient in one row."""
        try:
            log_p, gradient = self.model.log_density_gradient(q)
        except RuntimeError:  # Stan rejects the point
            return np.concatenate([[-np.inf], np.zeros(self.dim)])
        return np.concatenate([[log_p], gradient])

    def all_values(self, q: np.ndarray) -> np.ndarray:
        """All variables at a position, flat; random quantities by a seed that the position gives."""
        widths = [sum(map(prod, shapes.values())) for shapes in (self.shapes, self.derived_shapes)]
        try:
            rng = self.model.new_rng(zlib.crc32(q.tobytes()))
            return self.model.param_constrain(q, include_tp=True, include_gq=True, rng=rng)
        except RuntimeError:
            return np.concatenate([self.model.param_constrain(q), np.full(widths[1], np.nan)])

    @cached_property
    def transforms(self) -> StanModel:
        """The same program without its model block: its log density is that of the maps to the variables."""
        return StanModel(without_model(self.source), self.data, self.engine)

    def position(self, values: np.ndarray) -> np.ndarray:
        """The position of flat values and log p of the values; NaN and minus infinity where there is none."""
        try:
            q = self.model.param_unconstrain(np.ascontiguousarray(values))
        except RuntimeError:
            return np.concatenate([[-np.inf], np.full(self.dim, np.nan)])
        log_det = self.transforms.gradient(q)[0]
        return np.concatenate([[self.gradient(q)[0] - log_det], q])

    def constrain(self, data: Any, q: Float[Array, " dim"]) -> Values:
        """The parameters, as `Functions` has it."""
        values = self._everything(data, q)
        return {name: values[name] for name in self.shapes}

    def derived(self, data: Any, values: Values) -> Values:
        """Transformed parameters and generated quantities, as `Functions` has it."""
        found = self._everything(data, self.unconstrain(data, values))
        return {name: found[name] for name in self.derived_shapes}

    def _everything(self, data: Any, q: Float[Array, " dim"]) -> Values:
        shapes = {**self.shapes, **self.derived_shapes}
        flat, values, start = call_host(_values, data["model"], q, sum(map(prod, shapes.values()))), {}, 0
        for name, shape in shapes.items():
            values[name] = flat[start : start + prod(shape)].reshape(shape[::-1]).T
            start += prod(shape)
        return values

    def unconstrain(self, data: Any, values: Values) -> Float[Array, " dim"]:
        """The position, as `Functions` has it."""
        return self._positions(data, values)[1:]

    def log_density(self, data: Any, values: Values) -> Float[Array, ""]:
        """Log density of the variables, as `Functions` has it."""
        return self._positions(data, values)[0]

    def _positions(self, data: Any, values: Values) -> Float[Array, " one_more"]:
        flat = jnp.concatenate([jnp.ravel(jnp.asarray(values[name], float).T) for name in self.shapes])
        return call_host(_positions, data["model"], flat, self.dim + 1)


@jax.custom_vjp
def _log_density_at(data: Any, q: Float[Array, " dim"]) -> Float[Array, ""]:
    return call_host(_gradients, data["model"], q, len(q) + 1)[0]


def _forward(data: Any, q: Float[Array, " dim"]) -> tuple[Array, Array]:
    both = call_host(_gradients, data["model"], q, len(q) + 1)
    return both[0], both[1:]


def _backward(gradient: Array, weight: Array) -> tuple[None, Array]:
    return None, weight * gradient


_log_density_at.defvjp(_forward, _backward)


def _gradients(number: int, q: np.ndarray) -> np.ndarray:
    model = StanModel.known[number]
    return _each(model.gradient, q, model.is_slow)


def _values(number: int, q: np.ndarray) -> np.ndarray:
    return _each(StanModel.known[number].all_values, q, False)


def _positions(number: int, values: np.ndarray) -> np.ndarray:
    return _each(StanModel.known[number].position, values, False)


def _each(function: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, is_slow: bool) -> np.ndarray:
    return on_threads(function, rows) if is_slow else np.stack([function(row) for row in rows])
