"""Double precision for propto's own computations, without touching the caller's global JAX settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import jax

F = TypeVar("F", bound=Callable[..., Any])


def in_double_precision(function: F) -> F:
    """Run a function with 64-bit floats switched on in this thread only."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with jax.enable_x64(True):
            return function(*args, **kwargs)

    return wrapped  # type: ignore[return-value]
