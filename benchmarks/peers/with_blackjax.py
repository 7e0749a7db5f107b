"""BlackJAX: compiled once, chains vectorised, called again with another key."""

from __future__ import annotations

import time
from typing import Any

import blackjax
import jax
import jax.numpy as jnp
import optax
from blackjax.adaptation.base import get_filter_adapt_info_fn
from targets.base import Target

from peers.base import Prepared, Run
from peers.in_jax import THREADS, Problem, joined, on_threads, one_by_one

STEPS_ONLY = get_filter_adapt_info_fn(info_keys={"num_integration_steps"})


def prepare(target: Target, lengths: tuple[int, int], method: str, chains: int) -> Prepared:
    problem = Problem(target)
    make = ensemble if method == "chees" else windows
    warm_up, sample = map(jax.jit, make(problem, lengths, method, chains))
    # Two programs with batched eigenvalues at once can lock each other out of XLA's threads for good.
    tune_on = one_by_one if method == "lowrank" else on_threads

    def run(seed: int) -> Run:
        keys = jax.random.split(jax.random.key(seed), (THREADS, 2))
        tuned = tune_on(lambda i: warm_up(problem.data, keys[i, 0]))
        began = time.perf_counter()
        drawn = on_threads(lambda i: sample(problem.data, keys[i, 1], tuned[i][0]))
        quantities = joined([part[0] for part in drawn])
        seconds = time.perf_counter() - began
        gradients, divergences = (sum(float(part[i]) for part in drawn) for i in (1, 2))
        return Run(quantities, seconds, gradients, sum(float(part[1]) for part in tuned), divergences)

    return Prepared(run, problem.spared)


def windows(problem: Problem, lengths: tuple[int, int], method: str, chains: int) -> tuple[Any, Any]:
    """NUTS with Stan's windows; every chain tunes itself."""

    def adaptation(log_density: Any) -> Any:
        if method == "lowrank":
            return blackjax.window_adaptation_low_rank(blackjax.nuts, log_density)
        diagonal = method == "nuts"
        return blackjax.window_adaptation(
            blackjax.nuts, log_density, is_mass_matrix_diagonal=diagonal, adaptation_info_fn=STEPS_ONLY
        )

    def warm_up(data: Any, key: jax.Array) -> Any:
        def one(key: jax.Array) -> Any:
            start, move = jax.random.split(key)
            tune = adaptation(problem.log_density(data))
            (state, params), info = tune.run(move, problem.start(start), num_steps=lengths[0])
            if method == "lowrank":  # it hands over the centre, where all chains would start
                state = jax.tree.map(lambda x: x[-1], info.state)
            return (state, params), jnp.sum(info.info.num_integration_steps)

        tuned, steps = jax.vmap(one)(jax.random.split(key, chains))
        return tuned, jnp.sum(steps)

    def sample(data: Any, key: jax.Array, tuned: Any) -> Any:
        def one(key: jax.Array, tuned: Any) -> Any:
            state, params = tuned
            kernel = blackjax.nuts(problem.log_density(data), **params).step
            return chain(problem, data, kernel, key, state, lengths[1])

        quantities, steps, divergent = jax.vmap(one)(jax.random.split(key, chains), tuned)
        return quantities, jnp.sum(steps), jnp.sum(divergent)

    return warm_up, sample


def ensemble(problem: Problem, lengths: tuple[int, int], method: str, chains: int) -> tuple[Any, Any]:
    """ChEES-HMC: all chains of a thread tune one step size and one trajectory length."""
    functions: dict[str, Any] = {}  # what tuning returns besides arrays

    def warm_up(data: Any, key: jax.Array) -> Any:
        start, move = jax.random.split(key)
        tune = blackjax.chees_adaptation(
            problem.log_density(data),
            chains,
            mass_matrix_estimation="diagonal",
            adaptation_info_fn=STEPS_ONLY,
        )
        positions = jax.vmap(problem.start)(jax.random.split(start, chains))
        (states, params), info = tune.run(move, positions, 0.1, optax.adam(0.025), lengths[0])
        functions.update({name: value for name, value in params.items() if callable(value)})
        arrays = {name: value for name, value in params.items() if not callable(value)}
        return (states, arrays), jnp.sum(info.info.num_integration_steps)

    def sample(data: Any, key: jax.Array, tuned: Any) -> Any:
        states, params = tuned
        kernel = blackjax.dynamic_hmc(problem.log_density(data), **params, **functions).step

        def one(key: jax.Array, state: Any) -> Any:
            return chain(problem, data, kernel, key, state, lengths[1])

        quantities, steps, divergent = jax.vmap(one)(jax.random.split(key, chains), states)
        return quantities, jnp.sum(steps), jnp.sum(divergent)

    return warm_up, sample


def chain(problem: Problem, data: Any, kernel: Any, key: jax.Array, state: Any, draws: int) -> Any:
    """The draws of one chain."""

    def step(state: Any, key: jax.Array) -> Any:
        state, info = kernel(key, state)
        return state, (state.position, info.num_integration_steps, info.is_divergent)

    _, (q, steps, divergent) = jax.lax.scan(step, state, jax.random.split(key, draws))
    return jax.vmap(lambda q: problem.quantities(data, q))(q), steps, divergent
