"""How often the verdict is fooled, and how often it cries wolf: ``python benchmarks/zoo.py --runs 100``.

Prints a Markdown table. The broken, wrong and healthy runs are those of the tests.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("JAX_PLATFORMS", "cpu")
ZOO = Path(__file__).resolve().parents[1] / "tests" / "diagnosis"
OF_BIAS = ("stein_location", "stein_scale", "impossible_draws", "lp_of_another")


class Kind(NamedTuple):
    """One kind of run: its table row, its name and how many of its runs were judged wrongly."""

    row: str
    name: str
    runs: int
    wrong: int


def main() -> None:
    """Judge all runs, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="runs of every kind (100)")
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    jobs = [(row, name, arguments.runs) for row in ROWS for name in ROWS[row](_room())]
    with ProcessPoolExecutor(arguments.processes) as pool:
        kinds = list(pool.map(judge, jobs))
    print("\n".join(table(kinds)))


def _room() -> types.SimpleNamespace:
    """The modules of the zoo, which is no installed package."""
    if "the_zoo" not in sys.modules:
        package = types.ModuleType("the_zoo")
        package.__path__ = [str(ZOO)]
        sys.modules["the_zoo"] = package
    names = ("zoo", "healthy", "known")
    return types.SimpleNamespace(**{name: importlib.import_module(f"the_zoo.{name}") for name in names})


BROKEN = "broken runs that pass"
WRONG = "wrong kernels whose chains agree that pass, posterior given"
BLIND = "the same that pass, posterior not given"
CAUTIONED = "healthy runs that are cautioned"
FAILED = "healthy runs that fail"
ALARMS = "runs with exact draws that are said to be biased, posterior given"
ROWS: dict[str, Callable[[types.SimpleNamespace], list[str]]] = {
    BROKEN: lambda room: [one.name for one in room.zoo.ZOO],
    WRONG: lambda room: [one.name for one in room.known.WRONG],
    BLIND: lambda room: [one.name for one in room.known.WRONG],
    CAUTIONED: lambda room: list(room.healthy.HEALTHY),
    FAILED: lambda room: list(room.healthy.HEALTHY),
    ALARMS: lambda room: [one.name for one in room.known.EXACT],
}


def judge(job: tuple[str, str, int]) -> Kind:
    """Judge so many runs of one kind."""
    row, name, runs = job
    return Kind(row, name, runs, sum(_is_wrong(row, name, seed) for seed in range(runs)))


def _is_wrong(row: str, name: str, seed: int) -> bool:
    import numpy as np

    from propto.diagnosis import diagnose

    room, rng = _room(), np.random.default_rng([seed, 2026])
    if row in (CAUTIONED, FAILED):
        status = diagnose(room.healthy.HEALTHY[name](rng)).status
        return status == ("caution" if row == CAUTIONED else "fail")
    if row == BROKEN:
        (one,) = [one for one in room.zoo.ZOO if one.name == name]
        return diagnose(one.make(rng)).status == "pass"
    (one,) = [one for one in (*room.known.WRONG, *room.known.EXACT) if one.name == name]
    verdict = diagnose(one.make(rng), posterior=None if row == BLIND else one.density)
    if row == ALARMS:
        return any(reason.statistic in OF_BIAS for reason in verdict.reasons)
    return verdict.status == "pass"


def table(kinds: list[Kind]) -> Iterator[str]:
    """The rates, and the kinds in which anything was judged wrongly."""
    yield "| what | kinds | runs | wrong | rate | where |"
    yield "| --- | ---: | ---: | ---: | ---: | --- |"
    for row in ROWS:
        some = [kind for kind in kinds if kind.row == row]
        runs, wrong = sum(kind.runs for kind in some), sum(kind.wrong for kind in some)
        found = [f"{kind.name} ({kind.wrong})" for kind in some if kind.wrong]
        where = "all" if len(found) == len(some) else ", ".join(found)
        yield f"| {row} | {len(some)} | {runs:,} | {wrong:,} | {100 * wrong / runs:.3g} % | {where} |"


if __name__ == "__main__":
    main()
