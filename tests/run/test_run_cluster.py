"""Blocks on worker processes that die, hang and start anew: every job has one answer, every draw its bits."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

import propto as pp
from propto.errors import DensityError, ModelError, OptionError, TableError, TableProblem, WorkerError
from propto.run import cluster, parcels
from propto.run.cluster import Team
from propto.run.parcels import Parcel


def double(x):
    return 2 * x


def refuse(x):
    raise ModelError(f"no {x}")


class Unreliable(Executor):
    """Loses jobs: to each that is submitted an answer of its own, then the true ones."""

    def __init__(self, *mishaps):
        self.mishaps, self.submitted = list(mishaps), 0

    def submit(self, function, /, *args, **kwargs):
        self.submitted += 1
        job = Future()
        mishap = self.mishaps.pop(0) if self.mishaps else None
        if mishap == "silence":
            return job
        if mishap == "cancel":
            job.cancel()
            job.set_running_or_notify_cancel()
        elif mishap is not None:
            job.set_exception(mishap)
        else:
            job.set_result(function(*args))
        return job


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 0.05)
    monkeypatch.setattr(cluster, "PAUSE", 0.01)
    monkeypatch.setattr(cluster, "LOOK", 0.01)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "mishaps",
    [
        [],
        [OSError("the worker is gone")],
        ["cancel", "cancel", KeyError("x"), SystemExit(), MemoryError()],
        ["silence"],
        ["silence", OSError("gone"), "silence", "cancel", "silence"],
    ],
    ids=str,
)
def test_a_lost_job_is_run_again(mishaps):
    executor = Unreliable(*mishaps)
    with Team(executor) as team:
        assert team.submit(double, 21).result() == 42
    assert executor.submitted == len(mishaps) + 1


@pytest.mark.usefixtures("impatient")
def test_a_job_that_is_always_lost_or_never_answered_is_a_typed_error():
    mishaps = {OSError("gone"): "OSError: gone", "silence": "TimeoutError: no worker has answered"}
    for mishap, said in mishaps.items():
        executor = Unreliable(*[mishap] * 100)
        with Team(executor) as team, pytest.raises(WorkerError, match=rf"given out 6 times \({said}"):
            team.submit(double, 1).result()
        assert executor.submitted == 6


def test_what_the_job_itself_raises_is_not_tried_again():
    executor = Unreliable()
    problem = TableError("t.csv", [TableProblem("no column", line=3)])
    with Team(executor) as team, pytest.raises(ModelError, match="no sense"):
        team.submit(refuse, "sense").result()
    assert executor.submitted == 1
    assert pickle.loads(pickle.dumps(problem)).problems == problem.problems


def test_a_job_may_be_given_up_and_ending_gives_all_up():
    with Team(Unreliable("silence", "silence")) as team:
        one, two = team.submit(double, 1), team.submit(double, 2)
        assert one.cancel()
        assert team.submit(double, 3).result() == 6
    with pytest.raises(CancelledError):
        two.result()


def test_a_parcel_is_used_as_it_is_where_it_was_made():
    value = [1, 2, object()]
    parcel = Parcel(value, content=lambda: value)
    with Team(Unreliable()) as team:
        assert team.submit(len, parcel).result() == 3
        assert team.submit(id, parcel).result() == id(value)
    assert parcel.address.name not in parcels._opened  # let go of at the end


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs a system that forks")
def test_forked_processes_are_refused_before_they_hang():
    density = pp.Density(lambda x: -0.5 * x**2, {"x": pp.real()})
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as executor,
        pytest.raises(OptionError, match="get_context"),
    ):
        pp.sample(density, executor=executor, progress=False)


def test_a_parcel_is_sent_to_each_process_once(processes, monkeypatch):
    sent = []
    whole = Parcel.sent
    monkeypatch.setattr(Parcel, "sent", lambda parcel: sent.append(1) or whole(parcel))
    with Team(processes) as team:
        parcel = Parcel(list(range(10)))
        for n in range(40):
            assert team.submit(sum, parcel).result() == 45, n
    assert 1 <= len(sent) <= 2


def test_what_cannot_be_sent_is_said(processes):
    with Team(processes) as team:
        with pytest.raises(
            WorkerError, match=r"cannot be sent to other processes \(TypeError: cannot pickle"
        ):
            team.submit(len, Parcel([threading.Lock()])).result()
        with pytest.raises(WorkerError, match=r"cannot take in the model .*: every worker needs"):
            team.submit(len, Parcel([1], content=[1], opener=refuse_bytes())).result()


def refuse_bytes():
    return partial(pickle.loads, encoding=None)


def test_an_executor_that_is_broken_for_good_is_said():
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor,
        Team(executor) as team,
    ):
        with pytest.raises(WorkerError, match="cannot replace a process that dies"):
            team.submit(os._exit, 3).result()
        with pytest.raises(WorkerError, match="cannot replace a process that dies"):
            team.submit(double, 3).result()


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    here = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    )
    with here, distributed.Client(here) as client:
        yield client


def closure(scale):
    """A density whose function lives in no module."""
    y = np.linspace(-1, 2, 40)
    return pp.Density(
        lambda x, y: -0.5 * jnp.sum((y[:, None] - x) ** 2) / scale - 0.1 * jnp.sum(x**4),
        {"x": pp.real(3)},
        data={"y": y},
    )


OPTIONS = {"draws": 60, "seed": 5, "progress": False}


def assert_same(one, other):
    for group in ("posterior", "sample_stats", "warmup"):
        assert set(one[group].data_vars) == set(other[group].data_vars)
        for name in one[group].data_vars:
            np.testing.assert_array_equal(one[group][name].values, other[group][name].values, err_msg=name)


def programs(client):
    """How many programs each worker has compiled; a lambda, because workers cannot import the tests."""
    return client.run(lambda: len(__import__("propto.compiled").compiled._programs))


@pytest.mark.slow
def test_a_cluster_draws_the_same_and_compiles_and_receives_once(client, monkeypatch):
    density, executor = closure(2.0), client.get_executor()
    here = pp.sample(density, **OPTIONS)
    there = pp.sample(density, executor=executor, **OPTIONS)
    assert_same(here, there)
    assert pp.diagnose(here).status == pp.diagnose(there).status
    facts = ("sampler", "draws", "chains", "gradients_warmup", "superchains", "interrupted")
    assert {name: here.attrs[name] for name in facts} == {name: there.attrs[name] for name in facts}
    before = programs(client)
    assert max(before.values()) >= 1
    monkeypatch.setattr(Parcel, "sent", None)  # nothing is sent a second time
    assert_same(here, pp.sample(density, executor=executor, chunk_size=11, **OPTIONS))
    assert programs(client) == before


def test_a_models_errors_come_home(client):
    def broken(x):
        if x > 2:
            raise ValueError("far out")
        return -0.5 * x**2

    density = pp.Density(broken, {"x": pp.real()}, jax=False)
    with pytest.raises(DensityError, match="raised ValueError: far out"):
        pp.sample(density, executor=client.get_executor(), init={"x": 1.9}, chains=4, **OPTIONS)


def test_a_stored_run_may_change_its_executor(client, tmp_path):
    pytest.importorskip("zarr", reason="Zarr is not installed")
    density = closure(3.0)
    options = {**OPTIONS, "store": tmp_path / "run.zarr"}
    pp.sample(density, **{**options, "draws": 20})
    assert_same(pp.sample(density, executor=client.get_executor(), **options), pp.sample(density, **OPTIONS))


@pytest.mark.slow
def test_a_hanging_worker_is_not_waited_for(client, monkeypatch):
    density = closure(4.0)
    pp.sample(density, executor=client.get_executor(), **OPTIONS)
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    monkeypatch.setattr(cluster, "SLOWER", 1.0)
    pid = next(iter(client.run(os.getpid).values()))
    os.kill(pid, signal.SIGSTOP)
    try:
        fit = pp.sample(density, executor=client.get_executor(), chunk_size=40, **OPTIONS)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert_same(fit, pp.sample(density, **OPTIONS))


def kill_in_turn(client, times):
    """Kill workers with no warning; each time the nanny starts another one, which knows nothing."""
    for i in range(times):
        time.sleep(1)
        nannies = list(client.cluster.workers.values())
        os.kill(nannies[i % len(nannies)].pid, signal.SIGKILL)


@pytest.mark.slow
def test_workers_that_are_killed_while_they_run_change_nothing(client):
    density = closure(5.0)
    options = {**OPTIONS, "draws": 1000, "chunk_size": 2}
    undisturbed = pp.sample(density, **options)
    killer = threading.Thread(target=kill_in_turn, args=(client, 3))
    killer.start()
    runs = [pp.sample(density, executor=client.get_executor(), **options)]
    while killer.is_alive():
        runs.append(pp.sample(density, executor=client.get_executor(), **options))
    for run in runs:
        assert_same(run, undisturbed)
