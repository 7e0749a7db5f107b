"""Names, dims and coords of variables, and what they must be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from propto.errors import NameMismatchError, ShapeError

Dims = Mapping[str, Sequence[str]]
Coords = Mapping[str, Any]

# Names that the result of a run has for its own axes.
RESERVED = ("chain", "draw")
# Bytes of a name, which is that of a folder in a store.
LONGEST = 200


def check_names(kind: str, given: set[str], known: set[str], *, required: set[str] | None = None) -> None:
    """Raise NameMismatchError if a name given is not known, or one required (by default: all) is missing."""
    unknown = sorted(given - known)
    missing = sorted((known if required is None else required) - given)
    if unknown or missing:
        parts = [f"unknown {kind} {', '.join(map(repr, unknown))}"] if unknown else []
        parts += [f"missing {kind} {', '.join(map(repr, missing))}"] if missing else []
        raise NameMismatchError(
            f"{' and '.join(parts)}; expected {', '.join(map(repr, sorted(known))) or 'none'}"
        )


def check_variable_name(name: str) -> None:
    """Raise NameMismatchError if a variable cannot have this name in the result of a run."""
    if name in RESERVED:
        raise NameMismatchError(f"a variable cannot be called {name!r}: the result has an axis of that name")
    _check_text("a variable", name)


def _check_text(what: str, name: str) -> None:
    """Raise NameMismatchError for what cannot be the name of a folder in a store, or be seen on a screen."""
    odd = not name.isprintable() or name.startswith(".") or any(sign in name for sign in "/\\")
    if odd or not 0 < len(name.encode("utf-8", "replace")) <= LONGEST:
        raise NameMismatchError(
            f"{what} cannot be called {name[:LONGEST]!r}: give it a name of up to {LONGEST} letters, "
            "without '/', '\\' or control characters, that does not begin with '.'"
        )


def axes_of(name: str, ndim: int, dims: Dims) -> tuple[str, ...]:
    """Names of the axes of a variable: those given, or ``x_dim_0``, ``x_dim_1``, ..."""
    return tuple(dims.get(name, ())) or tuple(f"{name}_dim_{i}" for i in range(ndim))


def check_axes(shapes: Mapping[str, tuple[int, ...]], dims: Dims, coords: Coords) -> None:
    """Check that names, dims and coords make one consistent set of labelled arrays."""
    check_names("variable in dims", set(dims), set(shapes), required=set())
    sizes: dict[str, tuple[int, str]] = {}
    for axis, labels in coords.items():
        _check_text("an axis", axis)
        if np.ndim(labels) != 1:
            raise ShapeError(
                f"coords of {axis!r} have shape {np.shape(labels)}; give one label after another"
            )
        sizes[axis] = (len(labels), f"the coords of {axis!r} have {len(labels)} labels")
    for name, shape in shapes.items():
        check_variable_name(name)
        axes = axes_of(name, len(shape), dims)
        if len(axes) != len(shape) or len(set(axes)) != len(axes):
            raise ShapeError(f"{name!r} has shape {shape}, but the dims {axes}: one name for each axis")
        for axis in dims.get(name, ()):
            _check_text("an axis", axis)
        for axis, length in zip(axes, shape, strict=True):
            what = f"{name!r} has length {length} along {axis!r}"
            known, owner = sizes.setdefault(axis, (length, what))
            if known != length:
                raise ShapeError(f"{what}, but {owner}")
    for name in (set(shapes) | set(RESERVED)) & set(sizes):
        raise NameMismatchError(f"{name!r} cannot be the name of an axis: a variable or the result has it")


def listed(names: Iterable[str]) -> str:
    """Names in a sentence."""
    return ", ".join(map(repr, sorted(names)))
