"""One process, one tool, one target: run it cold, then warm with other seeds, and leave draws and times."""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from peers import tool
from peers.base import QUICK, Run
from targets import TARGETS


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("tool")
    options.add_argument("target")
    options.add_argument("folder", type=Path)
    options.add_argument("--began", type=float, required=True, help="when the process was started")
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--quick", action="store_true")
    given = options.parse_args()
    chosen, target = tool(given.tool), TARGETS[given.target]
    module = importlib.import_module(f"peers.{chosen.module}")
    lengths = QUICK if given.quick else target.draws
    prepared = module.prepare(target, lengths, **chosen.options)
    run = prepared.run(0)
    save(given.folder, 0, run, time.time() - given.began - prepared.spared)
    packages = {*(chosen.packages or ["propto"]), *({"jax"} & set(sys.modules))}
    versions = {name: version(name) for name in sorted(packages)}
    if "jax" in sys.modules:
        versions["on"] = sys.modules["jax"].devices()[0].device_kind
    (given.folder / "versions.json").write_text(json.dumps(versions))
    for seed in range(1, given.repeats + 1):
        began = time.perf_counter()
        run = prepared.run(seed)
        save(given.folder, seed, run, time.perf_counter() - began)


def save(folder: Path, seed: int, run: Run, seconds: float) -> None:
    """Leave the draws, and then, as the sign that they are whole, the facts."""
    np.save(folder / f"{seed}.npy", np.asarray(run.draws, float))
    facts: dict[str, Any] = {name: float(value) for name, value in run._asdict().items() if name != "draws"}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)
    (folder / f"{seed}.json").write_text(json.dumps({**facts, "seconds": seconds, "memory_gib": peak}))


if __name__ == "__main__":
    main()
