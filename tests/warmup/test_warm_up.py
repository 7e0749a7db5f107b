"""Warm-up as a whole: what each stage learns and from what, and how far it finds its way."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import propto as pp
from propto.run.learner import Learner
from propto.warmup.rescue import astray
from propto.warmup.schedule import Stage
from propto.warmup.trajectory import Trial, efficiency, next_number

SAMPLERS = {"HMC": (pp.HMC(), 150, 8), "Ensemble": (pp.Ensemble(), 160, 64)}


class Window(NamedTuple):
    """A stage of warm-up as the run saw it."""

    stage: Stage
    before: Any
    blocks: Any
    trace: Any
    after: Any
    entered: Any
    lags: Any
    lags_after: Any


class Warmed(NamedTuple):
    fit: Any
    sampler: Any
    warmup: int
    windows: list[Window]


@pytest.fixture(scope="module", params=SAMPLERS)
def warmed(request, schools):
    """A fit in two blocks, and every stage of its warm-up."""
    windows = []
    learn = Learner.learn
    sampler, warmup, chains = SAMPLERS[request.param]

    def spy(learner, stage, trace, is_last):
        before, blocks, lags = learner.target, learner.blocks, learner.pace.lags
        result = learn(learner, stage, trace, is_last)
        windows.append(
            Window(stage, before, blocks, trace, learner.target, learner.blocks, lags, learner.pace.lags)
        )
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Learner, "learn", spy)
        options = {"warmup": warmup, "draws": 50, "chains": chains, "seed": 1, "progress": False}
        fit = pp.sample(schools(), sampler=sampler, **options)
    return Warmed(fit, sampler, warmup, windows)


def in_columns(blocks):
    """Every block with the columns of its chains in a trace: scouts are a part of all chains."""
    sizes = np.cumsum([len(block.chains) for block in blocks])
    return zip(blocks, np.split(np.arange(sizes[-1]), sizes[:-1]), strict=True)


def seen(coordinates, states):
    """Positions and scores in the density's own coordinates."""
    return coordinates.unwhitened(states.z, states.gradient)


def test_stages_follow_the_schedule(warmed):
    """All stages in order, but those that what has settled and what is decided makes needless."""
    planned = iter(warmed.sampler.stages(warmed.warmup))
    left_out = []
    for window in warmed.windows:
        while (stage := next(planned)) != window.stage:
            left_out.append(stage)
    assert not list(planned)
    assert all(stage.until_settled or stage.is_trial for stage in left_out)
    lengths = [window.stage.length for window in warmed.windows]
    assert [len(window.trace.z) for window in warmed.windows] == lengths
    assert list(warmed.fit.warmup["transitions"].values) == lengths


def test_step_sizes_follow_acceptance(warmed):
    """Replayed by the closed form of dual averaging: once an iteration, of the block or of every chain."""
    largest = warmed.sampler.adapters()["step_size"].largest
    for window in warmed.windows:
        for block, columns in in_columns(window.blocks):
            rates = window.trace.info.acceptance_rate[:, columns]
            target = warmed.sampler.target_acceptance
            alone = np.asarray(block.on_their_own)
            assert (alone == (window.stage.own_steps | window.lags[columns])).all()
            if not alone.all():
                rates = np.where(alone, rates, rates[:, ~alone].mean(axis=1, keepdims=True))
            rates = rates**window.stage.ease
            steps = window.trace.step_size[:, columns]
            m = np.arange(1, len(rates))[:, None]
            error = np.cumsum(target - rates, axis=0)[:-1] / (m + 10)
            first, lags = steps[0], window.lags[columns]
            np.testing.assert_allclose(first[~lags], window.before.params.step_size, rtol=1e-12)
            expected = np.log(first) - np.sqrt(m) / 0.05 * error
            expected = np.minimum(expected, np.log(largest))
            np.testing.assert_allclose(np.log(steps[1:]), expected, rtol=1e-9, atol=1e-9)


def test_chains_have_steps_of_their_own_only_while_they_come_in_or_lag(warmed):
    for window in warmed.windows:
        for _block, columns in in_columns(window.blocks):
            steps = window.trace.step_size[:, columns]
            if not window.stage.own_steps:
                steps = steps[:, ~window.lags[columns]]
            assert (steps == steps[:, :1]).all() == (not window.stage.own_steps)


