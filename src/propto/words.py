"""Points, numbers and failures in words."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

# What JAX raises where a function asks for a value that is known only when the compiled code runs.
NOT_TRACEABLE = (jax.errors.JAXTypeError, jax.errors.JAXIndexError)


def describe(values: Mapping[str, Any]) -> str:
    """A point in words, as in ``mu = 3.2, t = [1, 2, ...]``."""
    return ", ".join(f"{name} = {shown(value)}" for name, value in values.items())


def shown(value: Any) -> str:
    """A number or a short array at six digits."""
    if np.ndim(value) == 0:
        return f"{float(value):.6g}"
    return np.array2string(np.asarray(value), precision=6, threshold=12, edgeitems=4, separator=", ").replace(
        "\n", ""
    )


def not_traced(what: str, error: Exception) -> str:
    """Say at which line a function did something that JAX cannot trace."""
    own = str(Path(__file__).parent)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(own) and "site-packages" not in frame.filename
    ]
    place = f" ({frames[-1].filename}:{frames[-1].lineno}: {frames[-1].line})" if frames else ""
    if isinstance(error, NOT_TRACEABLE):
        reason = "it asks for a value that is known only while sampling, as `if`, float() and NumPy do"
    else:
        reason = str(error).strip().splitlines()[0]
    return f"JAX cannot trace {what}: {reason}{place}"
