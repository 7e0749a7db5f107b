"""A flock of particles: where they are, the coordinates in which they move, and their pace."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from propto.compiled import call
from propto.coordinates.learning import scales_and_whitening
from propto.coordinates.whole import Coordinates
from propto.errors import InterruptedRunError
from propto.run.block import SAMPLING, WARMUP, Block, Span, Target, Trace, on_host
from propto.run.centring import choose_centring
from propto.run.evaluate import evaluate
from propto.run.lanes import Lanes
from propto.run.tempered import Data, Tempered
from propto.samplers.base import Sampler
from propto.warmup.pace import Pace

# Particles that tell enough of the coordinates.
ENOUGH = 1024


class Flock:
    """Particles that move together.

    Parameters
    ----------
    program
        What they move on.
    sampler
        Their kernel.
    lanes
        Where blocks are advanced.
    seed
        As in `sample`.
    q
        Where they are, shape (particle, d).
    block_size
        Particles in the largest block.
    """

    def __init__(
        self,
        program: Tempered,
        sampler: Sampler,
        lanes: Lanes,
        seed: int,
        q: Float[np.ndarray, "particle dim"],
        block_size: int,
    ) -> None:
        self.program, self.sampler, self.lanes, self.seed, self.q = program, sampler, lanes, seed, q
        count, dim = q.shape
        self.members = [np.arange(i, min(i + block_size, count)) for i in range(0, count, block_size)]
        self.params = on_host(sampler.initial_params(dim))
        self.pace = Pace.of(sampler.adapters(), self.params, count)
        self.coordinates = Coordinates(sampler.whitening.identity(dim), None, 1.0 - program.layers)
        self.moves, self.gradients = 0, 0.0

    def take_over(self, source: np.ndarray) -> None:
        """Put every particle where another one is."""
        self.q, self.pace = self.q[source], self.pace.moved(source)

    def learn(self, data: Data) -> None:
        """Learn coordinates from where all are; they move on these data from now on."""
        program, before = self.program, self.coordinates
        centring, given = before.centring, np.ones(self.q.shape[1])
        some = self.q[:: max(1, len(self.q) // ENOUGH)]
        seen = evaluate(program, data, some, given, centring, gradient=True)
        if program.layers.any():
            centring, rows = choose_centring(program, data, seen.x[None], centring)
            seen = jax.tree.map(lambda row: row[-1], rows)
        assert seen.score is not None
        kind = self.sampler.whitening
        scales, whitening = scales_and_whitening(kind, before.scales, seen.x[None], seen.score[None])
        self.coordinates = on_host(Coordinates(whitening, scales, centring))
        self._enter(data, len(some))

    def _enter(self, data: Data, size: int) -> None:
        """Put the particles where they are, on these data, in the coordinates of now; so many at once."""
        given, centring = np.ones(self.q.shape[1]), self.coordinates.centring
        parts = [self.q[i : i + size] for i in range(0, len(self.q), size)]  # one program serves all
        looks = [evaluate(self.program, data, q, given, centring, gradient=True) for q in parts]
        at = jax.tree.map(lambda *rows: np.concatenate(rows), *looks)
        self.data = data
        z, gradient = self.coordinates.whitened(at.x, at.score)
        assert gradient is not None
        logp = at.logp + self.coordinates.all_to_y(z)[1]
        self.states = [self.sampler.init(z[i], logp[i], gradient[i]) for i in self.members]

    def move(self, transitions: int, on_their_own: bool = False) -> Trace:
        """Move all, learning their pace."""
        pace = self.pace.all_on_their_own() if on_their_own else self.pace
        fresh = [pace.begin(chains) for chains in self.members]
        trace, blocks = self._advance(fresh, Span(self.seed, WARMUP, self.moves, transitions))
        if len(trace.z) < transitions or self.lanes.stop:
            raise InterruptedRunError("the run was stopped while tempering, before the first draw")
        adapters = jax.tree.map(lambda *rows: np.concatenate(rows), *(block.adapters for block in blocks))
        self.pace = self.pace.learnt(adapters, trace.info.acceptance_rate.mean(axis=0))
        self.params = on_host(self.sampler.paced(self.params._replace(**self.pace.common)))
        self.moves += transitions
        self.gradients += float(trace.info.n_steps.mean(axis=1).sum())
        y, _ = self.coordinates.unwhitened(trace.z[-1], None)
        self.q = _uncentred(self.program, self.data, y, self.coordinates.centring)
        return trace

    def record(self, first: int, transitions: int) -> Trace:
        """Move all with everything frozen, as draws from this index on."""
        fresh = [self.pace.begin(chains) for chains in self.members]
        return self._advance(fresh, Span(self.seed, SAMPLING, first, transitions))[0]

    def _advance(self, fresh: list[Any], span: Span) -> tuple[Trace, list[Block]]:
        target = Target(self.data, self.coordinates, self.params)
        rows = zip(self.members, self.states, fresh, strict=True)
        blocks, trace = self.lanes.advance(target, [Block(i, s, *new) for i, s, new in rows], span)
        self.states = [block.states for block in blocks]
        return trace, blocks


def _uncentred(program: Tempered, data: Data, y: np.ndarray, centring: np.ndarray) -> np.ndarray:
    """Positions q, from coordinates in a centring."""

    def one(data: Data, y: Float[Array, " dim"], centring: Any) -> Any:
        return program.uncentre(data, y, centring)[0]

    return np.asarray(call(("uncentre", program), jax.vmap(one, in_axes=(None, 0, None)), data, y, centring))