def test_trajectories_are_shortened_while_the_step_size_grows(warmed):
    shortened = 0
    for window in warmed.windows:
        planned = int(window.before.params.n_steps)
        for _block, columns in in_columns(window.blocks):
            steps = np.exp(np.log(window.trace.step_size[:, columns]).mean(axis=1))
            paced = [warmed.sampler.paced(window.before.params._replace(step_size=step)) for step in steps]
            wanted = np.minimum([int(params.n_steps) for params in paced], planned)
            taken = window.trace.info.n_steps[:, columns]
            assert (taken == (wanted[:, None] if window.stage.paces else planned)).all()
            shortened += (taken < planned).sum()
    assert shortened > 0


def test_step_sizes_are_pooled_over_all_chains(warmed):
    for number, window in enumerate(warmed.windows):
        results = [np.exp(block.adapters["step_size"].log_average) for block in window.blocks]
        assert len(results) >= 2
        pooled = np.exp(np.median(np.log(np.concatenate(results)[~window.lags])))
        np.testing.assert_allclose(window.after.params.step_size, pooled, rtol=1e-12)
        assert warmed.fit.warmup["step_size"].values[number] == window.after.params.step_size
    last = warmed.windows[-1].after.params.step_size
    assert (warmed.fit.sample_stats["step_size"].values == last).all()


def test_coordinates_are_learnt_from_all_draws_and_scores_of_a_window(warmed, schools):
    for window in warmed.windows:
        before, after = window.before.coordinates, window.after.coordinates
        if not window.stage.learns_coordinates:
            jax.tree.map(np.testing.assert_array_equal, before, after)
            continue
        if astray(window.trace.logp, window.trace.gradient).any():
            continue  # what was drawn in places of no importance is left out
        q, score = seen(before, window.trace)
        if after.scales is not None:
            q, score = after.scales.to_x(q, score)
        learnt = warmed.sampler.whitening.learn(q, score)
        jax.tree.map(np.testing.assert_array_equal, after.whitening, learnt)
    density, window = schools(), warmed.windows[3]
    q, score = seen(window.before.coordinates, window.trace)
    np.testing.assert_allclose(score[4, 5], density.gradient_at(q[4, 5]), rtol=1e-9)


