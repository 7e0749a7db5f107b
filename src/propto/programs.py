"""The function part of a density: what is compiled once and then fed with any data of the same shape."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from math import prod
from typing import Any, ClassVar, Protocol
from weakref import WeakValueDictionary

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, jaxpr_as_fun
from jaxtyping import Array, Float

from propto.errors import DensityError, ProptoError, ShapeError
from propto.supports import Support

Values = dict[str, Any]
Data = Any  # any pytree of arrays

# How the term of a variable's support is called among the terms of a density.
SUPPORT_OF = "support of "


class Program(Protocol):
    """A hashable log density over named variables; equal programs share their compiled code.

    Data are an argument of every method, never a part of the program.
    """

    def __hash__(self) -> int: ...

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every variable, in the order of their places in the position q."""

    @property
    def dim(self) -> int:
        """Dimension d of unconstrained space."""

    @property
    def has_gradient(self) -> bool:
        """Whether JAX can differentiate the density."""

    @property
    def is_log(self) -> bool:
        """False where the user gave the proportion itself, so that only numbers >= 0 are legal."""

    def log_density_at(self, data: Data, q: Float[Array, " dim"]) -> Float[Array, ""]:
        """Log density of the position q, with the log-determinant of the map to the variables."""

    def log_density(self, data: Data, values: Values) -> Float[Array, ""]:
        """Log density of the variables themselves."""

    @property
    def layers(self) -> np.ndarray:
        """Which elements of q belong to a location-scale layer, whose centring can be chosen; shape (d,)."""

    def uncentre(self, data: Data, x: Any, centring: Any) -> tuple[Any, Any]:
        """The position q at x, coordinates with other shares of centring, and the log-determinant of q(x)."""

    def centre(self, data: Data, q: Any, centring: Any) -> Any:
        """The coordinates x of a position q; the inverse of `uncentre`."""

    def constrain(self, data: Data, q: Float[Array, " dim"]) -> Values:
        """The variables at position q."""

    def unconstrain(self, data: Data, values: Values) -> Float[Array, " dim"]:
        """The position of the given variables."""

    def terms(self, data: Data, values: Values) -> Values:
        """The additive terms of the log density by name, each elementwise."""

    def raising(self) -> AbstractContextManager[None]:
        """Raise what the user's function raises inside compiled code that is run within."""

    def marked(self, mark: str) -> Program:
        """The same program, known to compute what ``mark`` stands for (see `mark_of`)."""


def mark_of(program: Program, data: Data) -> str:
    """What a program computes at this moment, as a short text.

    A Python function may read variables from outside, and compiled code keeps the values that it met there.
    Programs with different marks share no compiled code, so that a changed variable is never overlooked.
    """
    return _mark(program, data, str)


def lasting_mark_of(program: Program, data: Data) -> str:
    """`mark_of` as another process would find it too: Python objects in it have no address.

    The program has to carry its mark, because what was found once is not looked for again.
    """
    leaves, structure = jax.tree.flatten(data)
    return _lasting_mark(program, structure, tuple(map(jax.typeof, leaves)))


@lru_cache(maxsize=64)
def _lasting_mark(program: Program, structure: Any, types: tuple[Any, ...]) -> str:
    data = jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in types])
    return _mark(program, data, lambda traced: re.sub(r"0x[0-9a-f]+", "", str(traced)))


def _mark(program: Program, data: Data, text: Callable[[Any], str]) -> str:
    if not program.has_gradient:  # Python itself runs the function, every time
        return ""
    q = jax.ShapeDtypeStruct((program.dim,), jnp.result_type(float))
    traced = jax.make_jaxpr(lambda data, q: program.log_density_at(data, q))(data, q)
    digest = hashlib.sha256(text(traced).encode())
    for constant in _constants(traced):
        is_key = jnp.issubdtype(constant.dtype, jax.dtypes.prng_key)
        digest.update(np.asarray(jax.random.key_data(constant) if is_key else constant).tobytes())
    return digest.hexdigest()


def _constants(traced: ClosedJaxpr | Jaxpr) -> Iterator[Any]:
    """The arrays that a traced function holds, at any depth."""
    yield from getattr(traced, "consts", ())
    for equation in traced.eqns:
        for part in jax.tree.leaves(list(equation.params.values())):
            if isinstance(part, (ClosedJaxpr, Jaxpr)):
                yield from _constants(part)


def run_traced(function: Callable[..., Any], *args: Any) -> Any:
    """Run a function as compiled code does: its Python code meets no values, and so cannot object to any."""
    traced, result = jax.make_jaxpr(lambda *args: function(*args), return_shape=True)(*args)
    leaves = jaxpr_as_fun(traced)(*jax.tree.leaves(args))
    return jax.tree.unflatten(jax.tree.structure(result), leaves)


