"""What every support is: a shape, a test of membership, and a map from unconstrained R^d."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import jax.numpy as jnp
from jax import Array

from propto.errors import ModelError, ShapeError
from propto.supports.checks import Parameter, Shape, as_float, as_shape


@dataclass(frozen=True, kw_only=True)
class Support(ABC):
    """A set of values of one shape, and a smooth one-to-one map from R^d onto its inside.

    Supports are immutable and, where their bounds are known, hashable. They are made by the
    lower-case functions: ``real``, ``positive``, ``interval``, ``simplex``, ...

    Parameters
    ----------
    shape
        Shape of a value. The supports of vectors (ordered, simplex) take the last axis as the vector
        and all axes before it as a batch.

    Attributes
    ----------
    is_discrete
        Whether the set is one of isolated points; such a set has no map from R^d.
    """

    shape: tuple[int, ...] = ()
    is_discrete: ClassVar[bool] = False

    @property
    def unconstrained_shape(self) -> tuple[int, ...]:
        """Shape of the free coordinates z."""
        return self.shape

    def forward_and_log_det(self, z: Parameter) -> tuple[Array, Array]:
        """Map free coordinates z to a value x and the log of the volume change |dx/dz|.

        Parameters
        ----------
        z
            Free coordinates, of shape ``unconstrained_shape``.

        Returns
        -------
        x
            The value, of shape ``shape``; for finite z it is strictly inside, as far as rounding lets it.
        log_det
            log |det dx/dz|, one number for the whole value (for a simplex, of all shares but the last).

        Raises
        ------
        ShapeError
            If z has another shape.
        ModelError
            If the support is discrete.
        """
        return self._forward(_shaped(z, self.unconstrained_shape, "free coordinates"))

    def inverse(self, x: Parameter) -> Array:
        """Map a value of shape ``shape`` to its free coordinates; an end of the set goes to ±infinity."""
        return self._inverse(_shaped(x, self.shape, "a value"))

    def inside(self, x: Parameter) -> Array:
        """Tell of each element (of each vector, for supports of vectors) whether it is in the set.

        Here x may have any shape that broadcasts with ``shape``.
        """
        return self._inside(jnp.asarray(as_float(x)))

    def contains(self, x: Parameter) -> Array:
        """Tell whether the whole of x is in the set, as one bool; NaN never is."""
        return jnp.all(self.inside(x))

    def with_shape(self, shape: Shape) -> Support:
        """Return the same kind of set for values of another shape."""
        return replace(self, shape=as_shape(shape))

    def at(self, places: Array) -> Support:
        """The support of some elements of a value, counted along one row, where each is free of the others.

        Raises
        ------
        ModelError
            If they are bound together, as shares of a whole are.
        """
        raise ModelError(
            f"elements of a {type(self).__name__.lower()} vector depend on each other, so that single ones "
            "cannot be missing: leave the whole vector out."
        )

    @abstractmethod
    def _forward(self, z: Array) -> tuple[Array, Array]: ...

    @abstractmethod
    def _inverse(self, x: Array) -> Array: ...

    @abstractmethod
    def _inside(self, x: Array) -> Array: ...


def no_map(what: str) -> ModelError:
    """Return the error for asking a discrete set for its map from R^d."""
    return ModelError(
        f"{what} are discrete and have no map from R^d, so gradients cannot move them. "
        "Sum them out of the density, or condition on their values."
    )


def bounded_exp(z: Array) -> Array:
    """exp(z), held between the smallest and the largest normal number, so neither 0 nor infinity."""
    limits = jnp.finfo(z.dtype)
    lowest, highest = math.ceil(math.log(limits.tiny)), math.floor(math.log(limits.max))
    return jnp.exp(jnp.clip(z, lowest, highest))


def _shaped(value: Parameter, shape: tuple[int, ...], what: str) -> Array:
    array = jnp.asarray(as_float(value))
    if array.shape != shape:
        raise ShapeError(f"this support takes {what} of shape {shape}, got shape {array.shape}.")
    return array
