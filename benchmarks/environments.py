"""The virtual environments of the peers."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from peers import tool

REPOSITORY = Path(__file__).parents[1]


def python_of(envs: Path, name: str) -> Path | None:
    """The interpreter of a tool; None where its environment was not made."""
    chosen = tool(name)
    if not chosen.packages:
        return Path(sys.executable)
    found = interpreter(envs / chosen.environment)
    return found if (envs / chosen.environment / "ready").exists() else None


def interpreter(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def install(envs: Path, names: list[str]) -> None:
    """Make the environments that are missing; what pip cannot install is reported and left out."""
    for environment, packages in {tool(n).environment: tool(n).packages for n in names}.items():
        folder = envs / environment
        if not packages or (folder / "ready").exists():
            continue
        venv.create(folder, with_pip=True)
        wanted = [argument for package in packages for argument in _argument(package)]
        result = subprocess.run([interpreter(folder), "-m", "pip", "install", "--quiet", *wanted])
        print(f"{environment}: {'ready' if result.returncode == 0 else 'pip could not install it'}")
        if result.returncode == 0:
            (folder / "ready").touch()


def _argument(package: str) -> list[str]:
    """propto is this working tree: the peers in JAX take the densities from it."""
    return ["--editable", str(REPOSITORY)] if package == "propto" else [package]
