"""What distributions take and refuse: kinds of input, limits, precision, numbers far out, imports."""

from __future__ import annotations

import subprocess
import sys

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import propto.distributions as dist
from propto.distributions.special import log_beta
from propto.errors import ModelError, ParameterError, ShapeError


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: dist.Normal(0, -2.5), ParameterError, "Normal: scale must be positive and finite, got -2.5"),
        (lambda: dist.Normal(0, 0), ParameterError, "got 0"),
        (lambda: dist.Normal(0, jnp.array([1.0, -1.0])), ParameterError, r"got -1 at index \(1,\)"),
        (lambda: dist.Normal(np.nan, 1), ParameterError, "loc must be a finite number, got nan"),
        (lambda: dist.Normal("high", 1), ParameterError, "loc must be a number .* got 'high'"),
        (lambda: dist.StudentT(np.inf), ParameterError, "df .* got inf"),
        (lambda: dist.Uniform(3, 2), ParameterError, "low must be below high, got low = 3 and high = 2"),
        (lambda: dist.Uniform([0, 1], [1, 1]), ParameterError, r"low = 1 at index \(1,\)"),
        (lambda: dist.Gamma(1, -1), ParameterError, "rate .* got -1"),
        (lambda: dist.Bernoulli(1.2), ParameterError, "probs must be between 0 and 1, got 1.2.*logits"),
        (lambda: dist.Bernoulli(), ParameterError, "exactly one of probs, logits; got none"),
        (lambda: dist.Bernoulli(0.2, logits=1.0), ParameterError, "exactly one"),
        (lambda: dist.Binomial(2.5, 0.5), ParameterError, "total_count must be a whole number"),
        (lambda: dist.Poisson(-1), ParameterError, "rate .* got -1"),
        (lambda: dist.Normal([1, 2], [1, 2, 3]), ShapeError, r"Normal: .* loc \(2,\), scale \(3,\)"),
        (
            lambda: dist.Normal([1, 2], 1).log_prob([1, 2, 3]),
            ShapeError,
            r"value \(3,\), .* \(2,\)",
        ),
        (lambda: dist.Flat().sample(jax.random.key(0)), ModelError, "improper"),
        (lambda: dist.HalfFlat().sample(jax.random.key(0)), ModelError, "improper"),
    ],
)
def test_mistakes_are_explained(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_traced_parameters_are_not_checked():
    log_p = jax.jit(lambda scale: dist.Normal(0, scale).log_prob(1.0))
    assert np.isnan(log_p(-1.0))


def test_improper_densities():
    x = np.array([-3.0, 0.0, 7.0, np.inf, np.nan])
    np.testing.assert_array_equal(dist.Flat().log_prob(x), [0, 0, 0, -np.inf, np.nan])
    np.testing.assert_array_equal(dist.HalfFlat().log_prob(x), [-np.inf, 0, 0, -np.inf, np.nan])
    assert float(jax.grad(dist.HalfFlat().log_prob)(2.0)) == 0.0


@pytest.mark.parametrize(
    "scale", [[1, 2], (1.0, 2.0), np.array([1, 2]), pd.Series([1, 2], index=["a", "b"]), jnp.array([1, 2])]
)
def test_kinds_of_arrays(scale):
    expected = stats.norm(0, [1, 2]).logpdf([0.5, 1])
    value = pd.Series([0.5, 1.0])
    np.testing.assert_allclose(dist.Normal(0, scale).log_prob(value), expected, rtol=1e-14)


def test_lists_of_traced_numbers():
    log_p = jax.jit(lambda a: dist.Dirichlet([a, 2.0]).log_prob([0.3, 0.7]))(1.5)
    assert float(log_p) == pytest.approx(stats.dirichlet([1.5, 2.0]).logpdf([0.3, 0.7]), rel=1e-12)


def test_host_numbers_keep_their_digits_until_the_precision_is_known():
    with jax.enable_x64(False):
        distribution = dist.Normal(0.1, [0.3, 0.7])
        assert distribution.log_prob(0.2).dtype == jnp.float32
        assert distribution.sample(jax.random.key(0)).dtype == jnp.float32
    np.testing.assert_allclose(
        distribution.log_prob(0.2), stats.norm(0.1, [0.3, 0.7]).logpdf(0.2), rtol=1e-15
    )
    assert distribution.sample(jax.random.key(0)).dtype == jnp.float64


def test_location_and_scale_can_be_read():
    for distribution in (dist.Normal(1, 2), dist.StudentT(3, 1, 2), dist.Cauchy(1, 2)):
        assert (float(distribution.loc), float(distribution.scale)) == (1.0, 2.0)


def test_draws_depend_on_the_key_alone():
    distribution = dist.Normal([0.5, 3.0], 2.0)
    first, again, other = (distribution.sample(jax.random.key(seed), 4) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.any(first == other)


@pytest.mark.parametrize(
    "distribution",
    [
        dist.Gamma(1e-3, 1.0),
        dist.InverseGamma(1e-3, 1.0),
        dist.Beta(1e-2, 1e-2),
        dist.LogNormal(0.0, 500.0),
        dist.Uniform(0.0, 1e-300),
    ],
    ids=lambda distribution: type(distribution).__name__,
)
def test_draws_never_round_to_an_end(distribution):
    draws = distribution.sample(jax.random.key(0), 2000)
    assert np.isfinite(jax.jit(distribution.log_prob)(draws)).all()
    assert np.isfinite(distribution.support.inverse(draws[0])).all()


@pytest.mark.parametrize("a", [1e-10, 0.5, 3.0, 9.99, 10.01, 1e3, 1e8, 1e15])
@pytest.mark.parametrize("b", [1e-10, 0.5, 9.9, 1e4, 1e12])
def test_log_beta(a, b):
    with mpmath.workdps(60):
        exact = float(mpmath.log(mpmath.beta(a, b)))
    np.testing.assert_allclose(log_beta(a, b), exact, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(log_beta(b, a), exact, rtol=1e-13, atol=1e-13)


def test_limits_of_the_families():
    x, counts = np.array([-3.0, 0.0, 2.0]), np.arange(6)
    np.testing.assert_allclose(dist.StudentT(1e14).log_prob(x), stats.norm.logpdf(x), rtol=1e-12)
    np.testing.assert_allclose(
        dist.NegativeBinomial(3.0, 1e14).log_prob(counts), stats.poisson(3).logpmf(counts), rtol=1e-12
    )
    np.testing.assert_allclose(
        dist.Binomial(1e14, 3e-14).log_prob(counts), stats.poisson(3).logpmf(counts), rtol=1e-12
    )


@pytest.mark.parametrize(
    ("distribution", "certain"),
    [
        (dist.Bernoulli([0.0, 1.0]), [0, 1]),
        (dist.Binomial(5, [0.0, 1.0]), [0, 5]),
        (dist.Binomial(0, [0.3, 0.7]), [0, 0]),
        (dist.Poisson([0.0, 0.0]), [0, 0]),
        (dist.NegativeBinomial(0.0, [1.0, 2.0]), [0, 0]),
        (dist.Bernoulli(logits=[-800.0, 800.0]), [0, 1]),
    ],
)
def test_certain_outcomes(distribution, certain):
    log_p = jax.jit(distribution.log_prob)
    np.testing.assert_allclose(log_p(np.array(certain)), 0.0, atol=1e-13)
    assert (np.asarray(log_p(1 - np.minimum(certain, 1))) < -700).all()
    np.testing.assert_array_equal(distribution.sample(jax.random.key(0)), certain)


def test_importing_stays_light():
    code = (
        "import sys, propto.distributions, propto.supports;"
        "print([name for name in ('numpyro', 'jax.scipy.stats', 'pandas') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
