"""Points, numbers, failures and places in the user's code, in words."""

from __future__ import annotations

import linecache
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from propto.errors import ProptoError

# What JAX raises where a function asks for a value that is known only when the compiled code runs.
NOT_TRACEABLE = (jax.errors.JAXTypeError, jax.errors.JAXIndexError)

_OWN = str(Path(__file__).parent)


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
    place = _place(error)
    if isinstance(error, NOT_TRACEABLE):
        reason = "it asks for a value that is known only while sampling, as `if`, float() and NumPy do"
    else:
        reason = str(error).strip().splitlines()[0]
    return f"JAX cannot trace {what}: {reason}{f' ({place})' if place else ''}"


def with_line(error: ProptoError) -> ProptoError:
    """The same error, telling the line of the user's code that led to it."""
    place = _place(error)
    if place and isinstance(error.args[0], str):
        error.args = (f"{error}\n  at {place}", *error.args[1:])
    return error


def calling_line() -> str:
    """The line of the user's code that is being run, as in ``model.py:12: mu = ...``."""
    frame = sys._getframe(1)
    while frame.f_back is not None and not _is_users(frame.f_code.co_filename):
        frame = frame.f_back
    file, line = frame.f_code.co_filename, frame.f_lineno
    return f"{file}:{line}: {linecache.getline(file, line).strip()}"


def _place(error: Exception) -> str:
    """The last line of the user's own code on the way to an error."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)]
    return f"{frames[-1].filename}:{frames[-1].lineno}: {frames[-1].line}" if frames else ""


def _is_users(file: str) -> bool:
    return not file.startswith((_OWN, "<string>")) and "site-packages" not in file  # <string>: dataclasses