class HostFunction:
    """A plain Python callable that compiled code may call; what it raises comes out of `raising`.

    There is one for every callable, so that a program shared by several densities reports to all of them.
    """

    _known: ClassVar[WeakValueDictionary[Callable[..., Any], HostFunction]] = WeakValueDictionary()

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.failures = 0
        self.last: BaseException = Exception()

    @classmethod
    def of(cls, function: Callable[..., Any]) -> HostFunction:
        """The one of this callable."""
        return cls._known.get(function) or cls._known.setdefault(function, cls(function))

    def __reduce__(self) -> tuple[Any, ...]:
        return HostFunction.of, (self.function,)

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Raise what the function raises within."""
        before = self.failures
        yield
        if self.failures > before:
            error = self.last
            if isinstance(error, ProptoError) or not isinstance(error, Exception):
                raise error
            raise DensityError(f"the density function raised {type(error).__name__}: {error}") from error

    def __call__(self, **values: Array) -> Float[Array, ""]:
        shapes = {name: (value.ndim, value.dtype) for name, value in values.items()}
        words = {name: to_words(value) for name, value in values.items()}
        result = jax.ShapeDtypeStruct((2,), jnp.uint32)
        log_p = jax.pure_callback(partial(self._batch, shapes), result, words, vmap_method="expand_dims")
        return jax.lax.bitcast_convert_type(log_p, jnp.float64)

    def _batch(self, shapes: Mapping[str, tuple[int, Any]], words: Values) -> np.ndarray:
        """Call the function for each element of the leading axis, which is there under vmap only."""
        values = {name: from_words(np.asarray(word), shapes[name][1]) for name, word in words.items()}
        is_one = all(value.ndim == shapes[name][0] for name, value in values.items())
        rows = [values] if is_one else _rows(values)
        log_p = np.full(len(rows), np.nan)
        try:
            with jax.enable_x64(True):  # should the function itself use JAX
                for i, row in enumerate(rows):
                    log_p[i] = _one_number(self.function(**row))
        except BaseException as error:  # an interrupt, too: JAX would turn it into an error of its own
            self.last = error
            self.failures += 1
        return log_p.view(np.uint32).reshape((2,) if is_one else (-1, 2))


def _rows(values: Values) -> list[Values]:
    """The elements along the leading axes, which are of one length or, where nothing varies, of length 1."""
    n = max(len(value) for value in values.values())
    return [{name: v[i if len(v) == n else 0] for name, v in values.items()} for i in range(n)]


def _one_number(result: Any) -> float:
    try:
        return float(np.asarray(result).item())
    except (TypeError, ValueError):
        raise ShapeError(f"the density function returned {result!r}, expected one number") from None


# JAX hands arrays to callbacks on threads of its own, where the caller's setting for 64-bit numbers does not
# hold and doubles would be rounded. As pairs of 32-bit words they pass unharmed.
def to_words(value: Array) -> Array:
    """Doubles as pairs of 32-bit words."""
    return jax.lax.bitcast_convert_type(value, jnp.uint32) if value.dtype.itemsize == 8 else value


def from_words(words: np.ndarray, dtype: Any) -> np.ndarray:
    """Values of this type from their words."""
    if np.dtype(dtype).itemsize != 8:
        return words
    return np.ascontiguousarray(words).view(dtype)[..., 0][()]


@dataclass(frozen=True)
class FunctionProgram:
    """A density written as one function of its named variables and data.

    Parameters
    ----------
    log_p
        The function, called with variables and data as keyword arguments.
    supports
        Pairs of a variable's name and its support.
    is_log
        Whether the function returns log p (otherwise p itself).
    mark
        What the function computes, where that is known.
    """

    log_p: Callable[..., Any]
    supports: tuple[tuple[str, Support], ...]
    is_log: bool = True
    mark: str = ""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: support.shape for name, support in self.supports}

    @property
    def dim(self) -> int:
        return sum(prod(support.unconstrained_shape) for _, support in self.supports)

    @property
    def has_gradient(self) -> bool:
        return not isinstance(self.log_p, HostFunction)

    def log_density(self, data: Data, values: Values) -> Float[Array, ""]:
        inside = jnp.array(True)
        for name, support in self.supports:
            inside &= support.contains(values[name])
        return jnp.where(inside, self._log_p(data, values), -jnp.inf)

    def _log_p(self, data: Data, values: Values) -> Float[Array, ""]:
        p = jnp.asarray(self.log_p(**values, **data), jnp.result_type(float))
        if self.is_log:
            return p
        # A negative proportion has no logarithm: NaN marks it, and whoever runs the density reports it.
        return jnp.where(
            p > 0,
            jnp.log(jnp.where(p > 0, p, 1.0)),
            jnp.where(p == 0, -jnp.inf, jnp.nan),
        )

    def log_density_at(self, data: Data, q: Float[Array, " dim"]) -> Float[Array, ""]:
        values, log_det = self._forward(q)
        return self._log_p(data, values) + log_det

    @property
    def layers(self) -> np.ndarray:
        return np.zeros(self.dim, bool)  # a plain function shows none

    def uncentre(self, data: Data, x: Any, centring: Any) -> tuple[Any, Any]:
        return x, jnp.zeros((), x.dtype)

    def centre(self, data: Data, q: Any, centring: Any) -> Any:
        return q

    def constrain(self, data: Data, q: Float[Array, " dim"]) -> Values:
        return self._forward(q)[0]

    def _forward(self, q: Float[Array, " dim"]) -> tuple[Values, Float[Array, ""]]:
        values, total, start = {}, jnp.zeros((), q.dtype), 0
        for name, support in self.supports:
            size = prod(support.unconstrained_shape)
            z = q[start : start + size].reshape(support.unconstrained_shape)
            values[name], log_det = support.forward_and_log_det(z)
            total, start = total + log_det, start + size
        return values, total

    def unconstrain(self, data: Data, values: Values) -> Float[Array, " dim"]:
        parts = [
            jnp.ravel(support.inverse(jnp.asarray(values[name], float))) for name, support in self.supports
        ]
        return jnp.concatenate(parts) if parts else jnp.zeros(0)

    def terms(self, data: Data, values: Values) -> Values:
        outside = {
            SUPPORT_OF + name: jnp.where(support.inside(values[name]), 0.0, -jnp.inf)
            for name, support in self.supports
        }
        return {**outside, "log_p": self._log_p(data, values)}

    def raising(self) -> AbstractContextManager[None]:
        return self.log_p.raising() if isinstance(self.log_p, HostFunction) else nullcontext()

    def marked(self, mark: str) -> Program:
        return replace(self, mark=mark)
