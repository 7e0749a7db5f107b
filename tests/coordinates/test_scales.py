"""Scales that depend on other coordinates: an exact map, found in funnels and nowhere else."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from propto.coordinates.low_rank import LowRank
from propto.coordinates.scales import PARENTS, Scales, learn_scales
from propto.coordinates.whole import Coordinates

SLOPES = np.array([[0, 0], [0.5, 0.2], [0, 0], [-0.3, 0.4]])
SCALES = Scales(np.array([0, 2]), np.array([0.3, 0.1]), SLOPES, 1.5 * SLOPES[::-1] * [[0], [1], [0], [1]])


def log_p(q):
    return -jnp.sum(jnp.cosh(q) * jnp.array([1, 2, 0.3, 0.5]))


def test_the_map_and_its_volume_agree_with_automatic_differentiation(double_precision):
    x = jnp.array([0.2, -0.4, 0.7, 0.9])
    q, log_det = SCALES.to_q(x)
    jacobian = jax.jacobian(lambda x: SCALES.to_q(x)[0])(x)
    assert log_det == pytest.approx(np.linalg.slogdet(jacobian)[1], rel=1e-12)
    on_host, its_log_det = SCALES.all_to_q(np.asarray(x)[None])
    np.testing.assert_allclose(on_host[0], q, rtol=1e-14)
    assert its_log_det[0] == pytest.approx(float(log_det), rel=1e-14)


def test_scores_follow_the_map_there_and_back(double_precision):
    x = jnp.array([0.2, -0.4, 0.7, 0.9])
    q, score_q = SCALES.to_q(x)[0], jax.grad(log_p)(SCALES.to_q(x)[0])
    score_x = jax.grad(lambda x: log_p(SCALES.to_q(x)[0]) + SCALES.to_q(x)[1])(x)
    np.testing.assert_allclose(SCALES.to_x(np.asarray(q), np.asarray(score_q)), [x, score_x], rtol=1e-12)
    np.testing.assert_allclose(SCALES.from_x(np.asarray(x), np.asarray(score_x)), [q, score_q], rtol=1e-12)


def funnel(n, lowest, seed=0):
    """Draws of Neal's funnel above a lowest v, with their scores: what chains outside of the neck see."""
    rng = np.random.default_rng(seed)
    v = 3 * rng.normal(size=20 * n)
    v = v[v > lowest][:n]
    x = rng.normal(size=(n, 10)) * np.exp(v / 2)[:, None]
    score_v = -v / 9 - 5 + 0.5 * (x**2).sum(axis=1) * np.exp(-v)
    return np.column_stack([v, x])[:, None], np.column_stack([score_v, -x * np.exp(-v)[:, None]])[:, None]


@pytest.mark.parametrize("lowest", [-100, -2, 1])
def test_a_funnel_is_undone_also_from_its_mouth(lowest):
    q, score = funnel(2000, lowest)
    scales = learn_scales(q, score)
    assert scales.parents[0] == 0
    assert scales.log_scale.shape == (11, PARENTS)
    np.testing.assert_allclose(scales.log_scale[1:, 0], 0.5, atol=0.05)

    def chains(a):
        return a.reshape(20, 100, 11)

    before = LowRank.learn(chains(q), chains(score)).loss(q, score)
    x, x_score = scales.to_x(q, score)
    assert LowRank.learn(chains(x), chains(x_score)).loss(x, x_score) < 0.05 * before


def test_where_no_scale_depends_on_anything_none_is_found():
    """Of 40 correlated Gaussians none shows scales; one slope counts from 6 standard errors."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        q = rng.normal(size=(1000, 12)) @ rng.normal(size=(12, 12)) + rng.normal(size=12)
        precision = np.linalg.inv(np.cov(q.T))
        assert learn_scales(q[:, None], -((q - q.mean(0)) @ precision)[:, None]) is None


def test_hopeless_draws_give_no_scales():
    q = np.random.default_rng(0).normal(size=(200, 1, 3))
    assert learn_scales(q, np.zeros_like(q)) is None
    assert learn_scales(q[:10], -q[:10]) is None
    assert learn_scales(q, np.full_like(q, np.nan)) is None


def test_all_coordinates_together_keep_positions_and_scores():
    rng = np.random.default_rng(1)
    y, score = rng.normal(size=(5, 6, 4)), rng.normal(size=(5, 6, 4))
    whitening = LowRank.learn(y, -y)
    for scales in (None, SCALES):
        coordinates = Coordinates(whitening, scales, np.ones(4))
        z, gradient = coordinates.whitened(y, score)
        back, its_score = coordinates.unwhitened(z, gradient)
        np.testing.assert_allclose(back, y, atol=1e-12)
        np.testing.assert_allclose(its_score, score, atol=1e-12)
        np.testing.assert_allclose(coordinates.all_to_y(z)[0], y, atol=1e-12)
