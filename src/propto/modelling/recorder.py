"""The recorder of a generative model: what happens at every declaration while the function runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from numbers import Integral
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.extend.core import get_opaque_trace_state
from jaxtyping import Array, Float

from propto.errors import ModelError, NameMismatchError, ProptoError, ShapeError
from propto.modelling.sites import Deterministic, Site
from propto.names import check_variable_name
from propto.programs import Values
from propto.words import calling_line, with_line


class Recorder:
    """Runs a model function; ``choose`` says which value each variable takes."""

    def __init__(
        self,
        choose: Callable[[Site], Any],
        sizes: Mapping[str, int],
        known_shapes: Mapping[str, tuple[int, ...]],
    ) -> None:
        self.choose = choose
        self.sizes: dict[str, int] = dict(sizes)
        self.known_shapes = known_shapes
        self.sites: dict[str, Site] = {}
        self.values: Values = {}
        self.deterministics: dict[str, Deterministic] = {}
        self.factors: dict[str, Array] = {}
        self.lines: dict[str, str] = {}
        self.scope: Any = get_opaque_trace_state()

    def run(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Recorder:
        """Call the model function once, with this recorder listening; its errors tell the user's line."""
        token = _listening.set(self)
        try:
            function(*args, **kwargs)
        except ProptoError as error:
            raise with_line(error) from error
        finally:
            _listening.reset(token)
        return self

    def visit(
        self, name: str, distribution: Any, dims: tuple[str, ...] | None, shape: tuple[int, ...] | None
    ) -> Any:
        """Meet one random variable: settle its shape, choose its value."""
        self._enter(name)
        whole = self._shape(name, distribution, dims, shape)
        site = Site(name, distribution, whole, dims or ())
        self.sites[name] = site
        try:
            self.values[name] = self.choose(site)
        except ProptoError as error:
            raise type(error)(f"{name!r}: {error}") from error
        return self.values[name]

    def note(self, name: str, value: Any, dims: tuple[str, ...] | None) -> Any:
        """Meet a deterministic value."""
        self._enter(name)
        array = _number_or_array(name, value)
        if dims is not None and len(dims) != array.ndim:
            raise ShapeError(f"{name!r} has shape {array.shape}, but {len(dims)} dims: {dims}")
        self._settle(name, dims or (), array.shape)
        self.deterministics[name] = Deterministic(array, dims or ())
        return value

    def weigh(self, name: str, log_term: Any) -> None:
        """Meet a factor of the density."""
        self._enter(name)
        term = _number_or_array(name, log_term)
        if term.shape:
            raise ShapeError(f"the factor {name!r} has shape {term.shape}, expected one number: sum over it")
        self.factors[name] = term

    def log_terms(self) -> Values:
        """Log density of every variable met, elementwise, and the factors."""
        of_sites = {name: site.log_prob(self.values[name]) for name, site in self.sites.items()}
        return {**of_sites, **self.factors}

    def log_density(self) -> Float[Array, ""]:
        """Log density of all variables met."""
        total = jnp.zeros((), jnp.result_type(float))
        for terms in self.log_terms().values():
            total += jnp.sum(terms)
        return total

    def _enter(self, name: str) -> None:
        if get_opaque_trace_state() != self.scope:
            raise ModelError(
                f"{name!r} is declared inside of a function that JAX transforms (vmap, scan, cond, jit): "
                "declare it outside, with shape=... or dims=... for many of a kind"
            )
        if name in self.lines:
            raise NameMismatchError(f"{name!r} is declared twice; names must differ")
        self.lines[name] = calling_line()

    def _settle(self, name: str, dims: tuple[str, ...], shape: tuple[int, ...]) -> None:
        """Note the lengths of axes; those met before must agree."""
        for axis, length in zip(dims, shape, strict=bool(dims)):
            if self.sizes.setdefault(axis, length) != length:
                raise ShapeError(
                    f"{name!r} has length {length} along {axis!r}, which has length {self.sizes[axis]}"
                )

    def _shape(
        self, name: str, d: Any, dims: tuple[str, ...] | None, shape: tuple[int, ...] | None
    ) -> tuple[int, ...]:
        natural = tuple(d.batch_shape) + tuple(d.event_shape)
        known = self.known_shapes.get(name, natural)
        if dims is None:
            wanted = known if shape is None else shape
        elif all(axis in self.sizes for axis in dims):
            wanted = tuple(self.sizes[axis] for axis in dims)
        elif len(dims) == len(known):
            wanted = known
        else:
            unknown = next(axis for axis in dims if axis not in self.sizes)
            raise ShapeError(
                f"{name!r} has the dim {unknown!r}, whose length is not known: give it in coords"
            )
        if dims is not None and len(dims) != len(wanted):
            raise ShapeError(f"{name!r} has shape {wanted}, but {len(dims)} dims: {dims}")
        self._settle(name, dims or (), wanted if dims else ())
        if not _fits(natural, wanted, len(d.event_shape)):
            raise ShapeError(
                f"{name!r}: its distribution has shape {natural}, which does not broadcast to "
                f"{wanted}{_add_axis(natural, wanted)}"
            )
        return wanted


_listening: ContextVar[Recorder | None] = ContextVar("propto_recorder", default=None)


