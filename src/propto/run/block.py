"""A block of chains advanced through a chunk of transitions: the one loop that is compiled."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from propto.compiled import call
from propto.coordinates.whole import Coordinates
from propto.programs import Program
from propto.randomness import fold_in, key_of
from propto.samplers.base import LogDensity, Sampler, select

WARMUP, SAMPLING = 0, 1


class Block(NamedTuple):
    """A fixed number of chains: who they are, where they stand, what they learn and which for themselves."""

    chains: Int[Any, " chain"]
    states: Any
    adapters: dict[str, Any]
    on_their_own: Bool[Any, " chain"]


class Trace(NamedTuple):
    """What a chunk leaves behind, transitions along the first axis, chains along the second."""

    z: Float[Any, "draw chain dim"]
    gradient: Float[Any, "draw chain dim"] | None
    logp: Float[Any, "draw chain"]
    step_size: Float[Any, "draw chain"]
    info: Any


class Target(NamedTuple):
    """What a block moves on: data of the density, coordinates and params, all plain arrays."""

    data: Any
    coordinates: Coordinates
    params: Any


class Span(NamedTuple):
    """Which transitions to run: their phase, the index of the first and their number.

    In warm-up an acceptance rate a counts as a^ease, and where it ``paces`` a trajectory is shortened as the
    step size grows.
    """

    seed: Any
    phase: Any
    first: Any
    n: Any
    ease: Any = 1.0
    paces: Any = False


def on_host(tree: Any) -> Any:
    """The same arrays as NumPy's, which keep their precision wherever they are sent."""
    return jax.tree.map(np.asarray, tree)


def advance(
    program: Program, sampler: Sampler, capacity: int, target: Target, block: Block, span: Span
) -> tuple[Block, Trace]:
    """Advance a block through a chunk of at most ``capacity`` transitions.

    The draw with index i of chain c depends on the seed, the phase, c and i alone, never on how the
    transitions were cut into chunks. Nothing is learnt outside of warm-up.

    Returns
    -------
    Block
        The block where it stands now.
    Trace
        Arrays of length ``span.n``.

    Both are on the host, so that they can be sent anywhere.

    Raises
    ------
    DensityError
        The density's function raised an error.
    """
    function = _advance_function(program, sampler, capacity)
    with program.raising():
        block, trace = call(("advance", program, sampler, capacity), function, target, block, span)
    if span.phase != WARMUP:
        trace = trace._replace(gradient=None)
    # Copies, because a view would keep the whole buffer.
    return on_host(block), jax.tree.map(lambda buffer: np.asarray(buffer)[: int(span.n)].copy(), trace)


def compile_advance(
    program: Program, sampler: Sampler, capacity: int, target: Target, block: Block, span: Span
) -> None:
    """Compile what `advance` needs, without running it."""
    function = _advance_function(program, sampler, capacity)
    call(("advance", program, sampler, capacity), function, target, block, span, compile_only=True)


def logdensity_of(program: Program, data: Any, coordinates: Coordinates) -> LogDensity:
    """The log density as kernels see it, up to the constant of the affine map."""

    def logdensity(z: Float[Array, " dim"]) -> Float[Array, ""]:
        y, of_scales = coordinates.to_y(z)
        q, of_layers = program.uncentre(data, y, coordinates.centring)
        logp = program.log_density_at(data, q) + of_layers + of_scales
        # A position beyond all numbers is no fault of the density.
        return jnp.where(jnp.all(jnp.isfinite(q)), logp, -jnp.inf)

    return logdensity


def chain_key(span: Span, chain: Any) -> Array:
    """The key of a chain in a phase; folded with the index of a draw, it is that draw's."""
    return fold_in(key_of(span.seed, span.phase), chain)


def _advance_function(program: Program, sampler: Sampler, capacity: int) -> Any:
    tuning = sampler.adapters()

    def run(target: Target, block: Block, span: Span) -> tuple[Block, Trace]:
        logdensity = logdensity_of(program, target.data, target.coordinates)
        chain_keys = jax.vmap(chain_key, in_axes=(None, 0))(span, block.chains)
        learns = jnp.asarray(span.phase) == WARMUP

        def tuned(params: Any, name: str, state: Any) -> Any:
            frozen = jnp.broadcast_to(getattr(params, name), block.chains.shape)
            return jnp.where(learns, tuning[name].value(state), frozen)

        def shortened(params: Any, own: dict[str, Any]) -> Any:
            middle = {name: jnp.exp(jnp.log(values).mean()) for name, values in own.items()}
            return jax.tree.map(jnp.minimum, sampler.paced(params._replace(**middle)), params)

        def transition(i: Any, block: Block) -> tuple[Block, Trace]:
            own = {name: tuned(target.params, name, state) for name, state in block.adapters.items()}
            params = select(learns & span.paces, shortened(target.params, own), target.params)

            def one(key: Array, state: Any, own: dict[str, Any]) -> tuple[Any, Any]:
                return sampler.step(logdensity, key, state, params._replace(**own))

            keys = jax.vmap(fold_in, in_axes=(0, None))(chain_keys, span.first + i)
            states, info = jax.vmap(one)(keys, block.states, own)

            def told(name: str) -> Any:
                statistic, alone = getattr(info, tuning[name].statistic), block.on_their_own
                mean = jnp.where(alone, 0.0, statistic).sum() / jnp.maximum(1, (~alone).sum())
                return jnp.where(alone, statistic, mean) ** span.ease

            adapters = {
                name: select(learns, tuning[name].update(state, told(name)), state)
                for name, state in block.adapters.items()
            }
            gradient = states.gradient if sampler.needs_gradient else None
            row = Trace(states.z, gradient, states.logp, own["step_size"], info)
            return block._replace(states=states, adapters=adapters), row

        def body(i: Any, carry: tuple[Block, Trace]) -> tuple[Block, Trace]:
            block, trace = transition(i, carry[0])

            def write(buffer: Any, row: Any) -> Any:
                return jax.lax.dynamic_update_index_in_dim(buffer, row, i, 0)

            return block, jax.tree.map(write, carry[1], trace)

        _, row = jax.eval_shape(transition, jnp.array(0), block)
        buffers = jax.tree.map(lambda leaf: jnp.zeros((capacity, *leaf.shape), leaf.dtype), row)
        return jax.lax.fori_loop(0, span.n, body, (block, buffers))

    return run
