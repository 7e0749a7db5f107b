"""The host leads blocks of chains, chunk by chunk, through warm-up and then through the draws."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax

from propto.density import Density
from propto.errors import InterruptedRunError
from propto.run.block import SAMPLING, WARMUP, Span, Trace, on_host
from propto.run.checkpoint import Checkpoint, pack
from propto.run.drawn import as_the_user_sees
from propto.run.interrupt import Stop
from propto.run.keep import Keeper
from propto.run.lanes import Lanes
from propto.run.learner import Learner
from propto.run.progress import Facts, Progress
from propto.run.until import Reached, Until
from propto.samplers.base import Sampler
from propto.warmup.schedule import Stage
from propto.warmup.trajectory import is_decided


class Agenda(NamedTuple):
    """What is left of warm-up: stages, those to go through anew after an upheaval, transitions done."""

    stages: Sequence[Stage]
    again: Sequence[Stage]
    done: int

    @classmethod
    def of(cls, stages: Sequence[Stage]) -> Agenda:
        """The whole of it."""
        return cls(stages, [stage for stage in stages if not stage.own_steps], 0)

    @classmethod
    def restored(cls, stages: Sequence[Any], again: Sequence[Any], done: int) -> Agenda:
        """From plain lists."""
        return cls([Stage(*row) for row in stages], [Stage(*row) for row in again], done)


class Run:
    """The state of a run.

    Parameters
    ----------
    density, sampler, seed, executor, progress, chunk_size
        As in `sample`.
    stop
        True once no further chunk shall begin.
    keeper
        Where the draws go.
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
        keeper: Keeper,
    ) -> None:
        self.density, self.sampler, self.seed, self.progress = density, sampler, seed, progress
        self.executor, self.chunk_size, self.stop, self.keeper = executor, chunk_size, stop, keeper
        self.agenda: Agenda | None = None
        self.is_cut_short = False
        self.reached: Reached | None = None
        self.seconds = {"compile": 0.0, "warmup": 0.0, "sampling": 0.0}

    def start(self, chains: int, block_size: int, init: Mapping[str, Any] | None) -> None:
        """Find start points, put the blocks there and compile."""
        with self._timed("compile"):
            self._prepare(chains, block_size)
            self.learner.start(init)
            self._compile()

    def go_on(self, chains: int, block_size: int, checkpoint: Checkpoint) -> None:
        """Put everything back where it was, and compile."""
        with self._timed("compile"):
            self._prepare(chains, block_size)
            self.learner.restore(checkpoint)
            facts = checkpoint.facts
            self.agenda = Agenda.restored(*facts["agenda"])
            self.seconds, self.lanes.nan_point = facts["seconds"], facts["nan_point"]
            self._compile()

    def warm_up(self, stages: Sequence[Stage]) -> None:
        """Learn coordinates and params from all blocks together, stage by stage; then freeze them.

        If many chains have moved elsewhere after the coordinates were learnt, these are learnt again, once.
        """
        self.agenda = self.agenda or Agenda.of(stages)
        while self.agenda.stages:
            stage, *rest = self.agenda.stages
            if self._is_needless(stage):
                self.agenda = self.agenda._replace(stages=rest)
                continue
            with self._timed("warmup"):
                is_upheaval = self._go_through(stage, is_last=not rest)
            done = self.agenda.done + stage.length
            if is_upheaval and self.agenda.again:
                self.agenda = Agenda(self.agenda.again, (), done)
            else:
                self.agenda = self.agenda._replace(stages=rest, done=done)
            self.keeper.note(self._packed)

    def draw(self, draws: int | Until) -> None:
        """Draw with frozen params: so many draws of every chain, or until the answer is accurate enough."""
        rule = draws if isinstance(draws, Until) else None
        due = draws.first_look(self.learner.worth_of_a_draw()) if isinstance(draws, Until) else draws
        self.progress.phase("sampling", draws.max_draws if isinstance(draws, Until) else draws)
        self.lanes.facts = Facts()
        while self._draw_to(due) and rule:
            self.reached = rule.reached(self.keeper.values(due), self.learner.starts)
            if (next_look := rule.next_look(due, self.reached)) == due:
                break
            due = next_look
        if not self.keeper.draws:
            raise InterruptedRunError("the run was stopped before its first draws were kept")

    def attributes(self) -> dict[str, Any]:
        """Facts of the run, for the attributes of the fit."""
        learner = self.learner
        facts = {
            "sampler": type(self.sampler).__name__,
            "draws": self.keeper.draws,
            "chains": learner.chains,
            "gradients_warmup": learner.gradients,
            **{f"seconds_{name}": seconds for name, seconds in self.seconds.items()},
        }
        if learner.starts < learner.chains:
            facts["superchains"] = learner.starts
        if self.reached:
            facts["effective_draws"] = self.reached.effective_draws
        if learner.rescued:
            facts["rescued"] = learner.rescued
        if self.lanes.nan_point:
            facts["nan_point"] = self.lanes.nan_point
        return facts

    @property
    def windows(self) -> Sequence[Mapping[str, Any]]:
        """Facts of every stage of warm-up."""
        return self.learner.windows

    def _prepare(self, chains: int, block_size: int) -> None:
        self.progress.phase("compiling", 0)
        density = self.density
        self.lanes = Lanes(
            density, self.sampler, self.executor, self.progress, self.chunk_size, self.stop, block_size
        )
        # Threads share one copy of the data on the device; to other executors they are sent.
        data = jax.device_put(density.data) if self.lanes.is_local else on_host(density.data)
        self.learner = Learner(density, self.sampler, self.seed, data, chains, block_size)

    def _compile(self) -> None:
        self.lanes.compile(self.learner.target, self.learner.blocks, Span(self.seed, WARMUP, 0, 0))

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[phase] += time.monotonic() - began

    def _is_needless(self, stage: Stage) -> bool:
        settled, trials = self.learner.is_settled, self.learner.trials
        return (stage.until_settled and settled) or (stage.is_trial and is_decided(trials))

    def _go_through(self, stage: Stage, is_last: bool) -> bool:
        """Take all blocks through a stage and learn; whether many chains have moved elsewhere late."""
        assert self.agenda is not None
        first = self.agenda.done
        self.progress.phase("warm-up", first + sum(one.length for one in self.agenda.stages))
        self.learner.begin(stage)
        trace = self._advance(Span(self.seed, WARMUP, first, stage.length, stage.ease, stage.paces))
        if len(trace.z) < stage.length:
            raise InterruptedRunError("the run was stopped in warm-up, before the first draw")
        return self.learner.learn(stage, trace, is_last)

    def _draw_to(self, due: int) -> bool:
        """Draw until there are so many draws of every chain; whether it came to that."""
        while (done := self.keeper.draws) < due and not (self.is_cut_short or (done and self.stop)):
            with self._timed("sampling"):
                n = int(min(due - done, self.keeper.portion(self.lanes.seconds_per_transition)))
                trace = self._advance(Span(self.seed, SAMPLING, done, n))
                drawn = as_the_user_sees(self.density, trace, self.learner.target.coordinates)
            # Blocks that are stopped stop at different draws; a store can only go on where all stand.
            self.is_cut_short = drawn.draws < n
            if not (self.is_cut_short and self.keeper.is_durable):
                self.keeper.keep(drawn, self._packed)
        self.is_cut_short = self.keeper.draws < due
        return not self.is_cut_short

    def _advance(self, span: Span) -> Trace:
        self.learner.blocks, trace = self.lanes.advance(self.learner.target, self.learner.blocks, span)
        return trace

    def _packed(self, draws: int) -> bytes:
        """All that the rest of the run depends on, once so many draws of every chain are kept."""
        facts = {
            "draws": draws,
            "agenda": self.agenda,
            "seconds": self.seconds,
            "nan_point": self.lanes.nan_point,
            **self.learner.facts(),
        }
        return pack(facts, self.learner.trees())
