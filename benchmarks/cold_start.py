"""Where the seconds of ``propto fit`` go: cold, with a warm cache, and with the exact engine alone.

Run ``python benchmarks/cold_start.py`` (about a minute or two); it prints a Markdown table of medians over
whole processes, run in turn so that a noisy machine troubles all rows alike.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import xarray as xr

SCHOOLS = Path(__file__).parents[1] / "examples" / "eight_schools.csv"
PROPTO = [sys.executable, "-m", "propto", "fit", "schools.csv", "--quiet", "--force"]

COMMANDS = {
    "python, numpy and pandas imported, nothing else": [sys.executable, "-c", "import numpy, pandas"],
    "propto --help": [sys.executable, "-m", "propto", "--help"],
    "exact engine, results as CSV": [*PROPTO, "--engine", "exact", "--csv", "out.csv"],
    "exact engine and report": [*PROPTO, "--engine", "exact", "--report", "out.html"],
    "both engines, cold cache": [*PROPTO, "--save", "cold.nc"],
    "both engines, warm cache": [*PROPTO, "--save", "warm.nc"],
    "both engines and report, warm cache": [*PROPTO, "--report", "out.html"],
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=5)
    runs = options.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(SCHOOLS, folder / "schools.csv")
        seconds: dict[str, list[float]] = {title: [] for title in COMMANDS}
        phases: dict[str, list[dict[str, float]]] = {"cold.nc": [], "warm.nc": []}
        for _ in range(runs):
            shutil.rmtree(folder / "cache", ignore_errors=True)
            for title, command in COMMANDS.items():
                seconds[title].append(run(command, folder))
            for file, rows in phases.items():
                rows.append(read_phases(folder / file))
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"Medians of {runs} runs; {machine}.\n")
    print("| whole process | median s | min | max |\n| --- | --- | --- | --- |")
    for title, values in seconds.items():
        print(f"| {title} | {statistics.median(values):.2f} | {min(values):.2f} | {max(values):.2f} |")
    print("\n| of which, inside MCMC | cold cache, s | warm cache, s |\n| --- | --- | --- |")
    for phase in ("compile", "warmup", "sampling"):
        cold, warm = (statistics.median(row[phase] for row in rows) for rows in phases.values())
        print(f"| {phase} | {cold:.2f} | {warm:.2f} |")


def run(command: list[str], folder: Path) -> float:
    """Wall seconds of a whole process."""
    began = time.perf_counter()
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def read_phases(path: Path) -> dict[str, float]:
    with xr.open_datatree(path, engine="h5netcdf") as fit:
        return {phase: float(fit.attrs[f"seconds_{phase}"]) for phase in ("compile", "warmup", "sampling")}


if __name__ == "__main__":
    main()
