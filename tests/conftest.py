"""What the whole suite shares: a cache folder of its own, the reference tables, the seed's posterior."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import propto as pp

SCHOOLS = {
    "effect_estimate": np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0]),
    "std_estimate": np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]),
}


def pytest_configure(config):
    """Compiled programs go to a folder that ends with the session, also those of child processes."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return  # a worker has its parent's folder
    folder = tempfile.TemporaryDirectory(prefix="propto-tests-")
    config.add_cleanup(folder.cleanup)
    os.environ["XDG_CACHE_HOME"] = folder.name


@pytest.fixture
def double_precision():
    """64-bit floats for tests that call JAX themselves."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def shared_folder():
    """The folder of reference tables and posteriors, where there is one."""
    folder = Path(os.environ.get("PROPTO_SHARED", Path(__file__).parents[2] / "shared"))
    if not folder.is_dir():
        pytest.skip("reference tables not present")
    return folder


def log_p_schools(eta, mu, sigma, effect_estimate, std_estimate):
    """The seed's posterior in non-centred form, t = mu + sigma * eta."""
    likelihood = jnp.sum(((effect_estimate - mu - sigma * eta) / std_estimate) ** 2)
    return -0.5 * (likelihood + jnp.sum(eta**2) + ((mu - 8.75) / 20) ** 2)


@pytest.fixture(scope="session")
def schools():
    """A function from data of eight schools (by default the seed's) to the posterior: one program for all."""
    variables = {"eta": pp.real(8), "mu": pp.real(), "sigma": pp.interval(0, 100)}
    return lambda **data: pp.Density(log_p_schools, variables, data={**SCHOOLS, **data})