def test_chains_stay_where_they_are_when_the_coordinates_change(warmed, schools):
    density = schools()
    for window in warmed.windows:
        if astray(window.trace.logp, window.trace.gradient).any():
            continue
        there, _ = seen(window.before.coordinates, window.trace)
        for block, columns in in_columns(window.entered):
            here, score = seen(window.after.coordinates, block.states)
            np.testing.assert_allclose(here, there[-1, columns], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(score[0], density.gradient_at(here[0]), rtol=1e-8)
    assert not astray(window.trace.logp, window.trace.gradient).any()


def test_coordinates_are_learnt_again_once_if_many_chains_had_to_move_late(schools, monkeypatch):
    """A third of the chains is said to be astray in every trial."""
    stages = []
    learn = Learner.learn

    def spy(learner, stage, trace, is_last):
        stages.append(stage)
        result = learn(learner, stage, trace, is_last)
        return result

    def astray_in_trials(logp, score):
        return (np.arange(logp.shape[1]) % 3 == 0) & stages[-1].is_trial

    monkeypatch.setattr(Learner, "learn", spy)
    monkeypatch.setattr("propto.run.learner.astray", astray_in_trials)
    monkeypatch.setattr("propto.run.learner.climbing", lambda logp: np.zeros(logp.shape[1], bool))
    fit = pp.sample(schools(), draws=5, seed=1, progress=False)
    kinds = [stage.learns_coordinates for stage in stages]
    changes = [(a, b) for a, b in itertools.pairwise(kinds) if a != b]
    assert changes == [(True, False), (False, True), (True, False)]
    assert kinds.index(False) < kinds.index(True, kinds.index(False))
    assert sum(stage.own_steps for stage in stages) == 2  # chains come in once
    assert fit.attrs["rescued"] == 22 * sum(stage.is_trial for stage in stages)


def test_trials_decide_on_the_number_of_steps(warmed):
    tried, known = [], []
    for window in warmed.windows:
        if not window.stage.is_trial:
            continue
        assert (window.trace.info.n_steps == window.before.params.n_steps).all()
        tried.append(int(window.before.params.n_steps))
        moved = seen(window.before.coordinates, window.trace)[0]
        worth = efficiency(moved[:, ~window.lags_after], tried[-1])
        known.append(Trial(tried[-1], worth))
        assert window.after.params.n_steps == next_number(known)
    assert len(set(tried)) > 1 or type(warmed.sampler) is pp.HMC
    if tried:
        assert (warmed.fit.sample_stats["n_steps"].values == next_number(known)).all()


def test_gradients_of_warm_up_are_counted(warmed):
    counted = sum(window.trace.info.n_steps.sum() for window in warmed.windows)
    assert warmed.fit.attrs["gradients_warmup"] == pytest.approx(counted / warmed.fit.attrs["chains"])


def log_p_normal(x, center, scale):
    return -0.5 * jnp.sum(((x - center) / scale) ** 2)


@pytest.mark.parametrize("sampler", [pp.HMC(), pp.Ensemble()], ids=lambda s: type(s).__name__)
def test_warm_up_finds_scales_from_1e_minus_6_to_1e6_and_centres_5000_scales_away(sampler):
    scale = 10.0 ** np.arange(-6, 7)
    center = 5000 * scale * np.resize([1, -1, 0], 13)
    density = pp.Density(log_p_normal, {"x": pp.real(13)}, data={"center": center, "scale": scale})
    draws = 4000 // sampler.defaults.chains
    fit = pp.sample(density, sampler=sampler, draws=draws, seed=1, progress=False)
    np.testing.assert_allclose(fit.warmup["scale"].values[-1], scale, rtol=1e-6)
    z = (fit.posterior["x"].values - center) / scale
    np.testing.assert_allclose(z.mean(axis=(0, 1)), 0, atol=0.1)
    np.testing.assert_allclose(z.std(axis=(0, 1)), 1, atol=0.1)
    assert not fit.sample_stats["diverging"].any()
    # A split that is exact for a Gaussian has no energy error to learn a step size from.
    limits = (0.7, 0.92) if type(sampler) is pp.HMC else (1 - 1e-6, 1)
    assert limits[0] < fit.sample_stats["acceptance_rate"].mean() <= limits[1]


def test_scouts_go_ahead_and_the_others_join_where_those_of_their_start_stand(warmed):
    chains = warmed.fit.attrs["chains"]
    moving = [sum(len(block.chains) for block in window.blocks) for window in warmed.windows]
    assert moving == list(warmed.fit.warmup["chains"].values)
    if type(warmed.sampler) is pp.HMC:
        assert set(moving) == {chains}
        return
    assert moving == [32 if window.stage.by_scouts else chains for window in warmed.windows]
    last = moving.count(32) - 1
    scouts = np.concatenate([block.chains for block in warmed.windows[last].blocks])
    width = chains // 16
    assert np.array_equal(np.unique(scouts // width, return_counts=True)[1], np.full(16, 2))


def test_chains_that_join_stand_where_a_scout_of_their_own_start_stood(schools, monkeypatch):
    seen_rows = []
    line_up = Learner._line_up

    def spy(learner, chains, source):
        before = np.concatenate([block.chains for block in learner.blocks])
        states = None if learner.blocks[0].states is None else learner._all("states").z
        line_up(learner, chains, source)
        seen_rows.append((before, states, chains, learner._all("states")))

    monkeypatch.setattr(Learner, "_line_up", spy)
    pp.sample(schools(), draws=5, seed=1, progress=False)
    before, z, chains, after = next(row for row in seen_rows if len(row[0]) < len(row[2]))
    assert chains.tolist() == list(range(64))
    for chain in chains:
        (row,) = np.flatnonzero((after.z[chain] == z).all(axis=1))
        assert before[row] // 4 == chain // 4
        assert chain not in before or before[row] == chain
