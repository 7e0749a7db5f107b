"""The test of uniform ranks: its error rate under uniformity, and what it catches."""

from __future__ import annotations

import numpy as np
import pytest

from propto.workflow.uniform import cumulative, envelope, p_values

RNG = np.random.default_rng(8)


@pytest.mark.parametrize(("n", "draws"), [(50, 31), (200, 128)])
def test_p_values_of_even_ranks_are_uniform(n, draws):
    p = p_values(RNG.integers(0, draws + 1, size=(n, 4000)), draws)
    for level in (0.05, 0.2, 0.5):
        # Discrete, and at most the level but for the error of two simulations of 4000 sets: sd below 0.012.
        assert (p <= level).mean() < level + 0.05
        assert (p <= level).mean() > level - 0.08


def test_the_envelope_holds_with_its_level():
    counts = cumulative(RNG.integers(0, 65, size=(100, 3000)), 64)
    lower, upper = (limit[:, None] for limit in envelope(100, 64, 0.9))
    share = ((counts >= lower) & (counts <= upper)).all(axis=0).mean()
    assert 0.86 < share < 0.97  # discrete, and from above; sd 0.005


@pytest.mark.parametrize(
    "uneven",
    [
        lambda u: u**1.5,  # biased
        lambda u: np.clip(0.5 + 0.6 * (u - 0.5), 0, 1),  # posteriors too wide
        lambda u: np.where(u < 0.5, 2 * u**2, 1 - 2 * (1 - u) ** 2),  # too narrow
    ],
)
def test_uneven_ranks_are_caught(uneven):
    u = RNG.uniform(size=(200, 1))
    ranks = np.minimum((uneven(u) * 129).astype(int), 128)
    assert p_values(ranks, 128)[0] < 1e-3
