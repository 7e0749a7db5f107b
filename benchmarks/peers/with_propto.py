"""propto itself, as a user calls it."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from targets.base import Target, select

import propto as pp
from peers.base import Prepared, Run


def prepare(
    target: Target, lengths: tuple[int, int], names: list[str] | None = None, **options: Any
) -> Prepared:
    posterior, names = target.posterior(), names or target.quantities
    if options.get("sampler") == "NUTS":
        options = {"warmup": lengths[0], "draws": lengths[1], **options, "sampler": pp.NUTS()}

    def run(seed: int) -> Run:
        fit = pp.sample(posterior.density, seed=seed, progress=False, **options)
        values = {name: array.values for name, array in fit["posterior"].data_vars.items()}
        with jax.enable_x64(True):
            quantities = np.array(select(names, {**values, **posterior.derived(values)}, 2))
        seconds = float(fit.attrs["seconds_sampling"])
        statistics = fit["sample_stats"]
        gradients = float(statistics["n_steps"].sum()) if "n_steps" in statistics else float("nan")
        divergences = float(statistics["diverging"].sum()) if "diverging" in statistics else float("nan")
        warmup = float(fit.attrs.get("gradients_warmup", float("nan")))
        return Run(quantities, seconds, gradients, warmup, divergences)

    return Prepared(run)
