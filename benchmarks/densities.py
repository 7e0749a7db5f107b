"""Is a target's density in JAX the one of its Stan program, up to a constant? Random points tell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from targets import TARGETS

POINTS = 8
TOLERANCE = 1e-6  # of the differences between points; the ODE is solved with other errors


def check(envs: Path, names: list[str]) -> None:
    """Print for every target by how much the two disagree, and fail where that is too much."""
    from environments import python_of

    python = python_of(envs, "stanli")
    if python is None:
        raise SystemExit("stanli is not installed there: run `compare.py setup` first")
    wrong = []
    for name in names:
        values, ours = points(name)
        answer = subprocess.run(
            [python, __file__, name], input=json.dumps(values), capture_output=True, text=True
        )
        if answer.returncode:
            print(f"{name:32} {answer.stderr.strip().splitlines()[-1]}")
            wrong.append(name)
            continue
        difference = np.array(json.loads(answer.stdout)) - ours
        gap = float(np.ptp(difference) / np.ptp(ours))
        print(f"{name:32} {gap:.1e}")
        wrong += [name] if not gap < (1e-2 if "volterra" in name else TOLERANCE) else []
    if wrong:
        raise SystemExit(f"densities differ: {', '.join(wrong)}")


def points(name: str) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Points near the origin of R^d, as the variables there, and the log density."""
    density = TARGETS[name].posterior().density
    positions = np.random.default_rng(0).uniform(-1, 1, size=(POINTS, density.dim))
    values = [{k: v.tolist() for k, v in density.unpack(q).items()} for q in positions]
    return values, np.array([density.log_density_at(q) for q in positions])


def in_stan(name: str, values: list[dict[str, Any]]) -> list[float]:
    """The same log densities by the Stan program; runs in stanli's environment."""
    import stanli

    target = TARGETS[name]
    model = stanli.Model(stan_file=target.stan_file, data=target.data_json())
    return [model.log_prob_grad(model.unconstrain(point))[0] for point in values]


if __name__ == "__main__":
    print(json.dumps(in_stan(sys.argv[1], json.load(sys.stdin))))
