"""Grades, against every possible grading."""

from itertools import product

import numpy as np
import pytest

from propto.errors import OptionError
from propto.pooling.exact import pool_exact
from propto.pooling.grades import grade
from propto.pooling.ranks import mean_ranks, pairwise


def gain(above, grades, price):
    ahead = np.array(grades)[:, None] < np.array(grades)
    return (above - price * (1 - above))[ahead].sum()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("price", [1.0, 2.0, 4.0, 20.0])
def test_no_grading_gains_clearly_more(seed, price):
    """Of all 3,125 ways to give five groups up to five grades, in the order of the mean ranks or not."""
    rng = np.random.default_rng(seed)
    s = np.exp(rng.normal(0, 0.7, 5))
    fit = pool_exact(rng.normal(0, 3, 5) + s * rng.normal(size=5), s)
    above, found = pairwise(fit), grade(fit, price)
    best = max(gain(above, grades, price) for grades in product(range(5), repeat=5))
    assert gain(above, found.grade, price) >= 0.99 * best - 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_no_cut_of_the_order_gains_more(seed):
    """Of all 512 ways to cut ten groups, in the order of their mean ranks, into classes."""
    rng = np.random.default_rng(seed)
    s = np.exp(rng.normal(0, 1, 10))
    fit = pool_exact(rng.normal(0, 2, 10) + s * rng.normal(size=10), s)
    above = pairwise(fit)
    order = np.argsort(mean_ranks(above))
    best = -np.inf
    for cuts in product((0, 1), repeat=9):
        grades = np.empty(10, dtype=int)
        grades[order] = np.cumsum((0, *cuts))
        best = max(best, gain(above, grades, 3.0))
    assert gain(above, grade(fit, 3.0).grade, 3.0) == pytest.approx(best, abs=1e-9)


def test_two_groups_are_told_apart_where_the_price_says_so():
    fit = pool_exact([2.0, 0.0], [1.0, 1.0], prior_tau="halfnormal(3)")
    odds = pairwise(fit)[0, 1] / pairwise(fit)[1, 0]
    assert grade(fit, odds * 0.99).grade.tolist() == [1, 2]
    assert grade(fit, odds * 1.01).grade.tolist() == [1, 1]


def test_price_one_ranks_everybody_and_a_high_price_nobody():
    fit = pool_exact([28.0, 8, -3, 7, -1, 1, 18, 12], [15.0, 10, 16, 11, 9, 11, 10, 18])
    assert sorted(grade(fit, 1).grade) == list(range(1, 9))
    nobody = grade(fit, 1e6)
    assert set(nobody.grade) == {1}
    assert nobody.ordered == 0
    assert nobody.to_dict()["wrong"] is None


def test_the_share_of_wrong_pairs_is_that_of_the_pairs():
    fit = pool_exact([28, 27, -3, 8], [2, 2, 2, 2], label=list("ABCD"))
    found, above = grade(fit, 4), pairwise(fit)
    assert found.grade.tolist() == [1, 1, 3, 2]
    expected = np.mean([1 - above[i, j] for i, j in [(0, 2), (1, 2), (0, 3), (1, 3), (3, 2)]])
    assert found.wrong == pytest.approx(expected)
    assert found.ordered == pytest.approx(5 / 6)
    assert "3 grades (best: A and B)" in found.findings()[0]


def test_one_group_has_one_grade():
    assert grade(pool_exact([1.0], [1.0])).grade.tolist() == [1]


@pytest.mark.parametrize("price", [0.5, float("inf"), float("nan")])
def test_prices_below_one_are_refused(price):
    with pytest.raises(OptionError, match="price"):
        grade(pool_exact([1.0, 2.0], [1.0, 1.0]), price)
