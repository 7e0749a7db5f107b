"""The host leads blocks of chains, chunk by chunk, through warm-up and then through the draws."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

import jax
import numpy as np

from propto.coordinates.learning import scales_and_whitening
from propto.coordinates.whole import Coordinates
from propto.density import Density
from propto.errors import InterruptedRunError
from propto.run.block import SAMPLING, WARMUP, Block, Span, Target, Trace, on_host
from propto.run.centring import choose_centring
from propto.run.drawn import Drawn, as_the_user_sees
from propto.run.evaluate import Evaluated, evaluate
from propto.run.interrupt import Stop
from propto.run.lanes import Lanes
from propto.run.progress import Facts, Progress
from propto.run.start import start_points
from propto.run.until import Reached, Until
from propto.samplers.base import Sampler
from propto.warmup.pace import Pace
from propto.warmup.rescue import arrived, astray, climbing, donors
from propto.warmup.schedule import Stage
from propto.warmup.trajectory import Trial, efficiency, is_decided, next_number

# More chains than this share start points, eight to sixteen to each, so that R-hat can compare the groups.
APART, SUPERCHAINS = 16, 16
# What was learnt is of the wrong place if more than this share of the chains has had to move.
UPHEAVAL = 0.25


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
        self.density, self.sampler, self.seed, self.progress = density, sampler, seed, progress
        self.executor, self.chunk_size, self.stop = executor, chunk_size, stop
        self.windows: list[dict[str, Any]] = []
        self.trials: list[Trial] = []
        self.rescued, self.is_settled = 0, False
        self.is_cut_short = False
        self.gradients = 0.0  # of every chain in warm-up
        self.reached: Reached | None = None
        self.seconds = {"compile": 0.0, "warmup": 0.0, "sampling": 0.0}

    def start(self, chains: int, block_size: int, init: Mapping[str, Any] | None) -> None:
        """Find start points, put the blocks there and compile."""
        began = time.monotonic()
        self.progress.phase("compiling", 0)
        sampler, density = self.sampler, self.density
        self.lanes = Lanes(
            density, sampler, self.executor, self.progress, self.chunk_size, self.stop, block_size
        )
        # Threads share one copy of the data on the device; to other executors they are sent.
        self.data = jax.device_put(density.data) if self.lanes.is_local else on_host(density.data)
        centring = 1.0 - density.program.layers
        at = start_points(density, chains, self.seed, init, centring, sampler.needs_gradient)
        whitening = sampler.whitening.identity(density.dim)
        if sampler.needs_gradient and chains > 1:
            whitening = sampler.whitening.learn(at.x[None], _in_a_row(at.score))
        params = on_host(sampler.initial_params(density.dim))
        self.target = Target(self.data, on_host(Coordinates(whitening, None, centring)), params)
        self.pace = Pace.of(sampler.adapters(), params, chains)
        members = [np.arange(i, min(i + block_size, chains)) for i in range(0, chains, block_size)]
        self.blocks = [Block(chains, None, *self.pace.begin(chains)) for chains in members]
        at = at if init else _shared(at)
        self.starts = len(np.unique(at.x, axis=0))
        self._enter(at)
        self.lanes.compile(self.target, self.blocks, Span(self.seed, WARMUP, 0, 0))
        self.seconds["compile"] = time.monotonic() - began

    def warm_up(self, stages: Sequence[Stage]) -> None:
        """Learn coordinates and params from all blocks together, stage by stage; then freeze them.

        If many chains have moved elsewhere after the coordinates were learnt, these are learnt again, once.
        """
        began = time.monotonic()
        first, again = 0, [stage for stage in stages if not stage.own_steps]
        queue = deque(stages)
        while queue:
            self.progress.phase("warm-up", first + sum(stage.length for stage in queue))
            stage = queue.popleft()
            if (stage.until_settled and self.is_settled) or (stage.is_trial and is_decided(self.trials)):
                continue
            pace = self.pace.all_on_their_own() if stage.own_steps else self.pace
            self.blocks = [Block(b.chains, b.states, *pace.begin(b.chains)) for b in self.blocks]
            span = Span(self.seed, WARMUP, first, stage.length, stage.ease, stage.paces)
            trace = self._advance(span)
            if len(trace.z) < stage.length:
                raise InterruptedRunError("the run was stopped in warm-up, before the first draw")
            before = self.rescued
            self._learn(stage, trace, is_last=not queue)
            first += stage.length
            if not stage.learns_coordinates and self.rescued - before > UPHEAVAL * trace.logp.shape[1]:
                queue, again = deque(again or queue), []
                self.trials, self.is_settled = [], False
        self.seconds["warmup"] = time.monotonic() - began

    def draw(self, draws: int | Until) -> Drawn:
        """Draw with frozen params: so many draws of every chain, or until the answer is accurate enough."""
        began = time.monotonic()
        rule = draws if isinstance(draws, Until) else None
        due = draws.first_look(self._worth_of_a_draw()) if isinstance(draws, Until) else draws
        self.progress.phase("sampling", draws.max_draws if isinstance(draws, Until) else draws)
        self.lanes.facts = Facts()
        drawn: Drawn | None = None
        while (done := drawn.draws if drawn else 0) < due:
            trace = self._advance(Span(self.seed, SAMPLING, done, due - done))
            more = as_the_user_sees(self.density, trace, self.target.coordinates)
            drawn = drawn.followed_by(more) if drawn else more
            self.is_cut_short = drawn.draws < due
            if self.is_cut_short:
                break
            if rule:
                self.reached = rule.reached(drawn.values, self.starts)
                due = rule.next_look(due, self.reached)
        assert drawn is not None  # at least one draw is due
        self.seconds["sampling"] = time.monotonic() - began
        return drawn

    def attributes(self, drawn: Drawn) -> dict[str, Any]:
        """Facts of the run, for the attributes of the fit."""
        facts = {
            "sampler": type(self.sampler).__name__,
            "draws": drawn.draws,
            "chains": drawn.chains,
            "gradients_warmup": self.gradients,
            **{f"seconds_{name}": seconds for name, seconds in self.seconds.items()},
        }
        if self.starts < drawn.chains:
            facts["superchains"] = self.starts
        if self.reached:
            facts["effective_draws"] = self.reached.effective_draws
        if self.rescued:
            facts["rescued"] = self.rescued
        if self.lanes.nan_point:
            facts["nan_point"] = self.lanes.nan_point
        return facts

    def _worth_of_a_draw(self) -> float:
        """Effective draws in one draw of all chains, as the trials foretell; 0 where there were none."""
        n_steps = getattr(self.target.params, "n_steps", 0)
        worth = [trial.efficiency * trial.n_steps for trial in self.trials if trial.n_steps == n_steps]
        return sum(len(block.chains) for block in self.blocks) * worth[0] if worth else 0.0

    def _advance(self, span: Span) -> Trace:
        self.blocks, trace = self.lanes.advance(self.target, self.blocks, span)
        return trace

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
        away = astray(trace.logp, trace.gradient)
        is_home = arrived(trace.logp) and not away.any()
        self.pace = self.pace.learnt(self._all("adapters"), trace.info.acceptance_rate.mean(axis=0))
        trace = self._rescue(trace, away, is_last)
        params = self.target.params._replace(**self.pace.common)
        self.gradients += float(trace.info.n_steps.mean(axis=1).sum())
        self.windows.append(
            {
                "transitions": len(trace.z),
                **params._asdict(),
                "acceptance_rate": trace.info.acceptance_rate.mean(),
                "n_steps": trace.info.n_steps.mean(),
                "scale": self.target.coordinates.whitening.scales(),
            }
        )
        y, score = self.target.coordinates.unwhitened(trace.z, trace.gradient)
        if stage.is_trial:
            worth = efficiency(y[:, ~self.pace.lags], trace.info.n_steps.mean())
            self.trials.append(Trial(int(params.n_steps), worth))
            params = params._replace(n_steps=np.asarray(next_number(self.trials)))
        if stage.paces:
            params = self.sampler.paced(params)
        self.target = self.target._replace(params=on_host(params))
        if stage.learns_coordinates:
            self._learn_coordinates(y, score, is_home)

    def _rescue(self, trace: Trace, away: np.ndarray, is_last: bool) -> Trace:
        """Leave out what was drawn in places of no importance, and move chains that stay there.

        At the end no chain has time left to come in by itself.
        """
        if not away.any():
            return trace
        source = donors(away, self.starts, np.random.default_rng([self.seed, len(self.windows)]))
        stays = away & (is_last | ~climbing(trace.logp))
        self._move(np.where(stays, source, np.arange(len(source))))
        self.rescued += int(stays.sum())
        return jax.tree.map(lambda a: a[:, source], trace)

    def _move(self, source: np.ndarray) -> None:
        """Put every chain where another one stands."""
        states = jax.tree.map(lambda a: a[source], self._all("states"))
        self.blocks = [
            block._replace(states=jax.tree.map(lambda a, c=block.chains: a[c], states))
            for block in self.blocks
        ]
        self.pace = self.pace.moved(source)

    def _all(self, what: str) -> Any:
        """A field of all blocks in one."""
        return jax.tree.map(
            lambda *rows: np.concatenate(rows), *(getattr(block, what) for block in self.blocks)
        )

    def _learn_coordinates(self, y: np.ndarray, score: np.ndarray | None, is_home: bool) -> None:
        """Learn all coordinates from a stage's draws; the chains stay where they are."""
        at, program, before = self._where(), self.density.program, self.target.coordinates
        centring = before.centring
        if score is not None and program.layers.any():
            new, some = choose_centring(program, self.data, y, centring)
            y, score = some.x, some.score
            at = evaluate(program, self.data, at.x, centring, new, gradient=True)
            centring = new
        scales, whitening = scales_and_whitening(self.sampler.whitening, before.scales, y, score)
        after = Coordinates(whitening, scales, centring)
        self.is_settled = is_home and bool((centring == before.centring).all())
        self.is_settled &= after.is_like(before, y, score)
        self.target = self.target._replace(coordinates=on_host(after))
        self._enter(at)

    def _where(self) -> Evaluated:
        """Where all chains stand."""
        states = self._all("states")
        gradient = states.gradient if self.sampler.needs_gradient else None
        coordinates = self.target.coordinates
        y, score = coordinates.unwhitened(states.z, gradient)
        return Evaluated(y, states.logp - coordinates.all_to_y(states.z)[1], score)


def _shared(at: Evaluated) -> Evaluated:
    """Neighbouring chains start together, if there are many."""
    chains = len(at.x)
    if chains <= APART or chains % SUPERCHAINS:
        return at
    first = np.arange(chains) // (chains // SUPERCHAINS) * (chains // SUPERCHAINS)
    return jax.tree.map(lambda a: a[first], at)


def _in_a_row(score: np.ndarray | None) -> np.ndarray | None:
    return None if score is None else score[None]
