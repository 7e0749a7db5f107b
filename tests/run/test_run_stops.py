"""Runs that end early: what was drawn is returned and marked, and nothing of the caller's is changed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np
import pytest

from propto.errors import InterruptedRunError, WorkerError
from propto.run import loop
from propto.run.interrupt import Stop, interrupts

# The density interrupts the run itself, after a number of calls: no clock decides the outcome.
INTERRUPTED = """
import itertools, os, signal, time
import propto as pp
from propto.errors import InterruptedRunError, WorkerError

interrupt_at = ()
calls = itertools.count()

def log_p(x):
    call = next(calls)
    if call in interrupt_at:
        while call != interrupt_at[0] and signal.getsignal(signal.SIGINT) is not handler:
            time.sleep(0.001)  # the first one has not been heard yet
        os.kill(os.getpid(), signal.SIGINT)
    return -0.5 * x**2

posterior = pp.Density(log_p, {"x": pp.real()}, jax=False)
handler = signal.getsignal(signal.SIGINT)

def draw(*at, **options):
    global calls, interrupt_at
    calls, interrupt_at = itertools.count(), at
    options = {"draws": 10**6, "chains": 3, "block_size": 2, "progress": False, **options}
    fit = pp.sample(posterior, **options)
    return fit

def outcome(*args, **options):
    try:
        fit = draw(*args, **options)
        text = f"interrupted {fit.attrs['interrupted']}, some {0 < fit.attrs['draws'] < 10**6}"
        assert fit.posterior.sizes == {"chain": 3, "draw": fit.attrs["draws"]}
    except InterruptedRunError as error:
        text = str(error)
    except KeyboardInterrupt:
        text = "KeyboardInterrupt"
    assert signal.getsignal(signal.SIGINT) is handler
    return text

print("sampling:", outcome(5000, warmup=0))
print("warm-up:", outcome(500, warmup=10**6))
print("start:", outcome(1, warmup=100))
print("in time:", draw(100, draws=10, warmup=0).attrs["draws"] in range(1, 11))

def own(*_):
    raise KeyboardInterrupt

handler = signal.signal(signal.SIGINT, own) and own  # an application that has its own
print("own handler:", outcome(5000, warmup=0))
signal.signal(signal.SIGINT, signal.default_int_handler)
handler = signal.default_int_handler
print("twice:", outcome(5000, 5001, warmup=0))
"""


def test_ctrl_c_returns_what_was_drawn(tmp_path):
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED)
    result = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    stopped_early = "the run was stopped in warm-up, before the first draw"
    assert result.stdout.splitlines() == [
        "sampling: interrupted 1, some True",
        f"warm-up: {stopped_early}",
        f"start: {stopped_early}",
        "in time: True",
        "own handler: interrupted 1, some True",
        "twice: KeyboardInterrupt",
    ], result.stderr


def test_time_limits_return_what_was_drawn(draw, fit):
    part = draw(draws=10**7, warmup=40, max_time=1.0)
    drawn = part.attrs["draws"]
    assert part.attrs["interrupted"] == 1
    assert 0 < drawn < 10**7
    assert part.posterior.sizes["draw"] == part.sample_stats.sizes["draw"] == drawn
    n = min(drawn, 60)
    assert np.array_equal(part.posterior["t"][:, :n], fit.posterior["t"][:, :n])
    assert '"draws": 10000000' in part.attrs["settings"]


def test_a_run_that_ends_in_time_is_not_marked(draw):
    assert draw(max_time=10_000).attrs["interrupted"] == 0


def test_no_time_for_warm_up(draw):
    with pytest.raises(InterruptedRunError, match="stopped in warm-up, before the first draw"):
        draw(max_time=1e-9)


def test_no_time_at_all_gives_one_chunk(draw):
    hurried = draw(max_time=1e-9, warmup=0, chunk_size=3)
    assert hurried.attrs["draws"] == 3
    assert hurried.attrs["interrupted"] == 1


class TakingTurns(Executor):
    """One thread, which asks the run to stop at one of the jobs, and then gives it time to let others go."""

    def __init__(self, stop_at, lets_go, monkeypatch):
        self.thread, self.stop_at, self.lets_go, self.jobs = ThreadPoolExecutor(1), stop_at, lets_go, 0
        self.sent = []
        monkeypatch.setattr(loop, "Stop", self.remember)

    def remember(self, asked, deadline):
        self.asked = asked
        return Stop(asked, deadline)

    def submit(self, function, /, *args, **kwargs):
        self.sent.append(self.thread.submit(self.run, function, args, kwargs))
        return self.sent[-1]

    def run(self, function, args, kwargs):
        self.jobs += 1
        if self.jobs == self.stop_at:
            self.asked.set()
        deadline = time.monotonic() + 20
        while self.jobs > self.stop_at and self.lets_go and time.monotonic() < deadline:
            if any(job.cancelled() for job in self.sent):
                break
            time.sleep(0.001)
        return function(*args, **kwargs)


def test_a_stop_does_not_wait_for_blocks_that_have_draws(draw, monkeypatch):
    """At the stop, blocks that wait for another turn are let go; those without draws get their first."""
    options = {"warmup": 0, "chunk_size": 1, "draws": 100, "chains": 10, "block_size": 1}
    for stop_at, jobs, draws in ((25, (25, 26), 2), (5, (10,), 1)):
        executor = TakingTurns(stop_at, draws > 1, monkeypatch)
        fit = draw(executor=executor, **options)
        executor.thread.shutdown()
        assert executor.jobs in jobs  # one may have begun while the run came to know of the stop
        assert fit.attrs["draws"] == draws
        assert fit.attrs["interrupted"] == 1


def test_a_stop_knows_its_reasons():
    asked = threading.Event()
    assert not Stop(asked, None)
    assert not Stop(asked, time.monotonic() + 1000)
    assert Stop(asked, time.monotonic() - 1)
    asked.set()
    assert Stop(asked, None)


def test_only_the_main_thread_listens():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with ThreadPoolExecutor(1) as executor, interrupts() as asked:
            ours = signal.getsignal(signal.SIGINT)
            assert ours is not signal.default_int_handler
            assert executor.submit(lambda: interrupts().__enter__()).result() is not asked
            assert signal.getsignal(signal.SIGINT) is ours
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_error_leaves_no_work_behind(draw, posterior):
    """Jobs that an executor of the user still holds are cancelled or awaited before the error comes out."""
    jobs = []

    class Closing(Executor):
        def submit(self, function, /, *args, **kwargs):
            if len(jobs) == 2:
                raise RuntimeError("closing")
            jobs.append(Future())
            return jobs[-1]

    with pytest.raises(WorkerError, match=r"takes no jobs.*closing"):
        draw(executor=Closing(), chains=12)
    assert all(job.done() for job in jobs)
