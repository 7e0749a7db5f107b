"""What the engine adds to bare gradients, and what its loop needs: python benchmarks/engine.py [TARGET ...]

For each target: the seconds in which a warm process draws a fixed number of draws of 128 chains, beside the
seconds that the same number of gradients takes in a bare compiled loop over the same blocks on the same
threads, the median of several pairs of runs; and the memory that the compiled loop asks for beyond the data,
which does not depend on how many draws a run keeps, beside the draws that came home.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from machine import in_words
from targets import TARGETS

import propto as pp
from propto import compiled

USUAL = ("schools_noncentred", "arK", "nes", "wells_dist", "hmm_drive_1", "groups_1000", "volatility_2500")
CHAINS, BLOCK, PAIRS, DRAWS = 128, 64, 7, 200
MIB = 2**20


def main(names: list[str]) -> None:
    print(f"Medians of {PAIRS} pairs of runs; {in_words()}.\n")
    print(
        "| target | d | draws, s | as many bare gradients, s | ratio | loop, MiB | 10 times the draws, MiB |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in names:
        density = TARGETS[name].posterior().density
        bare = bare_gradients(density)
        pairs = [timed(density, bare, seed) for seed in range(PAIRS + 1)][1:]
        own, alone = np.median(pairs, axis=0)
        ratio = np.median([a / b for a, b in pairs])
        memory = f"{loop_memory(density, 100):.3g} | {loop_memory(density, 1000):.3g}"
        print(f"| {name} | {density.dim} | {own:.3g} | {alone:.3g} | {ratio:.2f} | {memory} |", flush=True)


def timed(density: pp.Density, bare: Callable[[int], float], seed: int) -> tuple[float, float]:
    """Seconds of the draws, and of as many gradients without all that makes a sampler of them."""
    fit = pp.sample(density, draws=DRAWS, seed=seed, chains=CHAINS, block_size=BLOCK, progress=False)
    evaluations = int(fit.sample_stats["n_steps"].sum(dim="draw").max())
    return float(fit.attrs["seconds_sampling"]), bare(evaluations)


def bare_gradients(density: pp.Density) -> Callable[[int], float]:
    """Seconds in which every block evaluates so many gradients, each where the one before leads."""
    program, data = density.program, density.data
    starts = np.random.default_rng(0).normal(0, 0.1, (CHAINS // BLOCK, BLOCK, density.dim))

    def once(q: Any) -> Any:
        return q + 1e-12 * jax.grad(lambda q: program.log_density_at(data, q))(q)

    def loop(q: Any, n: Any) -> Any:
        return jax.lax.fori_loop(0, n, lambda _, q: jax.vmap(once)(q), q)

    compiled_loop = jax.jit(loop)

    def run(q: Any, n: int) -> Any:
        with jax.enable_x64(True):
            return compiled_loop(q, n).block_until_ready()

    def seconds(evaluations: int) -> float:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            began = time.perf_counter()
            jobs = [pool.submit(run, q, evaluations) for q in starts]
            _ = [job.result() for job in jobs]
            return time.perf_counter() - began

    return seconds


def loop_memory(density: pp.Density, draws: int) -> float:
    """Memory of the compiled loop in MiB: what it returns and works in, without what it is given."""
    compiled._programs.clear()
    pp.sample(density, draws=draws, warmup=20, progress=False)
    loops = [program for (name, *_), program in compiled._programs.items() if name[0] == "advance"]
    sizes = [program.memory_analysis() for program in loops]
    return max(size.temp_size_in_bytes + size.output_size_in_bytes for size in sizes) / MIB


if __name__ == "__main__":
    main(sys.argv[1:] or list(USUAL))
