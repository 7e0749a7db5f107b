"""Ranks and pairs, against quadrature over everything and against each other."""

import numpy as np
import pytest
from scipy import stats

from propto.errors import OptionError
from propto.pooling.exact import pool_exact
from propto.pooling.ranks import mean_ranks, pairwise, rank, ranks_of

Y = [28.0, 8, -3, 7, -1, 1, 18, 12]
S = [15.0, 10, 16, 11, 9, 11, 10, 18]
LIMIT = 4.5  # of a z-score: 80 of them exceed it by chance less than once in a thousand times


def schools(**priors):
    return pool_exact(Y, S, label=list("ABCDEFGH"), **priors)


def integrated(y, s, prior_tau, of_groups):
    """Integrate a function of the groups' (means, sds) given tau and mu, over both, by brute force."""
    fit = pool_exact(y, s, prior_tau=prior_tau)
    tau = np.linspace(1e-6, 60, 1500)
    v = np.array(s) ** 2 + tau[:, None] ** 2
    precision = (1 / v).sum(1)
    centre = (np.array(y) / v).sum(1) / precision
    weight = fit.density_tau(tau)
    inner = np.empty(len(tau))
    z, w = np.polynomial.hermite_e.hermegauss(21)
    for i, t in enumerate(tau):
        mu = centre[i] + z[:, None] / np.sqrt(precision[i])
        pull = np.array(s) ** 2 / v[i]
        inner[i] = w @ of_groups(pull * mu + (1 - pull) * np.array(y), np.sqrt(pull) * t)
    return np.trapezoid(weight * inner, tau) / np.sqrt(2 * np.pi)


def test_pairs_against_brute_force():
    above = pairwise(pool_exact(Y[:3], S[:3], prior_tau="halfnormal(10)"))

    def first_over_third(mean, sd):
        return stats.norm.cdf((mean[:, 0] - mean[:, 2]) / np.hypot(sd[0], sd[2]))

    expected = integrated(Y[:3], S[:3], "halfnormal(10)", first_over_third)
    assert above[0, 2] == pytest.approx(expected, abs=2e-5)
    np.testing.assert_allclose(above + above.T, 1.0)


def test_the_seeds_question_is_a_above_c():
    above = pairwise(schools(prior_mu="normal(8.75, 20)", prior_tau="uniform(0, 100)"))
    assert above[0, 2] == pytest.approx(0.68, abs=0.005)


def test_the_best_of_three_against_brute_force():
    found = rank(pool_exact(Y[:3], S[:3], prior_tau="halfnormal(10)"), draws=40_000, seed=3)
    x = np.linspace(-9, 9, 181)

    def first_is_best(mean, sd):
        at = mean[:, :1] + sd[0] * x
        others = stats.norm.cdf((at[..., None] - mean[:, None, 1:]) / sd[1:]).prod(axis=-1)
        return (stats.norm.pdf(x) * others).sum(axis=1) * (x[1] - x[0])

    expected = integrated(Y[:3], S[:3], "halfnormal(10)", first_is_best)
    error = np.sqrt(expected * (1 - expected) / 40_000)
    assert abs(found.prob_best[0] - expected) < LIMIT * error


@pytest.mark.parametrize("priors", [{}, {"prior_mu": "student_t(3, 0, 10)", "prior_tau": "halfcauchy(5)"}])
def test_ranks_agree_with_the_exact_pairs(priors):
    """Mean ranks follow from the pairs; the draws' differ by no more than their own errors."""
    fit = schools(**priors)
    found, exact = rank(fit, seed=1), mean_ranks(pairwise(fit))
    spread = (found.probabilities * (np.arange(1, 9) - found.mean[:, None]) ** 2).sum(axis=1)
    assert np.max(np.abs(found.mean - exact) / np.sqrt(spread / found.draws)) < LIMIT


def test_ranks_are_a_distribution():
    found = rank(schools(), top=3)
    np.testing.assert_allclose(found.probabilities.sum(axis=0), 1.0)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1.0)
    np.testing.assert_allclose(found.prob_best, found.probabilities[:, 0])
    np.testing.assert_allclose(found.prob_top, found.probabilities[:, :3].sum(axis=1))
    np.testing.assert_allclose(found.mean, found.probabilities @ np.arange(1, 9))
    cdf = found.probabilities.cumsum(axis=1)
    for quantile, level in ((found.low, 0.05), (found.median, 0.5), (found.high, 0.95)):
        assert quantile.tolist() == (cdf < level - 1e-9).sum(axis=1).__add__(1).tolist()


def test_groups_that_are_alike_rank_alike():
    found = rank(pool_exact([1.0] * 5, [2.0] * 5), draws=20_000)
    error = np.sqrt(0.2 * 0.8 / 20_000)
    assert np.max(np.abs(found.probabilities - 0.2)) < LIMIT * error
    np.testing.assert_allclose(pairwise(pool_exact([1.0] * 5, [2.0] * 5)), 0.5)


def test_clear_orders_are_clear():
    found = rank(pool_exact([30.0, 10.0, 20.0], [0.1, 0.1, 0.1]))
    assert found.median.tolist() == [1, 3, 2]
    assert found.prob_best.tolist() == [1.0, 0.0, 0.0]


def test_ranks_of_rows():
    rng = np.random.default_rng(0)
    assert ranks_of(np.array([[3.0, 9.0, 5.0], [1.0, 0.0, -1.0]]), rng).tolist() == [[3, 1, 2], [1, 2, 3]]


def test_equal_effects_come_in_any_order():
    """Each of the two that lead is first in half of the rows, within 5 standard errors."""
    ranks = ranks_of(np.tile([2.0, 1.0, 2.0], (4000, 1)), np.random.default_rng(1))
    assert (ranks[:, 1] == 3).all()
    assert abs((ranks[:, 0] == 1).mean() - 0.5) < 5 * 0.5 / np.sqrt(4000)


def test_the_same_seed_gives_the_same_ranks_and_another_does_not():
    fit = schools()
    first, again, other = rank(fit, seed=4), rank(fit, seed=4), rank(fit, seed=5)
    assert first.probabilities.tolist() == again.probabilities.tolist()
    assert first.probabilities.tolist() != other.probabilities.tolist()


def test_many_groups_give_no_matrix_but_ranks():
    rng = np.random.default_rng(0)
    fit = pool_exact(rng.normal(size=1200), np.full(1200, 0.5))
    found = rank(fit, draws=50)
    assert found.probabilities is None
    assert found.prob_best.sum() == pytest.approx(1.0)
    with pytest.raises(OptionError, match="1,200 groups"):
        pairwise(fit)


@pytest.mark.parametrize("wrong", [{"top": 0}, {"top": 9}, {"draws": 0}, {"top": 1.5}])
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(OptionError):
        rank(schools(), **wrong)


def test_one_group_has_rank_one():
    assert rank(pool_exact([1.0], [1.0])).mean.tolist() == [1.0]
    assert rank(pool_exact([1.0], [1.0])).findings() == []
