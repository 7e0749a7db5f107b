"""Runs on a cluster of worker processes: python benchmarks/cluster.py [--minutes M] [--kill-every S]

First what the cluster costs: for 1, 2, 4 and 8 workers, seconds of a run beside those of threads, and the
time that a chunk spends on its way. Then how many workers one host can keep busy: the workers of this part
only sleep for as long as a chunk takes and send back as much. Then endurance: one run that lasts for some
minutes (default 5; 60 for an hour) while a worker is killed now and then (default: each minute) without
warning, and whose draws are then compared with those of an undisturbed run in one process, bit by bit. Needs
dask.distributed.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import tempfile
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from distributed import Client, LocalCluster
from machine import in_words

import propto as pp
from propto.run.cluster import Team
from propto.run.lanes import CHUNK_SECONDS, advance_there
from propto.run.parcels import Parcel

WORKERS, ASLEEP = (1, 2, 4, 8), (8, 32, 128, 256)
ROWS, DIM, CHAINS, BLOCK = 2000, 5, 64, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--kill-every", type=float, default=60.0, metavar="SECONDS")
    arguments = parser.parse_args()
    print(f"{in_words()}.\n")
    costs()
    beyond()
    endure(60 * arguments.minutes, arguments.kill_every)


def regression() -> pp.Density:
    """A logistic regression whose function lives in no module that a worker could import."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, DIM))
    y = rng.uniform(size=ROWS) < 1 / (1 + np.exp(-x @ np.linspace(-1, 1, DIM)))

    def log_p(b: Any, x: Any, y: Any) -> Any:
        eta = x @ b
        return jnp.sum(jnp.where(y, eta, 0.0) - jnp.logaddexp(0.0, eta)) - 0.5 * jnp.sum(b**2)

    return pp.Density(log_p, {"b": pp.real(DIM)}, data={"x": x, "y": y})


def cluster(workers: int) -> LocalCluster:
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    )


def costs() -> None:
    density = regression()
    options: dict[str, Any] = {
        "draws": 400,
        "chains": CHAINS,
        "block_size": BLOCK,
        "seed": 1,
        "progress": False,
    }
    pp.sample(density, **options)
    undisturbed, alone = timed(density, **options)
    print("| workers | seconds | threads' seconds | a chunk's way, ms | first run, s | same draws |")
    print("| --- | --- | --- | --- | --- | --- |")
    for workers in WORKERS:
        with cluster(workers) as here, Client(here) as client:
            executor = client.get_executor()
            first = timed(density, executor=executor, **options)[1]
            with Underway() as underway:
                fit, seconds = timed(density, executor=executor, **options)
            same = is_same(fit, undisturbed)
        row = f"{seconds:.2f} | {alone:.2f} | {underway.milliseconds():.1f} | {first:.1f} | {same}"
        print(f"| {workers} | {row} |", flush=True)


class Asleep(Executor):
    """So many workers that sleep; threads of this process, which are no thread pool to the run."""

    def __init__(self, workers: int) -> None:
        self.threads = ThreadPoolExecutor(workers)

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self.threads.submit(function, *args)


def nap(seconds: float, sent: Any, back: Any) -> Any:
    time.sleep(seconds)
    return back


def beyond() -> None:
    """Chunks of a quarter of a second, four blocks a worker, of 64 chains in ten dimensions."""
    block, trace = np.zeros((64, 4, 10)), np.zeros((250, 64, 20))
    print("\n| sleeping workers | chunks a second | as many as without a host |")
    print("| --- | --- | --- |")
    for workers in ASLEEP:
        blocks, rounds = 4 * workers, 6
        executor = Asleep(workers)
        with executor.threads, Team(executor) as team:
            parcel, began = Parcel(trace), time.perf_counter()
            pending = {team.submit(nap, CHUNK_SECONDS, block, parcel): rounds for _ in range(blocks)}
            while pending:
                for job in wait(pending, return_when=FIRST_COMPLETED).done:
                    left = pending.pop(job) - 1
                    if left:
                        pending[team.submit(nap, CHUNK_SECONDS, job.result()[0, 0, 0] + block, parcel)] = left
            rate = blocks * rounds / (time.perf_counter() - began)
        print(f"| {workers} | {rate:.0f} | {rate * CHUNK_SECONDS / workers:.2f} |", flush=True)


class Underway:
    """Notes of every chunk how much longer it was out than it ran."""

    def __enter__(self) -> Underway:
        self.submit, self.ways = Team.submit, list[float]()

        def noted(team: Team, function: Any, /, *args: Any) -> Future[Any]:
            began, job = time.perf_counter(), self.submit(team, function, *args)
            if function is advance_there:
                job.add_done_callback(
                    lambda job: self.ways.append(time.perf_counter() - began - job.result()[0])
                )
            return job

        Team.submit = noted  # type: ignore[assignment, method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        Team.submit = self.submit  # type: ignore[method-assign]

    def milliseconds(self) -> float:
        """The tenth percentile: chunks that did not have to queue."""
        return 1000 * float(np.quantile(self.ways, 0.1))


def endure(seconds: float, kill_every: float) -> None:
    """A run in which workers are killed, and the same one undisturbed."""
    density, killed = regression(), list[int]()
    options: dict[str, Any] = {"chains": CHAINS, "block_size": BLOCK, "seed": 2, "progress": False}
    with tempfile.TemporaryDirectory() as folder, cluster(2) as here, Client(here) as client:
        ended = threading.Event()

        def kill() -> None:
            while not ended.wait(kill_every):
                nannies = list(here.workers.values())
                victim = nannies[len(killed) % len(nannies)].pid
                if victim:
                    os.kill(victim, signal.SIGKILL)
                    killed.append(victim)

        killer = threading.Thread(target=kill)
        killer.start()
        began, where, draws = time.monotonic(), Path(folder) / "run.zarr", 200
        executor = client.get_executor()
        fit = pp.sample(density, draws=draws, executor=executor, store=where, **options)
        while (
            left := seconds - (time.monotonic() - began)
        ) > 0:  # at most so many more, until the time is up
            fit = pp.extend(fit, density, 10**6, executor=executor, max_time=left + 0.1, progress=False)
        ended.set()
        killer.join()
        lasted, draws = time.monotonic() - began, fit.posterior.sizes["draw"]
        undisturbed, alone = timed(density, draws=draws, **options)
        same = is_same(fit, undisturbed)
    print(
        f"\n{lasted / 60:.1f} minutes on 2 workers, of which {len(killed)} were killed: {draws:,} draws of "
        f"{CHAINS} chains, the same as undisturbed: {same} ({alone:.0f} s in one process)."
    )


def timed(density: pp.Density, **options: Any) -> tuple[Any, float]:
    began = time.perf_counter()
    fit = pp.sample(density, **options)
    return fit, time.perf_counter() - began


def is_same(one: Any, other: Any) -> bool:
    return all(
        np.array_equal(one[group][name].values, other[group][name].values)
        for group in ("posterior", "sample_stats", "warmup")
        for name in one[group].data_vars
    )


if __name__ == "__main__":
    main()
