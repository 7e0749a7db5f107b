"""Coordinates with correlations: exact for Gaussians, cautious elsewhere, finite whatever overflows."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import cho_factor, cho_solve

from propto.coordinates.low_rank import FULL, RANK, LowRank

pytestmark = pytest.mark.usefixtures("double_precision")


def covariance(dim, condition, seed=0):
    """A rotated ill-conditioned covariance, with scales from 1e-3 to 1e3 besides."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    scales = 10.0 ** rng.uniform(-3, 3, dim)
    return scales[:, None] * (rotation * np.geomspace(1, condition, dim)) @ rotation.T * scales


def as_matrix(learnt):
    """dq/dz."""
    return np.asarray(learnt.to_q(np.eye(len(learnt.center))) - learnt.center).T


def scores_of(q, center, matrix):
    return -cho_solve(cho_factor(matrix), (q - center).reshape(-1, q.shape[-1]).T).T.reshape(q.shape)


# --- Gaussians --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spread", "offset"), [(1.0, 0.0), (0.1, 30.0), (100.0, 0.0)])
@pytest.mark.parametrize("shape", [(9, 1), (3, 3), (1, 18)], ids=str)
def test_a_gaussian_is_found_from_d_plus_1_draws_wherever_they_lie(shape, spread, offset):
    """With 18 chains, half of which judge what the other half suggests, there are d + 1 to learn from."""
    dim, rng = 8, np.random.default_rng(1)
    truth = covariance(dim, 100.0)
    sd = np.sqrt(np.diag(truth))
    center = sd * rng.normal(size=dim)
    q = center + sd * (offset + spread * rng.normal(size=(*shape, dim)))
    learnt = LowRank.learn(q, scores_of(q, center, truth))
    root = as_matrix(learnt)
    np.testing.assert_allclose(root @ root.T / np.outer(sd, sd), truth / np.outer(sd, sd), atol=2e-3)
    np.testing.assert_allclose((learnt.center - center) / sd, 0, atol=1e-3 * max(1, offset))
    np.testing.assert_allclose(learnt.scales(), np.sqrt(np.diag(root @ root.T)), rtol=1e-2)


def test_a_few_stretched_directions_of_a_large_space_are_found():
    """Above 256 dimensions only so many directions are stretched: those that need it most."""
    dim, rng = FULL + 44, np.random.default_rng(2)
    directions = np.linalg.qr(rng.normal(size=(dim, 3)))[0]
    factors = np.array([400.0, 25.0, 0.01])
    truth = np.eye(dim) + (directions * (factors - 1)) @ directions.T
    q = 5 + rng.normal(size=(10, 32, dim)) @ np.linalg.cholesky(truth).T
    learnt = LowRank.learn(q, scores_of(q, 5.0, truth))
    assert learnt.directions.shape == (dim, RANK)
    np.testing.assert_allclose(learnt.directions.T @ learnt.directions, np.eye(RANK), atol=1e-10)
    # What is left of the covariance in the new coordinates, of all directions.
    inverse = np.asarray(learnt.to_z(np.eye(dim) + learnt.center)).T
    left = np.linalg.eigvalsh(inverse @ truth @ inverse.T)
    assert np.linalg.cond(truth) > 1e4
    assert left.max() / left.min() < 10


# --- maps -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [3, 70])
def test_maps_and_scores_agree_with_jacobians(dim):
    """Also in compiled code, where above 64 dimensions the stretching is skipped while there is none."""
    rng = np.random.default_rng(3)
    truth = covariance(dim, 1e3)
    q = rng.normal(size=(4, 100, dim)) @ np.linalg.cholesky(truth).T
    learnt = LowRank.learn(q, scores_of(q, 0.0, truth))
    assert (learnt.stretch != 1).any()
    sd = np.sqrt(np.diag(truth))

    def log_p(q):
        return -jnp.sum(jnp.cosh(q / sd)) + jnp.sum(jnp.sin(q[1:] / sd[1:] * q[:-1] / sd[:-1]))

    for each in (learnt, LowRank._unstretched(learnt.center, learnt.scale)):
        z = rng.normal(size=dim)
        position = np.asarray(each.to_q(z))
        np.testing.assert_allclose(jax.jit(each.to_q)(z), position, rtol=1e-9, atol=1e-12 * sd.max())
        np.testing.assert_allclose(each.to_z(position), z, rtol=1e-7, atol=1e-8)
        jacobian = np.asarray(jax.jacfwd(each.to_q)(jnp.asarray(z)))
        np.testing.assert_allclose(jacobian, as_matrix(each), rtol=1e-6, atol=1e-9 * sd.max())
        score = np.asarray(jax.grad(log_p)(position))
        z_score = np.asarray(jax.grad(lambda z, each=each: log_p(each.to_q(z)))(z))
        np.testing.assert_allclose(each.z_score(score), z_score, rtol=1e-6, atol=1e-9 * np.abs(z_score).max())
        np.testing.assert_allclose(each.z_score(score), jacobian.T @ score, rtol=1e-6, atol=1e-8 * sd.max())
        np.testing.assert_allclose(each.score(z_score) * sd, score * sd, rtol=1e-5, atol=1e-6)
        many = np.stack([z_score, 2 * z_score])
        np.testing.assert_allclose(each.score(many)[1], 2 * each.score(z_score), rtol=1e-10)


