"""stanli: Stan's NUTS on an interpreted Stan program, chains on threads."""

from __future__ import annotations

import time

import numpy as np
import stanli
from targets.base import Target

from peers.base import CHAINS, Prepared, Run


def prepare(
    target: Target, lengths: tuple[int, int], metric: str = "diag_e", chains: int = CHAINS
) -> Prepared:
    model = stanli.Model(stan_file=target.stan_file, data=target.data_json(), fast_math=True)
    steps, divergent = (stanli.SAMPLER_COLUMNS.index(name) for name in ("n_leapfrog__", "divergent__"))
    warmup = lengths[0]

    def run(seed: int) -> Run:
        began = time.perf_counter()
        fit = model.sample(
            chains=chains,
            seed=seed + 1,
            warmup=warmup,
            samples=lengths[1],
            metric=metric,
            save_warmup=True,
            refresh=0,
        )
        columns = [fit.names.index(name) for name in target.quantities]
        gradients = fit.sampler_stats[:, :, steps].sum(axis=0)
        share = gradients[warmup:].sum() / gradients.sum()
        divergences = fit.sampler_stats[:, warmup:, divergent].sum()
        quantities = np.asarray(fit.draws())[:, warmup:, columns]
        seconds = share * (time.perf_counter() - began)
        return Run(quantities, seconds, gradients[warmup:].sum(), gradients[:warmup].sum(), divergences)

    return Prepared(run)
