"""Blocks of chains side by side on the workers of an executor, chunk by chunk through a span."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from typing import Any

import jax
import numpy as np

from propto.compiled import disk_cache
from propto.density import Density
from propto.errors import DensityError
from propto.precision import in_double_precision
from propto.programs import Program
from propto.run.block import (
    SAMPLING,
    WARMUP,
    Block,
    Span,
    Target,
    Trace,
    advance,
    compile_advance,
    on_host,
)
from propto.run.interrupt import Stop
from propto.run.parcels import Parcel
from propto.run.progress import Facts, Progress
from propto.run.undefined import undefined_point
from propto.samplers.base import Sampler

# A chunk should take about this long, so that progress and interrupts are prompt and overheads small.
CHUNK_SECONDS = 0.25
# Most transitions in a chunk, and most numbers in the buffer of its positions.
CAPACITY, BUFFER = 250, 4_000_000
# A chunk of fewer seconds is run at once: handing it to another thread would take as long.
BRIEF = 0.003


class Lanes:
    """Sends blocks through spans of transitions and brings their traces home.

    Parameters
    ----------
    density, sampler, executor, progress, chunk_size
        As in `sample`.
    stop
        True once no further chunk shall begin.
    block_size
        Chains in the largest block.
    """

    def __init__(
        self,
        density: Density,
        sampler: Sampler,
        executor: Executor,
        progress: Progress,
        chunk_size: int | None,
        stop: Stop,
        block_size: int,
    ) -> None:
        self.density, self.sampler = density, sampler
        self.executor, self.progress, self.chunk_size, self.stop = executor, progress, chunk_size, stop
        self.capacity = capacity(block_size, density.dim)
        self.is_local = isinstance(executor, (ThreadPoolExecutor, _Here))
        self.parcel = None if self.is_local else parcel_of(density, sampler)
        self.is_kept = jax.config.jax_compilation_cache_dir is not None  # type: ignore[attr-defined]
        self.facts = Facts()
        self.nan_point = ""
        self.seconds_per_transition = CHUNK_SECONDS  # so that the first chunk is a single transition

    def compile(self, target: Target, blocks: Sequence[Block], span: Span) -> None:
        """Compile what blocks of these sizes need; other executors than threads compile where they run."""
        if self.is_local:
            sizes = {len(block.chains): block for block in blocks}.values()
            program = self.density.program, self.sampler, self.capacity
            jobs = [self.executor.submit(compile_advance, *program, target, block, span) for block in sizes]
            _ = [job.result() for job in jobs]

    def advance(self, target: Target, blocks: Sequence[Block], span: Span) -> tuple[list[Block], Trace]:
        """Advance every block through a span, in chunks; not to its end if the run is stopped."""
        lanes = [_Lane(block) for block in blocks]
        if span.phase == SAMPLING:
            self.facts.follow([lane.traces for lane in lanes])
        pending = {self._submit(target, lane, span): lane for lane in lanes}
        try:
            while pending:
                for job in self._finished(pending):
                    lane = pending.pop(job)
                    trace = self._take(lane, job)
                    self._look_for_nan(target, lane, trace, span)
                    if lane.done < span.n and not self.stop:
                        pending[self._submit(target, lane, span)] = lane
                if self.stop:  # blocks that have draws need not wait for their turn to draw more
                    pending = {job: lane for job, lane in pending.items() if not (lane.done and job.cancel())}
                self.progress.update(span.first + min(lane.done for lane in lanes), self.facts)
        finally:
            wait([job for job in pending if not job.cancel()])
        return [lane.block for lane in lanes], _join(lanes)

    def _finished(self, pending: Iterable[Future[Any]]) -> set[Future[Any]]:
        try:
            return wait(pending, return_when=FIRST_COMPLETED).done
        except KeyboardInterrupt:  # from an application's own handler of Ctrl-C, or the second one
            if self.stop.asked.is_set():
                raise
            self.stop.asked.set()
            return set()

    def _submit(self, target: Target, lane: _Lane, whole: Span) -> Future[tuple[float, Block, Trace]]:
        size = self.chunk_size or max(1, round(CHUNK_SECONDS / self.seconds_per_transition))
        n = min(size, self.capacity, whole.n - lane.done)
        span = whole._replace(first=whole.first + lane.done, n=n)
        if self.parcel is None:
            executor = HERE if n * self.seconds_per_transition < BRIEF else self.executor
            program = self.density.program, self.sampler, self.capacity
            return executor.submit(timed_advance, *program, target, lane.block, span)
        target = target._replace(data=None)  # it is in the parcel
        args: tuple[Any, ...] = self.parcel, self.is_kept, self.capacity, target, lane.block, span
        return self.executor.submit(advance_there, *args)

    def _take(self, lane: _Lane, job: Future[tuple[float, Block, Trace]]) -> Trace:
        """A chunk has come home."""
        seconds, block, trace = job.result()
        self.seconds_per_transition = max(seconds, 1e-6) / len(trace.z)
        lane.take(block, trace)
        self.facts.add(trace)
        return trace

    def _look_for_nan(self, target: Target, lane: _Lane, trace: Trace, span: Span) -> None:
        """Name the first point where the density was undefined; of a proportion that is an error."""
        is_routine = span.phase == WARMUP and self.density.program.is_log
        if is_routine or self.nan_point or not trace.info.nan_density.any():
            return
        there = span._replace(first=span.first + lane.done - len(trace.z), n=len(trace.z))
        self.nan_point = undefined_point(self.density, self.sampler, target, lane.previous, trace, there)
        if not self.density.program.is_log:
            raise DensityError(
                f"the density is negative or NaN at {self.nan_point}; a proportion is at least 0"
            )


class _Here(Executor):
    """Runs a job at once, in the thread that submits it."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        job: Future[Any] = Future()
        try:
            job.set_result(function(*args, **kwargs))
        except Exception as error:
            job.set_exception(error)
        return job