# --- caution ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draws", [4, 8, 30])
@pytest.mark.parametrize("dim", [5, 40])
def test_noise_is_not_stretched(dim, draws):
    """Of independent logistic coordinates: what looks like a correlation does not hold on other chains."""
    rng = np.random.default_rng(draws)
    q = rng.logistic(size=(draws, 128, dim))
    learnt = LowRank.learn(q, -np.tanh(q / 2))
    assert (learnt.stretch == 1).all()
    np.testing.assert_allclose(learnt.center, 0, atol=0.5)


def test_few_draws_of_a_large_space_are_not_believed():
    """Fewer draws than dimensions, of logistic coordinates: the best coordinates found are nearly even."""
    rng = np.random.default_rng(0)
    q = rng.logistic(size=(1, 32, 60))
    learnt = LowRank.learn(q, -np.tanh(q / 2))
    assert 0.7 < learnt.stretch.min() <= learnt.stretch.max() < 1.4


def test_real_correlations_of_a_density_that_is_not_gaussian_are_found():
    rng = np.random.default_rng(4)
    mixing = np.array([[1.0, 0.0], [0.99, 0.1]])
    z = rng.logistic(size=(8, 128, 2))
    q = z @ mixing.T
    score = -np.tanh(z / 2) @ np.linalg.inv(mixing)
    learnt = LowRank.learn(q, score)
    inverse = np.linalg.inv(as_matrix(learnt))
    left = inverse @ np.cov(q.reshape(-1, 2).T) @ inverse.T
    assert np.linalg.cond(np.cov(q.reshape(-1, 2).T)) > 300
    assert np.linalg.cond(left) < 1.5


def test_without_scores_it_is_the_diagonal_of_the_draws():
    q = np.random.default_rng(5).normal(size=(20, 8, 3)) * [1.0, 10.0, 100.0]
    learnt = LowRank.learn(q, None)
    np.testing.assert_allclose(learnt.scale, q.std((0, 1)))
    assert (learnt.stretch == 1).all()


# --- numbers that overflow --------------------------------------------------------------------------------


def finite(learnt):
    return all(np.isfinite(part).all() for part in learnt)


@pytest.mark.parametrize("size", [1e20, 1e120, 1e200, 1e300])
@pytest.mark.parametrize("where", ["scores", "positions", "both"])
def test_numbers_that_overflow_give_finite_coordinates(where, size):
    rng = np.random.default_rng(6)
    q, score = rng.normal(size=(2, 6, 16, 4))
    q = q * size if where != "scores" else q
    score = score * size if where != "positions" else score
    learnt = LowRank.learn(q, score)
    assert finite(learnt)
    assert (learnt.scale > 0).all()
    assert (learnt.stretch > 0).all()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_one_undefined_score_gives_finite_coordinates(value):
    rng = np.random.default_rng(7)
    q = rng.normal(size=(6, 16, 4))
    score = -q
    score[2, 3, 1] = value
    learnt = LowRank.learn(q, score)
    assert finite(learnt)
    np.testing.assert_allclose(learnt.scale[[0, 2, 3]], 1, rtol=0.2)


def test_chains_that_all_stand_in_one_place_give_finite_coordinates():
    learnt = LowRank.learn(np.ones((5, 16, 3)), np.full((5, 16, 3), -2.0))
    assert finite(learnt)
    assert (learnt.scale > 0).all()
