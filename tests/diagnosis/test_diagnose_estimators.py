"""Estimators against arviz-stats, against theory, and on draws that cannot be estimated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import rankdata

from propto.diagnosis import chains, elements
from propto.diagnosis.estimators import (
    ebfmi,
    ess_bulk,
    ess_mean,
    ess_quantile,
    ess_tail,
    mcse_mean,
    mcse_quantile,
    mcse_sd,
    rhat,
    rhat_nested,
)
from propto.errors import OptionError, ShapeError

from .zoo import autoregressive

EVERY = [
    rhat,
    ess_mean,
    ess_bulk,
    ess_tail,
    mcse_mean,
    mcse_sd,
    lambda x: ess_quantile(x, 0.3),
    lambda x: mcse_quantile(x, 0.9),
    lambda x: rhat_nested(x, 2),
]
AXES = {"chain_axis": 0, "draw_axis": 1}


@pytest.fixture(scope="module")
def oracle():
    return pytest.importorskip("arviz_stats.base").array_stats


def draws(kind: str, count: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(count * 10_000 + n)
    x = autoregressive(rng, (count, n, 12), {"slow": 0.8, "antithetic": -0.6}.get(kind, 0.2))
    return {
        "discrete": np.rint(3 * x),
        "heavy": np.sinh(3 * x),
        "apart": x + np.arange(count)[:, None, None] / 4,
    }.get(kind, x)


@pytest.mark.parametrize(("count", "n"), [(4, 1000), (2, 4), (2, 5), (4, 11), (3, 57), (8, 100), (64, 20)])
@pytest.mark.parametrize("kind", ["slow", "antithetic", "discrete", "heavy", "apart"])
def test_equal_to_arviz(oracle, kind, count, n):
    x = draws(kind, count, n)
    close = {"rtol": 1e-8, "atol": 1e-12}
    np.testing.assert_allclose(rhat(x), oracle.rhat(x, **AXES), **close)
    np.testing.assert_allclose(ess_bulk(x), oracle.ess(x, method="bulk", **AXES), **close)
    np.testing.assert_allclose(ess_mean(x), oracle.ess(x, method="mean", **AXES), **close)
    np.testing.assert_allclose(mcse_mean(x), oracle.mcse(x, method="mean", **AXES), **close)


@pytest.mark.parametrize("prob", [0.3, 0.5])
@pytest.mark.parametrize("kind", ["slow", "antithetic", "discrete", "heavy", "apart"])
def test_quantiles_equal_to_arviz(oracle, kind, prob):
    """Not for very short chains: there sums of autocorrelations can be zero, and rounding picks the sign."""
    x = draws(kind, 4, 501)
    size, error = (f(x, method="quantile", prob=prob, **AXES) for f in (oracle.ess, oracle.mcse))
    np.testing.assert_allclose(ess_quantile(x, prob), size, rtol=1e-8)
    np.testing.assert_allclose(mcse_quantile(x, prob), error, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("kind", ["slow", "antithetic", "heavy", "apart"])
def test_tail_size_equal_to_arviz(oracle, kind):
    x = draws(kind, 4, 500)
    expected = oracle.ess(x, method="tail", prob=(0.05, 0.95), **AXES)
    np.testing.assert_allclose(ess_tail(x), expected, rtol=1e-8)


def test_mcse_of_the_sd_equal_to_arviz_with_the_size_of_the_squares(oracle):
    """arviz-stats 0.8 takes the effective size of the draws here; the squares' is its own method ``sd``."""
    x = draws("antithetic", 4, 500)
    squares = (x - x.mean(axis=(0, 1))) ** 2
    variance = (squares**2).mean(axis=(0, 1)) - squares.mean(axis=(0, 1)) ** 2
    size = oracle.ess(x, method="sd", **AXES)
    np.testing.assert_allclose(
        mcse_sd(x), np.sqrt(variance / size / squares.mean(axis=(0, 1)) / 4), rtol=1e-8
    )


@pytest.mark.parametrize(("count", "groups", "n"), [(8, 2, 50), (64, 8, 20), (6, 6, 51)])
def test_nested_equal_to_arviz(oracle, count, groups, n):
    x = draws("apart", count, n)
    ids = np.repeat(np.arange(groups), count // groups)
    np.testing.assert_allclose(rhat_nested(x, groups), oracle.rhat_nested(x, ids, **AXES), rtol=1e-8)


def test_energy_equal_to_arviz(oracle):
    x = draws("slow", 8, 200)[..., 0]
    np.testing.assert_allclose(ebfmi(x), oracle.bfmi(x), rtol=1e-8)


def test_scores_are_normal_quantiles_of_mean_ranks():
    x = np.random.default_rng(3).poisson(2.0, size=(5, 4, 30)).astype(float)
    ranks = rankdata(x.reshape(5, -1), axis=1)
    np.testing.assert_allclose(chains.normal_scores(x).reshape(5, -1), ndtri((ranks - 3 / 8) / (120 + 1 / 4)))


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.5, 0.9])
def test_effective_size_of_autoregressive_chains(rho):
    """Theory: S (1 - rho) / (1 + rho). The mean of 40 estimates is within 5 % of it."""
    x = autoregressive(np.random.default_rng(7), (4, 4000, 40), rho)
    expected = 16_000 * (1 - rho) / (1 + rho)
    assert np.mean(ess_mean(x)) == pytest.approx(expected, rel=0.05)
    assert np.mean(ess_bulk(x)) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("rho", [-0.6, 0.0, 0.7])
