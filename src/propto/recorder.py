"""The recorder of a generative model: what happens at every random variable while the function runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from math import prod
from numbers import Integral
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.extend.core import get_opaque_trace_state
from jaxtyping import Array, Float

from propto.distributions import Distribution
from propto.errors import ModelError, NameMismatchError, ProptoError, ShapeError
from propto.names import check_variable_name
from propto.programs import Values
from propto.supports import Support, as_support
from propto.supports.elements import Real


@dataclass(frozen=True)
class Site:
    """One random variable as the recorder meets it while the model function runs."""

    name: str
    distribution: Any
    shape: tuple[int, ...]
    dims: tuple[str, ...]

    @property
    def support(self) -> Support:
        """Support of the variable, in its full shape."""
        return as_support(self.distribution.support, self.shape)

    @property
    def dtype(self) -> type:
        """Integer where the variable is discrete, else float."""
        return int if self.support.is_discrete else float

    def variable(self) -> Variable:
        """What is known of the variable however its distribution's parameters turn out."""
        support = self.support
        free_shape = None if support.is_discrete else tuple(support.unconstrained_shape)
        return Variable(self.name, type(self.distribution).__name__, self.shape, self.dims, free_shape)

    def location_scale(self) -> tuple[Array, Array] | None:
        """Location and scale of the variable's position, in its shape; None where it has none."""
        d, family = self.distribution, type(self.distribution).__name__
        if d.event_shape or not (isinstance(self.support, Real) or family == "LogNormal"):
            return None
        if not (hasattr(d, "loc") and hasattr(d, "scale")):
            return None
        return jnp.broadcast_to(d.loc, self.shape), jnp.broadcast_to(d.scale, self.shape)

    def layer(self) -> tuple[Array, Array]:
        """Location and scale of a variable that has them."""
        pair = self.location_scale()
        assert pair is not None
        return pair

    def log_prob(self, value: Array) -> Array:
        """Log density, elementwise; minus infinity outside the support, whosever distribution it is."""
        log_prob = self.distribution.log_prob(value)
        if isinstance(self.distribution, Distribution):
            return log_prob

        def of_events(elements: Array, combine: Any) -> Array:
            return combine(elements, axis=tuple(range(log_prob.ndim, elements.ndim)))

        inside = of_events(self.support.inside(value), jnp.all)
        is_nan = of_events(jnp.isnan(value), jnp.any)
        return jnp.where(inside, log_prob, jnp.where(is_nan, jnp.nan, -jnp.inf))

    def sample(self, key: Array) -> Array:
        """A draw of the full shape, independent along the axes that the parameters do not have."""
        d = self.distribution
        batch = self.shape[: len(self.shape) - len(d.event_shape)]
        own = (1,) * (len(batch) - len(d.batch_shape)) + tuple(d.batch_shape)
        copies = tuple(n if m == 1 else 1 for n, m in zip(batch, own, strict=True))
        draws = d.sample(key, (prod(copies),)).reshape((*copies, *own, *d.event_shape))
        # Bring every axis of copies beside its own axis of length 1, then join the two.
        order = [
            axis
            for pair in zip(range(len(batch)), range(len(batch), 2 * len(batch)), strict=True)
            for axis in pair
        ]
        rest = range(2 * len(batch), draws.ndim)
        return jnp.transpose(draws, (*order, *rest)).reshape(self.shape)


@dataclass(frozen=True)
class Variable:
    """What does not depend on values in a random variable; ``free_shape`` is None where it is discrete."""

    name: str
    family: str
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    free_shape: tuple[int, ...] | None


class Recorder:
    """Runs a model function; ``choose`` says which value each variable takes."""

    def __init__(
        self,
        choose: Callable[[Site], Any],
        sizes: Mapping[str, int],
        known_shapes: Mapping[str, tuple[int, ...]],
    ) -> None:
        self.choose = choose
        self.sizes = dict(sizes)
        self.known_shapes = known_shapes
        self.sites: dict[str, Site] = {}
        self.values: Values = {}
        self.scope = get_opaque_trace_state()

    def run(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Recorder:
        """Call the model function once, with this recorder listening."""
        token = _listening.set(self)
        try:
            function(*args, **kwargs)
        finally:
            _listening.reset(token)
        return self

    def visit(
        self, name: str, distribution: Any, dims: tuple[str, ...] | None, shape: tuple[int, ...] | None
    ) -> Any:
        """Meet one random variable: settle its shape, choose its value."""
        if get_opaque_trace_state() != self.scope:
            raise ModelError(
                f"{name!r} is declared inside of a function that JAX transforms (vmap, scan, cond, jit): "
                "declare it outside, with shape=... or dims=... for many of a kind"
            )
        if name in self.sites:
            raise NameMismatchError(f"two random variables are called {name!r}; names must differ")
        site = Site(name, distribution, self._shape(name, distribution, dims, shape), dims or ())
        self.sites[name] = site
        try:
            self.values[name] = self.choose(site)
        except ProptoError as error:
            raise type(error)(f"{name!r}: {error}") from error
        return self.values[name]

    def log_terms(self) -> Values:
        """Log density of every variable met, elementwise."""
        return {name: site.log_prob(self.values[name]) for name, site in self.sites.items()}

    def log_density(self) -> Float[Array, ""]:
        """Log density of all variables met."""
        total = jnp.zeros((), jnp.result_type(float))
        for terms in self.log_terms().values():
            total += jnp.sum(terms)
        return total

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
        for axis, length in zip(dims or (), wanted, strict=dims is not None):
            if self.sizes.setdefault(axis, length) != length:
                raise ShapeError(
                    f"{name!r} has length {length} along {axis!r}, which has length {self.sizes[axis]}"
                )
        if not _fits(natural, wanted, len(d.event_shape)):
            raise ShapeError(
                f"{name!r}: its distribution has shape {natural}, which does not broadcast to {wanted}"
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
    recorder = _listening.get()
    if recorder is None:
        raise ModelError(
            f"pp.rv({name!r}, ...) was called outside a model; wrap the function: pp.Model(function, ...)"
        )
    if not isinstance(name, str):
        raise ModelError(f"the first argument of pp.rv is the variable's name, a string; got {name!r}")
    check_variable_name(name)
    if isinstance(distribution, type) or not hasattr(distribution, "log_prob"):
        raise ModelError(f"{name!r} needs a distribution such as pp.Normal(0, 1); got {distribution!r}")
    if dims is not None and shape is not None:
        raise ModelError(f"{name!r}: give dims or shape, not both")
    return recorder.visit(name, distribution, _as_tuple(dims), _as_tuple(shape))


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
