"""Seconds of the everyday job: one table of any size, many tables, simulated tables, other models.

Run ``python benchmarks/everyday.py`` (a few minutes); it prints a Markdown table. Each row has processes of
its own: fresh is from the start of Python to the first answer, imports included; warm is the median of
further calls in the same process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import in_words

Job = Callable[[], Any]

SCHOOLS = ([28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18])

# CPU seconds of a fit by R's bayesmeta 3.4 at its defaults, on one core: medians over published tables.
BAYESMETA = {8: "0.95 (k up to 10)", 20: "6.4 (k = 11 to 30)", 56: "32 (k = 31 to 60)", 100: "204 (k = 102)"}


def table(k: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Estimates of k groups that differ about as much as their errors allow."""
    rng = np.random.default_rng(seed)
    errors = rng.uniform(1, 3, k)
    return rng.normal(size=k) + errors * rng.normal(size=k), errors


def pool(k: int) -> Job:
    y, s = SCHOOLS if k == 8 else table(k)

    def job() -> Any:
        import propto as pp

        return pp.pool(y, s)

    return job


def many_tables(tables: int, k: int) -> dict[str, np.ndarray]:
    y, s = table(tables * k)
    return {"metric": np.repeat(np.arange(tables), k), "estimate": y, "se": s}


def pool_many() -> Job:
    columns = many_tables(10_000, 20)

    def job() -> Any:
        import propto as pp

        return pp.pool_many(columns, "metric")

    return job


def command_by() -> Job:
    folder = Path(tempfile.mkdtemp())
    columns = many_tables(10_000, 20)
    rows = np.stack(list(columns.values()), axis=1)
    np.savetxt(folder / "many.csv", rows, "%.8g", ",", header=",".join(columns), comments="")
    call = ["fit", str(folder / "many.csv"), "--by", "metric", "--csv", str(folder / "out.csv")]

    def job() -> Any:
        from propto.cli import main

        return main([*call, "--quiet", "--force"])

    return job


def calibrate(k: int) -> Job:
    y, s = SCHOOLS if k == 8 else table(k)

    def job() -> Any:
        import propto as pp
        from propto.pooling.calibrate import calibrate

        return calibrate(pp.pool(y, s), tables=1000)

    return job


def effects(family: str, k: int, **errors: float) -> Job:
    y, s = SCHOOLS if k == 8 else table(k)

    def job() -> Any:
        from propto.pooling.effects import pool_effects

        return pool_effects(y, s, effects=family, **errors)

    return job


def regression(k: int, **structure: Any) -> Job:
    y, s = table(k)

    def job() -> Any:
        from propto.pooling.regression import pool_regression

        return pool_regression(y, None if "covariance" in structure else s, **structure)

    return job


def correlated(k: int) -> Job:
    errors = table(k)[1]
    return regression(k, covariance=np.outer(errors, errors) * (0.3 + 0.7 * np.eye(k)))


def covariates(k: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {"dose": rng.normal(size=k), "year": rng.normal(size=k)}


JOBS: dict[str, tuple[Callable[[], Job], str]] = {
    "`pp.pool`, 8 groups": (lambda: pool(8), BAYESMETA[8]),
    "`pp.pool`, 20 groups": (lambda: pool(20), BAYESMETA[20]),
    "`pp.pool`, 56 groups": (lambda: pool(56), BAYESMETA[56]),
    "`pp.pool`, 100 groups": (lambda: pool(100), BAYESMETA[100]),
    "`pp.pool`, 1,000 groups": (lambda: pool(1000), ""),
    "`pp.pool`, 100,000 groups": (lambda: pool(100_000), ""),
    "`pp.pool_many`, 10,000 tables of 20 groups": (pool_many, ""),
    "`propto fit --by`, 10,000 tables of 20 groups, CSV to CSV": (command_by, ""),
    "`--calibrate`, 1,000 simulated tables of 8 groups": (lambda: calibrate(8), ""),
    "`--calibrate`, 1,000 simulated tables of 100 groups": (lambda: calibrate(100), ""),
    "`--effects t(4)`, 8 groups": (lambda: effects("t(4)", 8), ""),
    "`--effects t`, 8 groups": (lambda: effects("t", 8), ""),
    "`--effects spike-slab`, 8 groups": (lambda: effects("spike_slab", 8), ""),
    "`--effects two-normals`, 8 groups": (lambda: effects("two_normals", 8), ""),
    "`--effects t`, 100 groups": (lambda: effects("t", 100), ""),
    "`--effects spike-slab`, 100 groups": (lambda: effects("spike_slab", 100), ""),
    "`--effects t --error-df 6`, 50 groups": (lambda: effects("t", 50, error_df=6), ""),
    "`--covariates dose year`, 20 groups": (lambda: regression(20, covariates=covariates(20)), ""),
    "`--covariates dose year`, 1,000 groups": (lambda: regression(1000, covariates=covariates(1000)), ""),
    "`--cluster`, 56 groups in 11 clusters": (lambda: regression(56, cluster=np.arange(56) % 11), ""),
    "`--covariance`, 50 groups": (lambda: correlated(50), ""),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=5, help="warm calls in each process")
    options.add_argument("--fresh", type=int, default=3, help="processes of each row")
    options.add_argument("--only", help="rows with this word")
    options.add_argument("--worker", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.worker is not None:
        work(chosen.worker, chosen.repeats)
        return
    print(f"Medians of {chosen.fresh} processes and {chosen.repeats} warm calls in each; {in_words()}.\n")
    print("| job | fresh process: s | warm: s | warm: CPU s | bayesmeta (R): CPU s |")
    print("| --- | --- | --- | --- | --- |")
    for title, (_, theirs) in JOBS.items():
        if chosen.only is None or chosen.only in title:
            rows = [started(title, chosen.repeats) for _ in range(chosen.fresh)]
            found = [statistics.median(row[name] for row in rows) for name in ("fresh", "warm", "cpu")]
            print(f"| {title} | {' | '.join(map(seconds, found))} | {theirs} |", flush=True)


def started(title: str, repeats: int) -> dict[str, float]:
    """Measure a row in a new process."""
    call = [sys.executable, __file__, "--worker", title, "--repeats", str(repeats)]
    begin = time.time()
    done = subprocess.run(call, capture_output=True, text=True, check=True, env=os.environ)
    found = json.loads(done.stdout.splitlines()[-1])
    found["fresh"] = found.pop("answered") - begin - found.pop("setup")
    return found


def work(title: str, repeats: int) -> None:
    """Answer once, then again and again; print when, and how long it took."""
    begin = time.perf_counter()
    job = JOBS[title][0]()
    setup = time.perf_counter() - begin
    job()
    answered, warm, cpu = time.time(), [], []
    for _ in range(repeats):
        wall, used = time.perf_counter(), time.process_time()
        job()
        warm.append(time.perf_counter() - wall)
        cpu.append(time.process_time() - used)
    found = {"warm": statistics.median(warm), "cpu": statistics.median(cpu)}
    print(json.dumps({**found, "setup": setup, "answered": answered}))


def seconds(value: float) -> str:
    """Two significant digits."""
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


if __name__ == "__main__":
    main()
