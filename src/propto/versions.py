"""The versions of all that a result depends on, found without importing any of it."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PARTS = ("propto", "numpy", "scipy", "jax", "jaxlib", "xarray")


def versions() -> dict[str, str]:
    """Versions by name, with those of Python and of the machine's kind.

    Examples
    --------
    >>> versions()["propto"]
    '0.1.0'
    """
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for name in PARTS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # not installed as a package
            continue
    return found


def changed(before: dict[str, str]) -> list[str]:
    """What has another version now, in words.

    Examples
    --------
    >>> changed({"propto": "0.0.1"})
    ['propto was 0.0.1, is 0.1.0']
    """
    now = versions()
    return [
        f"{name} was {was}, is {now.get(name, 'missing')}"
        for name, was in before.items()
        if now.get(name) != was
    ]
