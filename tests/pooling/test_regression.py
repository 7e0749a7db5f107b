"""Meta-regression, three levels and covariances against published numbers, dense algebra and limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from propto.errors import OptionError, PriorError, TableError
from propto.pooling.exact import Summary, pool_exact
from propto.pooling.priors import parse_tau
from propto.pooling.regression import pool_regression, regress_table
from propto.pooling.tables import read_table

SHARED = Path(os.environ.get("PROPTO_SHARED", Path(__file__).parents[2].parent / "shared"))
TABLES = [path for path in sorted((SHARED / "tables").glob("*.json")) if "regression" in path.read_text()]
Y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
S = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
X = np.array([0.3, 1.2, -0.5, 2.0, 0.1, -1.0, 0.7, 1.1])
CLUSTER = ["a", "b", "a", "c", "b", "b", "c", "a"]


def close_to(summary: Summary, expected: list[dict], names: tuple[str, ...], rtol: float) -> None:
    columns = summary.to_dict()
    for name in names:
        wanted = np.squeeze([row[name] for row in expected])
        np.testing.assert_allclose(np.array(columns[name], float), wanted, rtol=rtol, err_msg=name)


# Reference tables -----------------------------------------------------------------------------------


def regressions():
    for path in TABLES:
        for name, case in json.loads(path.read_text())["regression"].items():
            for prior in case["fits"]:
                yield pytest.param(path, name, prior, id=f"{path.stem}-{name}-{prior}")


@pytest.mark.skipif(not TABLES, reason="reference tables not present")
@pytest.mark.parametrize(("path", "name", "prior"), list(regressions()))
def test_reference_regressions(path, name, prior):
    case = json.loads(path.read_text())["regression"][name]
    table = read_table(path.with_suffix(".csv"), estimate="estimate", covariates=list(case["columns"]))
    centre = {}
    for column, info in case["columns"].items():
        levels = [f"{column}={level}" for level in info.get("levels", [])[1:]]
        centre |= dict.fromkeys(levels, 0) or {column: info["subtract"]}
    fit = regress_table(table, centre=centre, **reference_priors(case, prior))
    expected = case["fits"][prior]["expected"]
    assert fit.log_evidence == pytest.approx(expected["log_marginal_likelihood"], abs=1e-9)
    assert list(fit.coefficient_names[1:]) == case["coefficients"][1:]
    close_to(fit.coefficients, expected["beta"], ("mean", "sd", "q2.5", "q50", "q97.5"), 1e-8)
    close_to(fit.tau, [expected["tau"]], ("mean", "sd", "q2.5", "q50", "q97.5"), 1e-8)
    close_to(fit.theta, expected["theta"], ("mean", "sd"), 1e-8)
    positive = [row["p_positive"] for row in expected["beta"]]
    np.testing.assert_allclose(fit.prob_coefficient_positive, positive, rtol=1e-8)


def reference_priors(case: dict, prior: str) -> dict:
    given = case["fits"][prior]["prior"]
    family = {"half-normal": "halfnormal", "half-cauchy": "halfcauchy"}[given["tau"]["dist"]]
    priors = {"prior_tau": f"{family}({given['tau']['scale']})"}
    if isinstance(given["beta"], dict):
        texts = [
            f"normal({m}, {sd})" for m, sd in zip(given["beta"]["mean"], given["beta"]["sd"], strict=True)
        ]
        priors["prior_mu"] = texts[0]
        priors["prior_beta"] = dict(zip(case["coefficients"][1:], texts[1:], strict=True))
    return priors


@pytest.mark.skipif(not TABLES, reason="reference tables not present")
def test_reference_three_levels():
    path = SHARED / "tables" / "konstantopoulos2011.csv"
    case = json.loads(path.with_suffix(".json").read_text())["three_level"]
    prior = f"halfnormal({case['prior']['sigma_upper']['scale']})"
    fit = regress_table(read_table(path, cluster="district"), prior_tau=prior, prior_between=prior)
    expected, names = case["expected"], ("mean", "sd", "q2.5", "q50", "q97.5")
    assert fit.log_evidence == pytest.approx(expected["log_marginal_likelihood_flat_mu_density_1"], abs=1e-8)
    close_to(fit.mu, [expected["mu"]], ("mean", "sd", "q50", "q97.5"), 1e-8)
    assert fit.mu.quantiles[0] == pytest.approx(expected["mu"]["q2.5"], abs=1e-9)
    assert fit.prob_coefficient_positive[0] == pytest.approx(expected["mu"]["p_positive"], rel=1e-8)
    close_to(fit.tau, [expected["sigma_lower"]], names, 1e-6)
    close_to(fit.between, [expected["sigma_upper"]], names, 1e-6)
    close_to(fit.cluster_effect, expected["group_means"], names, 1e-7)
    close_to(fit.theta, expected["unit_effects"], ("mean", "sd"), 1e-8)
    assert fit.cluster_names == tuple(row["group"] for row in expected["group_means"])


# Dense algebra on a fine grid of the scales -----------------------------------------------------------


def legendre(low: float, high: float, points: int) -> tuple[np.ndarray, np.ndarray]:
    x, w = np.polynomial.legendre.leggauss(points)
    return low + (high - low) * (x + 1) / 2, w * (high - low) / 2


def dense(v: np.ndarray, design: np.ndarray, extra: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Evidence with flat coefficients, and mean and covariance of the effects, by full matrices."""
    total = np.linalg.inv(v + extra)
    information = design.T @ total @ design
    beta = np.linalg.solve(information, design.T @ total @ Y)
    rest = Y - design @ beta
    log = -0.5 * (rest @ total @ rest + np.linalg.slogdet(information)[1] - np.linalg.slogdet(total)[1])
    log += -0.5 * (len(Y) - design.shape[1]) * np.log(2 * np.pi)
    turn = v @ total
    shift = turn @ design
    covariance = v - turn @ v + shift @ np.linalg.solve(information, shift.T)
    return log, Y - turn @ rest, covariance


