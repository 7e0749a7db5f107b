"""How many gradients propto's samplers need: python benchmarks/gradients.py [TARGET ...]

For each target and sampler: the verdicts of three seeds; gradients of one chain in warm-up, for an effective
draw of the worst scalar (location, and distance from the middle), and of all chains until 1,000 of these,
warm-up included; of the funnels also the mass below v = -5, which is 0.0478.
"""

from __future__ import annotations

import sys

import numpy as np
from targets import TARGETS

import propto as pp
from propto.diagnosis.estimators import ess_bulk

SAMPLERS = {
    "Ensemble()": pp.Ensemble(),
    "NUTS()": pp.NUTS(),
    "NUTS(target_acceptance=0.95)": pp.NUTS(target_acceptance=0.95),
}
USUAL = ("schools_centred", "schools_noncentred", "funnel_11", "funnel_101", "banana")
SEEDS = 3


def main(names: list[str]) -> None:
    print("| target | sampler | verdicts | warm-up | an effective draw | 1,000 in all | P(v < -5) |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in names:
        density = TARGETS[name].posterior().density
        for said, sampler in SAMPLERS.items():
            rows = [measured(density, sampler, seed) for seed in range(SEEDS)]
            verdicts = ", ".join(row[0] for row in rows)
            warm, each, total, tail = np.median([row[1:] for row in rows], axis=0)
            mass = f"{tail:.3f}" if name.startswith("funnel") else ""
            print(
                f"| {name} | `{said}` | {verdicts} | {warm:,.0f} | {each:,.1f} | {total:,.0f} | {mass} |",
                flush=True,
            )


def measured(density: pp.Density, sampler: object, seed: int) -> tuple[str, float, float, float, float]:
    """The verdict, three numbers of gradients, and the mass below -5 of the first variable."""
    fit = pp.sample(density, sampler=sampler, seed=seed, progress=False)
    chains, draws = fit.sample_stats["lp"].shape
    x = [value.values.reshape(chains, draws, -1) for value in fit.posterior.data_vars.values()]
    all_of_them = np.concatenate(x, axis=-1)
    distance = np.abs(all_of_them - np.median(all_of_them, axis=(0, 1)))
    effective = float(min(ess_bulk(all_of_them).min(), ess_bulk(distance).min()))
    each = float(fit.sample_stats["n_steps"].sum()) / effective
    warm = float(fit.attrs["gradients_warmup"])
    total = chains * warm + 1000 * each
    return pp.diagnose(fit).status, warm, each, total, float((x[0] < -5).mean())


if __name__ == "__main__":
    main(sys.argv[1:] or list(USUAL))
