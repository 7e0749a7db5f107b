"""Supports in which every element is free of the others: lines, half lines, intervals, whole numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from propto.errors import ShapeError
from propto.supports.base import Support, bounded_exp, no_map
from propto.supports.checks import (
    Limit,
    Parameter,
    Shape,
    as_float,
    as_shape,
    broadcast_shape,
    is_traced,
    require,
    require_order,
)

BOUND = Limit(np.isfinite, "a finite number", "For a set without this end use above, below or real.")


@dataclass(frozen=True, kw_only=True)
class Real(Support):
    """The finite real numbers: x = z."""

    def at(self, places: Array) -> Support:
        return real(places.shape)

    def _forward(self, z: Array) -> tuple[Array, Array]:
        return z, jnp.zeros((), z.dtype)

    def _inverse(self, x: Array) -> Array:
        return x

    def _inside(self, x: Array) -> Array:
        return jnp.isfinite(x)


@dataclass(frozen=True, kw_only=True)
class HalfLine(Support):
    """The numbers on one side of a bound: x = bound + side · exp(z), side = 1 (above) or −1 (below)."""

    bound: Parameter
    side: int
    closed: bool  # whether the bound itself belongs

    def __post_init__(self) -> None:
        require("half line", "bound", self.bound, BOUND)
        _require_fit(self.shape, bound=self.bound)

    def at(self, places: Array) -> Support:
        return replace(self, bound=_some(self.bound, self.shape, places), shape=places.shape)

    def _forward(self, z: Array) -> tuple[Array, Array]:
        bound = as_float(self.bound)
        distance = jnp.maximum(bounded_exp(z), _margin(bound, z))
        return bound + self.side * distance, jnp.sum(z)

    def _inverse(self, x: Array) -> Array:
        return jnp.log(self.side * (x - as_float(self.bound)))

    def _inside(self, x: Array) -> Array:
        distance = self.side * (x - as_float(self.bound))
        return jnp.isfinite(x) & ((distance >= 0) if self.closed else (distance > 0))


@dataclass(frozen=True, kw_only=True)
class Interval(Support):
    """The numbers between two bounds, bounds included: x = lower + (upper − lower) / (1 + exp(−z))."""

    lower: Parameter
    upper: Parameter

    def __post_init__(self) -> None:
        require("interval", "lower", self.lower, BOUND)
        require("interval", "upper", self.upper, BOUND)
        require_order("interval", "lower", self.lower, "upper", self.upper)
        _require_fit(self.shape, lower=self.lower, upper=self.upper)

    def at(self, places: Array) -> Support:
        lower, upper = (_some(bound, self.shape, places) for bound in (self.lower, self.upper))
        return replace(self, lower=lower, upper=upper, shape=places.shape)

    def _forward(self, z: Array) -> tuple[Array, Array]:
        lower, upper = as_float(self.lower), as_float(self.upper)
        width = upper - lower
        # Each half is measured from its own end, so that no digits are lost near either.
        from_lower = lower + width * jax.nn.sigmoid(z)
        from_upper = upper - width * jax.nn.sigmoid(-z)
        x = jnp.where(z < 0, from_lower, from_upper)
        x = jnp.clip(x, lower + _margin(lower, z), upper - _margin(upper, z))
        return x, jnp.sum(jnp.log(width) + z - 2 * jax.nn.softplus(z))

    def _inverse(self, x: Array) -> Array:
        return jnp.log(x - as_float(self.lower)) - jnp.log(as_float(self.upper) - x)

    def _inside(self, x: Array) -> Array:
        return _between(self.lower, x, self.upper)


@dataclass(frozen=True, kw_only=True)
class Integers(Support):
    """The whole numbers from ``lower`` to ``upper``, both included; they have no map from R^d."""

    lower: Parameter
    upper: Parameter
    is_discrete: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _require_fit(self.shape, lower=self.lower, upper=self.upper)

    def _forward(self, z: Array) -> tuple[Array, Array]:
        raise no_map("whole numbers")

    def _inverse(self, x: Array) -> Array:
        raise no_map("whole numbers")

    def _inside(self, x: Array) -> Array:
        return _between(self.lower, x, self.upper) & (jnp.floor(x) == x) & jnp.isfinite(x)


@dataclass(frozen=True, kw_only=True)
class Censoring(Support):
    """The numbers between two ends that have probabilities of their own: no map from R^d."""

    lower: Parameter
    upper: Parameter
    is_discrete: ClassVar[bool] = True

    def _forward(self, z: Array) -> tuple[Array, Array]:
        raise no_map("censored values")

    def _inverse(self, x: Array) -> Array:
        raise no_map("censored values")

    def _inside(self, x: Array) -> Array:
        return _between(self.lower, x, self.upper) & jnp.isfinite(x)


def ends_of(support: Support) -> tuple[Any, Any]:
    """The lowest and the highest value of a set of numbers, infinite where there is none."""
    if isinstance(support, HalfLine):
        return (support.bound, math.inf) if support.side == 1 else (-math.inf, support.bound)
    if isinstance(support, (Interval, Integers, Censoring)):
        return as_float(support.lower), as_float(support.upper)
    return -math.inf, math.inf


def with_ends(low: Any, high: Any, shape: tuple[int, ...], is_discrete: bool) -> Support:
    """The numbers, or the whole numbers, between two ends that may be infinite."""
    if is_discrete:
        return integer_interval(low, high, shape)
    has_low, has_high = (is_traced(end) or bool(np.all(np.isfinite(end))) for end in (low, high))
    if has_low and has_high:
        return interval(low, high, shape)
    return replace(above(low, shape) if has_low else below(high, shape), closed=True)


def between(low: Any, high: Any, shape: tuple[int, ...]) -> Censoring:
    """The values that a censored observation can have; None for no end."""
    lower = -math.inf if low is None else _bound(low)
    return Censoring(lower=lower, upper=math.inf if high is None else _bound(high), shape=shape)


def real(shape: Shape = ()) -> Real:
    """Real numbers.

    Parameters
    ----------
    shape
        Shape of the value; ``8`` means ``(8,)``, and nothing means a single number.

    Examples
    --------
    >>> real(8).shape
    (8,)
    """
    return Real(shape=as_shape(shape))


def positive(shape: Shape = ()) -> HalfLine:
    """Numbers above zero, from R by exp.

    Parameters
    ----------
    shape
        Shape of the value.

    Examples
    --------
    >>> bool(positive().contains(0.0))
    False
    """
    return above(0.0, shape)


def nonnegative(shape: Shape = ()) -> HalfLine:
    """Zero and the numbers above it, from R by exp.

    Parameters
    ----------
    shape
        Shape of the value.

    Examples
    --------
    >>> bool(nonnegative().contains(0.0))
    True
    """
    return HalfLine(bound=0.0, side=1, closed=True, shape=as_shape(shape))


def above(lower: Parameter, shape: Shape | None = None) -> HalfLine:
    """Numbers above a bound: x = lower + exp(z).

    Parameters
    ----------
    lower
        The bound, itself outside; a number, or an array that broadcasts to ``shape``.
    shape
        Shape of the value; that of the bound if not given.

    Examples
    --------
    >>> x, log_det = above(2.0).forward_and_log_det(0.0)
    >>> float(x), float(log_det)
    (3.0, 0.0)
    """
    return HalfLine(bound=_bound(lower), side=1, closed=False, shape=_shape(shape, lower))


def below(upper: Parameter, shape: Shape | None = None) -> HalfLine:
    """Numbers below a bound: x = upper − exp(z).

    Parameters
    ----------
    upper
        The bound, itself outside; a number, or an array that broadcasts to ``shape``.
    shape
        Shape of the value; that of the bound if not given.

    Examples
    --------
    >>> float(below(2.0).inverse(1.0))
    0.0
    """
    return HalfLine(bound=_bound(upper), side=-1, closed=False, shape=_shape(shape, upper))


def interval(lower: Parameter, upper: Parameter, shape: Shape | None = None) -> Interval:
    """Numbers between two bounds, bounds included: x = lower + (upper − lower) / (1 + exp(−z)).

    Parameters
    ----------
    lower, upper
        The bounds, lower < upper; numbers, or arrays that broadcast to ``shape``.
    shape
        Shape of the value; that of the bounds if not given.

    Raises
    ------
    ParameterError
        If a known bound is not finite, or the lower one is not below the upper one.

    Examples
    --------
    >>> sigma = interval(0, 100)
    >>> float(sigma.forward_and_log_det(0.0)[0])
    50.0
    """
    return Interval(lower=_bound(lower), upper=_bound(upper), shape=_shape(shape, lower, upper))


def unit_interval(shape: Shape = ()) -> Interval:
    """Numbers from 0 to 1, such as probabilities, from R by the logistic function.

    Parameters
    ----------
    shape
        Shape of the value.

    Examples
    --------
    >>> bool(unit_interval(2).contains([0.2, 1.5]))
    False
    """
    return interval(0.0, 1.0, shape)


def integer_interval(lower: Parameter, upper: Parameter, shape: Shape | None = None) -> Integers:
    """Whole numbers from one bound to another, both included. Discrete.

    Parameters
    ----------
    lower, upper
        The bounds; numbers, or arrays that broadcast to ``shape``.
    shape
        Shape of the value; that of the bounds if not given.

    Examples
    --------
    >>> bool(integer_interval(1, 6).contains(2.5))
    False
    """
    return Integers(lower=_bound(lower), upper=_bound(upper), shape=_shape(shape, lower, upper))


def nonnegative_integer(shape: Shape = ()) -> Integers:
    """Whole numbers from 0 up, such as counts. Discrete.

    Parameters
    ----------
    shape
        Shape of the value.

    Examples
    --------
    >>> nonnegative_integer(3).is_discrete
    True
    """
    return integer_interval(0.0, math.inf, shape)


def boolean(shape: Shape = ()) -> Integers:
    """The two values 0 and 1. Discrete.

    Parameters
    ----------
    shape
        Shape of the value.

    Examples
    --------
    >>> bool(boolean().contains(True))
    True
    """
    return integer_interval(0.0, 1.0, shape)


def _bound(value: Parameter) -> Any:
    """A known bound as a float or as nested tuples of floats, so that the support is hashable."""
    bound = as_float(value)
    return bound if is_traced(bound) else _frozen(np.asarray(bound).tolist())


def _frozen(nested: Any) -> Any:
    return tuple(map(_frozen, nested)) if isinstance(nested, list) else nested


def _some(bound: Parameter, shape: tuple[int, ...], places: Array) -> Any:
    """The bounds of some elements."""
    if np.ndim(bound) == 0:
        return bound
    return jnp.ravel(jnp.broadcast_to(jnp.asarray(as_float(bound)), shape))[places]


def _between(lower: Parameter, x: Array, upper: Parameter) -> Array:
    return (x >= as_float(lower)) & (x <= as_float(upper))


def _shape(shape: Shape | None, *bounds: Parameter) -> tuple[int, ...]:
    if shape is not None:
        return as_shape(shape)
    return broadcast_shape("bounds", {f"bound {i + 1}": np.shape(bound) for i, bound in enumerate(bounds)})


def _require_fit(shape: tuple[int, ...], **bounds: Parameter) -> None:
    """Refuse bounds that would make the value larger than its shape."""
    shapes = {name: np.shape(bound) for name, bound in bounds.items()}
    if broadcast_shape("support", {**shapes, "value": shape}) != shape:
        listed = ", ".join(f"{name} {bound_shape}" for name, bound_shape in shapes.items())
        raise ShapeError(f"support: bounds of shape {listed} do not fit a value of shape {shape}.")


def _margin(bound: Parameter, z: Array) -> Array:
    """A step that is just large enough to leave a bound in floating point."""
    limits = jnp.finfo(jnp.result_type(bound, z))
    return jnp.maximum(limits.eps * jnp.abs(bound), limits.tiny)
