"""Scales and locations that depend on other coordinates: an exact map, found in funnels and bends only."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from propto.coordinates.low_rank import LowRank
from propto.coordinates.scales import PARENTS, Scales, learn_scales
from propto.coordinates.whole import Coordinates

SLOPES = np.array([[0, 0], [0.5, 0.2], [0, 0], [-0.3, 0.4]])
CHILDREN = np.array([[0], [1], [0], [1]])
SCALES = Scales(
    np.array([0, 2]),
    np.array([0.3, 0.1]),
    np.array([2.0, 3.0]),
    SLOPES,
    1.5 * SLOPES[::-1] * CHILDREN,
    0.4 * SLOPES[::-1] * CHILDREN,
)
PLACES = [[0.2, -0.4, 0.7, 0.9], [5.0, -0.4, 0.7, 0.9], [-3.0, 2.0, -4.0, 0.1]]  # within reach and beyond


def log_p(q):
    return -jnp.sum(jnp.cosh(q) * jnp.array([1, 2, 0.3, 0.5]))


@pytest.mark.parametrize("place", PLACES)
def test_the_map_and_its_volume_agree_with_automatic_differentiation(double_precision, place):
    x = jnp.array(place)
    q, log_det = SCALES.to_q(x)
    jacobian = jax.jacobian(lambda x: SCALES.to_q(x)[0])(x)
    assert log_det == pytest.approx(np.linalg.slogdet(jacobian)[1], rel=1e-12)
    on_host, its_log_det = SCALES.all_to_q(np.asarray(x)[None])
    np.testing.assert_allclose(on_host[0], q, rtol=1e-14)
    assert its_log_det[0] == pytest.approx(float(log_det), rel=1e-14)


@pytest.mark.parametrize("place", PLACES)
def test_scores_follow_the_map_there_and_back(double_precision, place):
    x = jnp.array(place)
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


def test_far_out_the_map_keeps_every_number_finite():
    """A chain on its way in may stand anywhere; what was learnt near the others must not throw it out."""
    q = np.array([[1e4, 2.0, -1e4, 3.0]])
    x, score = SCALES.to_x(q, -q)
    assert np.isfinite(score).all()
    back, log_det = SCALES.all_to_q(x)
    np.testing.assert_allclose(back, q, rtol=1e-12)
    assert abs(log_det[0]) < 10


def bananas(draws, chains, dim, seed=0):
    """The last coordinate is bent along the first, those between are free of both."""
    rng = np.random.default_rng(seed)
    q = rng.normal(size=(draws, chains, dim))
    q[..., 0] *= 10
    away = rng.normal(size=(draws, chains))
    q[..., -1] = 0.03 * (q[..., 0] ** 2 - 100) + away
    score = -q
    score[..., -1] = -away
    score[..., 0] = -q[..., 0] / 100 + 0.06 * q[..., 0] * away
    return q, score


@pytest.mark.parametrize("dim", [2, 20])
def test_a_banana_is_straightened(dim):
    q, score = bananas(20, 64, dim)
    scales = learn_scales(q, score)
    assert scales.parents[0] == 0
    assert scales.bend[-1, 0] == pytest.approx(0.03, rel=0.02)
    assert not scales.bend[1:-1].any()
    x, x_score = scales.to_x(q, score)
    assert LowRank.learn(x, x_score).loss(x, x_score) < 0.01 * LowRank.learn(q, score).loss(q, score)


def test_chains_that_hardly_move_suggest_no_second_parent():
    """Each chain's draws of x say the same again and again: only another half of the chains can tell."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        v = 3 * rng.normal(size=(12, 32))
        x = (rng.normal(size=(1, 32, 40)) + 0.1 * rng.normal(size=(12, 32, 40))) * np.exp(v / 2)[..., None]
        score_v = -v / 9 - 20 + 0.5 * (x**2).sum(axis=-1) * np.exp(-v)
        score = np.concatenate([score_v[..., None], -x * np.exp(-v)[..., None]], axis=-1)
        scales = learn_scales(np.concatenate([v[..., None], x], axis=-1), score)
        assert scales.parents[0] == 0
        assert not scales.log_scale[:, 1:].any()


def test_where_no_scale_depends_on_anything_none_is_found():
    """Of 40 correlated Gaussians none shows scales or bends; one counts from 6 standard errors."""
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
