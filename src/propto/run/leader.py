"""The host leads blocks of chains, chunk by chunk, through warm-up and then through the draws."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from typing import Any

import jax
import numpy as np

from propto.coordinates.low_rank import LowRank
from propto.coordinates.scales import Scales, learn_scales
from propto.coordinates.whole import Coordinates
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
    on_host,
)
from propto.run.centring import choose_centring
from propto.run.evaluate import Evaluated, constrained, evaluate
from propto.run.interrupt import Stop
from propto.run.progress import Facts, Progress
from propto.run.start import start_points
from propto.run.undefined import undefined_point
from propto.run.until import Reached, Until
from propto.samplers.base import Sampler
from propto.warmup.rescue import arrived, astray, climbing, donors
from propto.warmup.schedule import Stage
from propto.warmup.trajectory import Trial, efficiency, is_decided, next_number

# A chunk should take about this long, so that progress and interrupts are prompt and overheads small.
CHUNK_SECONDS = 0.25
# Most transitions in a chunk, and most numbers in the buffer of its positions.
CAPACITY, BUFFER = 250, 4_000_000
# More chains than this share start points, eight to sixteen to each, so that R-hat can compare the groups.
APART, SUPERCHAINS = 16, 16
# Scales are worth their while if they bring the loss of the whitening down to this share.
GAIN = 0.7


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
        self.trials: list[Trial] = []
        self.rescued, self.is_settled = 0, False
        self.is_cut_short = False
        self.gradients = 0.0  # of every chain in warm-up
        self.reached: Reached | None = None
        self.seconds = {"compile": 0.0, "warmup": 0.0, "sampling": 0.0}
        self.seconds_per_transition = CHUNK_SECONDS  # so that the first chunk is a single transition
        self.nan_point = ""

    def start(self, chains: int, block_size: int, init: Mapping[str, Any] | None) -> None:
        """Find start points, put the blocks there and compile."""
        began = time.monotonic()
        self.progress.phase("compiling", 0)
        sampler, density = self.sampler, self.density
        # Threads share one copy of the data on the device; to other executors they are sent.
        self.data = jax.device_put(density.data) if self.is_local else on_host(density.data)
        centring = 1.0 - density.program.layers
        at = start_points(density, chains, self.seed, init, centring, sampler.needs_gradient)
        whitening = sampler.whitening.identity(density.dim)
        if sampler.needs_gradient and chains > 1:
            whitening = sampler.whitening.learn(at.x[None], _in_a_row(at.score))
        params = on_host(sampler.initial_params(density.dim))
        self.target = Target(self.data, on_host(Coordinates(whitening, None, centring)), params)
        members = [np.arange(i, min(i + block_size, chains)) for i in range(0, chains, block_size)]
        self.blocks = [Block(chains, None, self._fresh_adapters(len(chains))) for chains in members]
        self.capacity = capacity(block_size, density.dim)
        at = at if init else _shared(at)
        self.starts = len(np.unique(at.x, axis=0))
        self._enter(at)
        if self.is_local:  # elsewhere, programs are compiled where they run
            sizes = {len(block.chains): block for block in self.blocks}.values()
            jobs = [self.executor.submit(self._compile, block) for block in sizes]
            _ = [job.result() for job in jobs]
        self.seconds["compile"] = time.monotonic() - began

    def warm_up(self, stages: Sequence[Stage]) -> None:
        """Learn coordinates and params from all blocks together, stage by stage; then freeze them."""
        began = time.monotonic()
        self.progress.phase("warm-up", sum(stage.length for stage in stages))
        first = 0
        for stage in stages:
            if (stage.until_settled and self.is_settled) or (stage.is_trial and is_decided(self.trials)):
                continue
            self.blocks = [
                block._replace(adapters=self._fresh_adapters(len(block.chains))) for block in self.blocks
            ]
            trace = self._advance_all(
                Span(self.seed, WARMUP, first, stage.length, stage.own_steps, stage.ease)
            )
            if len(trace.z) < stage.length:
                raise InterruptedRunError("the run was stopped in warm-up, before the first draw")
            self._learn(stage, trace, is_last=stage is stages[-1])
            first += stage.length
        self.seconds["warmup"] = time.monotonic() - began

    def draw(self, draws: int | Until) -> Trace:
        """Draw with frozen params: so many draws of every chain, or until the answer is accurate enough."""
        began = time.monotonic()
        rule = draws if isinstance(draws, Until) else None
        due, most = (draws.min_draws, draws.max_draws) if isinstance(draws, Until) else (draws, draws)
        self.progress.phase("sampling", most)
        self.facts = Facts()
        parts: list[Trace] = []
        while (done := sum(len(part.z) for part in parts)) < due:
            parts.append(self._advance_all(Span(self.seed, SAMPLING, done, due - done)))
            self.is_cut_short = done + len(parts[-1].z) < due
            if self.is_cut_short:
                break
            if rule:
                self.reached = rule.reached(self._values(parts), self.starts)
                due = rule.next_look(due, self.reached)
        self.seconds["sampling"] = time.monotonic() - began
        return jax.tree.map(lambda *rows: np.concatenate(rows), *parts) if len(parts) > 1 else parts[0]

    def _values(self, parts: Sequence[Trace]) -> dict[str, np.ndarray]:
        """The variables at all draws so far."""
        coordinates = self.target.coordinates
        y, _ = coordinates.all_to_y(np.concatenate([part.z for part in parts]))
        return constrained(self.density, y, coordinates.centring)[0]

    def attributes(self, trace: Trace) -> dict[str, Any]:
        """Facts of the run, for the attributes of the fit."""
        facts = {
            "sampler": type(self.sampler).__name__,
            "draws": len(trace.z),
            "chains": trace.z.shape[1],
            "gradients_warmup": self.gradients,
            **{f"seconds_{name}": seconds for name, seconds in self.seconds.items()},
        }
        if self.starts < trace.z.shape[1]:
            facts["superchains"] = self.starts
        if self.reached:
            facts["effective_draws"] = self.reached.effective_draws
        if self.rescued:
            facts["rescued"] = self.rescued
        if self.nan_point:
            facts["nan_point"] = self.nan_point
        return facts

    def _fresh_adapters(self, chains: int) -> dict[str, Any]:
        params = self.target.params._asdict()
        return {
            name: on_host(adapter.init(np.full(chains, params[name])))
            for name, adapter in self.sampler.adapters().items()
        }

    def _compile(self, block: Block) -> None:
        span = Span(self.seed, WARMUP, 0, 0, False)
        compile_advance(self.density.program, self.sampler, self.capacity, self.target, block, span)

    def _enter(self, at: Evaluated) -> None:
        """Put the chains at positions x, whose log densities and scores are known."""
        coordinates = self.target.coordinates
        z, gradient = coordinates.whitened(at.x, at.score)
        logp = at.logp + coordinates.all_to_y(z)[1]
        self.blocks = [
            block._replace(
                states=self.sampler.init(
                    z[block.chains],
                    logp[block.chains],
                    None if gradient is None else gradient[block.chains],
                )
            )
            for block in self.blocks
        ]

    def _learn(self, stage: Stage, trace: Trace, is_last: bool) -> None:
        """Take over what a stage has learnt."""
        is_home = arrived(trace.logp) and not astray(trace.z, trace.logp).any()
        trace = self._rescue(trace, is_last)
        tuned = {
            name: _middle([adapter.result(block.adapters[name]) for block in self.blocks])
            for name, adapter in self.sampler.adapters().items()
        }
        params = self.target.params._replace(**tuned)
        self.gradients += float(trace.info.n_steps.mean(axis=1).sum())
        self.windows.append(
            {
                "transitions": len(trace.z),
                "acceptance_rate": trace.info.acceptance_rate.mean(),
                "n_steps": trace.info.n_steps.mean(),
                "scale": self.target.coordinates.whitening.scales(),
                **params._asdict(),
            }
        )
        y, score = self.target.coordinates.unwhitened(trace.z, trace.gradient)
        if stage.is_trial:
            worth = efficiency(y, trace.info.n_steps.mean())
            self.trials.append(Trial(int(params.n_steps), worth))
            params = params._replace(n_steps=np.asarray(next_number(self.trials)))
        if stage.paces:
            params = self.sampler.paced(params)
        self.target = self.target._replace(params=on_host(params))
        if stage.learns_coordinates:
            self._learn_coordinates(y, score, is_home)

    def _rescue(self, trace: Trace, is_last: bool) -> Trace:
        """Leave out what was drawn in places of no importance, and move chains that stay there.

        At the end no chain has time left to come in by itself.
        """
        away = astray(trace.z, trace.logp)
        if not away.any():
            return trace
        source = donors(away, self.starts, np.random.default_rng([self.seed, len(self.windows)]))
        stays = away & (is_last | ~climbing(trace.logp))
        self._move(np.where(stays, source, np.arange(len(source))))
        self.rescued += int(stays.sum())
        return jax.tree.map(lambda a: a[:, source], trace)

    def _move(self, source: np.ndarray) -> None:
        """Put every chain where another one stands."""
        parts = [block.states for block in self.blocks]
        states = jax.tree.map(lambda *rows: np.concatenate(rows)[source], *parts)
        self.blocks = [
            block._replace(states=jax.tree.map(lambda a, c=block.chains: a[c], states))
            for block in self.blocks
        ]

    def _learn_coordinates(self, y: np.ndarray, score: np.ndarray | None, is_home: bool) -> None:
        """Learn all coordinates from a stage's draws; the chains stay where they are."""
        at, program, before = self._where(), self.density.program, self.target.coordinates
        centring = before.centring
        if score is not None and program.layers.any():
            new, some = choose_centring(program, self.data, y, centring)
            y, score = some.x, some.score
            at = evaluate(program, self.data, at.x, centring, new, gradient=True)
            centring = new
        scales, whitening = self._scales_and_whitening(y, score)
        after = Coordinates(whitening, scales, centring)
        self.is_settled = is_home and bool((centring == before.centring).all())
        self.is_settled &= after.is_like(before, y, score)
        self.target = self.target._replace(coordinates=on_host(after))
        self._enter(at)

    def _scales_and_whitening(self, y: np.ndarray, score: np.ndarray | None) -> tuple[Scales | None, Any]:
        """A whitening, after the scales of before or new ones where it is much better with them."""
        plain = self.sampler.whitening.learn(y, score)
        if score is None or not isinstance(plain, LowRank):
            return None, plain
        best: tuple[Scales | None, LowRank] = (None, plain)
        loss = plain.loss(y, score)
        for scales in (self.target.coordinates.scales, learn_scales(y, score)):
            if scales is not None:
                x, x_score = scales.to_x(y, score)
                whitening = LowRank.learn(x, x_score)
                if (new_loss := whitening.loss(x, x_score)) < GAIN * loss:
                    best, loss = (scales, whitening), new_loss
        return best

    def _where(self) -> Evaluated:
        """Where all chains stand."""
        parts = [block.states for block in self.blocks]
        states = jax.tree.map(lambda *rows: np.concatenate(rows), *parts)
        gradient = states.gradient if self.sampler.needs_gradient else None
        coordinates = self.target.coordinates
        y, score = coordinates.unwhitened(states.z, gradient)
        return Evaluated(y, states.logp - coordinates.all_to_y(states.z)[1], score)

    def _advance_all(self, span: Span) -> Trace:
        """Advance every block through a span, in chunks; not to its end if the run is stopped."""
        lanes = [_Lane(block) for block in self.blocks]
        if span.phase == SAMPLING:
            self.facts.follow([lane.traces for lane in lanes])
        pending = {self._submit(lane, span): lane for lane in lanes}
        try:
            while pending:
                for job in self._finished(pending):
                    lane = pending.pop(job)
                    trace = self._take(lane, job)
                    self._look_for_nan(lane, trace, span.phase, span.first)
                    if lane.done < span.n and not self.stop:
                        pending[self._submit(lane, span)] = lane
                if self.stop:  # blocks that have draws need not wait for their turn to draw more
                    pending = {job: lane for job, lane in pending.items() if not (lane.done and job.cancel())}
                self.progress.update(span.first + min(lane.done for lane in lanes), self.facts)
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

    def _submit(self, lane: _Lane, whole: Span) -> Future[tuple[float, Block, Trace]]:
        size = self.chunk_size or max(1, round(CHUNK_SECONDS / self.seconds_per_transition))
        n = min(size, self.capacity, whole.n - lane.done)
        span = whole._replace(first=whole.first + lane.done, n=n)
        return self.executor.submit(
            timed_advance, self.density.program, self.sampler, self.capacity, self.target, lane.block, span
        )

    def _take(self, lane: _Lane, job: Future[tuple[float, Block, Trace]]) -> Trace:
        """A chunk has come home."""
        seconds, block, trace = job.result()
        self.seconds_per_transition = max(seconds, 1e-6) / len(trace.z)
        lane.take(block, trace)
        self.facts.add(trace)
        return trace

    def _look_for_nan(self, lane: _Lane, trace: Trace, phase: int, first: int) -> None:
        """Name the first point where the density was undefined; of a proportion that is an error."""
        is_routine = phase == WARMUP and self.density.program.is_log
        if is_routine or self.nan_point or not trace.info.nan_density.any():
            return
        span = Span(self.seed, phase, first + lane.done - len(trace.z), len(trace.z))
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
        self.done += len(trace.z)

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


def _shared(at: Evaluated) -> Evaluated:
    """Neighbouring chains start together, if there are many."""
    chains = len(at.x)
    if chains <= APART or chains % SUPERCHAINS:
        return at
    first = np.arange(chains) // (chains // SUPERCHAINS) * (chains // SUPERCHAINS)
    return jax.tree.map(lambda a: a[first], at)


def _in_a_row(score: np.ndarray | None) -> np.ndarray | None:
    return None if score is None else score[None]


def _middle(values: Sequence[Any]) -> np.ndarray:
    """The median over chains, on the scale of logarithms."""
    return np.exp(np.median(np.log(np.concatenate(values))))