def averaged(
    cells: list[tuple[float, tuple[float, np.ndarray, np.ndarray]]],
) -> tuple[float, np.ndarray, np.ndarray]:
    logs = np.array([np.log(weight) + found[0] for weight, found in cells])
    share = np.exp(logs - logs.max())
    evidence = np.log(share.sum()) + logs.max()
    share /= share.sum()
    mean = sum(p * found[1] for p, (_, found) in zip(share, cells, strict=True))
    second = sum(p * (np.diag(found[2]) + found[1] ** 2) for p, (_, found) in zip(share, cells, strict=True))
    return float(evidence), mean, np.sqrt(second - mean**2)


def covariance_matrix() -> np.ndarray:
    shared = np.subtract.outer(np.arange(8), np.arange(8))
    return np.outer(S, S) * 0.6 ** np.abs(shared)


def test_full_covariance_against_dense_algebra():
    matrix, design = covariance_matrix(), np.stack([np.ones(8), X - X.mean()], axis=1)
    prior = parse_tau("halfnormal(9)")
    taus, weights = legendre(0, 70, 400)
    density = np.exp(prior.log_density(taus)) * weights
    cells = [(p, dense(matrix, design, tau**2 * np.eye(8))) for tau, p in zip(taus, density, strict=True)]
    evidence, mean, sd = averaged(cells)
    fit = pool_regression(Y, covariance=matrix, covariates={"x": X}, prior_tau=prior)
    assert fit.log_evidence == pytest.approx(evidence, abs=1e-9)
    np.testing.assert_allclose(fit.theta.mean, mean, rtol=1e-8)
    np.testing.assert_allclose(fit.theta.sd, sd, rtol=1e-8)


def test_three_levels_with_a_covariate_against_dense_algebra():
    design = np.stack([np.ones(8), X - X.mean()], axis=1)
    same = np.equal.outer(CLUSTER, CLUSTER).astype(float)
    prior = parse_tau("uniform(0, 20)")
    taus, weights = legendre(0, 20, 60)
    cells = [
        (p * q / 400, dense(np.diag(S**2), design, tau**2 * np.eye(8) + between**2 * same))
        for tau, p in zip(taus, weights, strict=True)
        for between, q in zip(taus, weights, strict=True)
    ]
    evidence, mean, sd = averaged(cells)
    fit = pool_regression(Y, S, covariates={"x": X}, cluster=CLUSTER, prior_tau=prior, prior_between=prior)
    assert fit.log_evidence == pytest.approx(evidence, abs=1e-8)
    np.testing.assert_allclose(fit.theta.mean, mean, rtol=1e-7)
    np.testing.assert_allclose(fit.theta.sd, sd, rtol=1e-7)
    assert fit.error_bound < 1e-5


