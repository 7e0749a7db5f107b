"""Distributions made of others, of categories, series and matrices, against formulas, scipy and NumPyro.

The statistical checks use fixed seeds; with fresh seeds each would fail by chance with probability
``FALSE_ALARM``.
"""

from __future__ import annotations

import itertools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

import propto.distributions as dist
from propto.errors import ModelError, ParameterError, ShapeError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import numpyro.distributions as npd

FALSE_ALARM = 1e-4
N_DRAWS = 20_000
KEY = jax.random.key(0)


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


def assert_counts(draws, probs):
    """Pearson's test of draws of 0, 1, ... against their probabilities."""
    observed = np.bincount(np.asarray(draws).ravel(), minlength=len(probs))
    assert observed.size == len(probs)
    assert stats.chisquare(observed, observed.sum() * np.asarray(probs)).pvalue > FALSE_ALARM


# --- categories -------------------------------------------------------------------------------------------

PROBS = np.array([0.2, 0.3, 0.5])


@pytest.mark.parametrize("by", [{"probs": PROBS}, {"logits": np.log(PROBS) + 3}])
def test_categorical(by):
    one = dist.Categorical(**by)
    np.testing.assert_allclose(np.exp(one.log_prob(np.arange(-1, 5))), [0, *PROBS, 0, 0], atol=1e-14)
    assert np.isneginf(one.log_prob(0.5))
    assert np.isnan(one.log_prob(np.nan))
    assert_counts(one.sample(KEY, N_DRAWS), PROBS)
    batch = dist.Categorical(np.stack([PROBS, PROBS[::-1]]))
    assert batch.batch_shape == (2,)
    np.testing.assert_allclose(np.exp(batch.log_prob([[0], [2]])), [[0.2, 0.5], [0.5, 0.2]])


def test_ordered_logistic():
    cuts, eta = np.array([-1.0, 0.5, 3.0]), np.array([0.3, 40.0, -40.0])
    below = special.expit(cuts - eta[:, None])
    probs = np.diff(np.concatenate([np.zeros((3, 1)), below, np.ones((3, 1))], axis=1))
    one = dist.OrderedLogistic(eta, cuts)
    log_p = np.stack([one.log_prob(k) for k in range(4)], axis=1)
    np.testing.assert_allclose(np.exp(log_p[0]), probs[0], rtol=1e-12)
    np.testing.assert_allclose(log_p[1, 1], 0.5 - 40 + np.log1p(-np.exp(-1.5)), rtol=1e-12)  # far out
    assert np.isfinite(log_p).all()
    assert_counts(dist.OrderedLogistic(0.3, cuts).sample(KEY, N_DRAWS), probs[0])
    with pytest.raises(ParameterError, match="cutpoints must rise"):
        dist.OrderedLogistic(0.0, [1.0, 0.0])


def test_multinomial():
    one = dist.Multinomial(4, PROBS)
    x = np.array([x for x in itertools.product(range(5), repeat=3) if sum(x) == 4])
    np.testing.assert_allclose(one.log_prob(x), stats.multinomial(4, PROBS).logpmf(x), rtol=1e-10)
    assert np.isneginf(one.log_prob([1.0, 1.0, 1.0]))
    draws = np.asarray(one.sample(KEY, N_DRAWS))
    assert (draws.sum(axis=1) == 4).all()
    index = [int(np.flatnonzero((x == row).all(axis=1))[0]) for row in draws]
    assert_counts(index, stats.multinomial(4, PROBS).pmf(x))


# --- truncated, censored, inflated, mixed -----------------------------------------------------------------


def test_truncation_keeps_its_digits_far_out():
    one = dist.Truncated(dist.Normal(0.0, 1.0), low=30.0)
    oracle = stats.truncnorm(30, np.inf)
    np.testing.assert_allclose(one.log_prob([30.0, 30.1]), oracle.logpdf([30.0, 30.1]), rtol=1e-9)
    assert np.isneginf(one.log_prob(29.9))
    draws = one.sample(KEY, 4000)
    assert stats.kstest(draws - 30, lambda x: -np.expm1(-30 * x - x**2 / 2)).pvalue > 1e-3  # about so
    gradient = jax.grad(lambda low: dist.Truncated(dist.Normal(0, 1), low=low).log_prob(31.0))(30.0)
    assert float(gradient) == pytest.approx(30.03, abs=0.01)  # the hazard at 30


def test_truncated_counts():
    one = dist.Truncated(dist.Poisson(2.0), low=1, high=4)
    pmf = stats.poisson(2).pmf(np.arange(1, 5))
    np.testing.assert_allclose(np.exp(one.log_prob(np.arange(6))), [0, *pmf / pmf.sum(), 0], rtol=1e-10)
    assert_counts(one.sample(KEY, N_DRAWS) - 1, pmf / pmf.sum())


def test_truncation_meets_the_support():
    one = dist.Truncated(dist.HalfNormal(2.0), high=3.0)
    assert (one.support.lower, one.support.upper) == (0.0, 3.0)
    assert integrate.quad(lambda x: float(np.exp(one.log_prob(x))), 0, 3)[0] == pytest.approx(1, rel=1e-6)


