"""Run tools on targets, one process at a time, and keep the figures of each in a file of its own."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from environments import python_of
from machine import in_words
from measure import score
from peers import tool
from targets import TARGETS

WORKER = Path(__file__).with_name("worker.py")


def run_all(given: argparse.Namespace) -> None:
    """Every tool on a target, then the next target: neighbours in the table ran at about the same time."""
    given.runs.mkdir(parents=True, exist_ok=True)
    for target in given.targets:
        for name in given.tools:
            path = given.runs / f"{target}--{name}.json"
            if path.exists():
                continue
            figures = run_one(name, target, given)
            path.write_text(json.dumps({"tool": name, "target": target, **figures}, indent=1))
            print(f"{target:32} {name:18} {summary(figures)}", flush=True)


def run_one(name: str, target: str, given: argparse.Namespace) -> dict[str, Any]:
    """The figures of one pair, or why there are none."""
    unfit = tool(name).unfit(TARGETS[target])
    if unfit:
        return {"status": "left out", "why": unfit}
    if not TARGETS[target].has_reference:
        return {"status": "left out", "why": "no reference moments, see `compare.py reference`"}
    python = python_of(given.envs, name)
    if python is None:
        return {"status": "left out", "why": "not installed"}
    with tempfile.TemporaryDirectory() as folder:
        status = run_process(python, name, target, given, Path(folder))
        status |= score(Path(folder), TARGETS[target].reference)
    return {"date": time.strftime("%Y-%m-%d"), "machine": in_words(), "quick": given.quick, **status}


def run_process(
    python: Path, name: str, target: str, given: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """Start the worker in a fresh process with empty caches; kill it at the time limit."""
    command = [python, WORKER, name, target, folder, "--began", str(time.time()), "--repeats", given.repeats]
    command += ["--quick"] if given.quick else []
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    errors = folder / "errors.txt"
    with errors.open("w") as stream:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=stream,
            start_new_session=True,
        )
        try:
            code = process.wait(given.seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code is None:
        return {"status": "not finished", "why": f"not finished in {given.seconds:g} s"}
    if code:
        text = errors.read_text()
        said = re.findall(r"^\w[\w.]*(?:Error|Exception|Interrupt)\b.*", text, re.MULTILINE)
        print(text[-3000:], file=sys.stderr)
        return {"status": "failed", "why": said[-1][:300] if said else f"exit status {code}"}
    return {"status": "finished"}


def summary(figures: dict[str, Any]) -> str:
    """One line of what came out."""
    if "verdict" not in figures:
        return figures["why"]
    words = [
        figures["verdict"],
        f"|z| {figures['z']:.1f} of {figures['z_limit']:.1f}",
        f"R-hat {figures['r_hat']:.3f}",
        f"cold {figures['cold_seconds']:.1f} s",
        f"ESS {min(figures['ess']):.0f}",
    ]
    if "seconds_to_1000" in figures:
        words += [f"{figures['seconds_to_1000']:.3g} s to 1000", f"{figures['ess_per_second']:.3g} ESS/s"]
    return ", ".join(words + ([figures["why"]] if "why" in figures else []))
