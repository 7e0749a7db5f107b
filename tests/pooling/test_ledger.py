"""The winner's curse and the price of a choice, against draws and closed forms."""

import numpy as np
import pytest
from scipy import stats

from propto.errors import OptionError
from propto.pooling.exact import pool_exact
from propto.pooling.ledger import ledger, total_effect
from propto.pooling.regret import regret

Y = [28.0, 8, -3, 7, -1, 1, 18, 12]
S = [15.0, 10, 16, 11, 9, 11, 10, 18]
LIMIT = 4.5  # of a z-score: a handful exceed it by chance less than once in ten thousand times
PRIORS = [{}, {"prior_mu": "student_t(3, 0, 10)", "prior_tau": "halfcauchy(5)"}]


@pytest.mark.parametrize("priors", PRIORS)
def test_the_total_is_the_sum_of_the_effects(priors):
    fit = pool_exact(Y, S, **priors)
    ship = ledger(fit, 0.0).by_estimate
    assert ship.chosen.tolist() == [y > 0 for y in Y]
    assert ship.naive == pytest.approx(74.0)
    assert ship.total.mean == pytest.approx(fit.theta.mean[ship.chosen].sum(), rel=1e-9)
    assert ship.harmful == pytest.approx((1 - fit.prob_positive)[ship.chosen].sum(), rel=1e-9)
    draws = fit.draws(40_000, seed=2)["theta"][:, ship.chosen].sum(axis=1)
    assert abs(draws.std() / ship.total.sd - 1) < LIMIT * np.sqrt(1 / 40_000)  # near-normal: kurtosis below 5
    for level, quantile in zip(ship.total.levels, ship.total.quantiles, strict=True):
        z = (np.mean(draws < quantile) - level) / np.sqrt(level * (1 - level) / 40_000)
        assert abs(z) < LIMIT
    positive = np.mean(draws > 0)
    assert abs(positive - ship.prob_positive) < LIMIT * np.sqrt(0.25 / 40_000)


def test_the_total_of_one_group_is_its_effect():
    fit = pool_exact(Y, S)
    total = total_effect(fit, np.arange(8) == 3)
    assert total.mean()[0] == pytest.approx(fit.theta.mean[3])
    assert total.sd()[0] == pytest.approx(fit.theta.sd[3])
    np.testing.assert_allclose(total.quantile(fit.theta.levels)[0], fit.theta.quantiles[3], rtol=1e-7)


def test_winners_claim_more_than_they_bring():
    """Over 200 simulated tables the claims are biased and the expectations are not."""
    rng = np.random.default_rng(3)
    claimed, expected = [], []
    for _ in range(200):
        theta = rng.normal(0, 1, 20)
        s = np.full(20, 1.5)
        fit = pool_exact(
            theta + s * rng.normal(size=20), s, prior_mu="normal(0, 0.1)", prior_tau="halfnormal(1)"
        )
        ship = ledger(fit, 0.0).by_estimate
        truth = theta[ship.chosen].sum()
        claimed.append(ship.naive - truth)
        expected.append(ship.total.mean - truth)
    error = np.std(expected) / np.sqrt(200)
    assert np.mean(claimed) > 20 * error
    assert abs(np.mean(expected)) < LIMIT * error + 0.3  # tau's prior does not know that tau is 1


def test_a_bar_above_all_ships_nothing():
    found = ledger(pool_exact(Y, S), 1000.0)
    assert found.by_estimate.naive == found.by_estimate.total.mean == 0.0
    assert found.findings() == ["No estimate is above 1000: nothing to ship."]
    assert found.to_dict()["by_estimate"]["count"] == 0


def test_the_two_rules_are_told_apart():
    found = ledger(pool_exact(Y, S, label=list("ABCDEFGH")), 0.0)
    assert found.findings()[1] == "Shipping by the pooled means adds C and E."
    assert found.to_frame()["ship_by_mean"].all()


def test_regret_of_two_groups_has_a_closed_form():
    """E max(0, D) for D normal given tau: the first moment of a normal above 0."""
    fit = pool_exact([3.0, 1.0], [2.0, 4.0], prior_tau="halfnormal(3)")
    joint, v = fit.components, np.array([4.0, 16.0])
    pull = v[:, None] / (v[:, None] + joint.tau**2)
    mean = np.diff(pull * joint.mu_mean + (1 - pull) * np.array([[3.0], [1.0]]), axis=0)[0]
    sd = np.sqrt((pull * joint.tau**2).sum(0) + (pull[1] - pull[0]) ** 2 * joint.mu_variance)
    z = mean / sd
    exact = np.sum(joint.weight * (mean * stats.norm.cdf(z) + sd * stats.norm.pdf(z)))
    found = regret(fit, 1, seed=1)
    assert found.chosen == ("1",)
    assert abs(found.expected - exact) < LIMIT * found.mcse
    assert found.prob_right == pytest.approx(np.sum(joint.weight * stats.norm.cdf(-z)), abs=0.02)


def test_choosing_all_or_the_obvious_costs_nothing():
    assert regret(pool_exact(Y, S), 8).expected == pytest.approx(0.0, abs=1e-9)
    clear = regret(pool_exact([30.0, 10, 20], [0.1] * 3, label=list("ABC")), 2)
    assert clear.chosen == ("A", "C")
    assert clear.expected == 0.0
    assert clear.prob_right == 1.0


def test_the_posterior_mean_chooses_no_worse_than_the_estimate():
    fit = pool_exact([10.0, 9.0, 2.0, 1.0], [12.0, 2.0, 2.0, 2.0], prior_tau="halfnormal(4)")
    found = regret(fit, 1)
    assert found.chosen == ("2",)
    assert found.expected < found.by_estimate


@pytest.mark.parametrize("top", [0, 9, 1.5])
def test_more_groups_than_there_are_cannot_be_chosen(top):
    with pytest.raises(OptionError, match="top"):
        regret(pool_exact(Y, S), top)
