"""The exact engine against published tables, naive quadrature, closed forms and its own draws."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import mpmath
import numpy as np
import pytest
from scipy import stats

from propto.errors import OptionError, PriorError, TableError
from propto.pooling.components import for_groups
from propto.pooling.exact import Summary, pool_exact
from propto.pooling.priors import parse_mu, parse_tau

Y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
S = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
LEVELS = np.array(Summary.levels)
SHARED = Path(os.environ.get("PROPTO_SHARED", Path(__file__).parents[2].parent / "shared"))
TABLES = sorted((SHARED / "tables").glob("*.json"))
TEXTS = {
    "normal": "normal({mean}, {sd})",
    "improper uniform": "flat",
    "uniform": "uniform({lower}, {upper})",
    "half-normal": "halfnormal({scale})",
    "half-cauchy": "halfcauchy({scale})",
}
MU_TEXTS = ["flat", "normal(2, 6)", "student_t(4, 0, 5)", "student_t(1, 3, 2)"]
TAU_TEXTS = [
    "uniform(0, 12)",
    "uniform(2, 3)",
    "halfnormal(5)",
    "halfcauchy(5)",
    "halfstudent_t(4, 5)",
    "exponential(0.2)",
]


# Reference tables -----------------------------------------------------------------------------------


@pytest.mark.skipif(not TABLES, reason="reference tables not present")
@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_reference_tables(path):
    with path.with_suffix(".csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    y, s = ([float(row[name]) for row in rows] for name in ("estimate", "se"))
    for fit in json.loads(path.read_text())["fits"].values():
        texts = [TEXTS[fit["prior"][name]["dist"]].format(**fit["prior"][name]) for name in ("mu", "tau")]
        pooled = pool_exact(y, s, prior_mu=texts[0], prior_tau=texts[1])
        expected = fit["expected"]
        assert pooled.log_evidence == pytest.approx(expected["log_marginal_likelihood"], abs=1e-9)
        check_summary(pooled.mu, [expected["mu"]])
        check_summary(pooled.tau, [expected["tau"]])
        check_summary(pooled.new_group, [expected["new"]])
        check_summary(pooled.theta, expected["theta"])
        for name, mixture in (("mu", pooled.components.mu()), ("new", pooled.components.new_group())):
            assert mixture.survival(0.0)[0] == pytest.approx(expected[name]["p_positive"], rel=1e-8)
        positive = [group["p_positive"] for group in expected["theta"]]
        np.testing.assert_allclose(pooled.prob_positive, positive, rtol=1e-8, atol=1e-15)


def check_summary(summary: Summary, expected: list[dict]) -> None:
    for name in ("mean", "sd"):
        np.testing.assert_allclose(getattr(summary, name), np.squeeze([e[name] for e in expected]), rtol=1e-8)
    for name, level in (("q2.5", 0.025), ("q50", 0.5), ("q97.5", 0.975)):
        quantile = summary.quantiles[..., Summary.levels.index(level)]
        np.testing.assert_allclose(quantile, np.squeeze([e[name] for e in expected]), rtol=1e-8)


@pytest.mark.parametrize("mu_text", ["flat", "student_t(3, 0, 10)"])
def test_a_few_components_stand_for_all_in_a_large_table(mu_text):
    rng = np.random.default_rng(4)
    errors = rng.uniform(1, 3, 20_000)
    y = rng.normal(size=20_000) + errors * rng.normal(size=20_000)
    y[0] = 40.0  # an outlier knows tau best
    pooled = pool_exact(y, errors, prior_mu=mu_text)
    few = for_groups(pooled.components, pooled.marginal, pooled.tau_posterior)
    assert few.weight.size < pooled.components.weight.size / 2
    every = pooled.components.theta(y[:50], errors[:50] ** 2)
    np.testing.assert_allclose(pooled.theta.mean[:50], every.mean(), rtol=1e-9)
    np.testing.assert_allclose(pooled.theta.sd[:50], every.sd(), rtol=1e-9)
    np.testing.assert_allclose(pooled.theta.quantiles[:50], every.quantile(LEVELS), rtol=1e-8, atol=1e-9)


# Naive quadrature over mu and tau -------------------------------------------------------------------

Y3, S3 = np.array([-4.0, 2.0, 9.0]), np.array([2.0, 3.0, 5.0])


def composite(edges, points=12):
    """Nodes and weights of Gauss-Legendre on every piece between the edges."""
    x, w = np.polynomial.legendre.leggauss(points)
    edges = np.unique(edges)
    half, middle = np.diff(edges)[:, None] / 2, (edges[1:] + edges[:-1])[:, None] / 2
    return (middle + half * x).ravel(), (half * w).ravel()


@cache
def naive(mu_text, tau_text):
    """Posterior moments on a product grid of mu and tau: nothing but the model as it is written."""
    pooled = pool_exact(Y3, S3, prior_mu=mu_text, prior_tau=tau_text)
    prior_mu, prior_tau = parse_mu(mu_text), parse_tau(tau_text)
    far = np.geomspace(60, 1e9, 60)
    mu, mu_weight = composite(np.concatenate([-far, np.arange(-60, 61, 2), far, pooled.mu.quantiles]))
    ends = (prior_tau.lower, prior_tau.upper) if tau_text.startswith("uniform") else (0, 1e9)
    inner = np.concatenate([np.geomspace(1e-5, 1e9, 100), pooled.tau.quantiles])
    tau, tau_weight = composite([*ends, *inner[(inner > ends[0]) & (inner < ends[1])]])
    variance = S3**2 + tau[:, None] ** 2
    log_p = prior_tau.log_density(tau)[:, None] + prior_mu.log_density(mu)
    for j in range(3):
        v = variance[:, [j]]
        log_p = log_p - 0.5 * (np.log(2 * np.pi * v) + (Y3[j] - mu) ** 2 / v)
    weight = np.exp(log_p) * tau_weight[:, None] * mu_weight
    evidence = weight.sum()
    weight /= evidence
    shrink = S3[:, None, None] ** 2 / variance.T[:, :, None]
    theta = shrink * mu + (1 - shrink) * Y3[:, None, None]
    moments = {
        "log_evidence": np.log(evidence),
        "mu": mean_and_sd(weight.sum(0), mu),
        "tau": mean_and_sd(weight.sum(1), tau),
        "mu cdf": [weight.sum(0)[mu < q].sum() for q in pooled.mu.quantiles],
        "tau cdf": [weight.sum(1)[tau < q].sum() for q in pooled.tau.quantiles],
        "theta mean": (weight * theta).sum((1, 2)),
        "theta square": (weight * (theta**2 + (shrink * tau[:, None] ** 2))).sum((1, 2)),
        "shrinkage": (weight * shrink).sum((1, 2)),
    }
    return pooled, moments


def mean_and_sd(weight, x):
    mean = np.sum(weight * x)
    return mean, np.sqrt(np.sum(weight * (x - mean) ** 2))


@pytest.mark.parametrize("tau_text", TAU_TEXTS)
@pytest.mark.parametrize("mu_text", MU_TEXTS)
def test_naive_quadrature(mu_text, tau_text):
    pooled, expected = naive(mu_text, tau_text)
    close = {"rel": 3e-7, "abs": 1e-9}  # the grid of the oracle is no better
    assert pooled.log_evidence == pytest.approx(expected["log_evidence"], abs=1e-7)
    assert (pooled.mu.mean, pooled.mu.sd) == pytest.approx(expected["mu"], **close)
    assert (pooled.tau.mean, pooled.tau.sd) == pytest.approx(expected["tau"], **close)
    assert expected["mu cdf"] == pytest.approx(LEVELS, abs=1e-7)
    assert expected["tau cdf"] == pytest.approx(LEVELS, abs=1e-7)
    assert pooled.theta.mean == pytest.approx(expected["theta mean"], **close)
    square = pooled.theta.sd**2 + pooled.theta.mean**2
    assert square == pytest.approx(expected["theta square"], **close)
    assert pooled.shrinkage == pytest.approx(expected["shrinkage"], **close)


@pytest.mark.parametrize("mu_text", ["student_t(4, 0, 5)", "flat"])
def test_theta_and_new_group_have_the_right_distribution(mu_text):
    """P(theta_2 < q) and P(new < q), integrated over mu for each tau and then over tau."""
    pooled = pool_exact(Y3, S3, prior_mu=mu_text, prior_tau="halfnormal(5)")
    for level in (0.05, 0.5, 0.975):
        i = Summary.levels.index(level)
        theta, new = pooled.theta.quantiles[2, i], pooled.new_group.quantiles[i]
        assert nested(mu_text, 2, theta) == pytest.approx(level, abs=1e-8)
        assert nested(mu_text, None, new) == pytest.approx(level, abs=1e-8)


def nested(mu_text, j, q):
    """P(theta_j < q), or of a new group; the grid of mu is fine where the distribution given mu jumps."""
    prior_mu, prior_tau = parse_mu(mu_text), parse_tau("halfnormal(5)")
    taus, weights = composite(np.concatenate([[0], np.geomspace(1e-4, 50, 60)]))
    total = below = 0.0
    for tau, weight in zip(taus, weights, strict=True):
        sd = np.hypot(S3, tau)
        mean, width = np.average(Y3, weights=sd**-2), np.sum(sd**-2) ** -0.5
        pull = 1.0 if j is None else S3[j] ** 2 / (S3[j] ** 2 + tau**2)
        own = 0.0 if j is None else (1 - pull) * Y3[j]
        spread = np.sqrt(pull) * tau
        jump = ((q - own) + spread * np.linspace(-9, 9, 19)) / pull
        mu, mu_weight = composite(np.concatenate([mean + width * np.linspace(-12, 12, 25), jump]))
        log_p = prior_mu.log_density(mu) + prior_tau.log_density(tau) - np.log(sd).sum()
        p = weight * mu_weight * np.exp(log_p - 0.5 * (((Y3[:, None] - mu) / sd[:, None]) ** 2).sum(0))
        total += p.sum()
        below += np.sum(p * stats.norm.cdf(q, pull * mu + own, spread))
    return below / total


# The stated error -----------------------------------------------------------------------------------

SMALL = [
    ([3.0], [2.0], "normal(0, 10)", "halfcauchy(5)"),
    ([3.0, 5.0], [2.0, 1.0], "flat", "halfcauchy(0.5)"),
    ([3.0, 5.0], [2.0, 1.0], "normal(4, 0.1)", "uniform(0, 1000)"),
    ([3.0, 5.0, -10.0], [2.0, 1.0, 1.0], "flat", "exponential(0.2)"),
    ([3.0, 5.0, -10.0, 4.0], [2.0, 1e-3, 1.0, 30.0], "flat", "halfstudent_t(4, 1)"),
    ([0.01, -0.01, 30.0, -40.0], [1e-2, 1e-2, 1.0, 1.0], "normal(0, 10)", "halfnormal(3)"),
    ([1.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0], "flat", "uniform(0, 3)"),
]


@pytest.mark.parametrize(("y", "s", "mu_text", "tau_text"), SMALL)
def test_error_bound_is_kept_against_mpmath(y, s, mu_text, tau_text):
    pooled = pool_exact(y, s, prior_mu=mu_text, prior_tau=tau_text)
    evidence, cdf = mpmath_posterior(y, s, mu_text, tau_text)
    slack = 1e-13
    assert pooled.error_bound < 1e-6
    assert abs(mpmath.expm1(pooled.log_evidence - mpmath.log(evidence))) <= pooled.error_bound + slack
    for i in (0, 4):
        for quantiles, name in ((pooled.mu.quantiles, "mu"), (pooled.new_group.quantiles, "new")):
            assert abs(cdf(name, quantiles[i]) - LEVELS[i]) <= pooled.error_bound + slack
        assert abs(cdf(0, pooled.theta.quantiles[0, i]) - LEVELS[i]) <= pooled.error_bound + slack


def mpmath_posterior(y, s, mu_text, tau_text):
    """Evidence and distribution functions with mu integrated by hand, tau by mpmath at 30 digits."""
    prior_mu, prior_tau = parse_mu(mu_text), parse_tau(tau_text)
    mp = mpmath.mp.clone()
    mp.dps = 30

    @cache
    def given(tau):
        v = [mp.mpf(b) ** 2 + tau**2 for b in s]
        precision, total = sum(1 / x for x in v), sum(a / x for a, x in zip(y, v, strict=True))
        square, log_det = sum(a**2 / x for a, x in zip(map(mp.mpf, y), v, strict=True)), sum(map(mp.log, v))
        if mu_text != "flat":
            p = 1 / mp.mpf(prior_mu.sd) ** 2
            precision, total, square = (
                precision + p,
                total + p * prior_mu.mean,
                square + p * mp.mpf(prior_mu.mean) ** 2,
            )
            log_det -= mp.log(p / (2 * mp.pi))
        mean = total / precision
        log_det += len(y) * mp.log(2 * mp.pi) + mp.log(precision / (2 * mp.pi))
        return mp.exp(-(log_det + square - precision * mean**2) / 2), mean, 1 / precision

    @cache
    def density(tau):
        if prior_tau.name == "exponential":
            return prior_tau.rate * mp.exp(-prior_tau.rate * tau)
        if prior_tau.name == "uniform":
            return 1 / (mp.mpf(prior_tau.upper) - prior_tau.lower)
        if prior_tau.name == "halfnormal":
            return mp.sqrt(2 / mp.pi) / prior_tau.scale * mp.exp(-((tau / prior_tau.scale) ** 2) / 2)
        df, x = mp.mpf(getattr(prior_tau, "df", 1)), tau / prior_tau.scale
        constant = 2 * mp.gamma((df + 1) / 2) / mp.gamma(df / 2) / mp.sqrt(df * mp.pi) / prior_tau.scale
        return constant * (1 + x**2 / df) ** (-(df + 1) / 2)

    top = getattr(prior_tau, "upper", None)
    edges = [0, 1e-4, 1e-3, 0.01, 0.1, 0.5, 1, 2, 4, 7, 12, 20, 30, 50, 100, 300, 1e3, 1e5, 1e8, mp.inf]
    edges = edges if top is None else [*(e for e in edges if e < top), top]

    def integral(conditional_cdf):
        def integrand(tau):
            likelihood, mean, variance = given(tau)
            return density(tau) * likelihood * conditional_cdf(tau, mean, variance)

        return mp.quad(integrand, edges, maxdegree=6)

    evidence = integral(lambda *_: 1)

    def cdf(name, q):
        def conditional(tau, mean, variance):
            if name == "new":
                return mp.ncdf(q, mean, mp.sqrt(variance + tau**2))
            if name == "mu":
                return mp.ncdf(q, mean, mp.sqrt(variance))
            pull = mp.mpf(s[name]) ** 2 / (mp.mpf(s[name]) ** 2 + tau**2)
            centre = pull * mean + (1 - pull) * y[name]
            return mp.ncdf(q, centre, mp.sqrt(pull * tau**2 + pull**2 * variance))

        return integral(conditional) / evidence

    return evidence, cdf


# Closed forms and limits ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tau_text", "oracle"),
    [
        ("uniform(1, 100)", stats.uniform(1, 99)),
        ("halfnormal(5)", stats.halfnorm(0, 5)),
        ("halfcauchy(5)", stats.halfcauchy(0, 5)),
        ("exponential(0.2)", stats.expon(0, 5)),
        ("halfnormal(1e-6)", stats.halfnorm(0, 1e-6)),
        ("halfcauchy(1e6)", stats.halfcauchy(0, 1e6)),
    ],
)
def test_one_group_with_flat_mu_leaves_tau_at_its_prior(tau_text, oracle):
    pooled = pool_exact([3.0], [2.0], prior_mu="flat", prior_tau=tau_text)
    np.testing.assert_allclose(pooled.tau.quantiles, oracle.ppf(LEVELS), rtol=1e-6)
    np.testing.assert_allclose(pooled.theta.quantiles[0], stats.norm.ppf(LEVELS, 3, 2), rtol=1e-6)
    assert (pooled.theta.mean[0], pooled.theta.sd[0]) == pytest.approx((3, 2))
    assert pooled.log_evidence == pytest.approx(0, abs=1e-8)


def test_tau_forced_to_zero_is_complete_pooling():
    pooled = pool_exact(Y, S, prior_tau="halfnormal(1e-9)")
    mean, sd = np.average(Y, weights=S**-2), np.sum(S**-2) ** -0.5
    np.testing.assert_allclose(pooled.theta.mean, mean)
    np.testing.assert_allclose(pooled.theta.sd, sd)
    np.testing.assert_allclose(pooled.theta.quantiles[0], stats.norm.ppf(LEVELS, mean, sd))
    np.testing.assert_allclose(pooled.shrinkage, 1)


def test_tau_forced_to_be_huge_is_no_pooling():
    pooled = pool_exact(Y, S, prior_tau="uniform(1e7, 2e7)")
    np.testing.assert_allclose(pooled.theta.mean, Y, rtol=1e-6)
    np.testing.assert_allclose(pooled.theta.sd, S, rtol=1e-6)
    np.testing.assert_allclose(pooled.shrinkage, 0, atol=1e-10)


def test_one_enormous_error_is_a_group_left_out():
    priors = {"prior_mu": "normal(0, 30)", "prior_tau": "halfcauchy(5)"}
    with_it = pool_exact([*Y, 1e5], [*S, 1e9], **priors)
    without = pool_exact(Y, S, **priors)
    np.testing.assert_allclose(with_it.theta.quantiles[:8], without.theta.quantiles, rtol=1e-6)
    np.testing.assert_allclose(with_it.tau.quantiles, without.tau.quantiles, rtol=1e-6)
    np.testing.assert_allclose(with_it.theta.quantiles[8], without.new_group.quantiles, rtol=1e-6)


def test_equal_estimates():
    pooled = pool_exact([5.0] * 8, S, prior_tau="halfcauchy(5)")
    np.testing.assert_allclose(pooled.theta.mean, 5)
    np.testing.assert_allclose(pooled.theta.quantiles[:, 3], 5)
    assert 0 < pooled.tau.quantiles[0] < pooled.tau.mean < 5


@pytest.mark.parametrize("unit", [1e-50, 1e-8, 1e8, 1e50])
@pytest.mark.parametrize("mu", ["flat", "normal({}, {})", "student_t(3, {}, {})"])
def test_the_unit_does_not_matter(unit, mu):
    plain = pool_exact(Y, S, prior_mu=mu.format(2, 9), prior_tau="halfcauchy(5)")
    scaled_prior = mu.format(2 * unit, 9 * unit)
    scaled = pool_exact(Y * unit, S * unit, prior_mu=scaled_prior, prior_tau=f"halfcauchy({5 * unit})")
    for name in ("mu", "tau", "theta", "new_group"):
        for part in ("mean", "sd", "quantiles"):
            expected = unit * getattr(getattr(plain, name), part)
            np.testing.assert_allclose(getattr(getattr(scaled, name), part), expected, rtol=1e-9)
    jacobian = (len(Y) - (mu == "flat")) * np.log(unit)
    assert scaled.log_evidence == pytest.approx(plain.log_evidence - jacobian, rel=1e-12)


def test_student_t_becomes_a_normal():
    many = pool_exact(Y, S, prior_mu="student_t(1e6, 2, 5)", prior_tau="halfnormal(5)")
    normal = pool_exact(Y, S, prior_mu="normal(2, 5)", prior_tau="halfnormal(5)")
    np.testing.assert_allclose(many.theta.quantiles, normal.theta.quantiles, rtol=1e-5)
    assert many.log_evidence == pytest.approx(normal.log_evidence, abs=1e-5)


def test_a_narrow_peak_is_found_under_a_prior_a_million_times_wider():
    rng = np.random.default_rng(1)
    s = rng.lognormal(0, 0.5, 20_000)
    y = rng.normal(3, np.hypot(s, 0.7))
    near, far = (pool_exact(y, s, prior_tau=f"uniform(0, {top})") for top in (10, 1e7))
    assert far.log_evidence - near.log_evidence == pytest.approx(-np.log(1e6), abs=1e-7)
    np.testing.assert_allclose(far.tau.quantiles, near.tau.quantiles, rtol=1e-8)
    np.testing.assert_allclose(far.theta.quantiles, near.theta.quantiles, rtol=1e-6)
    assert abs(near.tau.mean - 0.7) < 5 * near.tau.sd


def test_both_peaks_of_tau_are_found():
    """Thirty precise groups ask for a small tau, three thousand imprecise ones for a large one."""
    rng = np.random.default_rng(0)
    s = np.repeat([1e-3, 1.0], [30, 3000])
    y = rng.normal(0, np.repeat([5e-3, 1.22], [30, 3000]))
    pooled = pool_exact(y, s, prior_tau="uniform(0, 1)")

    log_tau = np.linspace(np.log(1e-5), 0, 20_001)
    tau = np.exp(log_tau)
    log_p = log_tau + np.concatenate([log_marginal(y, s, part) for part in np.array_split(tau, 200)])
    p = np.exp(log_p - log_p.max())
    cdf = np.cumsum(p) / p.sum()
    low = cdf[np.searchsorted(tau, 0.03)]
    assert 0.001 < low < 0.999, "the data of this test are to have two peaks"
    assert pooled.log_evidence == pytest.approx(
        np.log(p.sum() * (log_tau[1] - log_tau[0])) + log_p.max(), abs=1e-6
    )
    assert np.sum(pooled.tau_weights[pooled.tau_nodes < 0.03]) == pytest.approx(low, abs=1e-6)


def log_marginal(y, s, tau):
    """Log likelihood of tau with mu integrated against a flat prior."""
    v = s**2 + tau[:, None] ** 2
    precision = (1 / v).sum(1)
    mean = (y / v).sum(1) / precision
    quadratic = ((y - mean[:, None]) ** 2 / v).sum(1)
    return -0.5 * (np.log(2 * np.pi * v).sum(1) + np.log(precision / 2 / np.pi) + quadratic)


# Moments that do not exist --------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize("mu_text", ["flat", "normal(0, 5)", "student_t(0.5, 0, 2)", "student_t(2, 0, 2)"])
@pytest.mark.parametrize(
    "tau_text", ["halfcauchy(1)", "halfstudent_t(0.7, 1)", "halfnormal(1)", "uniform(0, 9)"]
)
def test_moments_exist_where_the_tails_say_so(k, mu_text, tau_text):
    """How fast the naive joint density falls far out decides which moments there are."""
    y, s = np.array([0.5, -1.0, 2.0, 3.0])[:k], np.array([1.0, 2.0, 1.5, 0.5])[:k]
    pooled = pool_exact(y, s, prior_mu=mu_text, prior_tau=tau_text)
    prior_mu, prior_tau = parse_mu(mu_text), parse_tau(tau_text)
    edges = np.concatenate([[0], np.geomspace(1e-3, 1e15, 300)])
    line, weight = composite(np.concatenate([-edges, edges]))

    def joint(mu, tau):
        v = s**2 + tau[..., None] ** 2
        log_likelihood = -0.5 * (np.log(v) + (y - mu[..., None]) ** 2 / v).sum(-1)
        with np.errstate(invalid="ignore"):
            return log_likelihood + prior_mu.log_density(mu) + prior_tau.log_density(tau)

    def exists(order, marginal):
        near, far = marginal(1e7), marginal(1e8)
        return bool(far == 0 or order < np.log10(near / far) - 1 - 0.05)

    def of_mu(x):
        tau = np.abs(line)
        return np.sum(weight * np.exp(joint(np.full_like(tau, x), tau)))

    def of_tau(x):
        return np.sum(weight * np.exp(joint(line, np.full_like(line, x))))

    assert np.isfinite([pooled.mu.mean, pooled.mu.sd]).tolist() == [exists(1, of_mu), exists(2, of_mu)]
    assert np.isfinite([pooled.tau.mean, pooled.tau.sd]).tolist() == [exists(1, of_tau), exists(2, of_tau)]
    new = [exists(r, of_mu) and exists(r, of_tau) for r in (1, 2)]
    assert np.isfinite([pooled.new_group.mean, pooled.new_group.sd]).tolist() == new
    assert np.isfinite([*pooled.theta.mean, *pooled.theta.sd]).all()
    assert np.isfinite(pooled.mu.quantiles).all()


# Draws and densities --------------------------------------------------------------------------------

SEED_PRIORS = {"prior_mu": "student_t(4, 5, 10)", "prior_tau": "halfcauchy(5)"}
SIGMAS = 5.0  # a count that is right strays this far once in 1.7 million times


def test_draws_follow_the_posterior():
    """About 90 comparisons: one run in 20,000 fails by chance, and the seed is fixed."""
    pooled, n = pool_exact(Y, S, **SEED_PRIORS), 40_000
    draws = pooled.draws(n, seed=1)
    assert {name: value.shape for name, value in draws.items()} == {
        "mu": (n,),
        "tau": (n,),
        "theta": (n, 8),
        "new_group": (n,),
    }
    columns = [(draws[name], getattr(pooled, name).quantiles) for name in ("mu", "tau", "new_group")]
    columns += [(draws["theta"][:, j], pooled.theta.quantiles[j]) for j in range(8)]
    for values, quantiles in columns:
        share = (values[:, None] < quantiles).mean(0)
        assert np.all(np.abs(share - LEVELS) < SIGMAS * np.sqrt(LEVELS * (1 - LEVELS) / n))
        assert np.unique(values).size == n


def test_draws_have_the_joint_distribution():
    """Given mu and tau, theta is normal with the mean and sd of the model, and nothing else is in it."""
    pooled, n = pool_exact(Y, S, **SEED_PRIORS), 40_000
    mu, tau, theta, new = (pooled.draws(n, seed=2)[name] for name in ("mu", "tau", "theta", "new_group"))
    pull = S**2 / (S**2 + tau[:, None] ** 2)
    z = (theta - pull * mu[:, None] - (1 - pull) * Y) / (np.sqrt(pull) * tau[:, None])
    z = np.column_stack([z, (new - mu) / tau])
    assert np.all(np.abs(z.mean(0)) < SIGMAS / np.sqrt(n))
    assert np.all(np.abs((z**2).mean(0) - 1) < SIGMAS * np.sqrt(2 / n))
    correlation = np.corrcoef(np.column_stack([z, mu, np.log(tau)]), rowvar=False)
    assert np.abs(np.triu(correlation, 1)[:, :-1]).max() < SIGMAS / np.sqrt(n)


def test_draws_are_reproducible():
    pooled = pool_exact(Y, S)
    one, same, other = (pooled.draws(3, seed=seed) for seed in (0, 0, 1))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["mu"], other["mu"])
    with pytest.raises(OptionError, match="1 or more"):
        pooled.draws(0, seed=0)


@pytest.mark.parametrize(
    "priors", [{}, SEED_PRIORS, {"prior_mu": "normal(0, 5)", "prior_tau": "uniform(1, 20)"}]
)
def test_densities_integrate_to_the_quantiles(priors):
    pooled = pool_exact(Y, S, **priors)
    pairs = [
        (pooled.density_mu, pooled.mu),
        (pooled.density_new, pooled.new_group),
        (lambda x: pooled.density_theta(3, x), pooled.theta.row(3)),
        (pooled.density_tau, pooled.tau),
    ]
    for density, summary in pairs:
        low, high = summary.quantiles[[0, -1]]
        x, weight = composite(np.concatenate([np.linspace(low, high, 60), summary.quantiles]))
        inside = [weight[x < q] @ density(x[x < q]) for q in summary.quantiles]
        np.testing.assert_allclose(inside, LEVELS - LEVELS[0], atol=1e-8)
    assert pooled.density_tau(-1.0) == 0
    assert pooled.density_mu(np.zeros((2, 3))).shape == (2, 3)


def test_conditional_theta_is_the_normal_posterior():
    """Against the covariance matrix of theta given tau, with mu still in it."""
    pooled = pool_exact(Y, S, prior_mu="normal(2, 9)", prior_tau="halfcauchy(5)")
    tau = np.array([0.0, 0.5, 6.0, 80.0])
    mean, sd = pooled.conditional_theta(tau)
    for i, value in enumerate(tau):
        prior = value**2 * np.eye(8) + 81 * np.ones((8, 8))
        gain = prior @ np.linalg.inv(prior + np.diag(S**2))
        np.testing.assert_allclose(mean[i], 2 + gain @ (Y - 2), rtol=1e-9)
        np.testing.assert_allclose(sd[i], np.sqrt(np.diag(prior - gain @ prior)), rtol=1e-9)


def test_conditional_theta_averages_to_theta():
    for priors in ({}, SEED_PRIORS):
        pooled = pool_exact(Y, S, **priors)
        mean, sd = pooled.conditional_theta(pooled.tau_nodes)
        average = pooled.tau_weights @ mean
        np.testing.assert_allclose(average, pooled.theta.mean, rtol=1e-9)
        square = pooled.tau_weights @ (sd**2 + (mean - average) ** 2)
        np.testing.assert_allclose(np.sqrt(square), pooled.theta.sd, rtol=1e-9)


# What comes out, and what must not go in ------------------------------------------------------------


def test_the_dictionary_is_plain_json():
    pooled = pool_exact([1, 2], [1, 1], label=["a", "b"], prior_tau="halfcauchy(1)")
    result = json.loads(json.dumps(pooled.to_dict(), allow_nan=False))
    assert list(result) == ["mu", "tau", "groups", "new_group", "log_evidence"]
    keys = ["mean", "sd", "q2.5", "q5", "q25", "q50", "q75", "q95", "q97.5"]
    assert list(result["mu"]) == keys
    assert list(result["groups"][1]) == [
        "label",
        "estimate",
        "std_error",
        *keys,
        "prob_positive",
        "shrinkage",
    ]
    assert result["groups"][1]["label"] == "b"
    assert result["groups"][1]["q50"] == pooled.theta.quantiles[1, 3]
    assert result["mu"]["mean"] == pytest.approx(1.5)
    assert result["mu"]["sd"] is None


def test_defaults_are_recorded_as_used():
    pooled = pool_exact(Y, S)
    assert (str(pooled.prior_mu), str(pooled.prior_tau)) == ("flat", "halfnormal(12.9)")
    again = pool_exact(Y, S, prior_mu=str(pooled.prior_mu), prior_tau=str(pooled.prior_tau))
    assert again.log_evidence == pooled.log_evidence
    assert pooled.label.tolist() == list("12345678")
    assert pooled.tau_weights.sum() == pytest.approx(1)


def test_the_callers_arrays_are_left_alone():
    y, s = Y.copy(), S.copy()
    pooled = pool_exact(y, s)
    y[:] = 0
    assert pooled.estimate.tolist() == Y.tolist()
    assert s.tolist() == S.tolist()


@pytest.mark.parametrize(
    ("y", "s", "label", "words"),
    [
        ([1, 2], [1], None, ["2 estimates", "1 standard errors"]),
        ([1, 2], [1, 1], ["a"], ["1 labels"]),
        ([], [], None, ["empty"]),
        ([[1, 2]], [1, 2], None, ["shape (1, 2)", "estimate"]),
        (["a", 2], [1, 2], None, ["not all values are numbers", "estimate"]),
        ([1, np.nan], [1, 1], ["a", "b"], ["'b'", "index 1", "nan", "estimate"]),
        ([1, 2], [1, np.inf], None, ["'2'", "inf", "std_error"]),
        ([1, 2], [0, -1], ["a", "b"], ["'a'", "'b'", "positive", "got 0", "got -1"]),
        ([1, 2], [1e-80, 1], None, ["another unit"]),
    ],
)
def test_bad_tables_are_refused_with_every_reason(y, s, label, words):
    with pytest.raises(TableError) as caught:
        pool_exact(y, s, label=label)
    for word in words:
        assert word in str(caught.value)


def test_a_posterior_that_cannot_be_integrated_is_refused():
    with pytest.raises(PriorError, match="normal prior on mu"):
        pool_exact([1], [1], prior_mu="flat", prior_tau="halfstudent_t(0.05, 1)")
    assert np.isfinite(
        pool_exact([1], [1], prior_mu="normal(0, 1)", prior_tau="halfstudent_t(0.05, 1)").theta.mean
    )


def test_nothing_heavy_is_imported():
    code = (
        "import sys, propto.pooling.exact; print([m for m in ('jax', 'scipy', 'pandas') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("seed", range(20))
def test_hard_tables_do_not_warn_and_keep_their_order(seed):
    """Random tables over many orders of magnitude, every prior: finite, ordered, error small."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 9))
    unit = 10.0 ** rng.uniform(-8, 8)
    s = unit * 10 ** rng.uniform(-3, 3, k)
    y = unit * rng.normal(size=k) * 10 ** rng.uniform(-2, 2)
    scale = unit * 10 ** rng.uniform(-3, 3)
    mus = ["flat", f"normal({unit}, {scale})", f"student_t({rng.uniform(0.5, 9)}, 0, {scale})"]
    taus = [
        f"uniform(0, {scale})",
        f"halfnormal({scale})",
        f"halfcauchy({scale})",
        f"exponential({1 / scale})",
    ]
    for mu, tau in ((mu, tau) for mu in mus for tau in taus):
        pooled = pool_exact(y, s, prior_mu=mu, prior_tau=tau)
        for summary in (pooled.mu, pooled.tau, pooled.new_group, pooled.theta):
            assert np.all(np.diff(summary.quantiles) > 0)
        assert pooled.error_bound < 1e-5
        assert np.all((pooled.prob_positive >= 0) & (pooled.prob_positive <= 1))
        assert np.all((pooled.shrinkage >= 0) & (pooled.shrinkage <= 1))