def test_censored():
    one = dist.Censored(dist.Normal(1.0, 2.0), low=0.0, high=[4.0, 5.0])
    normal = stats.norm(1, 2)
    np.testing.assert_allclose(one.log_prob(0.0), normal.logcdf(0.0), rtol=1e-12)
    np.testing.assert_allclose(one.log_prob(2.0), normal.logpdf(2.0), rtol=1e-12)
    np.testing.assert_allclose(one.log_prob([4.0, 5.0]), normal.logsf([4.0, 5.0]), rtol=1e-12)
    assert np.isneginf(one.log_prob(-1.0)).all()
    draws = np.asarray(one.sample(KEY, N_DRAWS))
    at_zero = (draws[:, 0] == 0).sum()
    assert stats.binomtest(int(at_zero), N_DRAWS, normal.cdf(0)).pvalue > FALSE_ALARM
    counts = dist.Censored(dist.Poisson(2.0), high=3)
    np.testing.assert_allclose(counts.log_prob(3.0), stats.poisson(2).logsf(2), rtol=1e-12)


def test_zero_inflated():
    one = dist.ZeroInflated(dist.NegativeBinomial(3.0, 2.0), 0.3)
    pmf = 0.7 * np.exp(dist.NegativeBinomial(3.0, 2.0).log_prob(np.arange(60)))
    pmf[0] += 0.3
    np.testing.assert_allclose(np.exp(one.log_prob(np.arange(60))), pmf, rtol=1e-10)
    np.testing.assert_allclose(float((np.asarray(one.sample(KEY, N_DRAWS)) == 0).mean()), pmf[0], atol=0.02)


@pytest.mark.parametrize("as_list", [True, False])
def test_mixture(as_list):
    loc, scale, weights = np.array([0.0, 4.0, 9.0]), np.array([1.0, 0.5, 2.0]), PROBS
    each = [dist.Normal(m, s) for m, s in zip(loc, scale, strict=True)]
    one = dist.Mixture(weights, each if as_list else dist.Normal(loc, scale))
    x = np.linspace(-5, 15, 41)
    np.testing.assert_allclose(
        np.exp(one.log_prob(x)), stats.norm(loc, scale).pdf(x[:, None]) @ weights, rtol=1e-12
    )
    draws = one.sample(KEY, N_DRAWS)
    cdf = lambda x: stats.norm(loc, scale).cdf(np.asarray(x)[:, None]) @ weights  # noqa: E731
    assert stats.kstest(draws, cdf).pvalue > FALSE_ALARM


def test_mixture_of_vectors():
    loc = np.array([[0.0, 0.0], [3.0, 1.0]])
    one = dist.Mixture([0.4, 0.6], dist.MultivariateNormal(loc, np.eye(2)))
    assert (one.batch_shape, one.event_shape) == ((), (2,))
    x = np.random.default_rng(0).normal(size=(5, 2))
    expected = sum(w * stats.multivariate_normal(m).pdf(x) for w, m in zip([0.4, 0.6], loc, strict=True))
    np.testing.assert_allclose(np.exp(one.log_prob(x)), expected, rtol=1e-12)
    mean = np.asarray(one.sample(KEY, N_DRAWS)).mean(axis=0)
    np.testing.assert_allclose(mean, [1.8, 0.6], atol=5 * np.sqrt(3.5 / N_DRAWS))


# --- series -----------------------------------------------------------------------------------------------


def test_hmm_is_the_sum_over_all_paths():
    initial, transition = np.array([0.6, 0.4]), np.array([[0.9, 0.1], [0.3, 0.7]])
    loc, y = np.array([0.0, 2.0]), np.array([0.1, 1.9, 2.5, -0.3])
    total = 0.0
    for path in itertools.product([0, 1], repeat=4):
        p = initial[path[0]] * np.prod([transition[a, b] for a, b in itertools.pairwise(path)])
        total += p * np.prod(stats.norm(loc[list(path)], 1.0).pdf(y))
    series = dist.HMM(initial, transition, dist.Normal(loc, 1.0), length=4)
    np.testing.assert_allclose(series.log_prob(y), np.log(total), rtol=1e-12)
    np.testing.assert_allclose(series.log_prob(np.stack([y, y])), np.log([total, total]), rtol=1e-12)
    by_time = dist.HMM(initial, transition, dist.Normal(np.tile(loc, (4, 1)), 1.0), length=4)
    np.testing.assert_allclose(by_time.log_prob(y), np.log(total), rtol=1e-12)


def test_draws_of_an_hmm():
    initial, transition = np.array([0.6, 0.4]), np.array([[0.9, 0.1], [0.3, 0.7]])
    states = dist.HMM(initial, transition, dist.Categorical(np.eye(2)), length=3).sample(KEY, N_DRAWS)
    paths = list(itertools.product([0, 1], repeat=3))
    probs = [initial[a] * transition[a, b] * transition[b, c] for a, b, c in paths]
    assert_counts(np.asarray(states) @ [4, 2, 1], probs)


