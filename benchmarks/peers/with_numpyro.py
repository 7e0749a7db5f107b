"""NumPyro: NUTS on the potential, chains vectorised, compiled once and called again with another key."""

from __future__ import annotations

import time
from typing import Any

import jax
import jax.numpy as jnp
from numpyro.infer import MCMC, NUTS
from targets.base import Target

from peers.base import Prepared, Run
from peers.in_jax import THREADS, Problem, joined, on_threads

FIELDS = ("num_steps", "diverging")


def prepare(target: Target, lengths: tuple[int, int], dense: bool, chains: int) -> Prepared:
    problem = Problem(target)

    def sampler(data: Any) -> MCMC:
        log_density = problem.log_density(data)
        kernel = NUTS(potential_fn=lambda q: -log_density(q), dense_mass=dense)
        settings = {"num_warmup": lengths[0], "num_samples": lengths[1], "num_chains": chains}
        return MCMC(kernel, **settings, chain_method="vectorized", progress_bar=False)

    @jax.jit
    def warm_up(data: Any, key: jax.Array) -> Any:
        start, move = jax.random.split(key)
        mcmc = sampler(data)
        starts = jax.vmap(problem.start)(jax.random.split(start, chains))
        mcmc.warmup(move, init_params=starts, extra_fields=FIELDS, collect_warmup=True)
        return mcmc.post_warmup_state, jnp.sum(mcmc.get_extra_fields()["num_steps"])

    @jax.jit
    def sample(data: Any, state: Any) -> Any:
        mcmc = sampler(data)
        mcmc.post_warmup_state = state
        mcmc.run(state.rng_key, init_params=state.z, extra_fields=FIELDS)
        q, extra = mcmc.get_samples(group_by_chain=True), mcmc.get_extra_fields()
        quantities = jax.vmap(jax.vmap(lambda q: problem.quantities(data, q)))(q)
        return quantities, jnp.sum(extra["num_steps"]), jnp.sum(extra["diverging"])

    def run(seed: int) -> Run:
        keys = jax.random.split(jax.random.key(seed), THREADS)
        tuned = on_threads(lambda i: warm_up(problem.data, keys[i]))
        began = time.perf_counter()
        drawn = on_threads(lambda i: sample(problem.data, tuned[i][0]))
        quantities = joined([part[0] for part in drawn])
        seconds = time.perf_counter() - began
        gradients, divergences = (sum(float(part[i]) for part in drawn) for i in (1, 2))
        return Run(quantities, seconds, gradients, sum(float(part[1]) for part in tuned), divergences)

    return Prepared(run, problem.spared)
