"""Constraints of other libraries, taken as supports: NumPyro's, known by meaning or by its own bijection."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
from jax import Array

from propto.errors import ModelError
from propto.supports.base import Support, no_map
from propto.supports.checks import Shape, as_shape
from propto.supports.elements import above, below, boolean, integer_interval, interval, real
from propto.supports.events import Ordered, Simplex


def as_support(constraint: Any, shape: Shape) -> Support:
    """Take a support of ours, or a NumPyro constraint, as a support of the given shape.

    Parameters
    ----------
    constraint
        A ``Support``, or an object from ``numpyro.distributions.constraints``.
    shape
        Shape of the constrained value: batch and event axes of the distribution.

    Returns
    -------
    Support
        The set that the constraint means. Those of NumPyro that propto has no word for (Cholesky
        factors, correlation matrices, ...) keep NumPyro's bijection.

    Raises
    ------
    ModelError
        If the object is neither, or the constraint depends on values it does not carry.

    Examples
    --------
    >>> as_support(real(), (2, 3)).shape
    (2, 3)
    """
    if isinstance(constraint, Support):
        return constraint.with_shape(shape)
    if any(base.__module__.split(".")[0] == "numpyro" for base in type(constraint).__mro__):
        return _from_numpyro(constraint, as_shape(shape))
    raise ModelError(
        f"{constraint!r} is not a support. Expected one of propto's (real, positive, interval, ...) "
        "or a constraint of NumPyro."
    )


@dataclass(frozen=True, kw_only=True)
class Foreign(Support):
    """The set of a NumPyro constraint, with NumPyro's own test of membership and bijection."""

    constraint: Any

    def __hash__(self) -> int:  # constraints can be compared but not hashed
        return hash((type(self.constraint), self.shape))

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """Whether the constraint is one of isolated points."""
        return self.constraint.is_discrete

    @property
    def unconstrained_shape(self) -> tuple[int, ...]:
        """Shape of the free coordinates z."""
        return self._bijection().inverse_shape(self.shape)

    def _forward(self, z: Array) -> tuple[Array, Array]:
        bijection = self._bijection()
        x = bijection(z)
        return x, jnp.sum(bijection.log_abs_det_jacobian(z, x))

    def _inverse(self, x: Array) -> Array:
        return self._bijection().inv(x)

    def _inside(self, x: Array) -> Array:
        return jnp.asarray(self.constraint(x))

    def _bijection(self) -> Any:
        from numpyro.distributions import biject_to

        if self.is_discrete:
            raise no_map(f"values of {self.constraint!r}")
        try:
            return biject_to(self.constraint)
        except NotImplementedError:
            raise ModelError(f"NumPyro has no map from R^d onto {self.constraint!r}.") from None


def _from_numpyro(constraint: Any, shape: tuple[int, ...]) -> Support:
    from numpyro.distributions import constraints as known

    if isinstance(constraint, known.independent):
        return _from_numpyro(constraint.base_constraint, shape)
    if known.is_dependent(constraint):
        raise ModelError(f"the support {constraint!r} does not say which values it allows.")
    is_closed = isinstance(constraint, (known.greater_than_eq, known.less_than_eq))
    rows = {
        type(known.real): lambda c: real(shape),
        known.greater_than: lambda c: replace(above(c.lower_bound, shape), closed=is_closed),
        known.less_than: lambda c: replace(below(c.upper_bound, shape), closed=is_closed),
        known.interval: lambda c: interval(c.lower_bound, c.upper_bound, shape),
        type(known.simplex): lambda c: Simplex(shape=shape),
        type(known.ordered_vector): lambda c: Ordered(shape=shape),
        type(known.boolean): lambda c: boolean(shape),
        known.integer_interval: lambda c: integer_interval(c.lower_bound, c.upper_bound, shape),
        known.integer_greater_than: lambda c: integer_interval(c.lower_bound, math.inf, shape),
    }
    for kind, take in rows.items():
        if isinstance(constraint, kind):
            return take(constraint)
    return Foreign(constraint=constraint, shape=shape)
