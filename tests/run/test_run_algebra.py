"""NumPy's linear algebra keeps to one thread during a run, and has its threads back afterwards."""

from __future__ import annotations

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import propto as pp
from propto.algebra import algebra_on_one_thread
from propto.run.learner import Learner


def threads():
    """Those of the library that came with NumPy; SciPy may bring another one."""
    ours = [one for one in threadpool_info() if one["user_api"] == "blas" and "numpy" in one["filepath"]]
    return {one["num_threads"] for one in ours}


@pytest.fixture(autouse=True)
def three():
    with threadpool_limits(3, user_api="blas"):
        if threads() != {3}:
            pytest.skip("this linear algebra has no threads to limit")
        yield


def test_a_run_learns_on_one_thread(monkeypatch):
    seen = []
    learn = Learner.learn
    monkeypatch.setattr(Learner, "learn", lambda *args: seen.append(threads()) or learn(*args))
    density = pp.Density(lambda x: -0.5 * x**2, {"x": pp.real()})
    pp.sample(density, draws=5, warmup=40, chains=4, progress=False)
    assert seen
    assert all(one == {1} for one in seen)
    assert threads() == {3}


def test_runs_that_overlap_give_the_threads_back_once_all_have_ended():
    first, second = algebra_on_one_thread(), algebra_on_one_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert threads() == {1}
    second.__exit__(None, None, None)
    assert threads() == {3}


def test_threads_come_back_after_an_error():
    with pytest.raises(ValueError, match="seed"):
        pp.sample(pp.Density(lambda x: -0.5 * x**2, {"x": pp.real()}), seed=-1, progress=False)
    with pytest.raises(RuntimeError), algebra_on_one_thread():
        raise RuntimeError
    assert threads() == {3}
