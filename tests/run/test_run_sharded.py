"""Data on several devices: the same posterior, and every device holds its share alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import json, sys
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
import propto as pp

rows = int(sys.argv[1])
rng = np.random.default_rng(1)
x = rng.normal(size=(rows, 2))
y = x @ [1.0, -0.5] + rng.normal(size=rows)

def log_p(b, sigma, x, y):
    return -0.5 * jnp.sum(((y - x @ b) / sigma) ** 2) - len(y) * jnp.log(sigma) - sigma

def density(x, y):
    return pp.Density(log_p, {"b": pp.real(2), "sigma": pp.positive()}, data={"x": x, "y": y})

with jax.enable_x64(True):
    along = NamedSharding(Mesh(np.array(jax.devices()), ("row",)), PartitionSpec("row"))
    far = [jax.device_put(part, along) for part in (x, y)]
near, far = density(x, y), density(*far)
at = {"b": [0.9, -0.4], "sigma": 1.1}
options = json.loads(sys.argv[2])
fits = [pp.sample(one, progress=False, **options) for one in (near, far, far)]
means = [fit.posterior.mean(("chain", "draw")) for fit in fits]
sds = fits[0].posterior.std(("chain", "draw"))
print(json.dumps({
    "devices": len(far.data["x"].sharding.device_set),
    "largest share": max(shard.data.shape[0] for shard in far.data["x"].addressable_shards) / rows,
    "dtype": str(far.data["x"].dtype),
    "density": abs(near.log_density(**at) / far.log_density(**at) - 1),
    "gap": max(float(abs((means[0][n] - means[1][n]) / sds[n]).max()) for n in sds),
    "repeats": all(bool((fits[1].posterior[n] == fits[2].posterior[n]).all()) for n in sds),
    "ess": pp.summary(fits[1])["ess_bulk"].min(),
    "b": means[1]["b"].values.tolist(),
    "seconds": [fit.attrs["seconds_sampling"] + fit.attrs["seconds_warmup"] for fit in fits],
}))
"""


def run(rows, devices, **options):
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(rows), json.dumps(options)],
        capture_output=True,
        text=True,
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def check(found, rows, devices):
    assert found["devices"] == devices
    assert found["largest share"] == 1 / devices
    assert found["dtype"] == "float64"
    assert found["density"] < 1e-12  # the sum is taken in another order
    assert found["repeats"]
    assert found["b"] == pytest.approx([1.0, -0.5], abs=6 / rows**0.5)
    # Two runs that drift apart by rounding are like two seeds: 6 sigma of their joint Monte Carlo error.
    assert found["gap"] < 6 * (2 / found["ess"]) ** 0.5


def test_sharded_data_give_the_same_posterior():
    check(run(4000, 4, draws=100, seed=2), 4000, 4)


@pytest.mark.slow
def test_a_million_rows_over_two_devices():
    check(run(10**6, 2, draws=40, warmup=60, chains=4, seed=2, sampler=None), 10**6, 2)
