"""What a run learns in warm-up: where the chains stand, on what they move and at what pace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from propto.coordinates.learning import scales_and_whitening
from propto.coordinates.scales import Scales
from propto.coordinates.whole import Coordinates
from propto.density import Density
from propto.run.block import Block, Target, Trace, on_host
from propto.run.centring import choose_centring
from propto.run.checkpoint import Checkpoint
from propto.run.evaluate import Evaluated, evaluate
from propto.run.start import start_points
from propto.samplers.base import Sampler
from propto.warmup.pace import Pace
from propto.warmup.rescue import arrived, astray, climbing, donors
from propto.warmup.schedule import Stage
from propto.warmup.trajectory import Trial, efficiency, next_number

# More chains than this share start points, eight to sixteen to each, so that R-hat can compare the groups.
APART, SUPERCHAINS = 16, 16
# So many at least, in whole blocks, go ahead while coordinates are poor and trajectories take many steps.
SCOUTS = 32
# What was learnt is of the wrong place if more than this share of the chains has had to move.
UPHEAVAL = 0.25


class Learner:
    """The blocks of chains, and what has been learnt for them.

    Parameters
    ----------
    density, sampler, seed
        As in `sample`.
    data
        The data of the density, where the blocks want them.
    chains, block_size
        Number of chains, and how many of them make a block.
    """

    def __init__(
        self, density: Density, sampler: Sampler, seed: int, data: Any, chains: int, block_size: int
    ) -> None:
        self.density, self.sampler, self.seed, self.chains = density, sampler, seed, chains
        coordinates = Coordinates(sampler.whitening.identity(density.dim), None, 1.0 - density.program.layers)
        params = on_host(sampler.initial_params(density.dim))
        self.target = Target(data, on_host(coordinates), params)
        self.block_size = block_size
        self.pace = Pace.of(sampler.adapters(), params, chains)
        self.blocks = self._blocks_of(np.arange(chains), None)
        self.windows: list[dict[str, Any]] = []
        self.trials: list[Trial] = []
        self.starts, self.rescued, self.is_settled = chains, 0, False
        self.gradients = 0.0  # in warm-up, by chain

    def start(self, init: Mapping[str, Any] | None) -> None:
        """Put the chains at start points; a first whitening comes from the scores there."""
        sampler, coordinates = self.sampler, self.target.coordinates
        at = start_points(
            self.density, self.chains, self.seed, init, coordinates.centring, sampler.needs_gradient
        )
        if at.score is not None and self.chains > 1:
            whitening = sampler.whitening.learn(at.x[None], at.score[None])
            coordinates = on_host(coordinates._replace(whitening=whitening))
            self.target = self.target._replace(coordinates=coordinates)
        at = at if init else _shared(at)
        self.starts = len(np.unique(at.x, axis=0))
        if self.starts == SUPERCHAINS:
            scouts = _scouts(self.chains, self.block_size)
            self._line_up(scouts, scouts)
            at = jax.tree.map(lambda a: a[scouts], at)
        self._enter(at)

    def begin(self, stage: Stage) -> None:
        """Start the search for step sizes anew, with all chains unless scouts go ahead."""
        if not stage.by_scouts and self.moving < self.chains:
            self._line_up(np.arange(self.chains), _forerunners(self.moving, self.chains))
        pace = self.pace.all_on_their_own() if stage.own_steps else self.pace
        fresh = [pace.begin(rows) for rows in self._rows()]
        self.blocks = [Block(b.chains, b.states, *new) for b, new in zip(self.blocks, fresh, strict=True)]

    def learn(self, stage: Stage, trace: Trace, is_last: bool) -> bool:
        """Take over what a stage has learnt; whether many chains have moved elsewhere late.

        What was learnt before is then of the wrong place, and the trials are void.
        """
        before = self.rescued
        away = astray(trace.logp, trace.gradient)
        is_home = arrived(trace.logp) and not away.any()
        self.pace = self.pace.learnt(self._all("adapters"), trace.info.acceptance_rate.mean(axis=0))
        trace = self._rescue(trace, away, is_last)
        params = self.target.params._replace(**self.pace.common)
        self.gradients += float(trace.info.n_steps.sum()) / self.chains
        self.windows.append(
            {
                "transitions": len(trace.z),
                "chains": self.moving,
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
            return False
        if is_upheaval := self.rescued - before > UPHEAVAL * self.chains:
            self.trials, self.is_settled = [], False
        return is_upheaval

    def worth_of_a_draw(self) -> float:
        """Effective draws in one draw of all chains, as the trials foretell; 0 where there were none."""
        n_steps = getattr(self.target.params, "n_steps", 0)
        worth = [trial.efficiency * trial.n_steps for trial in self.trials if trial.n_steps == n_steps]
        return self.chains * worth[0] if worth else 0.0

    def facts(self) -> dict[str, Any]:
        """All that matters besides arrays, for a checkpoint."""
        return {
            "has_scales": self.target.coordinates.scales is not None,
            "windows": [sorted(window) for window in self.windows],
            "trials": self.trials,
            "moving": self.moving,
            "starts": self.starts,
            "rescued": self.rescued,
            "is_settled": self.is_settled,
            "gradients": self.gradients,
        }

    def trees(self) -> dict[str, Any]:
        """The arrays, for a checkpoint."""
        return {**self._learnt(), "blocks": self.blocks, "windows": self.windows}

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over what `facts` and `trees` gave."""
        facts, dim = checkpoint.facts, self.density.dim
        if facts["moving"] < self.chains:
            scouts = _scouts(self.chains, self.block_size)
            self._line_up(scouts, scouts)
        if facts["has_scales"]:
            coordinates = self.target.coordinates._replace(scales=Scales(0, 0, 0, 0, 0, 0))
            self.target = self.target._replace(coordinates=coordinates)
        learnt = {name: checkpoint.tree(name, like) for name, like in self._learnt().items()}
        self.target = Target(self.target.data, learnt["coordinates"], learnt["params"])
        self.pace = learnt["pace"]._replace(adapters=self.pace.adapters)
        somewhere = self.sampler.init(np.zeros((1, dim)), np.zeros(1), np.zeros((1, dim)))
        self.blocks = checkpoint.tree("blocks", [block._replace(states=somewhere) for block in self.blocks])
        self.windows = checkpoint.tree("windows", [dict.fromkeys(names, 0) for names in facts["windows"]])
        self.trials = [Trial(*row) for row in facts["trials"]]
        self.starts, self.rescued, self.is_settled = facts["starts"], facts["rescued"], facts["is_settled"]
        self.gradients = facts["gradients"]

    def _learnt(self) -> dict[str, Any]:
        coordinates, params = self.target.coordinates, self.target.params
        return {"coordinates": coordinates, "params": params, "pace": self.pace._replace(adapters={})}

    @property
    def moving(self) -> int:
        """How many chains move at present."""
        return sum(len(block.chains) for block in self.blocks)

    def _rows(self) -> list[np.ndarray]:
        """Where the chains of every block are among those that move."""
        return _parts(np.arange(self.moving), self.block_size)

    def _blocks_of(self, chains: np.ndarray, states: Any) -> list[Block]:
        """Some chains, cut into blocks."""
        rows = _parts(np.arange(len(chains)), self.block_size)
        return [Block(chains[r], _at(states, r), *self.pace.begin(r)) for r in rows]

    def _line_up(self, chains: np.ndarray, source: np.ndarray) -> None:
        """Let these chains go on from where those in the rows ``source`` stand."""
        self.pace = self.pace.moved(source)
        self.blocks = self._blocks_of(chains, _at(self._all("states"), source))

    def _enter(self, at: Evaluated) -> None:
        """Put the chains at positions x, whose log densities and scores are known."""
        coordinates = self.target.coordinates
        z, gradient = coordinates.whitened(at.x, at.score)
        states = self.sampler.init(z, at.logp + coordinates.all_to_y(z)[1], gradient)
        self.blocks = [
            block._replace(states=_at(states, rows))
            for block, rows in zip(self.blocks, self._rows(), strict=True)
        ]

    def _rescue(self, trace: Trace, away: np.ndarray, is_last: bool) -> Trace:
        """Leave out what was drawn in places of no importance, and move chains that stay there.

        At the end no chain has time left to come in by itself.
        """
        if not away.any():
            return trace
        source = donors(away, self.starts, np.random.default_rng([self.seed, len(self.windows)]))
        stays = away & (is_last | ~climbing(trace.logp))
        self._line_up(self._all("chains"), np.where(stays, source, np.arange(len(source))))
        self.rescued += int(stays.sum())
        return jax.tree.map(lambda a: a[:, source], trace)

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
            new, some = choose_centring(program, self.target.data, y, centring)
            y, score = some.x, some.score
            at = evaluate(program, self.target.data, at.x, centring, new, gradient=True)
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


def _at(tree: Any, rows: np.ndarray) -> Any:
    return jax.tree.map(lambda a: a[rows], tree)


def _parts(a: np.ndarray, size: int) -> list[np.ndarray]:
    return np.split(a, range(size, len(a), size))


def _scouts(chains: int, block_size: int) -> np.ndarray:
    """The first few chains of every start, or all where that makes no whole blocks."""
    scouts = -(-SCOUTS // block_size) * block_size
    if scouts >= chains or scouts % SUPERCHAINS:
        return np.arange(chains)
    place = np.arange(chains) % (chains // SUPERCHAINS)
    return np.flatnonzero(place < scouts // SUPERCHAINS)


def _forerunners(scouts: int, chains: int) -> np.ndarray:
    """For every chain the row of a scout of its own start: itself, if it is one."""
    start, place = np.divmod(np.arange(chains), chains // SUPERCHAINS)
    of_a_start = scouts // SUPERCHAINS
    return start * of_a_start + place % of_a_start