# Limits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prior_mu", [None, "normal(2, 6)"])
@pytest.mark.parametrize("prior_tau", [None, "halfcauchy(5)", "uniform(1, 9)"])
def test_without_covariates_it_is_the_exact_engine(prior_mu, prior_tau):
    exact = pool_exact(Y, S, prior_mu=prior_mu, prior_tau=prior_tau)
    fit = pool_regression(Y, S, prior_mu=prior_mu, prior_tau=prior_tau)
    assert fit.log_evidence == pytest.approx(exact.log_evidence, abs=1e-10)
    for name in ("mu", "tau", "theta", "new_group"):
        for part in ("mean", "sd", "quantiles"):
            ours, theirs = (getattr(getattr(answer, name), part) for answer in (fit, exact))
            np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-8, err_msg=f"{part} of {name}")
    np.testing.assert_allclose(fit.shrinkage, exact.shrinkage, rtol=1e-9)
    np.testing.assert_allclose(fit.prob_positive, exact.prob_positive, rtol=1e-9)


def test_a_diagonal_covariance_is_no_covariance():
    ours = pool_regression(Y, covariance=np.diag(S**2), covariates={"x": X})
    theirs = pool_regression(Y, S, covariates={"x": X})
    np.testing.assert_allclose(ours.theta.quantiles, theirs.theta.quantiles, rtol=1e-8)
    np.testing.assert_allclose(ours.shrinkage, theirs.shrinkage, rtol=1e-10)


def test_no_sd_between_clusters_is_no_clusters():
    ours = pool_regression(Y, S, cluster=CLUSTER, prior_tau="halfnormal(9)", prior_between="halfnormal(1e-6)")
    theirs = pool_regression(Y, S, prior_tau="halfnormal(9)")
    np.testing.assert_allclose(ours.theta.mean, theirs.theta.mean, rtol=1e-6)
    np.testing.assert_allclose(ours.tau.quantiles, theirs.tau.quantiles, rtol=1e-5)


def test_groups_alone_in_their_clusters_share_one_variance():
    """Only tau**2 + between**2 is known then: theta has the posterior of any split of it."""
    prior = "uniform(0, 10)"
    fit = pool_regression(Y, S, cluster=range(8), prior_tau=prior, prior_between=prior)
    np.testing.assert_allclose(fit.tau.quantiles, fit.between.quantiles, rtol=1e-6)


def test_order_of_rows_does_not_matter():
    order = np.array([5, 2, 7, 0, 1, 6, 3, 4])
    options = {"prior_tau": "halfnormal(9)", "prior_between": "halfnormal(4)"}
    ours = pool_regression(Y, S, covariates={"x": X}, cluster=CLUSTER, **options)
    mixed = pool_regression(
        Y[order], S[order], covariates={"x": X[order]}, cluster=[CLUSTER[i] for i in order], **options
    )
    np.testing.assert_allclose(mixed.theta.quantiles, ours.theta.quantiles[order], rtol=1e-9)


def test_units_scale_through():
    one = pool_regression(Y, S, covariates={"x": X})
    other = pool_regression(1e-4 * Y, 1e-4 * S, covariates={"x": 1e6 * X})
    np.testing.assert_allclose(other.theta.quantiles, 1e-4 * one.theta.quantiles, rtol=1e-6)
    np.testing.assert_allclose(other.coefficients.mean[1], 1e-10 * one.coefficients.mean[1], rtol=1e-6)


def test_the_centre_moves_mu_and_nothing_else():
    plain = pool_regression(Y, S, covariates={"x": X})
    raw = pool_regression(Y, S, covariates={"x": X}, centre={"x": 0})
    np.testing.assert_allclose(raw.theta.mean, plain.theta.mean, rtol=1e-10)
    np.testing.assert_allclose(raw.coefficients.mean[1], plain.coefficients.mean[1], rtol=1e-10)
    at_zero = plain.predict([{"x": 0}])
    np.testing.assert_allclose(at_zero[0].mean, raw.mu.mean, rtol=1e-10)
    np.testing.assert_allclose(at_zero[1].quantiles[0], raw.new_group.quantiles, rtol=1e-8)