def rv(
    name: str,
    distribution: Any,
    *,
    dims: str | Sequence[str] | None = None,
    shape: int | Sequence[int] | None = None,
) -> Any:
    """Declare a random variable inside a model function, and get its value.

    Parameters
    ----------
    name
        Name of the variable; the names of one model differ.
    distribution
        One of `propto.distributions`, or of ``numpyro.distributions``.
    dims
        Names of the axes. Their lengths come from the model's ``coords``, or from the parameters.
    shape
        Shape, where there are no dims and the parameters do not give it.

    Returns
    -------
    Array
        The value: a draw, an observation or a parameter, as the model is being used.

    Raises
    ------
    ModelError
        Called outside a model function.
    NameMismatchError, ShapeError
        The name is taken, or the shape does not fit.

    Examples
    --------
    >>> import propto as pp
    >>> def coin(n):
    ...     p = pp.rv("p", pp.Beta(1, 1))
    ...     pp.rv("heads", pp.Binomial(n, p))
    >>> pp.Model(coin, 10).given(heads=7)
    Density(p; d=1)
    """
    recorder = _recorder("rv", name)
    if isinstance(distribution, type) or not hasattr(distribution, "log_prob"):
        raise ModelError(f"{name!r} needs a distribution such as pp.Normal(0, 1); got {distribution!r}")
    if dims is not None and shape is not None:
        raise ModelError(f"{name!r}: give dims or shape, not both")
    return recorder.visit(name, distribution, _as_tuple(dims), _as_tuple(shape))


def det(name: str, value: Any, *, dims: str | Sequence[str] | None = None) -> Any:
    """Name a value that follows from the variables, so that the fit has it.

    It is computed once, from the draws, and costs nothing while sampling.

    Parameters
    ----------
    name
        Its name in the fit.
    value
        A number or an array.
    dims
        Names of its axes.

    Returns
    -------
    Array
        The value, as it came.

    Raises
    ------
    ModelError
        Called outside a model function, or the value is no number.
    NameMismatchError, ShapeError
        The name is taken, or the dims do not fit.

    Examples
    --------
    >>> import propto as pp
    >>> def schools(std_estimate):
    ...     sigma = pp.rv("sigma", pp.HalfNormal(10))
    ...     t = pp.rv("t", pp.Normal(0, sigma), shape=3)
    ...     pp.det("shrinkage", std_estimate**2 / (std_estimate**2 + sigma**2))
    ...     pp.rv("y", pp.Normal(t, std_estimate))
    >>> pp.Model(schools, [15.0, 10.0, 16.0]).simulate(4)["shrinkage"].shape
    (4, 3)
    """
    return _recorder("det", name).note(name, value, _as_tuple(dims))


def factor(name: str, log_term: Any) -> None:
    """Multiply the density by exp(log_term): a soft constraint, or a likelihood that has no name.

    Forward simulation knows nothing of it.

    Parameters
    ----------
    name
        Its name, in the explanation of a density that is 0 or undefined.
    log_term
        One number.

    Raises
    ------
    ModelError, ShapeError
        Called outside a model function, or the term is not one number.

    Examples
    --------
    >>> import propto as pp
    >>> def model():
    ...     x = pp.rv("x", pp.Normal(0, 1), shape=2)
    ...     pp.factor("close together", -50 * (x[0] - x[1]) ** 2)
    >>> round(pp.Model(model).given().log_density(x=[0.0, 0.1]), 3)
    -2.343
    """
    _recorder("factor", name).weigh(name, log_term)


def _recorder(word: str, name: Any) -> Recorder:
    """Who listens to a declaration with a good name."""
    recorder = _listening.get()
    if recorder is None:
        raise ModelError(
            f"pp.{word}({name!r}, ...) was called outside a model; wrap the function: pp.Model(function, ...)"
        )
    if not isinstance(name, str):
        raise ModelError(f"the first argument of pp.{word} is a name, a string; got {name!r}")
    check_variable_name(name)
    return recorder


def _number_or_array(name: str, value: Any) -> Array:
    try:
        return jnp.asarray(value, jnp.result_type(float))
    except (TypeError, ValueError):
        raise ModelError(f"{name!r} must be a number or an array of numbers, got {value!r}") from None


def _as_tuple(axes: Any) -> tuple[Any, ...] | None:
    return axes if axes is None else (axes,) if isinstance(axes, (str, Integral)) else tuple(axes)


def _fits(natural: tuple[int, ...], wanted: tuple[int, ...], event_ndim: int) -> bool:
    """Whether parameters of the natural shape broadcast to the wanted one; event axes must be equal."""
    batch, event = len(natural) - event_ndim, len(wanted) - event_ndim
    if event < 0 or natural[batch:] != wanted[event:]:
        return False
    try:
        return np.broadcast_shapes(natural[:batch], wanted[:event]) == wanted[:event]
    except ValueError:
        return False


def _add_axis(natural: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """The mend, where the parameters only lack axes at the end."""
    missing = len(wanted) - len(natural)
    if missing < 1 or not natural or wanted[: len(natural)] != natural:
        return ""
    return f"; give its parameters an axis at the end: x[:{', None' * missing}]"
