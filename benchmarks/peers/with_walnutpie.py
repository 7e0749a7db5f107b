"""walnutpie: WALNUTS on a Stan density through stanli's library, chains on threads."""

from __future__ import annotations

import time
import warnings

import numpy as np
import stanli
import walnutpie
from targets.base import Target

from peers.base import CHAINS, Prepared, Run

warnings.filterwarnings("ignore", message="Setting 'seed' without")  # its warm-up stops by itself


def prepare(target: Target, lengths: tuple[int, int], chains: int = CHAINS) -> Prepared:
    model = stanli.bridgestan_model(stan_file=target.stan_file, data=target.data_json())
    names = [bracketed(name) for name in model.param_names(include_tp=True, include_gq=True)]
    columns = [names.index(name) for name in target.quantities]

    def run(seed: int) -> Run:
        began = time.perf_counter()
        parts = walnutpie.walnuts_stan(
            model,
            seed=seed,
            num_chains=chains,
            max_warmup_iter=lengths[0],
            min_sampling_iter=lengths[1],
            max_sampling_iter=lengths[1],
            max_trajectory_doublings=10,  # as NUTS has elsewhere; the default is 5
            save_warmup=True,
        )
        before = np.mean([len(part.warmup.warmup_draws.data) for part in parts])
        quantities = np.stack([part.data[:, columns] for part in parts])
        share = lengths[1] / (before + lengths[1])
        return Run(quantities, share * (time.perf_counter() - began))

    return Prepared(run)


def bracketed(name: str) -> str:
    """From "theta.3" to "theta[3]"."""
    variable, _, index = name.partition(".")
    return f"{variable}[{index}]" if index else name