def test_categories_are_indicator_columns():
    kind = np.array(list("bcabcaab"))
    texts = pool_regression(Y, S, covariates={"kind": kind})
    assert texts.coefficient_names == ("mu", "kind=b", "kind=c")
    columns = {f"is_{level}": (kind == level).astype(float) for level in "bc"}
    numbers = pool_regression(Y, S, covariates=columns)
    np.testing.assert_allclose(texts.theta.mean, numbers.theta.mean, rtol=1e-12)
    ours = texts.predict([{"kind": "a"}, {"kind": "c"}])[0].mean
    theirs = numbers.predict([{"is_b": 0, "is_c": 0}, {"is_b": 0, "is_c": 1}])[0].mean
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


# Hostile shapes ---------------------------------------------------------------------------------------


def test_one_group_and_two():
    assert np.isfinite(pool_regression([3.0], [1.0]).theta.quantiles).all()
    assert np.isfinite(pool_regression([3.0], [1.0], cluster=["a"]).theta.quantiles).all()
    two = pool_regression([3.0, 5.0], [1.0, 1.0], covariates={"x": [0, 1]})
    assert two.coefficients.quantiles[1, 3] == pytest.approx(2.0, abs=1e-6)
    with pytest.raises(TableError, match="can be written with the other columns"):
        pool_regression([3.0, 5.0], [1.0, 1.0], covariates={"x": [0, 1], "z": [1, 3]})


def test_heavy_tails_leave_no_moments():
    fit = pool_regression([3.0, 5.0], [1.0, 1.0], covariates={"x": [0, 1]}, prior_tau="halfcauchy(1)")
    assert np.isnan(fit.tau.mean)
    assert np.isnan(fit.coefficients.mean).all()
    assert fit.to_dict()["tau"]["mean"] is None
    with pytest.raises(PriorError, match="too heavy"):
        pool_regression([3.0], [1.0], prior_tau="halfstudent_t(0.05, 1)")


def test_a_cluster_without_scatter_and_equal_estimates():
    fit = pool_regression([1.0, 1, 1, 5, 9], [0.1] * 5, cluster=list("aaabb"))
    assert np.isfinite(fit.theta.quantiles).all()
    same = pool_regression([2.0] * 6, [1.0] * 6, cluster=list("aabbcc"))
    np.testing.assert_allclose(same.theta.mean, 2.0, rtol=1e-9)


def test_very_unequal_errors():
    errors = np.array([1e-5, 1, 1, 1, 1, 1, 1, 1e4])
    fit = pool_regression(Y, errors, covariates={"x": X})
    assert fit.theta.mean[0] == pytest.approx(Y[0], abs=1e-3)
    assert fit.shrinkage[0] < 1e-6
    assert fit.shrinkage[-1] > 0.99


def test_collinear_and_constant_covariates_are_refused():
    with pytest.raises(TableError, match="'z' can be written with the other") as caught:
        pool_regression(Y, S, covariates={"x": X, "z": 3 - 2 * X})
    assert caught.value.problems[0].column == "z"
    with pytest.raises(TableError, match="explains nothing"):
        pool_regression(Y, S, covariates={"x": np.ones(8)})
    held = pool_regression(Y, S, covariates={"x": X, "z": 3 - 2 * X}, prior_beta={"z": "normal(0, 1)"})
    assert np.isfinite(held.theta.mean).all()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"covariates": {"x": X[:7]}}, TableError, "one value for each of 8 groups"),
        ({"covariates": {"x": [*X[:7], np.nan]}}, TableError, "finite number"),
        ({"covariates": {"x": list("abcdefgh")}}, TableError, "8 different values"),
        ({"covariates": {"x": X}, "centre": {"z": 1}}, OptionError, "no column 'z'"),
        ({"covariates": {"x": X}, "prior_beta": {"z": "flat"}}, PriorError, "'z'"),
        ({"covariates": {"x": X}, "prior_beta": "student_t(3, 0, 1)"}, PriorError, "no closed form"),
        ({"prior_mu": "student_t(3, 0, 1)"}, PriorError, "no closed form"),
        ({"cluster": CLUSTER[:7]}, TableError, "one cluster for each of 8 groups"),
        ({"prior_between": "halfnormal(1)"}, OptionError, "there are none"),
        ({"std_error": None, "covariance": np.ones((8, 8))}, TableError, "not positive definite"),
        ({"std_error": None, "covariance": np.eye(7)}, TableError, "differ in length"),
        ({"std_error": None, "covariance": np.triu(np.ones((8, 8)))}, TableError, "symmetric"),
        ({"covariance": np.eye(8)}, OptionError, "not both"),
        ({"std_error": None, "covariance": np.eye(8), "cluster": CLUSTER}, OptionError, "together"),
    ],
)
def test_refusals(options, error, words):
    with pytest.raises(error, match=words):
        pool_regression(Y, **{"std_error": S, **options})


