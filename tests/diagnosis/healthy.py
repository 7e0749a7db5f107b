"""Healthy fits of every kind, which a verdict must let pass."""

from __future__ import annotations

import numpy as np

from .zoo import autoregressive, healthy, make_fit, statistics


def chains_of(chains: int, draws: int, rho: float, superchains: int | None = None):
    """Maker of a healthy fit with 20 elements."""
    attrs = {} if superchains is None else {"superchains": superchains}

    def make(rng):
        x = autoregressive(rng, (chains, draws, 20), rho)
        return make_fit({"x": x}, statistics(rng, chains, draws), **attrs)

    return make


HEALTHY = {
    "independent": chains_of(4, 1000, 0.0),
    "autocorrelated": chains_of(4, 1000, 0.6),
    "antithetic": chains_of(4, 1000, -0.5),
    "sixteen chains": chains_of(16, 200, 0.3),
    "one hundred chains": chains_of(128, 100, 0.6),
    "one hundred, eight starts": chains_of(128, 100, 0.6, 8),
    "five hundred short chains": chains_of(512, 20, 0.5, 16),
    "a prime number of chains": chains_of(61, 100, 0.3),
    "schools": healthy,
    "Metropolis": lambda rng: make_fit({"x": np.repeat(rng.normal(size=(4, 1000, 3)), 3, axis=1)}),
    "skewed": lambda rng: make_fit({"x": np.exp(autoregressive(rng, (4, 1000, 20)))}),
    "counts": lambda rng: make_fit({"x": rng.poisson(2.0, (4, 1000, 20))}),
    "coins": lambda rng: make_fit({"x": rng.random((4, 1000, 5)) < 0.5}),
    "rare events": lambda rng: make_fit({"x": rng.random((4, 1000)) < 0.02}),
}