def test_random_walk():
    walk = dist.GaussianRandomWalk(0.5, 4, drift=0.2, start=1.0, start_scale=2.0)
    low = np.tril(np.ones((4, 4)))
    covariance = low @ np.diag([4.0, 0.25, 0.25, 0.25]) @ low.T
    oracle = stats.multivariate_normal([1.0, 1.2, 1.4, 1.6], covariance)
    x = oracle.rvs(5, random_state=0)
    np.testing.assert_allclose(walk.log_prob(x), oracle.logpdf(x), rtol=1e-12)
    z = np.linalg.solve(np.linalg.cholesky(covariance), (walk.sample(KEY, N_DRAWS) - oracle.mean).T)
    assert all(stats.kstest(row, stats.norm.cdf).pvalue > FALSE_ALARM for row in z)


# --- matrices and ordered vectors -------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "eta"), [(2, 1.0), (3, 0.7), (5, 4.0)])
def test_lkj(n, eta):
    ours, theirs = dist.LKJCholesky(n, eta), npd.LKJCholesky(n, eta)
    draws = ours.sample(KEY, 2000)
    np.testing.assert_allclose(ours.log_prob(draws[:20]), theirs.log_prob(draws[:20]), rtol=1e-9)
    assert bool(ours.support.contains(draws))
    # Every correlation is 2 Beta(a, a) − 1 with a = η + n / 2 − 1.
    correlations = np.asarray(draws @ draws.swapaxes(-1, -2))[:, *np.tril_indices(n, -1)]
    marginal = stats.beta(eta + n / 2 - 1, eta + n / 2 - 1, -1, 2)
    for column in correlations.T:
        assert stats.kstest(column, marginal.cdf).pvalue > FALSE_ALARM
    assert np.isneginf(ours.log_prob(np.ones((n, n))))


def test_ordered():
    one = dist.Ordered(dist.Normal(0, 1), 3)
    draws = np.asarray(one.sample(KEY, N_DRAWS))
    assert (np.diff(draws) > 0).all()
    assert stats.kstest(draws[:, 2], lambda x: stats.norm.cdf(x) ** 3).pvalue > FALSE_ALARM
    expected = stats.norm.logpdf([-1.0, 0.5, 2.0]).sum() + np.log(6)
    assert float(one.log_prob([-1.0, 0.5, 2.0])) == pytest.approx(expected, rel=1e-12)
    assert np.isneginf(one.log_prob([0.5, -1.0, 2.0]))


# --- mistakes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: dist.Categorical([0.2, 0.2]), ParameterError, "must sum to 1 .* got the sum 0.4"),
        (lambda: dist.Categorical(0.2), ShapeError, "axis of categories"),
        (lambda: dist.Truncated(dist.Normal(0, 1)), ParameterError, "give low, high or both"),
        (lambda: dist.Truncated(dist.Normal(0, 1), 2.0, 1.0), ParameterError, "low must be below high"),
        (lambda: dist.Truncated(3.0, 0.0), ParameterError, "made of distributions"),
        (lambda: dist.Truncated(dist.Beta(1, 1), 0.5), ModelError, "no known distribution fun"),
        (lambda: dist.ZeroInflated(dist.Normal(0, 1), 0.2), ModelError, "distribution of counts"),
        (lambda: dist.Mixture([0.5, 0.5], dist.Normal([0, 1, 2], 1)), ShapeError, "2 components, got 3"),
        (lambda: dist.Mixture([0.5, 0.2], dist.Normal([0, 1], 1)), ParameterError, "sum to 1"),
        (
            lambda: dist.Mixture([0.5, 0.5], [dist.Normal(0, 1), dist.Gamma(1, 1)]).support,
            ModelError,
            "same set",
        ),
        (lambda: dist.HMM([0.5, 0.5], np.eye(3), dist.Normal([0, 1], 1), 4), ShapeError, "expected"),
        (lambda: dist.LKJCholesky(1), ValueError, "dimension"),
        (lambda: dist.Ordered(dist.Gamma(1, 1), 2), ParameterError, "real numbers"),
        (lambda: dist.GaussianRandomWalk(np.ones(3), 3), ShapeError, "3 places"),
    ],
)
def test_mistakes_are_explained(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_gradients_are_finite_outside():
    """Values outside of a support have density 0, and no NaN reaches the gradient of a parameter."""
    makers = {
        "truncated": lambda p: dist.Truncated(dist.Normal(p, 1.0), 0.0, 2.0).log_prob(3.0),
        "censored": lambda p: dist.Censored(dist.Weibull(p, 1.0), high=2.0).log_prob(3.0),
        "categorical": lambda p: dist.Categorical(jnp.stack([p, 1 - p])).log_prob(4),
        "multinomial": lambda p: dist.Multinomial(3, jnp.stack([p, 1 - p])).log_prob([1, 1]),
    }
    for name, log_p in makers.items():
        value, gradient = jax.value_and_grad(log_p)(0.4)
        assert np.isneginf(value), name
        assert np.isfinite(gradient), name
