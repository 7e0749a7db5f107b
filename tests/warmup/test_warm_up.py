"""Warm-up as a whole: what each window learns and from what, and how far it finds its way."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import propto as pp
from propto.coordinates.whitening import Diagonal
from propto.run.leader import Run
from propto.warmup.schedule import windows


class Window(NamedTuple):
    before: Any
    blocks: Any
    trace: Any
    after: Any


SAMPLER = pp.HMC()


@pytest.fixture(scope="module")
def warmed(schools):
    """A fit, and every window of its warm-up as the run saw it; in two blocks."""
    seen = []
    learn = Run._learn

    def spy(run, trace, last):
        before, blocks = run.target, run.blocks
        learn(run, trace, last)
        seen.append(Window(before, blocks, trace, run.target))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "_learn", spy)
        fit = pp.sample(schools(), sampler=SAMPLER, warmup=150, draws=100, chains=8, seed=1, progress=False)
    return fit, seen


def test_windows_follow_the_schedule(warmed):
    fit, seen = warmed
    assert tuple(len(window.trace.q) for window in seen) == windows(150)
    assert tuple(fit.warmup["transitions"].values) == windows(150)


def test_a_step_size_is_updated_once_an_iteration_on_the_mean_over_a_block(warmed):
    """Replayed by the closed form of dual averaging."""
    _, seen = warmed
    for window in seen:
        for block in window.blocks:
            rates = window.trace.info.acceptance_rate[:, block.chains].mean(axis=1)
            steps = window.trace.step_size[:, block.chains]
            assert (steps == steps[:, :1]).all()
            m = np.arange(1, len(rates))
            error = np.cumsum(0.8 - rates)[:-1] / (m + 10)
            first = float(window.before.params.step_size)
            np.testing.assert_allclose(steps[0, 0], first, rtol=1e-12)
            np.testing.assert_allclose(np.log(steps[1:, 0]), np.log(10 * first) - np.sqrt(m) / 0.05 * error)


def test_step_sizes_are_pooled_over_blocks(warmed):
    fit, seen = warmed
    for number, window in enumerate(seen):
        results = [np.exp(block.adapters["step_size"].log_average) for block in window.blocks]
        assert len(results) == 2
        np.testing.assert_allclose(window.after.params.step_size, np.sqrt(np.prod(results)))
        assert fit.warmup["step_size"].values[number] == window.after.params.step_size
    assert (fit.sample_stats["step_size"].values == seen[-1].after.params.step_size).all()


def test_coordinates_are_learnt_from_all_draws_and_scores_of_a_window(warmed, schools):
    _, seen = warmed
    for window in seen[:-1]:
        learnt = Diagonal.learn(window.trace.q.reshape(-1, 10), window.trace.score.reshape(-1, 10))
        np.testing.assert_array_equal(window.after.coordinates.scale, learnt.scale)
        np.testing.assert_array_equal(window.after.coordinates.center, learnt.center)
    np.testing.assert_array_equal(seen[-1].after.coordinates.scale, seen[-1].before.coordinates.scale)
    density, trace = schools(), seen[3].trace
    with jax.enable_x64(True):
        expected = jax.jit(jax.grad(density.program.log_density_at, argnums=1))(density.data, trace.q[4, 5])
    np.testing.assert_allclose(trace.score[4, 5], expected, rtol=1e-9)


def log_p_normal(x, center, scale):
    return -0.5 * jnp.sum(((x - center) / scale) ** 2)


def test_warm_up_finds_scales_from_1e_minus_6_to_1e6_and_centres_5000_scales_away():
    scale = 10.0 ** np.arange(-6, 7)
    center = 5000 * scale * np.resize([1, -1, 0], 13)
    density = pp.Density(log_p_normal, {"x": pp.real(13)}, data={"center": center, "scale": scale})
    fit = pp.sample(density, sampler=SAMPLER, draws=500, seed=1, progress=False)
    np.testing.assert_allclose(fit.warmup["scale"].values[-1], scale, rtol=1e-6)
    z = (fit.posterior["x"].values - center) / scale
    np.testing.assert_allclose(z.mean(axis=(0, 1)), 0, atol=0.1)
    np.testing.assert_allclose(z.std(axis=(0, 1)), 1, atol=0.1)
    assert not fit.sample_stats["diverging"].any()
    assert 0.7 < fit.sample_stats["acceptance_rate"].mean() < 0.92
