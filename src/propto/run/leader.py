"""The host leads blocks of chains, chunk by chunk, through warm-up and then through the draws."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from typing import Any

import jax
import numpy as np

from propto.density import Density
from propto.errors import DensityError, InterruptedRunError
from propto.run.block import (
    SAMPLING,
    WARMUP,
    Block,
    Span,
    Target,
    Trace,
    advance,
    compile_advance,
    enter,
    on_host,
)
from propto.run.interrupt import Stop
from propto.run.progress import Facts, Progress
from propto.run.start import start_points
from propto.run.undefined import undefined_point
from propto.samplers.base import Sampler

# A chunk should take about this long, so that progress and interrupts are prompt and overheads small.
CHUNK_SECONDS = 0.25
# Most transitions in a chunk, and most numbers in the buffer of its positions.
CAPACITY, BUFFER = 1000, 4_000_000


class Run:
    """The state of a run: where the blocks stand, what they move on, and what has been learnt.

    Parameters
    ----------
    density, sampler, seed, executor, progress, chunk_size
        As in `sample`.
    stop
        True once no further chunk shall begin.
    """

    def __init__(
        self,
        density: Density,
        sampler: Sampler,
        seed: int,
        executor: Executor,
        progress: Progress,
        chunk_size: int | None,
        stop: Stop,
    ) -> None:
        self.density, self.sampler, self.seed = density, sampler, seed
        self.executor, self.progress, self.chunk_size = executor, progress, chunk_size
        self.stop = stop
        self.is_local = isinstance(executor, ThreadPoolExecutor)
        self.facts = Facts()
        self.windows: list[dict[str, Any]] = []
        self.seconds = {"compile": 0.0, "warmup": 0.0, "sampling": 0.0}
        self.seconds_per_transition = CHUNK_SECONDS  # so that the first chunk is a single transition
        self.nan_point = ""

    def start(self, chains: int, block_size: int, init: Mapping[str, Any] | None, adapts: bool) -> None:
        """Find start points, put the blocks there and compile (also for warm-up, if the run adapts)."""
        began = time.monotonic()
        self.progress.phase("compiling", 0)
        sampler, density = self.sampler, self.density
        q, score = start_points(density, chains, self.seed, init, sampler.needs_gradient)
        identity = sampler.whitening.identity(density.dim)
        coordinates = sampler.whitening.learn(q, score) if sampler.needs_gradient and chains > 1 else identity
        # Threads share one copy of the data on the device; to other executors they are sent.
        data = jax.device_put(density.data) if self.is_local else on_host(density.data)
        self.target = Target(data, on_host(coordinates), on_host(sampler.initial_params(density.dim)))
        self.starts = len(np.unique(q, axis=0))
        self.blocks = [
            Block(np.arange(i, min(i + block_size, chains)), None, {}) for i in range(0, chains, block_size)
        ]
        self.capacity = capacity(block_size, density.dim)
        self._enter(q)
        if self.is_local:  # elsewhere, programs are compiled where they run
            sizes = {len(block.chains): block for block in self.blocks}.values()
            phases = [self._fresh_adapters(), {}] if adapts else [{}]
            variants = [block._replace(adapters=adapters) for block in sizes for adapters in phases]
            jobs = [self.executor.submit(self._compile, block) for block in variants]
            _ = [job.result() for job in jobs]
        self.seconds["compile"] = time.monotonic() - began

    def warm_up(self, lengths: Sequence[int]) -> None:
        """Learn coordinates and params from all blocks together, window by window; then freeze them."""
        began = time.monotonic()
        self.progress.phase("warm-up", sum(lengths))
        first = 0
        for number, length in enumerate(lengths):
            adapters = self._fresh_adapters()
            self.blocks = [block._replace(adapters=adapters) for block in self.blocks]
            trace = self._advance_all(WARMUP, first, length)
            if len(trace.q) < length:
                raise InterruptedRunError("the run was stopped in warm-up, before the first draw")
            self._learn(trace, last=number == len(lengths) - 1)
            first += length
        self.blocks = [block._replace(adapters={}) for block in self.blocks]
        self.seconds["warmup"] = time.monotonic() - began

    def draw(self, draws: int) -> Trace:
        """Draw with frozen params."""
        began = time.monotonic()
        self.progress.phase("sampling", draws)
        self.facts = Facts()
        trace = self._advance_all(SAMPLING, 0, draws)
        self.seconds["sampling"] = time.monotonic() - began
        return trace

    def attributes(self, trace: Trace) -> dict[str, Any]:
        """Facts of the run, for the attributes of the fit."""
        facts = {
            "sampler": type(self.sampler).__name__,
            "draws": len(trace.q),
            "chains": trace.q.shape[1],
            **{f"seconds_{name}": seconds for name, seconds in self.seconds.items()},
        }
        if self.starts < trace.q.shape[1]:
            facts["superchains"] = self.starts
        if self.nan_point:
            facts["nan_point"] = self.nan_point
        return facts

    def _fresh_adapters(self) -> dict[str, Any]:
        params = self.target.params._asdict()
        return {
            name: on_host(adapter.init(params[name])) for name, adapter in self.sampler.adapters().items()
        }

    def _compile(self, block: Block) -> None:
        span = Span(self.seed, WARMUP, 0, 0)
        compile_advance(self.density.program, self.sampler, self.capacity, self.target, block, span)

    def _enter(self, q: np.ndarray) -> None:
        """Put the chains at positions q, in the present coordinates."""
        program, sampler, (data, coordinates, _) = self.density.program, self.sampler, self.target
        self.blocks = [
            block._replace(states=enter(program, sampler, data, coordinates, q[block.chains]))
            for block in self.blocks
        ]

    def _learn(self, trace: Trace, last: bool) -> None:
        """Take over what a window has learnt; the last one leaves the coordinates as they are."""
        tuned = {
            name: _geometric_mean(adapter.result(block.adapters[name]) for block in self.blocks)
            for name, adapter in self.sampler.adapters().items()
        }
        self.target = self.target._replace(params=self.target.params._replace(**tuned))
        self.windows.append(
            {
                "transitions": len(trace.q),
                "acceptance_rate": trace.info.acceptance_rate.mean(),
                "scale": self.target.coordinates.scales(),
                **tuned,
            }
        )
        if not last:
            rows = (-1, self.density.dim)
            scores = None if trace.score is None else trace.score.reshape(rows)
            coordinates = self.sampler.whitening.learn(trace.q.reshape(rows), scores)
            self.target = self.target._replace(coordinates=on_host(coordinates))
            self._enter(trace.q[-1])

    def _advance_all(self, phase: int, first: int, n: int) -> Trace:
        """Advance every block by n transitions, in chunks; fewer if the run is stopped."""
        lanes = [_Lane(block) for block in self.blocks]
        if phase == SAMPLING:
            self.facts.follow([lane.traces for lane in lanes])
        pending = {self._submit(lane, phase, first, n): lane for lane in lanes}
        try:
            while pending:
                for job in self._finished(pending):
                    lane = pending.pop(job)
                    trace = self._take(lane, job)
                    self._look_for_nan(lane, trace, phase, first)
                    if lane.done < n and not self.stop:
                        pending[self._submit(lane, phase, first, n)] = lane
                if self.stop:  # blocks that have draws need not wait for their turn to draw more
                    pending = {job: lane for job, lane in pending.items() if not (lane.done and job.cancel())}
                self.progress.update(first + min(lane.done for lane in lanes), self.facts)
        finally:
            wait([job for job in pending if not job.cancel()])
        self.blocks = [lane.block for lane in lanes]
        return join(lanes)

    def _finished(self, pending: Iterable[Future[Any]]) -> set[Future[Any]]:
        try:
            return wait(pending, return_when=FIRST_COMPLETED).done
        except KeyboardInterrupt:  # from an application's own handler of Ctrl-C, or the second one
            if self.stop.asked.is_set():
                raise
            self.stop.asked.set()
            return set()

    def _submit(self, lane: _Lane, phase: int, first: int, n: int) -> Future[tuple[float, Block, Trace]]:
        size = self.chunk_size or max(1, round(CHUNK_SECONDS / self.seconds_per_transition))
        span = Span(self.seed, phase, first + lane.done, min(size, self.capacity, n - lane.done))
        return self.executor.submit(
            timed_advance, self.density.program, self.sampler, self.capacity, self.target, lane.block, span
        )

    def _take(self, lane: _Lane, job: Future[tuple[float, Block, Trace]]) -> Trace:
        """A chunk has come home."""
        seconds, block, trace = job.result()
        self.seconds_per_transition = max(seconds, 1e-6) / len(trace.q)
        lane.take(block, trace)
        self.facts.add(trace)
        return trace

    def _look_for_nan(self, lane: _Lane, trace: Trace, phase: int, first: int) -> None:
        """Name the first point where the density was undefined; of a proportion that is an error."""
        if self.nan_point or not trace.info.nan_density.any():
            return
        span = Span(self.seed, phase, first + lane.done - len(trace.q), len(trace.q))
        self.nan_point = undefined_point(self.density, self.sampler, self.target, lane.previous, trace, span)
        if not self.density.program.is_log:
            raise DensityError(
                f"the density is negative or NaN at {self.nan_point}; a proportion is at least 0"
            )


class _Lane:
    """A block on its way through a phase, with its chunks so far."""

    def __init__(self, block: Block) -> None:
        self.block, self.previous = block, block
        self.traces: list[Trace] = []
        self.done = 0

    def take(self, block: Block, trace: Trace) -> None:
        """Add a chunk."""
        self.previous, self.block = self.block, block
        self.traces.append(trace)
        self.done += len(trace.q)

    def hand_over(self, n: int) -> Trace:
        """The first n transitions as one trace; the chunks are let go, so that memory is not held twice."""
        trace = jax.tree.map(lambda *parts: np.concatenate(parts)[:n], *self.traces)
        self.traces.clear()
        return trace


def capacity(block_size: int, dim: int) -> int:
    """The most transitions in a chunk, so that its buffers stay small in any dimension."""
    return min(max(1, BUFFER // (block_size * dim)), CAPACITY)


def timed_advance(*args: Any) -> tuple[float, Block, Trace]:
    """`advance`, and how many seconds it took where it ran."""
    began = time.perf_counter()
    block, trace = advance(*args)
    return time.perf_counter() - began, block, trace


def join(lanes: Sequence[_Lane]) -> Trace:
    """The traces of all blocks side by side, cut to the shortest."""
    n = min(lane.done for lane in lanes)
    traces = [lane.hand_over(n) for lane in lanes]
    return jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *traces)


def _geometric_mean(values: Iterable[Any]) -> np.ndarray:
    return np.exp(np.mean([np.log(np.asarray(value)) for value in values]))
