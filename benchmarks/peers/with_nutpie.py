"""nutpie on a Stan density: stanli's library speaks BridgeStan's interface, so no Python runs in the loop."""

from __future__ import annotations

import json
import time

import numpy as np
import nutpie
import stanli
from nutpie import _lib
from nutpie.compile_stan import CompiledStanModel
from targets.base import Target, select

from peers.base import CHAINS, Prepared, Run


def prepare(
    target: Target, lengths: tuple[int, int], low_rank: bool = False, chains: int = CHAINS
) -> Prepared:
    compiled = compile_model(target)
    tune = min(400, lengths[0])  # nutpie's own default

    def run(seed: int) -> Run:
        began = time.perf_counter()
        trace = nutpie.sample(
            compiled,
            draws=lengths[1],
            tune=tune,
            chains=chains,
            seed=seed,
            progress_bar=False,
            low_rank_modified_mass_matrix=low_rank,
        )
        values = {name: array.values for name, array in trace.posterior.data_vars.items()}
        steps, before = (float(s.n_steps.sum()) for s in (trace.sample_stats, trace.warmup_sample_stats))
        divergences = float(trace.sample_stats.diverging.sum())
        quantities = np.array(select(target.quantities, values, 2))
        seconds = steps / (steps + before) * (time.perf_counter() - began)
        return Run(quantities, seconds, steps, before, divergences)

    return Prepared(run)


def compile_model(target: Target) -> CompiledStanModel:
    """The Stan program, whose model travels with the data."""
    mir = stanli.stan_to_mir(target.stan_file.read_text())
    payload = {"build_id": stanli.build_id(), "mir": mir, "name": target.stan}
    library = _lib.StanLibrary(str(stanli._runtime_lib_path()))
    data = target.data_json(__stanli=payload)
    model = _lib.StanModel(library, {}, {}, {}, None, data, no_flow)
    return CompiledStanModel(
        dims={}, _coords={}, code="", data=json.loads("{}"), library=library, model=model
    )


def no_flow(*args: object, **kwargs: object) -> None:
    """Normalising flows are not used."""
    raise NotImplementedError
