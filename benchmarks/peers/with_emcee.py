"""emcee: the affine-invariant ensemble on a vectorised density."""

from __future__ import annotations

import time

import emcee
import jax
import numpy as np
from targets.base import Target

from peers.base import Prepared, Run
from peers.in_jax import Problem


def prepare(target: Target, lengths: tuple[int, int], chains: int = 64) -> Prepared:
    problem = Problem(target)
    walkers, (warmup, kept) = max(chains, 4 * problem.dim), lengths
    log_density = jax.jit(jax.vmap(problem.program.log_density_at, in_axes=(None, 0)))
    quantities = jax.jit(jax.vmap(jax.vmap(problem.quantities, in_axes=(None, 0)), in_axes=(None, 0)))

    def at(q: np.ndarray) -> np.ndarray:
        return np.nan_to_num(np.asarray(log_density(problem.data, q)), nan=-np.inf)

    def run(seed: int) -> Run:
        began = time.perf_counter()
        random = np.random.default_rng(seed)
        sampler = emcee.EnsembleSampler(walkers, problem.dim, at, vectorize=True)
        sampler.random_state = np.random.RandomState(seed).get_state()
        sampler.run_mcmc(random.uniform(-2, 2, size=(walkers, problem.dim)), warmup + kept)
        q = np.swapaxes(sampler.get_chain(discard=warmup), 0, 1)
        drawn = np.asarray(quantities(problem.data, q))
        return Run(drawn, kept / (warmup + kept) * (time.perf_counter() - began), 0.0, 0.0)

    return Prepared(run, problem.spared)
