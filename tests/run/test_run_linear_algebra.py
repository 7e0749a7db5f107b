"""Densities that decompose matrices: XLA must not wait for itself."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own, because a run that waits for itself cannot be stopped.
PROGRAM = """
import jax.numpy as jnp
import numpy as np
import propto as pp

x = jnp.linspace(0, 1, 25)
y = jnp.sin(6 * x)

def log_p(amplitude, scale, noise):
    distance = (x[:, None] - x) / jnp.exp(scale)
    K = jnp.exp(2 * amplitude - 0.5 * distance**2) + (jnp.exp(2 * noise) + 1e-6) * jnp.eye(25)
    L = jnp.linalg.cholesky(K)
    r = jnp.linalg.solve(K, y)  # a second decomposition, which can run beside the first
    return -0.5 * y @ r - jnp.log(jnp.diag(L)).sum() - 0.5 * (amplitude**2 + scale**2 + noise**2)

density = pp.Density(log_p, {name: pp.real() for name in ("amplitude", "scale", "noise")})
for seed in range(5):
    pp.sample(density, seed=seed, draws=50, threads=2, progress=False)
print("done")
"""


def test_blocks_that_decompose_matrices_side_by_side_come_to_an_end():
    """The limit is many times what it takes, and only there so that the suite comes to an end."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.stdout == "done\n", done.stderr
