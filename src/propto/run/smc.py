"""The host leads islands of particles from a reference to the posterior, temperature by temperature."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from propto.density import Density
from propto.errors import OptionError, StartError
from propto.run.block import on_host
from propto.run.drawn import Drawn, as_the_user_sees
from propto.run.flock import Flock
from propto.run.interrupt import Stop
from propto.run.keep import Keeper
from propto.run.lanes import Lanes
from propto.run.population import (
    effective_share,
    evidence,
    log_mean_weight,
    next_step,
    resampled,
    weighted,
)
from propto.run.progress import Facts, Progress
from propto.run.start import start_points
from propto.run.tempered import Bells, Data, Learnt, Prior, Tempered, gains
from propto.run.until import Reached, Until
from propto.samplers.smc import SMC
from propto.warmup.rescue import astray
from propto.warmup.schedule import Stage

# Where nothing can be drawn exactly, particles come in by so many rounds of so many moves, in the first ones
# at a pace of their own.
ROUNDS, OWN_PACE, ROUND = 6, 2, 8
# Particles have moved enough once their log weights are correlated with those before by less than this; they
# are looked at after so many moves.
FORGOTTEN, LOOK = 0.3, 4
# Random numbers of the host: those for the reference, and from the next number on those for resampling.
REFERENCE = 0


class Tempering:
    """The state of a run of `SMC`; it offers what `Run` offers, with islands for chains.

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
        sampler: SMC,
        seed: int,
        executor: Executor,
        progress: Progress,
        chunk_size: int | None,
        stop: Stop,
        keeper: Keeper,
    ) -> None:
        self.density, self.sampler, self.seed, self.progress = density, sampler, seed, progress
        self.executor, self.chunk_size, self.stop, self.keeper = executor, chunk_size, stop, keeper
        self.windows: list[dict[str, Any]] = []
        self.is_cut_short = False
        self.reached: Reached | None = None
        self.seconds = {"compile": 0.0, "warmup": 0.0, "sampling": 0.0}

    def start(self, chains: int, block_size: int, init: Mapping[str, Any] | None) -> None:
        """Draw the particles of so many islands from the reference."""
        began = time.monotonic()
        self.progress.phase("finding a reference", 0)
        density, count = self.density, chains * self.sampler.particles
        self.log_islands = np.zeros(chains)
        prior = Prior.of(density.program, density.data)
        program = Tempered(density.program, prior or Learnt())
        shape = () if prior else Bells.standard(density.dim)
        self.data = Data(density.data, shape, np.ones(()))
        tempered = Density.from_program(
            program, self.data, dims=density.dims, coords=density.coords, observed=density.observed
        )
        self.lanes = Lanes(
            tempered, self.sampler, self.executor, self.progress, self.chunk_size, self.stop, block_size
        )
        base = jax.device_put(density.data) if self.lanes.is_local else on_host(density.data)
        self.data = self.data._replace(base=base)
        if prior and init is not None:
            raise OptionError("pp.SMC draws its particles from the model's prior; leave init out")
        q = prior.draw(base, count, self.seed) if prior else self._starts(count, init)
        self.flock = Flock(program, self.sampler, self.lanes, self.seed, q, block_size)
        if not prior:
            self._find_reference()
        self.seconds["compile"] = time.monotonic() - began

    def warm_up(self, stages: Sequence[Stage]) -> None:
        """Take the particles from the reference to the posterior."""
        began = time.monotonic()
        self.progress.phase("tempering", 0)
        power = 0.0
        while power < 1:
            gain = self._gain()
            step = next_step(gain, 1 - power, self.sampler.effective_share)
            power = 1.0 if step == 1 - power else power + step
            gain = self._resample(step, gain)
            self.flock.learn(self.data._replace(power=np.asarray(power)))
            facts = self._move(gain)
            self.windows.append({"power": power, **facts})
        self.seconds["warmup"] = time.monotonic() - began

    def draw(self, draws: int | Until) -> None:
        """Move on at the posterior: so many draws of every island, or until the answer is accurate enough."""
        began = time.monotonic()
        self.lanes.facts = Facts()
        rule = draws if isinstance(draws, Until) else None
        due, most = (draws.min_draws, draws.max_draws) if isinstance(draws, Until) else (draws, draws)
        self.progress.phase("sampling", _moves(most, self.sampler.particles))
        moved = self._record(0, _moves(due, self.sampler.particles))
        while rule and not self.stop:
            by_island = _by_island(moved, len(self.log_islands), most)
            self.reached = rule.reached(by_island.values, len(self.log_islands))
            due = rule.next_look(by_island.draws, self.reached)
            if (missing := _moves(due, self.sampler.particles) - moved.draws) <= 0:
                break
            moved = moved.followed_by(self._record(moved.draws, missing))
        self.is_cut_short = moved.draws < _moves(due, self.sampler.particles)
        self.seconds["sampling"] = time.monotonic() - began
        self.keeper.keep(_by_island(moved, len(self.log_islands), most), lambda draws: b"")

    def attributes(self) -> dict[str, Any]:
        """Facts of the run, for the attributes of the fit."""
        log_evidence, error = evidence(self.log_islands)
        facts = {
            "sampler": type(self.sampler).__name__,
            "draws": self.keeper.draws,
            "chains": len(self.log_islands),
            "log_evidence": log_evidence,
            "log_evidence_se": error,
            "log_evidence_islands": self.log_islands.tolist(),
            "reference": "prior" if isinstance(self.flock.program.reference, Prior) else "learnt",
            "temperatures": len(self.windows),
            "gradients_warmup": self.flock.gradients,
            **{f"seconds_{name}": seconds for name, seconds in self.seconds.items()},
        }
        if self.reached:
            facts["effective_draws"] = self.reached.effective_draws
        if self.lanes.nan_point:
            facts["nan_point"] = self.lanes.nan_point
        return facts

    def _record(self, first: int, moves: int) -> Drawn:
        """So many moves of every particle as draws; fewer if the run is stopped."""
        return as_the_user_sees(self.density, self.flock.record(first, moves), self.flock.coordinates)

    def _starts(self, count: int, init: Mapping[str, Any] | None) -> Float[np.ndarray, "particle dim"]:
        """Dispersed positions, or the ones given: one for all, or one for every island."""
        given, islands = np.ones(self.density.dim), len(self.log_islands)
        places = count if init is None else islands
        x = start_points(self.density, places, self.seed, init, given, needs_gradient=True).x
        return np.repeat(x, count // places, axis=0)

    def _find_reference(self) -> None:
        """Let the particles come in, and lay the reference over where they began and where they are then."""
        flock, starts = self.flock, self.flock.q
        for i in range(ROUNDS):
            flock.learn(self.data)
            trace = flock.move(ROUND, on_their_own=i < OWN_PACE)
        assert trace.gradient is not None
        y, score = flock.coordinates.unwhitened(trace.z[-1], trace.gradient[-1])
        assert score is not None
        here = ~astray(trace.logp, trace.gradient)
        shape = Bells.around(y[here], score[here], starts)
        flock.q = shape.draw(len(y), self._rng(REFERENCE))
        self.data = self.data._replace(shape=shape)

    def _gain(self) -> Float[np.ndarray, "island particle"]:
        """What the log density gains over that of the reference.

        Raises
        ------
        StartError
            The density is 0 at all particles of an island.
        """
        gain = gains(self.flock.program, self.data, self.flock.q).reshape(len(self.log_islands), -1)
        if not np.isfinite(gain).any(axis=1).all():
            raise StartError(
                f"the density is 0 at all {gain.shape[1]} particles of an island, which were drawn from the "
                "prior or around the places that were found; give pp.SMC more particles"
            )
        return gain

    def _resample(self, step: float, gain: np.ndarray) -> np.ndarray:
        """Weigh and resample every island; the gain of those who are there now."""
        weights = weighted(step, gain)
        self.log_islands += log_mean_weight(weights)
        self.share = effective_share(weights)
        source = resampled(weights, self._rng(REFERENCE + 1 + len(self.windows)))
        self.flock.take_over((source + gain.shape[1] * np.arange(len(gain))[:, None]).ravel())
        return np.take_along_axis(gain, source, axis=1)

    def _move(self, gain: np.ndarray) -> dict[str, Any]:
        """Move until the gain has forgotten what it was; facts of this temperature."""
        flock, before = self.flock, gain.ravel()
        moves, steps, accepted, memory = 0, 0.0, 0.0, 1.0
        while moves < self.sampler.max_moves and memory > FORGOTTEN:
            trace = flock.move(min(LOOK, self.sampler.max_moves - moves))
            moves += len(trace.z)
            steps += float(trace.info.n_steps.mean(axis=1).sum())
            accepted += float(trace.info.acceptance_rate.mean(axis=1).sum())
            memory = _correlation(before, self._gain().ravel())
        return {
            "effective_share": self.share,
            "transitions": moves,
            "memory": memory,
            "acceptance_rate": accepted / moves,
            "n_steps": steps / moves,
            "step_size": flock.params.step_size,
            "scale": flock.coordinates.whitening.scales(),
        }

    def _rng(self, what: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, what, self.sampler.particles])


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation; 0 where either never varies."""
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / size) if size > 0 else 0.0


def _moves(draws: int, particles: int) -> int:
    """How many last moves of every particle give so many draws of an island."""
    return -(-draws // particles)


def _by_island(moved: Drawn, islands: int, most: int) -> Drawn:
    """From (move, particle) to (draw, island): particle after particle, evenly thinned to at most so many."""

    def turned(rows: np.ndarray) -> np.ndarray:
        moves, count = rows.shape[:2]
        rest = rows.shape[2:]
        by_island = rows.reshape(moves, islands, count // islands, *rest)
        draws = np.moveaxis(by_island, 0, 2).reshape(islands, -1, *rest)
        kept = np.linspace(0, draws.shape[1] - 1, min(most, draws.shape[1])).round().astype(int)
        return np.swapaxes(draws[:, kept], 0, 1)

    turned_around: Any = jax.tree.map(turned, moved)
    return Drawn(*turned_around)
