"""How much memory a run needs as it grows longer: python benchmarks/memory.py [DRAWS ...]

Each run is a process of its own with 128 chains of a normal density in 50 dimensions: all draws in memory,
all in a store, or none kept (keep=()). Given are the largest resident set, in MiB above that of a run of 100
draws that keeps none, and what the compiled loop asks of the device beyond the data, in MiB.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from machine import in_words

DRAWS = (100, 1000, 3000, 10_000)
CHAINS, DIM, WARMUP = 128, 50, 100
MIB = 2**20


def main(lengths: list[int]) -> None:
    print(f"{CHAINS} chains in {DIM} dimensions; {in_words()}.\n")
    print("| draws of a chain | all draws, MiB | in memory | in a store | keep=() | device loop |")
    print("| --- | --- | --- | --- | --- | --- |")
    measured("none", 100)  # compiles, which takes memory of its own
    base = measured("none", 100)["resident"]
    for draws in lengths:
        rows = [measured(mode, draws) for mode in ("memory", "store", "none")]
        above = " | ".join(f"{(row['resident'] - base) / MIB:.0f}" for row in rows)
        volume = 8 * CHAINS * DIM * draws / MIB
        print(f"| {draws:,} | {volume:.0f} | {above} | {rows[-1]['device'] / MIB:.1f} |", flush=True)


def measured(mode: str, draws: int) -> dict[str, Any]:
    """Run this file for one run."""
    command = [sys.executable, __file__, "--one", mode, str(draws)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def one(mode: str, draws: int) -> None:
    import jax.numpy as jnp

    import propto as pp
    from propto import compiled

    density = pp.Density(lambda x: -0.5 * jnp.sum(x**2), {"x": pp.real(DIM)})
    with tempfile.TemporaryDirectory() as folder:
        kept: dict[str, Any] = {
            "memory": {},
            "store": {"store": Path(folder) / "run.zarr"},
            "none": {"keep": ()},
        }
        pp.sample(density, draws=draws, warmup=WARMUP, chains=CHAINS, progress=False, **kept[mode])
    loops = [program for (name, *_), program in compiled._programs.items() if name[0] == "advance"]
    sizes = [program.memory_analysis() for program in loops]
    device = max(size.temp_size_in_bytes + size.output_size_in_bytes for size in sizes)
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"resident": resident, "device": device}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], int(sys.argv[3]))
    else:
        main([int(argument) for argument in sys.argv[1:]] or list(DRAWS))