def test_ten_thousand_groups():
    rng = np.random.default_rng(1)
    x, errors = rng.normal(size=10_000), rng.uniform(0.5, 2, 10_000)
    y = 1 + 0.5 * x + rng.normal(size=10_000) + errors * rng.normal(size=10_000)
    fit = pool_regression(y, errors, covariates={"x": x})
    away = (fit.coefficients.mean - [1 + 0.5 * x.mean(), 0.5]) / fit.coefficients.sd
    assert np.abs(away).max() < 5  # false alarm once in a million


# Coverage, and what comes out ---------------------------------------------------------------------------


@cache
def simulated(tables: int) -> np.ndarray:
    """Where the true slope lies in its posterior, for tables drawn from the priors."""
    rng, ranks = np.random.default_rng(5), []
    for _ in range(tables):
        tau, mu, slope = abs(rng.normal(0, 5)), rng.normal(0, 10), rng.normal(0, 4)
        theta = mu + slope * (X - X.mean()) + tau * rng.normal(size=8)
        fit = pool_regression(
            theta + S / 3 * rng.normal(size=8),
            S / 3,
            covariates={"x": X},
            prior_mu="normal(0, 10)",
            prior_beta="normal(0, 4)",
            prior_tau="halfnormal(5)",
        )
        ranks.append((slope > fit.coefficients.quantiles[1]).sum())
    return np.array(ranks)


def test_intervals_cover_as_they_say():
    ranks = simulated(400)
    for low, high, share in ((0, 7, 0.95), (1, 6, 0.9), (2, 5, 0.5)):
        inside = ((ranks > low) & (ranks < high)).sum()
        assert stats.binom.cdf(inside, 400, share) > 1e-6  # false alarms: two in a million each
        assert stats.binom.sf(inside - 1, 400, share) > 1e-6


def test_results_as_json_and_frame():
    fit = pool_regression(Y, S, label=list("ABCDEFGH"), covariates={"x": X}, cluster=CLUSTER)
    answer = json.loads(json.dumps(fit.to_dict(), allow_nan=False))
    assert [row["name"] for row in answer["coefficients"]] == ["mu", "x"]
    assert [row["cluster"] for row in answer["clusters"]] == ["a", "b", "c"]
    frame = fit.to_frame()
    assert list(frame["label"]) == list("ABCDEFGH")
    np.testing.assert_allclose(frame["mean"], fit.theta.mean)


def test_it_starts_without_jax():
    code = "import sys, propto.pooling.regression, propto.pooling.effects; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_heavy_tailed_prior_between_clusters_leaves_the_mean_to_be_known():
    """Far out between clusters nothing but their means tells of mu, with a precision that vanishes."""
    y, s = [0.2, 1.1, 0.8, 2.3, 1.9, 3.4, 2.6, 4.2], [0.4, 0.6, 0.3, 0.5, 0.4, 0.7, 0.3, 0.6]
    fits = [
        pool_regression(y, s, cluster=list("nnnsssww"), prior_between=prior)
        for prior in ("halfcauchy(1)", "halfstudent_t(1, 1)")
    ]
    assert np.isfinite(fits[0].theta.mean).all()
    np.testing.assert_allclose(fits[0].theta.mean, fits[1].theta.mean, rtol=1e-6)
