"""The two engines that run Stan programs, behind BridgeStan's interface, and the source that they read."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from propto.compiled import cache_folder
from propto.errors import MissingExtraError, ModelError, OptionError
from propto.files import write_text

ENGINES = ("bridgestan", "stanli")


def choose_engine(engine: str | None) -> str:
    """The engine of choice, or: BridgeStan where its sources and a compiler are there, else stanli."""
    if engine not in (None, *ENGINES):
        raise OptionError(f"engine must be one of {', '.join(map(repr, ENGINES))}, got {engine!r}")
    if find_spec("bridgestan") is None or (engine == "stanli" and find_spec("stanli") is None):
        raise MissingExtraError("a Stan program", "stan")
    if engine is not None:
        return engine
    return "bridgestan" if _can_compile() or find_spec("stanli") is None else "stanli"


def _can_compile() -> bool:
    from bridgestan.compile import get_bridgestan_path

    if not (shutil.which("make") and (shutil.which("g++") or shutil.which("clang++"))):
        return False
    try:
        with redirect_stdout(StringIO()):  # it prints what it does not find
            return bool(get_bridgestan_path(download=False))
    except (ValueError, OSError):
        return False


def read_source(program: str | Path) -> str:
    """The text of a program, given itself or as the path of a file."""
    is_path = isinstance(program, Path) or ("\n" not in program and program.strip().endswith(".stan"))
    if not is_path:
        return str(program)
    try:
        return Path(program).read_text(encoding="utf-8")
    except OSError as error:
        raise ModelError(f"the Stan program {str(program)!r} cannot be read: {error.strerror}") from None


def build(source: str, data: Mapping[str, Any], engine: str) -> Any:
    """A ``bridgestan.StanModel`` of a program with its data."""
    text = json.dumps({name: _plain(value) for name, value in data.items()})
    try:
        if engine == "stanli":
            import stanli

            return stanli.bridgestan_model(stan_code=source, data=text)
        import bridgestan

        return bridgestan.StanModel(_library(source), text, warn=False)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"Stan refuses the program or its data ({engine}): {error}") from error


def _library(source: str) -> Path:
    """The compiled program, kept on disk by its text."""
    from bridgestan.compile import compile_model

    folder = cache_folder().parent / "stan" / hashlib.sha256(source.encode()).hexdigest()[:32]
    library = folder / "model_model.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "model.stan", source)
        compile_model(folder / "model.stan", make_args=["STAN_THREADS=True"])
    return library


def _plain(value: Any) -> Any:
    """A value as Stan's JSON has it."""
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":
        raise ModelError(f"data of Stan are numbers and arrays of them, got {value!r}")
    return array.astype(int).tolist() if array.dtype.kind == "b" else array.tolist()


def shapes_of(names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Shape of every variable, from names such as ``theta.2.3`` in column-major order."""
    shapes: dict[str, tuple[int, ...]] = {}
    for full in names:
        base, *index = re.split(r"\.(?=\d)", full)
        shapes[base] = tuple(map(int, index))  # the last index is the largest
    return shapes


def without_model(source: str) -> str:
    """The program with an empty model block, whose log density is that of the transforms alone."""
    bare = re.sub(r"//[^\n]*|/\*.*?\*/|\"[^\"]*\"", lambda m: " " * len(m[0]), source, flags=re.DOTALL)
    opening = re.search(r"(?<![\w])model\s*\{", bare)
    if opening is None:
        return source
    depth, end = 1, opening.end()
    while depth:
        depth += {"{": 1, "}": -1}.get(bare[end], 0)
        end += 1
    return source[: opening.end()] + source[end - 1 :]
