"""A block of chains advanced through a chunk of transitions: the one loop that is compiled."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from propto.compiled import call
from propto.coordinates.whitening import Whitening
from propto.programs import Program
from propto.samplers.base import LogDensity, Sampler

WARMUP, SAMPLING, START = 0, 1, 2


def random_key(seed: Any, phase: Any) -> Array:
    """The key of one phase of a run; the generator is fixed, whatever JAX's setting."""
    return jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), phase)


class Block(NamedTuple):
    """A fixed number of chains: who they are and where they stand."""

    chains: Int[Any, " chain"]
    states: Any
    adapters: dict[str, Any]


class Trace(NamedTuple):
    """What a chunk leaves behind, transitions along the first axis, chains along the second."""

    q: Float[Any, "draw chain dim"]
    score: Float[Any, "draw chain dim"] | None
    logp: Float[Any, "draw chain"]
    step_size: Float[Any, "draw chain"]
    info: Any


class Target(NamedTuple):
    """What a block moves on: data of the density, coordinates and params, all plain arrays."""

    data: Any
    coordinates: Whitening
    params: Any


class Span(NamedTuple):
    """Which transitions to run: their phase, the index of the first and their number."""

    seed: Any
    phase: Any
    first: Any
    n: Any


def on_host(tree: Any) -> Any:
    """The same arrays as NumPy's, which keep their precision wherever they are sent."""
    return jax.tree.map(np.asarray, tree)


def enter(program: Program, sampler: Sampler, data: Any, coordinates: Whitening, q: Any) -> Any:
    """The states of chains that stand at the positions q, shape (chain, dim)."""

    def one(data: Any, coordinates: Whitening, q: Any) -> Any:
        return sampler.init(_logdensity(program, data, coordinates), coordinates.to_z(q))

    function = jax.vmap(one, in_axes=(None, None, 0))
    with program.raising():
        return on_host(call(("enter", program, sampler), function, data, coordinates, q))


def advance(
    program: Program, sampler: Sampler, capacity: int, target: Target, block: Block, span: Span
) -> tuple[Block, Trace]:
    """Advance a block through a chunk of at most ``capacity`` transitions.

    The draw with index i of chain c depends on the seed, the phase, c and i alone, never on how the
    transitions were cut into chunks. A block without adapters is advanced by code that cannot adapt.

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
        block, trace = on_host(call(("advance", program, sampler, capacity), function, target, block, span))
    # Copies, because a view would keep the whole buffer.
    return block, jax.tree.map(lambda buffer: buffer[: int(span.n)].copy(), trace)


def compile_advance(
    program: Program, sampler: Sampler, capacity: int, target: Target, block: Block, span: Span
) -> None:
    """Compile what `advance` needs, without running it."""
    function = _advance_function(program, sampler, capacity)
    call(("advance", program, sampler, capacity), function, target, block, span, compile_only=True)


def _logdensity(program: Program, data: Any, coordinates: Whitening) -> LogDensity:
    return lambda z: program.log_density_at(data, coordinates.to_q(z))


def _advance_function(program: Program, sampler: Sampler, capacity: int) -> Any:
    tuning = sampler.adapters()

    def run(target: Target, block: Block, span: Span) -> tuple[Block, Trace]:
        logdensity = _logdensity(program, target.data, target.coordinates)
        chain_keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(
            random_key(span.seed, span.phase), block.chains
        )

        def transition(i: Any, block: Block) -> tuple[Block, Trace]:
            tuned = {name: tuning[name].value(state) for name, state in block.adapters.items()}
            params = target.params._replace(**tuned)
            keys = jax.vmap(jax.random.fold_in, in_axes=(0, None))(chain_keys, span.first + i)
            states, info = jax.vmap(lambda key, state: sampler.step(logdensity, key, state, params))(
                keys, block.states
            )
            mean_acceptance = jnp.mean(info.acceptance_rate)
            adapters = {n: tuning[n].update(state, mean_acceptance) for n, state in block.adapters.items()}
            score = (
                target.coordinates.score(states.gradient)
                if block.adapters and sampler.needs_gradient
                else None
            )
            q = jax.vmap(target.coordinates.to_q)(states.z)
            step_size = jnp.broadcast_to(params.step_size, states.logp.shape)
            return Block(block.chains, states, adapters), Trace(q, score, states.logp, step_size, info)

        def body(i: Any, carry: tuple[Block, Trace]) -> tuple[Block, Trace]:
            block, trace = transition(i, carry[0])
            write = lambda buffer, row: jax.lax.dynamic_update_index_in_dim(buffer, row, i, 0)  # noqa: E731
            return block, jax.tree.map(write, carry[1], trace)

        _, row = jax.eval_shape(transition, jnp.array(0), block)
        buffers = jax.tree.map(lambda leaf: jnp.zeros((capacity, *leaf.shape), leaf.dtype), row)
        return jax.lax.fori_loop(0, span.n, body, (block, buffers))

    return run
