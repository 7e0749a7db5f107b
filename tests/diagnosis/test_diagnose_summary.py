"""The summary table: its names, its numbers, and that they are the ones the verdict goes by."""

from __future__ import annotations

import numpy as np
import pytest

from propto.diagnosis import diagnose, summary
from propto.diagnosis.estimators import ess_bulk, ess_tail, mcse_mean, rhat, rhat_nested
from propto.errors import NameMismatchError, OptionError

from .zoo import healthy, make_fit, schools

COLUMNS = ["mean", "sd", "q5", "q95", "mcse_mean", "ess_bulk", "ess_tail", "r_hat"]


def test_rows_and_columns():
    table = summary(healthy(np.random.default_rng(0)))
    assert list(table.index) == ["mu", "tau", *(f"t[{school}]" for school in "ABCDEFGH")]
    assert list(table.columns) == COLUMNS
    assert list(summary(healthy(np.random.default_rng(0)), "t", prob=0.5).columns[2:4]) == ["q25", "q75"]
    assert list(summary(healthy(np.random.default_rng(0)), ["tau", "mu"]).index) == ["tau", "mu"]


def test_numbers():
    x = schools(np.random.default_rng(1))
    table = summary(make_fit(x))
    row, draws = table.loc["t[C]"], x["t"][:, :, 2]
    assert row["mean"] == pytest.approx(draws.mean())
    assert row["sd"] == pytest.approx(draws.std(ddof=1))
    np.testing.assert_allclose(row[["q5", "q95"]].astype(float), np.quantile(draws, [0.05, 0.95]))
    for name, estimate in (
        ("mcse_mean", mcse_mean),
        ("ess_bulk", ess_bulk),
        ("ess_tail", ess_tail),
        ("r_hat", rhat),
    ):
        assert row[name] == pytest.approx(float(estimate(draws)), rel=1e-12)


def test_many_short_chains():
    """R-hat is nested, and the effective size comes from the chain means: AR(0.3) chains of 20 draws."""
    x = schools(np.random.default_rng(2), 512, 20)
    table = summary(make_fit(x, superchains=16))
    assert table.loc["mu", "r_hat"] == pytest.approx(float(rhat_nested(x["mu"], 16)), rel=1e-12)
    expected = 512 * 20 * (1 - 0.3) / (1 + 0.3)
    assert table["ess_bulk"].mean() == pytest.approx(expected, rel=0.1)
    assert (table["ess_tail"] > 0.8 * expected).all()


def test_goes_with_the_verdict():
    x = schools(np.random.default_rng(3))
    x["mu"][0] += 20
    fit = make_fit(x)
    table = summary(fit)
    for reason in diagnose(fit).reasons:
        if reason.statistic in table.columns:
            assert table.loc[reason.variable, reason.statistic] == reason.value


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_draws_that_are_not_finite(bad):
    x = schools(np.random.default_rng(4))
    x["tau"][0, 0] = bad
    table = summary(make_fit(x))
    assert table.loc["tau", ["mcse_mean", "ess_bulk", "ess_tail", "r_hat"]].isna().all()
    assert table.drop(index="tau").notna().all(axis=None)


def test_constant():
    table = summary(make_fit({"x": np.full((4, 100), 2.5)}))
    assert table.loc["x", ["mean", "sd", "q5", "q95"]].tolist() == [2.5, 0.0, 2.5, 2.5]
    assert table.loc["x", ["mcse_mean", "ess_bulk", "ess_tail", "r_hat"]].isna().all()


@pytest.mark.parametrize("draws", [0, 1, 3])
def test_few_draws(draws):
    table = summary(healthy(np.random.default_rng(0), 1, draws))
    assert list(table.columns) == COLUMNS
    assert table["r_hat"].isna().all()


def test_elements_of_matrices_and_whole_numbers():
    table = summary(make_fit({"x": np.random.default_rng(0).integers(0, 5, size=(4, 200, 2, 3))}))
    assert list(table.index) == [f"x[{i}, {j}]" for i in range(2) for j in range(3)]
    assert table.notna().all(axis=None)


def test_unknown_variable():
    with pytest.raises(NameMismatchError, match=r"'sigma'.*mu, tau, t"):
        summary(healthy(np.random.default_rng(0)), ["mu", "sigma"])


@pytest.mark.parametrize("prob", [0, 1, 90])
def test_probability_out_of_range(prob):
    with pytest.raises(OptionError):
        summary(healthy(np.random.default_rng(0)), prob=prob)
