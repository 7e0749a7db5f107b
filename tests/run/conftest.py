"""What the tests of the run loop share: a small posterior, whose programs are compiled once for all."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import propto as pp

POINTS = np.array([[1.0, -1.0, 0.3], [2.0, 0.5, -1.0]])


def log_p(t, mu, tau, y):
    return -0.5 * (jnp.sum((y - t) ** 2) + jnp.sum((t - mu) ** 2) + mu**2) - tau


@pytest.fixture(scope="session")
def posterior():
    """Six normal means, their mean and an exponential scale that nothing depends on."""
    return pp.Density(
        log_p,
        {"mu": pp.real(), "tau": pp.positive(), "t": pp.real((2, 3))},
        data={"y": POINTS},
        dims={"t": ("group", "item")},
        coords={"group": ["a", "b"], "item": [10, 20, 30]},
    )


@pytest.fixture(scope="session")
def draw(posterior):
    """Draw from the posterior with few short chains; what differs is given as keywords."""
    few = {"draws": 60, "warmup": 40, "chains": 8, "seed": 1, "progress": False, "sampler": pp.Metropolis()}
    return lambda **options: pp.sample(options.pop("density", posterior), **{**few, **options})


@pytest.fixture(scope="session")
def fit(draw):
    """The run that the others are compared with."""
    return draw()