HERE = _Here()


class _Lane:
    """A block on its way through a span, with its chunks so far."""

    def __init__(self, block: Block) -> None:
        self.block, self.previous = block, block
        self.traces: list[Trace] = []
        self.done = 0

    def take(self, block: Block, trace: Trace) -> None:
        """Add a chunk."""
        self.previous, self.block = self.block, block
        self.traces.append(trace)
        self.done += len(trace.z)

    def hand_over(self, n: int) -> Trace:
        """The first n transitions as one trace; the chunks are let go, so that memory is not held twice."""
        trace = jax.tree.map(lambda *parts: np.concatenate(parts)[:n], *self.traces)
        self.traces.clear()
        return trace


def spans_devices(data: Any) -> bool:
    """Whether any of the data lie on several devices."""
    return any(len(leaf.devices()) > 1 for leaf in jax.tree.leaves(data) if isinstance(leaf, jax.Array))


def capacity(block_size: int, dim: int) -> int:
    """The most transitions in a chunk, so that its buffers stay small in any dimension."""
    return min(max(1, BUFFER // (block_size * dim)), CAPACITY)


def timed_advance(*args: Any) -> tuple[float, Block, Trace]:
    """`advance`, and how many seconds it took where it ran."""
    began = time.perf_counter()
    block, trace = advance(*args)
    return time.perf_counter() - began, block, trace


def advance_there(
    shared: tuple[Program, Sampler, Any],
    is_kept: bool,
    capacity: int,
    target: Target,
    block: Block,
    span: Span,
) -> tuple[float, Block, Trace]:
    """`timed_advance` in another process, which has program and data already."""
    program, sampler, data = shared
    with disk_cache(is_kept):
        return timed_advance(program, sampler, capacity, target._replace(data=data), block, span)


def parcel_of(density: Density, sampler: Sampler) -> Parcel:
    """Program, sampler and data, for other processes."""
    data = on_host(density.data)
    return Parcel((density.program, sampler, data), opener=open_parcel)


@in_double_precision
def open_parcel(content: bytes) -> tuple[Program, Sampler, Any]:
    """Program, sampler and data, which are put on the device of this process."""
    program, sampler, data = pickle.loads(content)
    return program, sampler, jax.device_put(data)


def _join(lanes: Sequence[_Lane]) -> Trace:
    """The traces of all blocks side by side, cut to the shortest."""
    n = min(lane.done for lane in lanes)
    traces = [lane.hand_over(n) for lane in lanes]
    return jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *traces)
