"""Checks of the options that several calls share."""

from __future__ import annotations

from operator import index
from typing import Any

from propto.errors import OptionError

# The largest seed that fits the random number generator.
LARGEST_SEED = 2**63 - 1


def whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """An option that is a whole number, as Python's own int; OptionError if it is not, or out of range."""
    try:
        number = index(value)
    except TypeError:
        number = None
    if number is None or number < least or (most is not None and number > most):
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise OptionError(f"{name} must be a whole number {limits}, got {value!r}")
    return number
