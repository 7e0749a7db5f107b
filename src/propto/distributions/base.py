"""What every distribution is: parameters within their limits, shapes, a log density, draws, a support."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array

from propto.distributions.special import log1m_exp
from propto.errors import ModelError, ParameterError, ShapeError
from propto.supports import Support
from propto.supports.checks import Limit, Parameter, Shape, as_float, as_shape, broadcast_shape, require


@dataclass(frozen=True, eq=False)
class Distribution(ABC):
    """A probability distribution with given parameters.

    Parameters may be numbers, lists, NumPy or JAX arrays, pandas columns or traced values; they broadcast
    against each other. Known values outside their limits are refused; traced ones cost no check.

    A log density is that of the field's textbooks: −∞ outside the support, NaN where the value itself is
    NaN. At a closed end of the support it is the limit, which is +∞ where the density has a pole.

    Attributes
    ----------
    limits
        What each parameter must be.
    """

    limits: ClassVar[dict[str, Limit]] = {}

    def __post_init__(self) -> None:
        for name, value in self._given().items():
            parameter = _as_parameter(self._name, name, value)
            require(self._name, name, parameter, self.limits[name])
            object.__setattr__(self, name, parameter)
        _ = self.batch_shape  # parameters that do not broadcast are refused here

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape that the parameters broadcast to: one independent distribution for each element."""
        return broadcast_shape(self._name, {name: np.shape(value) for name, value in self._given().items()})

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one value: ``()`` for numbers, ``(n,)`` for vectors."""
        return ()

    @property
    def support(self) -> Support:
        """The set of possible values, with shape ``batch_shape + event_shape``."""
        return self._support(self.batch_shape + self.event_shape)

    def log_prob(self, value: Parameter) -> Array:
        """Log density (log probability, for discrete values) at a value.

        Parameters
        ----------
        value
            Of any shape that broadcasts with ``batch_shape + event_shape``.

        Returns
        -------
        Array
            One number for each distribution of the batch and each value.

        Raises
        ------
        ShapeError
            If the value does not broadcast.
        """
        array = jnp.asarray(as_float(value))
        broadcast_shape(
            self._name, {"value": array.shape, "distribution": self.batch_shape + self.event_shape}
        )
        if array.shape[array.ndim - len(self.event_shape) :] != self.event_shape:
            raise ShapeError(
                f"{self._name}: the last axes of a value must be {self.event_shape}, got shape {array.shape}."
            )
        return self._log_prob(array)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Array:
        """Draw independent values.

        Parameters
        ----------
        key
            A JAX random key.
        sample_shape
            How many draws, as leading axes.

        Returns
        -------
        Array
            Draws of shape ``sample_shape + batch_shape + event_shape``; whole numbers where the
            distribution is discrete.

        Raises
        ------
        ModelError
            If the distribution is improper.
        """
        return self._sample(key, as_shape(sample_shape) + self.batch_shape + self.event_shape)

    def log_tails(self, value: Parameter) -> tuple[Array, Array]:
        """log P(X ≤ x) and log P(X > x): what `Truncated` and `Censored` need.

        Raises
        ------
        ModelError
            If propto knows no formula for them.
        """
        raise ModelError(
            f"{self._name} has no known distribution function, so it cannot be truncated or censored here."
        )

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _given(self) -> dict[str, Any]:
        """The parameters that were given, by name."""
        values = {name: getattr(self, name) for name in self.limits}
        return {name: value for name, value in values.items() if value is not None}

    @abstractmethod
    def _support(self, shape: tuple[int, ...]) -> Support: ...

    @abstractmethod
    def _log_prob(self, value: Array) -> Array: ...

    @abstractmethod
    def _sample(self, key: Array, shape: tuple[int, ...]) -> Array: ...


def within(support: Support, value: Array, anchor: float, log_density: Callable[[Array], Array]) -> Array:
    """Return the log density inside the support and −∞ outside.

    Outside, the formula is evaluated at ``anchor``, a point inside, so that no NaN reaches the gradient.
    A NaN value is left to the formula: it must be seen, not taken for an impossible value.
    """
    outside = ~(support.inside(value) | jnp.isnan(value))
    return jnp.where(outside, -jnp.inf, log_density(jnp.where(outside, anchor, value)))


def above_zero(x: Array, log_survival: Callable[[Array], Array]) -> tuple[Array, Array]:
    """Both tails of a distribution on the positive numbers, from the upper one."""
    log_s = jnp.where(x > 0, log_survival(jnp.where(x > 0, x, 1.0)), 0.0)
    return jnp.where(x > 0, log1m_exp(jnp.where(x > 0, log_s, -1.0)), -jnp.inf), log_s


def improper(name: str) -> ModelError:
    """Return the error for drawing from a density that has no finite integral."""
    return ModelError(
        f"{name} is improper: its density has no finite integral, so it cannot be drawn from. "
        "To simulate, give this variable a proper prior, such as a wide Normal or HalfNormal."
    )


def require_one(distribution: Distribution, names: tuple[str, ...]) -> None:
    """Raise a ParameterError unless exactly one of several ways to give a parameter was used."""
    given = [name for name in names if getattr(distribution, name) is not None]
    if len(given) != 1:
        owner = type(distribution).__name__
        raise ParameterError(f"{owner}: give exactly one of {', '.join(names)}; got {given or 'none'}.")


def _as_parameter(owner: str, name: str, value: Parameter) -> Any:
    try:
        return as_float(value)
    except (TypeError, ValueError):
        raise ParameterError(
            f"{owner}: {name} must be a number or an array of numbers, got {value!r}."
        ) from None
