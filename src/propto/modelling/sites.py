"""What a model function declares: random variables, deterministic values and factors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.extend.core import Var

from propto.distributions import Distribution
from propto.supports import Support, as_support
from propto.supports.checks import is_traced
from propto.supports.elements import Integers, Real


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
        return int if isinstance(self.support, Integers) else float

    def variable(self) -> Variable:
        """What is known of the variable however its distribution's parameters turn out."""
        support = self.support
        free_shape = None if support.is_discrete else tuple(support.unconstrained_shape)
        n_event = len(self.distribution.event_shape)
        return Variable(
            self.name,
            type(self.distribution).__name__,
            self.shape,
            self.dims,
            free_shape,
            site=self.name,
            states=_states(support) if n_event == 0 else None,
            batch_ndim=len(self.shape) - n_event,
        )

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
    """What does not depend on values in a random variable, or in the missing part of an observed one.

    Parameters
    ----------
    name, family, shape, dims
        As the fit has them.
    free_shape
        Shape of the free coordinates; None where it is discrete.
    site
        The random variable that it is, or whose missing elements it holds.
    states
        Lowest and highest value of one that is discrete and finite.
    batch_ndim
        Number of axes before those of one event.
    """

    name: str
    family: str
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    free_shape: tuple[int, ...] | None
    site: str
    states: tuple[int, int] | None = None
    batch_ndim: int = 0

    @property
    def size(self) -> int:
        """Number of free coordinates."""
        return prod(self.free_shape or ())

    @property
    def is_missing_part(self) -> bool:
        """Whether it holds the missing elements of an observed variable."""
        return self.name != self.site


@dataclass(frozen=True)
class Deterministic:
    """A value that follows from others."""

    value: Any
    dims: tuple[str, ...]


def _states(support: Support) -> tuple[int, int] | None:
    """Lowest and highest value of a discrete set with known and finite ends."""
    if not isinstance(support, Integers) or is_traced(support.lower) or is_traced(support.upper):
        return None
    lower, upper = float(np.min(support.lower)), float(np.max(support.upper))
    return (int(lower), int(upper)) if np.isfinite(lower) and np.isfinite(upper) else None


def depending(function: Callable[[Any], Any], x: Any) -> Any:
    """Which outputs of a function depend on its argument."""
    traced, shape = jax.make_jaxpr(function, return_shape=True)(x)
    return jax.tree.unflatten(jax.tree.structure(shape), depending_outputs(traced.jaxpr))


def depending_outputs(jaxpr: Any) -> list[bool]:
    """Which outputs of a traced function depend on its arguments."""
    depending = set(jaxpr.invars)
    for equation in jaxpr.eqns:
        if any(isinstance(v, Var) and v in depending for v in equation.invars):
            depending.update(equation.outvars)
    return [isinstance(v, Var) and v in depending for v in jaxpr.outvars]
