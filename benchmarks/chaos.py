"""Kill runs in a store at random moments, go on, and compare: ``python benchmarks/chaos.py --kills 200``.

Prints a Markdown table. Every process is a fork of one that has imported all and computed nothing, so that
a start takes half a second; nothing is ever removed.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax.numpy as jnp
import numpy as np

import propto as pp
from propto.errors import StoreError
from propto.run import store as store_room

DRAWS = 1200
PORTION = 0.02  # seconds of draws between two checkpoints, for as many writes as can be
SIGNALS = (signal.SIGKILL, signal.SIGTERM)


def funnel(v: Any, x: Any) -> Any:
    return -0.5 * v**2 / 9 - 0.5 * jnp.sum(x**2) * jnp.exp(-v) - 0.5 * len(x) * v


DENSITY = pp.Density(funnel, {"v": pp.real(), "x": pp.real(6)})
SAMPLERS = {
    "Ensemble": {"sampler": pp.Ensemble(), "chains": 32, "block_size": 16},
    "NUTS": {"sampler": pp.NUTS(), "chains": 4, "warmup": 300},
    "Metropolis": {"sampler": pp.Metropolis(), "chains": 6, "warmup": 300},
}


class Row(NamedTuple):
    """What one sampler went through."""

    sampler: str
    runs: int
    kills: int
    in_warmup: int
    looks: int
    wrong: int


def main() -> None:
    """Torture every sampler, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="of all samplers together (200)")
    parser.add_argument("--minutes", type=float, default=15.0, help="stop after so many (15)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng, end = random.Random(arguments.seed), time.monotonic() + 60 * arguments.minutes
    print("| sampler | runs ended | kills | before the first draw | looks in between | wrong draws |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for i, name in enumerate(SAMPLERS):
        left = end - (len(SAMPLERS) - 1 - i) * 20 * arguments.minutes
        row = torture(name, -(-arguments.kills // len(SAMPLERS)), rng, left)
        print(f"| {' | '.join(map(str, row))} |", flush=True)


def torture(name: str, kills: int, rng: random.Random, end: float) -> Row:
    """Runs of one sampler, killed so many times in all; the last one is let to its end."""
    runs = done = in_warmup = looks = wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        truth = Path(folder) / "truth.npz"
        fork(lambda: np.savez(truth, **draws_of(sample(name, None)))).wait()
        began = time.monotonic()  # its compiled programs are on disk now
        fork(lambda: sample(name, Path(folder) / "timed.zarr")).wait()
        seconds = time.monotonic() - began
        while done < kills and time.monotonic() < end:
            where, runs = Path(folder) / f"run{runs}.zarr", runs + 1
            process = fork(lambda where=where: sample(name, where))
            while not process.ended_within(rng.uniform(0, seconds)):
                process.kill(rng.choice(SIGNALS))
                done, in_warmup = done + 1, in_warmup + (not (where / "posterior").exists())
                looks, wrong = looks + 1, wrong + fork(lambda where=where: look(where, truth)).wait()
                enough = done >= kills or time.monotonic() > end
                process = fork(lambda where=where: sample(name, where))
                if enough:
                    process.wait()
                    break
            wrong += fork(lambda where=where: look(where, truth, whole=True)).wait()
    return Row(name, runs, done, in_warmup, looks, wrong)


def sample(name: str, where: Path | None) -> Any:
    """One run, in a store or undisturbed."""
    store_room.PORTION_SECONDS = PORTION
    return pp.sample(DENSITY, draws=DRAWS, seed=3, progress=False, store=where, **SAMPLERS[name])


def draws_of(fit: Any) -> dict[str, np.ndarray]:
    """All draws and statistics, by group and name."""
    return {
        f"{group} {name}": fit[group][name].values
        for group in ("posterior", "sample_stats")
        for name in fit[group].data_vars
    }


def look(where: Path, truth: Path, whole: bool = False) -> None:
    """Read what is there: it must be the beginning of the truth, or all of it."""
    try:
        found = draws_of(pp.open_store(where))
    except StoreError as error:
        if whole or not any(words in str(error) for words in ("there is no store", "has draws")):
            raise
        return
    true = np.load(truth)
    assert set(found) == set(true.files)
    for name, x in found.items():
        assert x.shape[1] == DRAWS or not whole
        np.testing.assert_array_equal(x, true[name][:, : x.shape[1]])


class Process(NamedTuple):
    """A forked process."""

    pid: int

    def ended_within(self, seconds: float) -> bool:
        """Wait so long at most; whether it has ended by itself."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return True
            time.sleep(0.005)
        return False

    def kill(self, number: int) -> None:
        os.kill(self.pid, number)
        os.waitpid(self.pid, 0)

    def wait(self) -> int:
        """1 if it failed."""
        return int(os.waitpid(self.pid, 0)[1] != 0)


def fork(work: Callable[[], Any]) -> Process:
    """Do the work in a process of its own."""
    pid = os.fork()
    if pid:
        return Process(pid)
    try:
        work()
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        os._exit(1)


if __name__ == "__main__":
    main()
