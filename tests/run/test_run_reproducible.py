"""The same draws, bit for bit, however a run is cut up and wherever its blocks are advanced."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np
import pytest

import propto as pp
from propto.errors import OptionError


def same(one, other):
    """Whether draws and statistics of two fits are equal in every bit."""
    return all(
        np.array_equal(one[group][name].values, other[group][name].values)
        for group in ("posterior", "sample_stats", "warmup")
        for name in one[group].data_vars
    )


class Serial(Executor):
    """Runs every job at once, in the thread that submits it."""

    def __repr__(self):
        return "Serial()"  # the same test name in every process

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Backwards(Executor):
    """Runs the last job first, to show that the order in which blocks come home means nothing."""

    def __repr__(self):
        return "Backwards()"

    def __init__(self):
        self.jobs, self.changed = [], threading.Condition()
        threading.Thread(target=self.work, daemon=True).start()

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        with self.changed:
            self.jobs.append((future, function, args, kwargs))
            self.changed.notify()
        return future

    def work(self):
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.jobs)
                future, function, args, kwargs = self.jobs.pop()
            if future.set_running_or_notify_cancel():
                future.set_result(function(*args, **kwargs))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"threads": 1},
        {"threads": 4},
        {"chunk_size": 1},
        {"chunk_size": 7},
        {"chunk_size": 100},
        {"executor": Serial()},
        {"executor": Backwards(), "chunk_size": 9},
        {"seed": np.int64(1), "draws": np.int32(60)},
    ],
    ids=str,
)
def test_nothing_of_how_it_is_run_changes_the_draws(fit, draw, options):
    assert same(fit, draw(**options))


def test_an_executor_of_the_user_is_left_open(fit, draw):
    with ThreadPoolExecutor(3) as executor:
        assert same(fit, draw(executor=executor))
        assert executor.submit(lambda: 1).result() == 1


@pytest.mark.parametrize("sampler", [pp.NUTS()])
def test_samplers_with_gradients_are_reproducible_too(draw, sampler):
    runs = [
        draw(sampler=sampler, draws=30, warmup=30, **options)
        for options in ({"threads": 1}, {"threads": 2, "chunk_size": 7}, {"threads": 4, "chunk_size": 1})
    ]
    assert same(runs[0], runs[1])
    assert same(runs[0], runs[2])


@pytest.fixture(scope="module")
def many(draw):
    """A run of the ensemble: 40 chains in blocks of 16, 16 and 8."""
    options = {"sampler": pp.Ensemble(), "chains": 40, "block_size": 16, "draws": 30, "warmup": 60}
    return lambda **others: draw(**{**options, **others})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"threads": 1},
        {"threads": 4},
        {"chunk_size": 1},
        {"chunk_size": 7},
        {"executor": Serial()},
        {"executor": Backwards()},
    ],
    ids=str,
)
def test_the_ensemble_draws_the_same_however_it_is_run(many, options):
    assert same(many(threads=2, chunk_size=13), many(**options))


def test_many_chains_share_start_points_in_groups(draw):
    """What R-hat compares: neighbours that start together, at no more than 16 different places."""
    for chains, starts in ((8, 8), (16, 16), (32, 16), (128, 16), (100, 100)):
        fit = draw(chains=chains, warmup=0, draws=1)
        assert fit.attrs.get("superchains", chains) == starts


def test_more_draws_begin_with_the_same(fit, draw):
    longer = draw(draws=90)
    for name, values in fit.posterior.data_vars.items():
        assert np.array_equal(longer.posterior[name].isel(draw=slice(60)), values)


def test_seeds_and_chains_differ(fit, draw):
    other = draw(seed=2)
    assert not np.any(other.posterior["mu"].values == fit.posterior["mu"].values)
    chains = fit.posterior["mu"].values
    assert len(np.unique(chains[:, -1])) == 8
    assert len({*np.ravel(draw(seed=2**63 - 1).posterior["mu"])} & {*chains.ravel()}) == 0


def test_blocks_need_not_divide_the_chains(draw):
    odd = draw(chains=7, block_size=3)
    assert odd.posterior.sizes["chain"] == 7
    assert same(odd, draw(chains=7, block_size=3, threads=1, chunk_size=11))
    one = draw(chains=3, block_size=8)
    assert one.posterior.sizes["chain"] == 3


@pytest.mark.parametrize("options", [{"chains": 1}, {"draws": 1}, {"warmup": 0}, {"warmup": 1}], ids=str)
def test_the_smallest_runs(draw, options):
    small = draw(**options)
    sizes = {"chain": options.get("chains", 8), "draw": options.get("draws", 60), "group": 2, "item": 3}
    assert small.posterior.sizes == sizes
    assert np.isfinite(small.posterior["mu"]).all()
    assert small.warmup.sizes.get("window", 0) == {0: 0, 1: 1}.get(options.get("warmup"), 2)


def test_many_runs_at_once_do_not_disturb_each_other(fit, draw):
    with ThreadPoolExecutor(6) as executor:
        jobs = [executor.submit(draw, cache=i % 2 == 0, threads=2) for i in range(12)]
        assert all(same(fit, job.result()) for job in jobs)


PROCESSES = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
import numpy as np
import propto as pp
from propto.errors import DensityError

def log_p(x, y):
    return -0.5 * ((x - y) ** 2).sum()

def broken(x):
    if x > 2:
        raise ValueError("far out")
    return -0.5 * x**2

if __name__ == "__main__":
    options = {"sampler": pp.Metropolis(), "draws": 30, "warmup": 30, "progress": False, "seed": 3}
    posterior = pp.Density(log_p, {"x": pp.real(2)}, data={"y": np.array([1 / 3, -1.0])})
    here = pp.sample(posterior, **options)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        there = pp.sample(posterior, executor=executor, **options)
        assert np.array_equal(here.posterior["x"].values, there.posterior["x"].values)
        failing = pp.Density(broken, {"x": pp.real()}, jax=False)
        try:
            pp.sample(failing, executor=executor, init={"x": 1.9}, **options)
        except DensityError as error:
            assert "raised ValueError: far out" in str(error)
            print("as expected")
"""


def test_other_processes_draw_the_same(tmp_path):
    script = tmp_path / "processes.py"
    script.write_text(PROCESSES)
    result = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert result.stdout == "as expected\n", result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"draws": 0}, "draws must be a whole number of at least 1, got 0"),
        ({"draws": 10.0}, "draws"),
        ({"warmup": -1}, "warmup"),
        ({"chains": 0}, "chains"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"seed": 2**63}, "seed"),
        ({"seed": "one"}, "seed"),
        ({"block_size": 0}, "block_size"),
        ({"chunk_size": 0}, "chunk_size"),
        ({"chunk_size": -5}, "chunk_size"),
        ({"threads": 0}, "threads"),
        ({"threads": 2, "executor": Serial()}, "threads or an executor, not both"),
        ({"max_time": 0}, "max_time"),
        ({"max_time": float("nan")}, "max_time"),
        ({"sampler": pp.NUTS}, r"such as pp\.NUTS\(\)"),
        ({"sampler": "NUTS"}, r"such as pp\.NUTS\(\)"),
    ],
    ids=str,
)
def test_options_out_of_range(draw, options, words):
    with pytest.raises(OptionError, match=words):
        draw(**options)
