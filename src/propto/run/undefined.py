"""Find the point where a density was NaN, by running again the one transition that met it."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from propto.density import Density
from propto.run.block import Block, Span, Target, Trace, random_key
from propto.run.fit import constrained
from propto.samplers.base import Sampler
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
    z_before = block.states.z[lane] if draw == 0 else target.coordinates.to_z(trace.q[draw - 1, lane])
    params = target.params._replace(step_size=trace.step_size[draw, lane])
    key = jax.random.fold_in(random_key(span.seed, span.phase), block.chains[lane])
    key = jax.random.fold_in(key, span.first + draw)
    points: list[np.ndarray] = []

    def note(q: Any, logp: Any) -> None:
        if np.isnan(logp):
            points.append(np.asarray(q))

    def logdensity(z: Any) -> Any:
        q = target.coordinates.to_q(z)
        logp = density.program.log_density_at(target.data, q)
        jax.debug.callback(note, q, logp)
        return logp

    def again(z: Any) -> Any:
        return sampler.step(logdensity, key, sampler.init(logdensity, z), params)[0].z

    jax.block_until_ready(jax.jit(again)(z_before))
    jax.effects_barrier()
    if not points:
        return "a point that could not be found again"
    # Compiled, not run by hand: a model run by hand would refuse the parameters that it is undefined for.
    values = constrained(density, points[0][None])
    return describe({name: value[0] for name, value in values.items()})