@pytest.mark.parametrize(
    ("error", "estimate"),
    [
        (mcse_mean, lambda x: x.mean(axis=(0, 1))),
        (mcse_sd, lambda x: x.std(axis=(0, 1))),
        (lambda x: mcse_quantile(x, 0.9), lambda x: np.quantile(x, 0.9, axis=(0, 1))),
    ],
    ids=["mean", "sd", "quantile"],
)
def test_standard_errors_are_the_spread_over_runs(rho, error, estimate):
    """Over 400 independent runs the spread is known to 3.5 %; the limit of 15 % is four of these."""
    x = autoregressive(np.random.default_rng(11), (2, 500, 400), rho)
    assert np.median(error(x)) == pytest.approx(np.std(estimate(x)), rel=0.15)


def test_nested_rhat_of_independent_draws():
    """Superchains of 16 chains and 20 draws: R-hat² - 1 is 1 / 320 on average, over 15 degrees of freedom."""
    x = np.random.default_rng(5).normal(size=(256, 20, 200))
    within = chains.nested_scale_reduction(chains.split(np.moveaxis(x, -1, 0)), 16)
    assert np.mean(within**2 - 1) == pytest.approx(1 / 320, rel=0.1)


def test_nested_rhat_needs_even_superchains():
    for superchains in (1, 3, 9):
        with pytest.raises(OptionError, match="superchains"):
            rhat_nested(np.zeros((8, 10)), superchains)


def test_one_chain_is_compared_with_itself():
    x = np.random.default_rng(0).normal(size=(1, 1000))
    assert rhat(x) < 1.01
    assert rhat(x + np.linspace(0, 3, 1000)) > 1.1


@pytest.mark.parametrize("estimate", EVERY)
@pytest.mark.parametrize(
    "x",
    [
        np.full((4, 100), 3.7),
        np.zeros((4, 100)),
        np.ones((4, 3)),
        np.ones((4, 0)),
        np.array([[1.0, np.nan] * 5] * 4),
    ],
    ids=["constant", "zeros", "three draws", "no draws", "NaN"],
)
def test_what_cannot_be_estimated_is_nan(estimate, x):
    assert np.isnan(estimate(x))


def test_infinity_is_not_ranked_away():
    x = np.random.default_rng(0).normal(size=(4, 100))
    x[0, 0] = np.inf
    assert np.isnan(rhat(x))
    assert np.isnan(ess_bulk(x))


def test_chains_that_stand_still_apart():
    x = np.repeat(np.array([[0.1], [0.2], [0.3], [0.7]]), 100, axis=1)
    assert rhat(x) == np.inf
    assert ess_bulk(x) < 10


def test_upper_tail_of_a_discrete_variable_counts():
    """The 95 % quantile of a coin is 1, and all draws are up to it; the draws below are what varies."""
    x = (np.random.default_rng(2).random((4, 1000)) < 0.5).astype(float)
    assert 2000 < ess_tail(x) < 6000
    slow = np.repeat(x[:, :50], 20, axis=1)
    assert ess_tail(slow) < 400


def test_two_values_about_the_median():
    """Folding leaves a constant then; R-hat goes by the scores alone."""
    x = np.tile([0.0, 1.0], (4, 50))
    assert rhat(x) == pytest.approx(rhat(3 * x - 7))
    assert np.isfinite(rhat(x))


@pytest.mark.parametrize("estimate", EVERY)
def test_trailing_shape(estimate):
    x = draws("slow", 4, 60).reshape(4, 60, 3, 4)
    result = estimate(x)
    assert result.shape == (3, 4)
    assert estimate(x[:, :, 1, 2]) == pytest.approx(result[1, 2], rel=1e-12)
    assert estimate(x[:, :, :0]).shape == (0, 4)


def test_only_the_bad_element_is_nan():
    x = draws("slow", 4, 60)
    x[2, 3, 5] = np.nan
    assert np.isnan(rhat(x)).tolist() == [i == 5 for i in range(12)]


def test_pieces_do_not_matter(monkeypatch):
    x = draws("slow", 4, 60)
    whole = [estimate(x) for estimate in EVERY]
    monkeypatch.setattr(elements, "SIZE", 500)
    for estimate, expected in zip(EVERY, whole, strict=True):
        np.testing.assert_allclose(estimate(x), expected, rtol=1e-12)


def test_scale_and_location_do_not_matter():
    x = draws("slow", 4, 100)[..., 0]
    for estimate in (rhat, ess_mean, ess_bulk, ess_tail):
        assert estimate(1e-30 * x) == pytest.approx(estimate(x), rel=1e-9)
        assert estimate(1e6 + x) == pytest.approx(estimate(x), rel=1e-6)


def test_thousands_of_chains():
    x = np.random.default_rng(1).normal(size=(4096, 10))
    assert rhat(x) == pytest.approx(1, abs=0.01)
    assert ess_bulk(x) > 20_000


@pytest.mark.parametrize("prob", [0, 1, -0.1, 1.5])
def test_probability_out_of_range(prob):
    for estimate in (ess_quantile, mcse_quantile):
        with pytest.raises(OptionError, match="between 0 and 1"):
            estimate(np.zeros((4, 100)), prob)


def test_draws_need_chains():
    with pytest.raises(ShapeError, match="chain, draw"):
        rhat(np.zeros(100))
