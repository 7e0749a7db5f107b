"""Learnt coordinates: Gaussians are recovered, gradients keep the chain rule, and nothing breaks them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from propto.coordinates.low_rank import LowRank
from propto.coordinates.whitening import Dense, Diagonal

pytestmark = pytest.mark.usefixtures("double_precision")

SCALES = 10.0 ** np.arange(-6, 7)


def gaussian_draws(draws, chains, spread=1.0, offset=0.0, seed=0):
    """Draws near a Gaussian with scales from 1e-6 to 1e6, not of it, with its scores."""
    rng = np.random.default_rng(seed)
    center = SCALES * rng.normal(size=SCALES.size) * 3
    q = center + SCALES * (offset + spread * rng.normal(size=(draws, chains, SCALES.size)))
    return center, q, -(q - center) / SCALES**2


@pytest.mark.parametrize(("spread", "offset"), [(1.0, 0.0), (0.01, 0.0), (100.0, 0.0)])
def test_diagonal_finds_a_gaussian_from_few_draws_wherever_they_lie(spread, offset):
    center, q, score = gaussian_draws(5, 2, spread, offset)
    learnt = Diagonal.learn(q, score)
    np.testing.assert_allclose(learnt.scale, SCALES, rtol=1e-6)
    np.testing.assert_allclose((learnt.center - center) / SCALES, 0, atol=1e-6 * spread)


def test_diagonal_does_not_jump_further_than_its_draws_reach():
    center, q, score = gaussian_draws(5, 10, spread=1.0, offset=1000.0)
    shift = (Diagonal.learn(q, score).center - q.mean((0, 1))) / q.std((0, 1))
    np.testing.assert_allclose(shift, -1.0)
    assert (np.abs(q - center) / SCALES > 900).all()


def test_diagonal_without_scores_has_the_spread_of_the_draws():
    _, q, _ = gaussian_draws(100, 10)
    learnt = Diagonal.learn(q, None)
    np.testing.assert_allclose(learnt.scale, q.std((0, 1)))
    np.testing.assert_allclose(learnt.center, q.mean((0, 1)))


@pytest.mark.parametrize("kind", [Diagonal, Dense, LowRank])
def test_frozen_flat_and_undefined_coordinates_leave_finite_maps(kind):
    q = np.random.default_rng(0).normal(size=(5, 4, 4))
    score = -q
    q[..., 0] = 3.0  # a coordinate that never moved
    score[..., 1] = 0.0  # one whose density is flat
    score[3, 1, 2] = np.inf
    learnt = kind.learn(q, score)
    z = np.array([1.0, -2.0, 0.5, 0.3])
    assert (np.asarray(learnt.scales()) > 0).all()
    assert np.isfinite(learnt.to_q(z)).all()
    np.testing.assert_allclose(learnt.to_z(learnt.to_q(z)), z, rtol=1e-3)


def correlated(dim, n, seed=0):
    rng = np.random.default_rng(seed)
    correlation = 0.9 ** np.abs(np.subtract.outer(np.arange(dim), np.arange(dim)))
    sd = 10.0 ** rng.uniform(-4, 4, dim)
    draws = rng.normal(size=(n // 10, 10, dim)) @ np.linalg.cholesky(correlation).T
    return correlation, sd * (5 + draws), sd


def test_dense_learns_scales_and_correlations():
    correlation, q, sd = correlated(5, 20_000)
    learnt = Dense.learn(q, None)
    relative = learnt.cholesky @ learnt.cholesky.T / sd[:, None] / sd
    np.testing.assert_allclose(relative, correlation, atol=0.05)
    np.testing.assert_allclose(learnt.scales() / sd, 1, rtol=0.05)
    np.testing.assert_allclose(learnt.center / sd, 5, atol=0.05)


def test_dense_shrinks_correlations_it_cannot_know():
    _, q, _ = correlated(30, 10)
    learnt = Dense.learn(q, None)
    relative = np.asarray(learnt.cholesky @ learnt.cholesky.T) / np.outer(q.std((0, 1)), q.std((0, 1)))
    np.testing.assert_allclose(np.diag(relative), 1)
    assert np.linalg.eigvalsh(relative).min() > 0.5  # of rank 10 without shrinkage


@pytest.mark.parametrize("kind", [Diagonal, Dense, LowRank])
def test_maps_are_inverse_and_scores_follow_the_chain_rule(kind):
    _, q, sd = correlated(4, 500)
    coordinates = kind.learn(q, None)

    def log_p(q):
        return -jnp.sum(jnp.cosh(q / sd))

    z = np.array([0.3, -1.2, 0.8, 2.0])
    np.testing.assert_allclose(coordinates.to_z(coordinates.to_q(z)), z, rtol=1e-9)
    z_score = jax.grad(lambda z: log_p(coordinates.to_q(z)))(z)
    # The scores of many draws at once, along a leading axis.
    found = coordinates.score(jnp.stack([z_score, 2 * z_score]))
    expected = jax.grad(log_p)(coordinates.to_q(z))
    np.testing.assert_allclose(found[0], expected, rtol=1e-8)
    np.testing.assert_allclose(found[1], 2 * expected, rtol=1e-8)
    back = coordinates.z_score(jnp.stack([expected, 2 * expected]))
    np.testing.assert_allclose(back, jnp.stack([z_score, 2 * z_score]), rtol=1e-8)


@pytest.mark.parametrize("kind", [Diagonal, Dense, LowRank])
def test_identity(kind):
    z = np.array([1.0, -2.0, 3.0])
    assert np.array_equal(kind.identity(3).to_q(z), z)
    assert np.array_equal(kind.identity(3).to_z(z), z)
