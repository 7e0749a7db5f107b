"""Heterogeneity and evidence, against published numbers, SciPy and identities."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from propto.pooling.exact import pool_exact
from propto.pooling.heterogeneity import heterogeneity
from propto.pooling.tails import chi_squared_tail, student_tail

Y = [28.0, 8, -3, 7, -1, 1, 18, 12]
S = [15.0, 10, 16, 11, 9, 11, 10, 18]
SHARED = Path(os.environ.get("PROPTO_SHARED", Path(__file__).parents[3] / "shared"))
TABLES = sorted((SHARED / "tables").glob("*.json"))


@pytest.mark.skipif(not TABLES, reason="reference tables not present")
@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_q_and_i_squared_are_metafors(path):
    """Its I squared is ours at its own estimate of tau."""
    published = json.loads(path.read_text())["metafor"]
    with path.with_suffix(".csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    y, s = ([float(row[name]) for row in rows] for name in ("estimate", "se"))
    found = heterogeneity(pool_exact(y, s))
    assert found.q == pytest.approx(published["QE"], rel=1e-8)
    assert found.q_p == pytest.approx(published["QEp"], rel=1e-6, abs=1e-30)
    tau_squared = published["tau2"]
    share = 100 * tau_squared / (tau_squared + found.typical_error**2)
    assert share == pytest.approx(published["I2"], abs=1e-4)


@pytest.mark.parametrize("prior_tau", ["halfnormal(5)", "halfcauchy(5)", "uniform(0, 100)"])
def test_the_bayes_factor_is_the_ratio_of_densities_at_zero(prior_tau):
    """Savage and Dickey: the factor for tau = 0 is posterior over prior density there."""
    fit = pool_exact(Y, S, prior_tau=prior_tau)
    found = heterogeneity(fit)
    ratio = fit.density_tau(0.0) / np.exp(fit.prior_tau.log_density(0.0))
    assert found.log_bayes_factor == pytest.approx(np.log(ratio), abs=1e-9)
    assert found.prob_zero == pytest.approx(ratio / (1 + ratio))


def test_the_evidence_without_differences_is_that_of_one_mean():
    fit = pool_exact(Y, S, prior_mu="normal(3, 4)")
    covariance = np.diag(np.square(S)) + 16.0
    alone = stats.multivariate_normal(np.full(8, 3.0), covariance).logpdf(Y)
    assert heterogeneity(fit).log_bayes_factor == pytest.approx(alone - fit.log_evidence, abs=1e-9)


def test_i_squared_follows_tau():
    fit = pool_exact(Y, S)
    found = heterogeneity(fit)
    expected = fit.tau.quantiles**2 / (fit.tau.quantiles**2 + found.typical_error**2)
    np.testing.assert_allclose(found.i_squared.quantiles, expected)
    draws = fit.hyperdraws(40_000, seed=0)["tau"] ** 2
    share = draws / (draws + found.typical_error**2)
    assert abs(share.mean() - found.i_squared.mean) < 4.5 * share.std() / 200
    assert found.i_squared.sd == pytest.approx(share.std(), rel=0.03)


def test_a_prior_without_zero_has_no_factor_for_zero():
    found = heterogeneity(pool_exact(Y, S, prior_tau="uniform(2, 30)"))
    assert found.log_bayes_factor is None
    assert found.to_dict()["prob_zero"] is None


def test_one_group_has_no_heterogeneity_to_measure():
    found = heterogeneity(pool_exact([1.0], [1.0]))
    assert found.i_squared is None
    assert found.to_dict()["q_p"] is None
    assert found.findings() == []


def test_overwhelming_evidence_is_written_as_a_power():
    rng = np.random.default_rng(0)
    fit = pool_exact(rng.normal(0, 100, 300), np.ones(300))
    assert "10^" in heterogeneity(fit).findings()[1]
    assert "that groups differ" in heterogeneity(fit).findings()[1]


@pytest.mark.parametrize("df", [1, 2, 3, 4, 7, 10, 55, 999])
def test_tails_against_scipy(df):
    for q in (0.0, 0.1, 1.0, 5.0, 80.0, 900.0):
        assert chi_squared_tail(q, df) == pytest.approx(stats.chi2.sf(q, df), rel=1e-9, abs=1e-300)
    for t in (0.0, 0.3, -1.0, 2.5, 6.0):
        assert student_tail(t, df) == pytest.approx(2 * stats.t.sf(abs(t), df), abs=1e-13)
