"""Dual averaging against its closed form, and its search on acceptance curves that are known."""

from __future__ import annotations

import numpy as np
import pytest

import propto as pp
from propto.errors import OptionError
from propto.warmup.step_size import DualAveraging

pytestmark = pytest.mark.usefixtures("double_precision")


def search(averaging, first, acceptance, iterations):
    """Run a search; the steps tried, what they gave, and the step learnt."""
    state, steps, rates = averaging.init(np.float64(first)), [], []
    for _ in range(iterations):
        steps.append(float(averaging.value(state)))
        rates.append(acceptance(steps[-1]))
        state = averaging.update(state, rates[-1])
    return np.array(steps), np.array(rates), float(averaging.result(state))


def test_steps_follow_the_closed_form():
    """The error is a plain sum: (m + t0) h_m = sum of (target - a_i)."""
    rng = np.random.default_rng(0)
    averaging = DualAveraging(0.7, gamma=0.1, t0=5.0, kappa=0.6)
    steps, rates, learnt = search(averaging, 0.3, lambda _: rng.random(), 40)
    m = np.arange(1, 41)
    log_steps = np.log(0.3) - np.sqrt(m) / 0.1 * np.cumsum(0.7 - rates) / (m + 5.0)
    np.testing.assert_allclose(np.log(steps[1:]), log_steps[:-1], rtol=1e-10)
    assert steps[0] == pytest.approx(0.3)
    # The average, unrolled: weight m^-0.6 times what later iterations leave of it.
    left = np.append(np.cumprod((1 - m**-0.6)[:0:-1])[::-1], 1.0)
    np.testing.assert_allclose(np.log(learnt), np.sum(m**-0.6 * left * log_steps), rtol=1e-9)


@pytest.mark.parametrize("first", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("target", [0.25, 0.8, 0.95])
def test_search_reaches_its_target_from_any_start(first, target):
    rng = np.random.default_rng(1)

    def acceptance(step):
        """A falling curve seen through the noise of a few chains."""
        return np.clip(1 / (1 + (step / 0.02) ** 2) + 0.1 * rng.normal(), 0, 1)

    _, _, learnt = search(DualAveraging(target), first, acceptance, 300)
    assert 1 / (1 + (learnt / 0.02) ** 2) == pytest.approx(target, abs=0.05)


@pytest.mark.parametrize("target", [0, 1, -0.1, 1.2, float("nan")])
@pytest.mark.parametrize("sampler", [pp.Metropolis, pp.HMC, pp.NUTS, pp.Ensemble])
def test_target_must_be_a_probability(sampler, target):
    with pytest.raises(OptionError, match="between 0 and 1"):
        DualAveraging(target)
    with pytest.raises(OptionError, match="between 0 and 1"):
        sampler(target_acceptance=target)


def test_no_step_is_tried_beyond_the_largest():
    steps, _, learnt = search(DualAveraging(0.8, largest=1.6), 1.0, lambda _: 1.0, 50)
    assert steps[-1] == steps.max() == pytest.approx(1.6)
    assert 1.5 < learnt <= 1.6 * (1 + 1e-12)


def test_many_searches_side_by_side_are_those_of_each_alone():
    rates = np.random.default_rng(2).random((30, 3))
    averaging, first = DualAveraging(0.8), np.array([0.01, 1.0, 5.0])
    state = averaging.init(first)
    for row in rates:
        state = averaging.update(state, row)
    for i in range(3):
        alone = iter(rates[:, i])
        *_, learnt = search(averaging, first[i], lambda _, alone=alone: next(alone), 30)
        assert float(averaging.result(state)[i]) == pytest.approx(learnt, rel=1e-12)
