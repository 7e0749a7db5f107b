"""Trials of trajectories: their worth against closed forms, and the search for the best number of steps."""

from __future__ import annotations

import numpy as np
import pytest

from propto.warmup.trajectory import MARGIN, Trial, efficiency, is_decided, next_number


def autoregression(rho, draws=400, chains=128, seed=0):
    """Stationary chains with autocorrelations rho, one a coordinate."""
    rng, rho = np.random.default_rng(seed), np.asarray(rho)
    x = np.empty((draws, chains, len(rho)))
    x[0] = rng.normal(size=x.shape[1:])
    for i in range(1, draws):
        x[i] = rho * x[i - 1] + np.sqrt(1 - rho**2) * rng.normal(size=x.shape[1:])
    return x


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.8, 0.95])
def test_worth_is_that_of_the_slowest_coordinate(rho):
    """An autoregression has autocorrelation rho, and its distances from the middle less."""
    x = autoregression([0.0, rho, rho / 2]) * [1, 100, 1e-3] + 7
    assert efficiency(x, 1) == pytest.approx((1 - rho) / (1 + rho), rel=0.05)
    assert efficiency(x, 5) == pytest.approx(efficiency(x, 1) / 5)


def test_alternating_chains_are_no_better_than_independent_ones_and_the_spread_counts():
    """Of an antithetic chain the mean is known at once, but not the spread."""
    rho = 0.8
    of_distances = (2 / np.pi) * (np.sqrt(1 - rho**2) + rho * np.arcsin(rho) - 1) / (1 - 2 / np.pi)
    expected = (1 - of_distances) / (1 + of_distances)
    assert efficiency(autoregression([-rho]), 1) == pytest.approx(expected, rel=0.05)


def test_chains_that_move_only_within_their_neighbourhood_are_worth_little():
    """Every chain moves freely, but each around a place of its own."""
    rng = np.random.default_rng(1)
    x = 0.1 * rng.normal(size=(10, 128, 2)) + rng.normal(size=(1, 128, 2))
    assert efficiency(x, 1) < 0.02


def test_a_coordinate_that_stands_still_is_no_error():
    x = autoregression([0.5, 0.5])
    x[..., 1] = 3.0
    assert np.isfinite(efficiency(x, 1))


def search(worth, first, trials):
    """Numbers tried, and the choice."""
    known = [Trial(first, worth(first))]
    for _ in range(trials - 1):
        n = next_number(known)
        assert is_decided(known) == (n in [trial.n_steps for trial in known])
        known.append(Trial(n, worth(n)))
    return [trial.n_steps for trial in known], next_number(known)


@pytest.mark.parametrize("best", [1, 2, 3, 5, 8, 13, 40])
@pytest.mark.parametrize("first", [1, 2, 5, 20])
def test_search_finds_a_single_peak(first, best):
    tried, choice = search(lambda n: np.exp(-(np.log(n / best) ** 2)), first, 20)
    assert 1 / 2 < choice / best < 2  # the best among halves and doubles
    # Once its neighbours have been tried, the same number is tried again; until then none is tried twice.
    new = list(dict.fromkeys(tried))
    assert tried == new + [choice] * (len(tried) - len(new))


def test_another_number_must_be_better_by_the_margin():
    trials = [Trial(2, 1.0), Trial(4, 0.99 * MARGIN), Trial(1, 0.99 * MARGIN)]
    assert next_number(trials) == 2
    assert next_number([Trial(2, 1.0), Trial(4, 1.01 * MARGIN)]) > 4


def test_undefined_worth_is_never_chosen():
    assert next_number([Trial(2, 0.5), Trial(4, float("nan")), Trial(1, float("nan"))]) == 2


def test_nothing_is_decided_before_a_trial():
    assert not is_decided([])
    assert not is_decided([Trial(2, 0.5)])
