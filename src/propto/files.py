"""Writing files whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from propto.errors import FileWriteError


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a temporary file beside the path, then rename it: no reader ever sees half of it.

    Parameters
    ----------
    path
        The file; its folder must exist.
    write
        Called with the path of the temporary file. If it raises, the file is as it was before; so it is if
        the process ends or the disk is full.

    Raises
    ------
    FileWriteError
        The file cannot be written.
    """
    try:
        _write_beside(path, write)
    except OSError as error:
        raise FileWriteError(f"{path} cannot be written: {error.strerror or error}") from error


def demand_room(path: Path, size: int) -> None:
    """Raise FileWriteError unless the disk has room: HDF5 may end the process where it runs out of it."""
    free = shutil.disk_usage(path.absolute().parent).free
    if size > free:
        raise FileWriteError(
            f"{path} needs about {size / 2**20:,.1f} MiB, but {free / 2**20:,.1f} MiB are free"
        )


def _write_beside(path: Path, write: Callable[[Path], Any]) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.stem[:50]}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    try:
        write(Path(name))
        os.chmod(name, 0o666 & ~_umask())
        with open(name, "rb+") as file:
            os.fsync(file.fileno())  # on the disk, before the name says so
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8, whole or not at all; half letters (lone surrogates) are written out."""
    content = text.encode("utf-8", "backslashreplace")
    write_whole(path, lambda file: file.write_bytes(content))


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
