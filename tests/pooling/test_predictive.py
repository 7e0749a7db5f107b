"""The posterior predictive check, against quadrature and against data that the model cannot make."""

import numpy as np
import pytest
from scipy import stats

from propto.errors import OptionError
from propto.pooling.exact import pool_exact
from propto.pooling.predictive import predictive_check

Y = [28.0, 8, -3, 7, -1, 1, 18, 12]
S = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
LIMIT = 4.5  # of a z-score: two of them exceed it by chance less than once in fifty thousand times


def test_the_chance_of_a_larger_maximum():
    """Given mu and tau the estimates are independent, so the maximum has a product for a cdf."""
    fit = pool_exact(Y, S)
    found = predictive_check(fit, draws=20_000, seed=1)
    joint = fit.components
    z, w = np.polynomial.hermite_e.hermegauss(41)
    mu = joint.mu_mean[:, None] + np.sqrt(joint.mu_variance)[:, None] * z
    sd = np.sqrt(joint.tau[:, None, None] ** 2 + S**2)
    for i, value, below in ((0, max(Y), True), (1, min(Y), False)):
        inside = stats.norm.cdf((value - mu[..., None]) / sd * (1 if below else -1)).prod(axis=-1)
        share = np.sum(joint.weight[:, None] * w * inside) / np.sqrt(2 * np.pi)
        expected = 1 - share if below else share
        assert found.observed[i] == value
        assert abs(found.p[i] - expected) < LIMIT * np.sqrt(expected * (1 - expected) / 20_000)


def test_data_that_the_model_makes_look_like_it():
    found = predictive_check(pool_exact(Y, S))
    assert ((found.p > 0.05) & (found.p < 0.95)).all()
    assert found.findings() == ["Tables simulated from the fitted model look like the data."]


def test_an_outlier_and_a_trend_do_not():
    rng = np.random.default_rng(0)
    s = rng.uniform(1, 3, 60)
    outlier = pool_exact(np.append(rng.normal(size=59), 25.0), s)
    assert "largest estimate is 25.0" in predictive_check(outlier).findings()[0]
    assert predictive_check(outlier).p[3] < 0.005
    trend = pool_exact(3 * s + rng.normal(size=60) * 0.5, s)
    assert "correlation with the error" in predictive_check(trend).findings()[0]


def test_equal_errors_have_no_correlation():
    found = predictive_check(pool_exact(Y, np.full(8, 3.0)))
    place = found.statistic.index("correlation with the error")
    assert found.observed[place] == 0
    assert found.p[place] == 0.5


def test_replicates_are_sorted_tables():
    found = predictive_check(pool_exact(Y, S), draws=300)
    assert found.replicates.shape == (50, 8)
    assert (np.diff(found.replicates, axis=1) >= 0).all()
    assert found.to_frame().shape[0] == len(found.to_dict()["statistics"]) == 5


def test_blocks_do_not_change_the_draws(monkeypatch):
    """The seed decides mu and tau whatever the blocks."""
    from propto.pooling import predictive

    fit = pool_exact(Y, S)
    whole = predictive_check(fit, draws=400, seed=3)
    monkeypatch.setattr(predictive, "_BLOCK", 800)
    np.testing.assert_allclose(predictive_check(fit, draws=400, seed=3).p, whole.p)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_few_groups(k):
    assert np.isfinite(predictive_check(pool_exact(Y[:k], S[:k]), draws=50).p).all()


def test_no_draws_are_refused():
    with pytest.raises(OptionError, match="draws"):
        predictive_check(pool_exact(Y, S), draws=0)
