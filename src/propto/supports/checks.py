"""Arrays as they come in, and what they must be: checked only where a value is already known."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from propto.errors import ParameterError, ShapeError

Shape = int | tuple[int, ...]
Parameter = Any  # what a caller may give for an array: numbers, lists, NumPy, pandas, JAX, traced values


def as_float(value: Parameter) -> Any:
    """Return a floating array: JAX arrays and tracers stay in JAX, all else becomes NumPy float64.

    Host numbers stay on the host, so that they keep all their digits until JAX's precision is chosen.
    """
    if any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(value)):
        array = jnp.asarray(value)
        return array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(float)
    return np.asarray(value, dtype=float)


def as_shape(shape: Shape) -> tuple[int, ...]:
    """Return a shape as a tuple; a whole number ``n`` means ``(n,)``."""
    sizes = (shape,) if isinstance(shape, numbers.Integral) else tuple(shape)  # type: ignore[arg-type]
    if not all(isinstance(size, numbers.Integral) and size >= 0 for size in sizes):
        raise ShapeError(f"a shape is made of whole numbers, such as 8 or (3, 4); got {shape!r}.")
    return tuple(int(size) for size in sizes)


def broadcast_shape(owner: str, shapes: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Return the shape that named shapes broadcast to, or raise a ShapeError that lists them."""
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ShapeError(
            f"{owner}: the shapes do not fit together: {listed}. "
            "Counted from the right, sizes must be equal or 1."
        ) from None


@dataclass(frozen=True)
class Limit:
    """What every element of a parameter must be.

    Parameters
    ----------
    holds
        Elementwise test on a NumPy array.
    text
        How the sentence "must be ..." goes on.
    mend
        What to do about a value that fails.
    """

    holds: Callable[[np.ndarray], np.ndarray]
    text: str
    mend: str


FINITE = Limit(np.isfinite, "a finite number", "Look for missing values or a division by zero before it.")
POSITIVE = Limit(
    lambda v: (v > 0) & (v < np.inf),
    "positive and finite",
    "Look for a zero, a wrong sign or a missing value; an unknown one needs a prior such as HalfNormal.",
)
NONNEGATIVE = Limit(
    lambda v: (v >= 0) & (v < np.inf),
    "finite and not below 0",
    "Look for a wrong sign or a missing value; an unknown one needs a prior such as Gamma.",
)
PROBABILITY = Limit(
    lambda v: (v >= 0) & (v <= 1), "between 0 and 1", "For a log-odds write logits=... instead of probs."
)
COUNT = Limit(
    lambda v: (v >= 0) & (v < np.inf) & (np.floor(v) == v),
    "a whole number of 0 or more",
    "Counts are numbers of trials, not shares.",
)


def require(owner: str, name: str, value: Any, limit: Limit) -> None:
    """Raise a ParameterError if a known value breaks its limit; a traced value is left alone."""
    if is_traced(value):
        return
    known = np.asarray(value)
    broken = np.argwhere(~limit.holds(known))
    if len(broken):
        raise ParameterError(
            f"{owner}: {name} must be {limit.text}, got {_element(known, broken[0])}. {limit.mend}"
        )


def require_order(owner: str, low_name: str, low: Any, high_name: str, high: Any) -> None:
    """Raise a ParameterError unless, where both are known, ``low`` is below ``high`` everywhere."""
    if is_traced(low) or is_traced(high):
        return
    lows, highs = np.broadcast_arrays(low, high)
    broken = np.argwhere(~(lows < highs))
    if len(broken):
        raise ParameterError(
            f"{owner}: {low_name} must be below {high_name}, got {low_name} = {_element(lows, broken[0])} "
            f"and {high_name} = {_element(highs, broken[0])}. Were they given in the wrong order?"
        )


def is_traced(value: Any) -> bool:
    """Tell whether a value is known only when the compiled program runs."""
    return isinstance(value, jax.core.Tracer)


def _element(values: np.ndarray, index: np.ndarray) -> str:
    place = f" at index {tuple(index.tolist())}" if index.size else ""
    return f"{values[tuple(index)]:.6g}{place}"
