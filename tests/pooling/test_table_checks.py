"""Checks before shrinking: each finds what it is for, and sound tables pass."""

import numpy as np
import pytest

from propto.errors import TableError
from propto.pooling.checks import check_table, egger

RNG_TABLES = 300
# With 1 % each for two checks, more than 16 of 300 sound tables are called doubtful once in 2,000 seeds.
MOST_FALSE_ALARMS = 16


def keys(*table, **options):
    return [doubt.key for doubt in check_table(*table, **options)]


def sound(rng, k=15):
    s = rng.uniform(1, 3, k)
    return 5 + rng.normal(0, 1, k) + s * rng.normal(size=k), s


def test_sound_tables_are_rarely_doubted():
    rng = np.random.default_rng(11)
    alarms = sum(bool(keys(*sound(rng))) for _ in range(RNG_TABLES))
    assert alarms <= MOST_FALSE_ALARMS


@pytest.mark.parametrize("k", [1, 2, 4])
def test_few_groups(k):
    (doubt,) = check_table([5.0] * k if k == 1 else list(range(k)), [1.0] * k)
    assert doubt.key == "few"
    assert ("is only 1 group" if k == 1 else f"are only {k} groups") in doubt.found
    assert "--measure" in doubt.mend


def test_errors_of_another_order():
    rng = np.random.default_rng(0)
    y, s = sound(rng)
    s[3], s[5] = 1000.0, 0.001
    doubts = {doubt.found.split(" is ")[0]: doubt for doubt in check_table(y, s) if doubt.key == "errors"}
    assert doubts["The standard error of group 4"].groups == (3,)
    assert "larger" in doubts["The standard error of group 4"].found
    assert "outweighs" in doubts["The standard error of group 6"].why


def test_groups_that_stand_twice():
    rng = np.random.default_rng(0)
    y, s = sound(rng, 30)
    y[7], s[7] = y[2], s[2]
    labels = [f"g{j}" for j in range(30)]
    (copied,) = (doubt for doubt in check_table(y, s, label=labels) if doubt.key == "twins")
    assert copied.groups == (7,)
    assert "g7 has the same estimate" in copied.found
    labels[9] = "g1"
    (named, _) = (doubt for doubt in check_table(y, s, label=labels) if doubt.key == "twins")
    assert "label of g1" in named.found


def test_coarse_rounding_is_not_copying():
    rng = np.random.default_rng(1)
    assert "twins" not in keys(rng.integers(0, 3, 60).astype(float), np.full(60, 1.0))


def test_ratios_want_a_logarithm():
    rng = np.random.default_rng(2)
    log_ratio = rng.normal(0, 0.8, 12)
    ratio, se = np.exp(log_ratio), np.exp(log_ratio) * rng.uniform(0.1, 0.3, 12)
    assert "ratios" in keys(ratio, se)
    assert "ratios" not in keys(log_ratio, se / ratio)
    assert "ratios" not in keys(ratio + 10, se)


def test_estimates_that_depend_on_their_errors():
    rng = np.random.default_rng(3)
    s = np.linspace(0.5, 4, 20)
    (doubt,) = (d for d in check_table(1 + 1.5 * s + s * rng.normal(size=20) * 0.5, s) if d.key == "trend")
    assert "less precise groups have higher" in doubt.found


def test_eggers_regression_is_weighted_least_squares():
    """Where the residuals leave nothing for tau: coefficients and errors of `lstsq`."""
    rng = np.random.default_rng(4)
    s = np.linspace(0.5, 4, 12)
    y = 1 + 0.5 * s + 0.3 * s * rng.normal(size=12)
    design = np.stack([np.ones(12), s], axis=1) / s[:, None]
    coefficients = np.linalg.lstsq(design, y / s)[0]
    slope, error, _ = egger(y, s)
    assert slope == pytest.approx(coefficients[1])
    assert error == pytest.approx(np.sqrt(np.linalg.inv(design.T @ design)[1, 1]))


def test_eggers_p_is_uniform_without_a_trend():
    """Kolmogorov's distance of 400 p-values; it exceeds 0.1 once in a thousand times."""
    from scipy import stats

    rng = np.random.default_rng(5)
    s = rng.uniform(1, 3, (400, 15))
    p = [egger(2 + 3 * rng.normal(size=15) + each * rng.normal(size=15), each)[2] for each in s]
    assert stats.kstest(p, "uniform").statistic < 0.1


def test_equal_errors_have_no_trend():
    assert np.isnan(egger(np.arange(5.0), np.ones(5))[0])


def test_a_group_far_out():
    rng = np.random.default_rng(6)
    y, s = sound(rng)
    y[4] = 60.0
    (doubt,) = check_table(y, s, label=[f"g{j}" for j in range(15)])
    assert (doubt.key, doubt.groups) == ("outliers", (4,))
    assert "g4 does not fit" in str(doubt)
    assert doubt.to_dict()["groups"] == [4]


def test_what_cannot_be_used_is_an_error_not_a_doubt():
    with pytest.raises(TableError):
        check_table([1.0, 2.0], [1.0, 0.0])
