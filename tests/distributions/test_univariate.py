"""Distributions of numbers against scipy.stats, one row each: log densities, supports, draws, batches.

The statistical checks use fixed seeds. With fresh seeds each single one would fail by chance with
probability ``FALSE_ALARM``, so all of them together in about one run of sixty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pytest
from scipy import special, stats

import propto.distributions as dist

FALSE_ALARM = 1e-4
N_DRAWS = 20_000
N_PARAMETERS = 12


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


class HalfStudentTOracle:
    """The absolute value of a Student t, which scipy does not have."""

    def __init__(self, df, scale):
        self.t = stats.t(df, 0, scale)

    def logpdf(self, x):
        return np.where(x >= 0, self.t.logpdf(x) + np.log(2), -np.inf)

    def cdf(self, x):
        return 2 * self.t.cdf(x) - 1

    def ppf(self, u):
        return self.t.ppf((1 + np.asarray(u)) / 2)

    def support(self):
        return 0.0, np.inf

    def stats(self, moments):
        return np.nan, np.nan, np.nan, np.nan


@dataclass(frozen=True)
class Row:
    """One distribution: the ranges its parameters are drawn from, and the same thing in scipy."""

    family: type
    ranges: dict[str, tuple[float, float]]
    oracle: Callable[..., Any]

    def parameters(self, shape=(), seed=0):
        rng = np.random.default_rng(seed)
        values = {name: rng.uniform(*ends, shape) for name, ends in self.ranges.items()}
        return {name: np.floor(value) if name == "total_count" else value for name, value in values.items()}


LOC, SCALE, SHAPE = (-20, 20), (0.1, 30), (0.3, 12)
CONTINUOUS = {
    "Normal": Row(dist.Normal, {"loc": LOC, "scale": SCALE}, stats.norm),
    "StudentT": Row(dist.StudentT, {"df": (0.5, 40), "loc": LOC, "scale": SCALE}, stats.t),
    "Cauchy": Row(dist.Cauchy, {"loc": LOC, "scale": SCALE}, stats.cauchy),
    "HalfNormal": Row(dist.HalfNormal, {"scale": SCALE}, lambda scale: stats.halfnorm(0, scale)),
    "HalfStudentT": Row(dist.HalfStudentT, {"df": (0.5, 40), "scale": SCALE}, HalfStudentTOracle),
    "HalfCauchy": Row(dist.HalfCauchy, {"scale": SCALE}, lambda scale: stats.halfcauchy(0, scale)),
    "LogNormal": Row(
        dist.LogNormal,
        {"loc": (-3, 3), "scale": (0.1, 1.5)},
        lambda loc, scale: stats.lognorm(scale, scale=np.exp(loc)),
    ),
    "Exponential": Row(dist.Exponential, {"rate": (0.05, 9)}, lambda rate: stats.expon(scale=1 / rate)),
    "Gamma": Row(
        dist.Gamma,
        {"concentration": SHAPE, "rate": (0.05, 9)},
        lambda concentration, rate: stats.gamma(concentration, scale=1 / rate),
    ),
    "InverseGamma": Row(
        dist.InverseGamma,
        {"concentration": SHAPE, "scale": SCALE},
        lambda concentration, scale: stats.invgamma(concentration, scale=scale),
    ),
    "Uniform": Row(
        dist.Uniform,
        {"low": (-9, 0), "high": (1, 90)},
        lambda low, high: stats.uniform(low, high - low),
    ),
    "Beta": Row(dist.Beta, {"alpha": SHAPE, "beta": SHAPE}, stats.beta),
    "Laplace": Row(dist.Laplace, {"loc": LOC, "scale": SCALE}, stats.laplace),
    "Logistic": Row(dist.Logistic, {"loc": LOC, "scale": SCALE}, stats.logistic),
    "Weibull": Row(
        dist.Weibull,
        {"concentration": SHAPE, "scale": SCALE},
        lambda concentration, scale: stats.weibull_min(concentration, scale=scale),
    ),
    "Truncated": Row(
        lambda low, high, scale: dist.Truncated(dist.Normal(1.0, scale), low, high),
        {"low": (-3, 2), "high": (3, 9), "scale": (0.5, 5)},
        lambda low, high, scale: stats.truncnorm((low - 1) / scale, (high - 1) / scale, 1.0, scale),
    ),
    "Truncated from above": Row(
        lambda high, scale: dist.Truncated(dist.Exponential(1 / scale), high=high),
        {"high": (1, 9), "scale": (0.5, 5)},
        lambda high, scale: stats.truncexpon(high / scale, scale=scale),
    ),
}
DISCRETE = {
    "Bernoulli": Row(dist.Bernoulli, {"probs": (0.05, 0.95)}, stats.bernoulli),
    "Bernoulli by logits": Row(
        dist.Bernoulli, {"logits": (-3, 3)}, lambda logits: stats.bernoulli(special.expit(logits))
    ),
    "Binomial": Row(dist.Binomial, {"total_count": (1, 40), "probs": (0.05, 0.95)}, stats.binom),
    "Binomial by logits": Row(
        dist.Binomial,
        {"total_count": (1, 40), "logits": (-3, 3)},
        lambda total_count, logits: stats.binom(total_count, special.expit(logits)),
    ),
    "Poisson": Row(dist.Poisson, {"rate": (0.1, 40)}, stats.poisson),
    "NegativeBinomial": Row(
        dist.NegativeBinomial,
        {"mean": (0.5, 30), "concentration": (0.3, 12)},
        lambda mean, concentration: stats.nbinom(concentration, concentration / (concentration + mean)),
    ),
    "Geometric": Row(dist.Geometric, {"probs": (0.1, 0.95)}, lambda probs: stats.geom(probs, -1)),
    "BetaBinomial": Row(
        dist.BetaBinomial,
        {"total_count": (1, 40), "alpha": SHAPE, "beta": SHAPE},
        stats.betabinom,
    ),
}


def every(rows):
    return pytest.mark.parametrize("row", rows.values(), ids=rows.keys())


@every(CONTINUOUS)
def test_log_density_is_scipys(row):
    parameters = row.parameters((N_PARAMETERS, 1))
    oracle = row.oracle(*parameters.values())
    x = oracle.ppf([1e-8, 1e-3, 0.1, 0.5, 0.9, 0.999, 1 - 1e-8])
    log_p = jax.jit(row.family(**parameters).log_prob)(x)
    assert log_p.shape == (N_PARAMETERS, 7)
    np.testing.assert_allclose(log_p, oracle.logpdf(x), rtol=1e-10, atol=1e-10)


WITH_TAILS = ("Normal", "StudentT", "Cauchy", "HalfNormal", "HalfCauchy", "LogNormal", "Exponential", "Gamma")
WITH_TAILS += ("Uniform", "Laplace", "Logistic", "Weibull", "Poisson", "Geometric")


@every({name: row for name, row in {**CONTINUOUS, **DISCRETE}.items() if name in WITH_TAILS})
def test_log_tails_are_scipys(row):
    parameters = row.parameters((N_PARAMETERS, 1))
    oracle = row.oracle(*parameters.values())
    x = oracle.ppf([1e-8, 1e-3, 0.1, 0.5, 0.9, 0.999, 1 - 1e-8])
    below, above = jax.jit(row.family(**parameters).log_tails)(x)
    np.testing.assert_allclose(below, oracle.logcdf(x), rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(above, oracle.logsf(x), rtol=1e-7, atol=1e-10)


@every(DISCRETE)
def test_log_mass_is_scipys(row):
    parameters = row.parameters((N_PARAMETERS, 1))
    oracle = row.oracle(*parameters.values())
    x = np.arange(0, 45)
    log_p = jax.jit(row.family(**parameters).log_prob)(x)
    np.testing.assert_allclose(log_p, oracle.logpmf(x), rtol=1e-10, atol=1e-10)


@every(CONTINUOUS | DISCRETE)
def test_outside_the_support_the_log_density_is_minus_infinity(row):
    parameters = row.parameters()
    distribution = row.family(**parameters)
    low, high = row.oracle(*parameters.values()).support()
    outside = [low - 1e-3, low - 50, high + 1e-3, high + 50, -np.inf, np.inf]
    if distribution.support.is_discrete:
        outside += [low + 0.5, np.inf]
    for x in outside:
        assert float(distribution.log_prob(x)) == -np.inf, x
        assert not bool(distribution.support.contains(x)), x
    assert np.isnan(distribution.log_prob(np.nan))  # a NaN is shown, not taken for an impossible value


@pytest.mark.parametrize(
    ("distribution", "ends", "oracle"),
    [
        (dist.HalfNormal(3), [0.0], stats.halfnorm(0, 3)),
        (dist.HalfCauchy(3), [0.0], stats.halfcauchy(0, 3)),
        (dist.Exponential(3), [0.0], stats.expon(scale=1 / 3)),
        (dist.LogNormal(0, 1), [0.0], stats.lognorm(1)),
        (dist.InverseGamma(2, 1), [0.0], stats.invgamma(2)),
        (dist.Uniform(-1, 2), [-1.0, 2.0], stats.uniform(-1, 3)),
        *[(dist.Gamma(a, 2), [0.0], stats.gamma(a, scale=0.5)) for a in (0.5, 1.0, 2.0)],
        *[(dist.Beta(a, b), [0.0, 1.0], stats.beta(a, b)) for a in (0.5, 1.0, 2.0) for b in (0.5, 1.0, 2.0)],
    ],
)
def test_at_an_end_the_log_density_is_its_limit(distribution, ends, oracle):
    np.testing.assert_allclose(distribution.log_prob(ends), oracle.logpdf(ends), rtol=1e-12, atol=1e-12)


@every(CONTINUOUS | DISCRETE)
def test_gradients_are_finite_inside_and_outside(row):
    parameters = row.parameters()
    low, high = row.oracle(*parameters.values()).support()
    inside = row.oracle(*parameters.values()).ppf([0.01, 0.5, 0.99])

    @jax.jit
    def gradients(parameters, x):
        return jax.grad(lambda p, x: row.family(**p).log_prob(x), argnums=(0, 1))(parameters, x)

    for x in [*inside, max(low, -1e6) - 2.5, min(high, 1e6) + 2.5]:
        for gradient in jax.tree.leaves(gradients(parameters, x)):
            assert np.isfinite(gradient), (x, gradient)


def assert_moments(draws, oracle):
    """z-tests of mean and variance, where the moments exist and the normal approximation holds."""
    mean, variance, _, kurtosis = (float(moment) for moment in oracle.stats("mvsk"))
    if not np.isfinite(kurtosis) or kurtosis > 20:
        return
    limit = stats.norm.isf(FALSE_ALARM / 2)
    n = len(draws)
    assert abs(draws.mean() - mean) < limit * np.sqrt(variance / n)
    assert abs(draws.var() - variance) < limit * variance * np.sqrt((kurtosis + 2) / n)


@every(CONTINUOUS | DISCRETE)
def test_draws_follow_the_distribution(row):
    parameters = row.parameters((2,), seed=1)
    distribution = row.family(**parameters)
    draws = np.asarray(distribution.sample(jax.random.key(0), N_DRAWS))
    assert draws.shape == (N_DRAWS, 2)
    assert draws.dtype == (np.int64 if distribution.support.is_discrete else np.float64)
    assert bool(distribution.support.contains(draws))
    for i in range(2):
        oracle = row.oracle(*(value[i] for value in parameters.values()))
        assert p_value_of_fit(draws[:, i], oracle) > FALSE_ALARM
        assert_moments(draws[:, i], oracle)
    correlation = stats.spearmanr(draws[:, 0], draws[:, 1]).statistic
    assert abs(correlation) < stats.norm.isf(FALSE_ALARM / 2) / np.sqrt(N_DRAWS)


def p_value_of_fit(draws, oracle):
    """Kolmogorov and Smirnov's test; for counts Pearson's, with rare values in one cell."""
    if draws.dtype.kind == "f":
        return stats.kstest(draws, oracle.cdf).pvalue
    values = np.arange(0, oracle.ppf(1 - 1e-9) + 1)
    expected = oracle.pmf(values) * len(draws)
    values, expected = values[expected >= 10], expected[expected >= 10]
    observed = np.array([(draws == value).sum() for value in values])
    rest_expected, rest_observed = len(draws) - expected.sum(), len(draws) - observed.sum()
    if rest_expected >= 5:
        expected, observed = np.append(expected, rest_expected), np.append(observed, rest_observed)
    return stats.chi2.sf(((observed - expected) ** 2 / expected).sum(), len(expected) - 1)


@every(CONTINUOUS | DISCRETE)
def test_shapes(row):
    parameters = row.parameters((2, 1), seed=2)
    name = next(iter(parameters))
    parameters[name] = np.concatenate([parameters[name]] * 3, axis=1)
    distribution = row.family(**parameters)
    assert distribution.batch_shape == (2, 3)
    assert distribution.event_shape == ()
    assert distribution.support.shape == (2, 3)
    draws = jax.eval_shape(lambda key: distribution.sample(key, (5, 4)), jax.random.key(0))
    assert draws.shape == (5, 4, 2, 3)
    assert jax.eval_shape(distribution.log_prob, draws).shape == (5, 4, 2, 3)
