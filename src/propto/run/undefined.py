"""Find the point where a density was NaN, by running again the one transition that met it."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from propto.density import Density
from propto.programs import from_words, to_words
from propto.randomness import fold_in
from propto.run.block import Block, Span, Target, Trace, chain_key, logdensity_of
from propto.run.evaluate import constrained
from propto.samplers.base import Sampler, state_at
from propto.words import describe


def undefined_point(
    density: Density, sampler: Sampler, target: Target, block: Block, trace: Trace, span: Span
) -> str:
    """The first undefined point of a chunk, in words.

    A draw depends only on the state before it and on its own key, so it can be repeated alone.

    Parameters
    ----------
    block
        The block before the chunk.
    trace, span
        What the chunk left, and which transitions it ran.
    """
    draw, lane = np.argwhere(trace.info.nan_density)[0]
    z_before = block.states.z[lane] if draw == 0 else trace.z[draw - 1, lane]
    params = target.params._replace(step_size=trace.step_size[draw, lane])
    key = fold_in(chain_key(span, block.chains[lane]), span.first + draw)
    points: list[np.ndarray] = []

    logdensity = logdensity_of(density.program, target.data, target.coordinates)

    def note(words: Any, logp: Any) -> None:
        if np.isnan(logp):
            points.append(from_words(np.asarray(words), np.float64))

    def noted(z: Any) -> Any:
        logp = logdensity(z)
        jax.debug.callback(note, to_words(z), logp)
        return logp

    def again(z: Any) -> Any:
        return sampler.step(noted, key, state_at(sampler, noted, z), params)[0].z

    jax.block_until_ready(jax.jit(again)(z_before))
    jax.effects_barrier()
    if not points:
        return "a point that could not be found again"
    # Compiled, not run by hand: a model run by hand would refuse the parameters that it is undefined for.
    y, _ = target.coordinates.all_to_y(points[0])
    values, _ = constrained(density, y[None], target.coordinates.centring)
    return describe({name: value[0] for name, value in values.items()})
