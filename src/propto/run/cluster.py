"""Jobs on an executor whose workers may die, hang, join late or start anew: every job gets one answer."""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any, NamedTuple

from propto.errors import WorkerError
from propto.run.parcels import Failed, Missing, Parcel, packed, work

# A job is given out at most so often. After a loss it waits for so many seconds, twice as long each time.
TRIES, PAUSE = 6, 0.25
# It is given out once more, beside the copy that is out, after so many seconds and so many times as long as
# the slowest job has taken so far; twice as long for each further copy.
PATIENCE, SLOWER = 60.0, 10.0
# How often to look for copies that are overdue.
LOOK = 0.25


class Team(Executor):
    """Runs jobs on another executor, again where they were lost, until each is done.

    A job must give the same answer whenever and wherever it is run; the first answer counts. Arguments
    that are a `Parcel` go to each process once.

    Parameters
    ----------
    executor
        Any executor of ``concurrent.futures``: of processes, of a cluster. It is left open.
    """

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.slowest = 0.0
        self.events: queue.SimpleQueue[_Event | None] = queue.SimpleQueue()
        self.jobs: set[_Job] = set()
        self.parcels: set[Parcel] = set()
        self.thread = threading.Thread(target=self._lead, name="propto-team", daemon=True)
        self.thread.start()

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand in a job: a function of a module, and positional arguments."""
        if kwargs:
            raise TypeError("jobs of a team take positional arguments only")
        job = _Job(function, args)
        self.events.put(_Event(job, None))
        return job.answer

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End; what is still out is given up."""
        self.events.put(None)
        if wait:
            self.thread.join()

    def _lead(self) -> None:
        """The one thread that decides."""
        while True:
            try:
                event = self.events.get(timeout=LOOK)
                if event is None:
                    break
                self._take(*event)
            except queue.Empty:
                pass
            self._look()
        for job in self.jobs:
            job.give_up()
        for parcel in self.parcels:
            parcel.forget()

    def _take(self, job: _Job, copy: Future[Any] | None) -> None:
        """A job has come in, or a copy of it has come back."""
        if copy is None:
            self.jobs.add(job)
            self.parcels.update(job.parcels.values())
            self._give_out(job)
            return
        began = job.out.pop(copy, None)
        if job.answer.done():
            return
        if not copy.cancelled() and copy.exception() is None:
            self.slowest = max(self.slowest, time.monotonic() - (began or time.monotonic()))
            self._answer(job, copy.result())
        else:
            self._again(job, WorkerError("it was cancelled") if copy.cancelled() else copy.exception())

    def _answer(self, job: _Job, result: Any) -> None:
        if isinstance(result, Missing):
            self._give_out(job, result.names)
        elif isinstance(result, Failed):
            self._end(job, error=result.error)
        else:
            self._end(job, result=result)

    def _again(self, job: _Job, error: BaseException | None) -> None:
        """A copy is lost with its worker."""
        job.losses += 1
        if isinstance(error, BrokenExecutor):
            self._end(job, error=_lost(job, error, "the executor cannot replace a process that dies"))
        elif job.losses < TRIES:
            job.due = time.monotonic() + PAUSE * 2 ** (job.losses - 1)
        elif not job.out:
            self._end(job, error=_lost(job, error, f"a chunk was given out {job.losses} times"))

    def _look(self) -> None:
        """Give out what is due or overdue."""
        now = time.monotonic()
        for job in list(self.jobs):
            if job.answer.cancelled():
                self._end(job)
            elif job.due is not None and now >= job.due:
                self._give_out(job)
            elif job.due is None and job.out and now - job.given > self._patience(job):
                self._urge(job)

    def _patience(self, job: _Job) -> float:
        return max(PATIENCE, SLOWER * self.slowest) * 2**job.copies

    def _urge(self, job: _Job) -> None:
        """Nothing has been heard of a job for too long: the worker may hang."""
        job.copies += 1
        if job.copies < TRIES:
            self._give_out(job)
        else:
            silence = TimeoutError(f"no worker has answered for {time.monotonic() - job.first:.0f} seconds")
            self._end(job, error=_lost(job, silence, f"a chunk was given out {job.copies} times"))

    def _give_out(self, job: _Job, missing: tuple[str, ...] = ()) -> None:
        job.due, job.given = None, time.monotonic()
        try:
            sent = {name: job.parcels[name].sent() for name in missing}
            copy = self.executor.submit(work, job.packed(), sent)
        except WorkerError as error:
            self._end(job, error=error)
        except BrokenExecutor as error:
            self._again(job, error)
        except Exception as error:
            self._end(job, error=_lost(job, error, "the executor takes no jobs"))
        else:
            job.out[copy] = time.monotonic()
            copy.add_done_callback(lambda copy: self.events.put(_Event(job, copy)))

    def _end(self, job: _Job, result: Any = None, error: BaseException | None = None) -> None:
        self.jobs.discard(job)
        if job.answer.set_running_or_notify_cancel():
            if error is None:
                job.answer.set_result(result)
            else:
                job.answer.set_exception(error)
        job.give_up()


class _Job:
    """A job, its copies that are out, and its losses."""

    def __init__(self, function: Any, args: tuple[Any, ...]) -> None:
        self.parcels = {arg.address.name: arg for arg in args if isinstance(arg, Parcel)}
        self.call = function, [arg.address if isinstance(arg, Parcel) else arg for arg in args]
        self.answer: Future[Any] = Future()
        self.out: dict[Future[Any], float] = {}
        self.losses, self.copies, self.attempts = 0, 0, 0
        self.due: float | None = None
        self.first = self.given = time.monotonic()

    def packed(self) -> bytes:
        """The call as bytes, other ones each time: an executor may give equal jobs the same answer."""
        self.attempts += 1
        return packed((*self.call, id(self), self.first, self.attempts))

    def give_up(self) -> None:
        """Let go of the copies that are out, and of an answer that nobody can give any more."""
        self.answer.cancel()
        for copy in list(self.out):
            copy.cancel()


class _Event(NamedTuple):
    """A job that has come in, or a copy of it that has come back."""

    job: _Job
    copy: Future[Any] | None


def _lost(job: _Job, error: BaseException | None, what: str) -> WorkerError:
    found = WorkerError(
        f"{what} ({type(error).__name__}: {error}). Look at the workers' logs; with store=... the same call "
        "goes on from the draws that were kept"
    )
    found.__cause__ = error
    return found
