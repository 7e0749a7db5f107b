"""Chains that fall behind in warm-up go on at a pace of their own until they have caught up."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import propto as pp
from propto.run.learner import Learner
from propto.samplers.hamiltonian import Params
from propto.warmup.pace import Pace
from propto.warmup.step_size import DualAveraging

CHAINS = 8


@pytest.fixture
def pace():
    params = Params(np.asarray(0.5), np.asarray(3))
    return Pace.of({"step_size": DualAveraging(0.8)}, params, CHAINS)


def after(pace, acceptance, steps):
    """The pace after a stage in which the adapters have come to some step sizes."""
    states, _ = pace.begin(np.arange(CHAINS))
    log = np.log(np.broadcast_to(steps, CHAINS))
    return pace.learnt({"step_size": states["step_size"]._replace(log_average=log)}, np.asarray(acceptance))


def test_all_begin_together(pace):
    states, alone = pace.begin(np.arange(2, 5))
    np.testing.assert_allclose(np.exp(states["step_size"].log_step), [0.5] * 3)
    assert not alone.any()
    assert pace.all_on_their_own().begin(np.arange(8))[1].all()


def test_a_chain_that_hardly_moves_falls_behind(pace):
    acceptance = np.full(CHAINS, 0.8)
    acceptance[3] = 0.1
    new = after(pace, acceptance, 0.4)
    assert np.flatnonzero(new.lags).tolist() == [3]
    assert new.common["step_size"] == pytest.approx(0.4)


def test_it_learns_for_itself_and_does_not_count_for_the_others(pace):
    pace = pace._replace(lags=np.arange(CHAINS) == 3)
    steps = np.where(pace.lags, 0.01, 0.4)
    new = after(pace, np.full(CHAINS, 0.8), steps)  # it accepts, with its small steps
    assert np.flatnonzero(new.lags).tolist() == [3]
    np.testing.assert_allclose(new.own["step_size"], steps, rtol=1e-6)
    assert new.common["step_size"] == pytest.approx(0.4)


def test_it_joins_the_others_once_it_has_caught_up(pace):
    pace = pace._replace(lags=np.arange(CHAINS) == 3)
    new = after(pace, np.full(CHAINS, 0.8), np.where(pace.lags, 0.3, 0.4))
    assert not new.lags.any()
    np.testing.assert_allclose(new.own["step_size"], 0.4, rtol=1e-6)


def test_a_chain_that_is_moved_takes_over_the_pace_where_it_goes(pace):
    pace = pace._replace(lags=np.arange(CHAINS) == 3, own={"step_size": np.linspace(0.1, 0.8, CHAINS)})
    new = pace.moved(np.array([0, 1, 2, 0, 4, 5, 6, 3]))
    assert np.flatnonzero(new.lags).tolist() == [7]
    np.testing.assert_allclose(new.own["step_size"][[3, 7]], pace.own["step_size"][[0, 3]])


def log_p_two_widths(x):
    """Two modes of equal mass, one a thousandth as wide as the other."""
    wide = -0.5 * jnp.sum(x**2)
    narrow = -0.5 * jnp.sum(((x - 3.0) / 1e-3) ** 2) + x.size * jnp.log(1e3)
    return jnp.logaddexp(wide, narrow)


def test_a_chain_in_a_narrow_place_moves_there_in_warm_up(monkeypatch):
    """With the step size of the others it would be accepted never."""
    seen = []
    learn = Learner.learn

    def spy(learner, stage, trace, is_last):
        result = learn(learner, stage, trace, is_last)
        seen.append((learner.pace, trace))
        return result

    monkeypatch.setattr(Learner, "learn", spy)
    density = pp.Density(log_p_two_widths, {"x": pp.real(3)})
    z = np.random.default_rng(1).normal(size=(64, 3))
    init = {"x": np.where(np.arange(64)[:, None] < 2, 3 + 1e-3 * z, z)}
    pp.sample(density, init=init, seed=1, draws=5, progress=False)
    pace, trace = seen[-1]
    assert pace.lags[:2].all()
    assert pace.lags.sum() < 5  # and perhaps another that has just come there
    assert (pace.own["step_size"][:2] < 0.1 * pace.common["step_size"]).all()
    assert trace.info.acceptance_rate[:, :2].mean() > 0.5
