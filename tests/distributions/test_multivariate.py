"""Distributions of vectors against scipy.stats: log densities, batches, draws.

The statistical checks use fixed seeds; with fresh seeds each would fail by chance with probability
``FALSE_ALARM``, all of them together in about one run of a thousand.
"""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy import stats

import propto.distributions as dist
from propto.errors import ParameterError, ShapeError

FALSE_ALARM = 1e-4
N_DRAWS = 20_000
FORMS = {
    "covariance_matrix": lambda covariance: covariance,
    "scale_tril": np.linalg.cholesky,
    "precision_matrix": np.linalg.inv,
}


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


def random_covariance(shape=(), n=3):
    factor = np.random.default_rng(0).normal(size=(*shape, n, n))
    return factor @ factor.swapaxes(-1, -2) + 0.5 * np.eye(n)


@pytest.mark.parametrize("form", FORMS)
def test_normal_log_density_from_every_form(form):
    loc, covariance = np.array([1.0, -2.0, 0.5]), random_covariance()
    oracle = stats.multivariate_normal(loc, covariance)
    x = oracle.rvs(7, random_state=0)

    def log_prob(loc, matrix):
        return dist.MultivariateNormal(loc, **{form: matrix}).log_prob(x)

    matrix = FORMS[form](covariance)
    np.testing.assert_allclose(log_prob(loc, matrix), oracle.logpdf(x), rtol=1e-10)
    np.testing.assert_allclose(jax.jit(log_prob)(loc, matrix), oracle.logpdf(x), rtol=1e-10)


@pytest.mark.parametrize("form", FORMS)
def test_normal_draws(form):
    loc, covariance = np.array([1.0, -2.0, 0.5]), random_covariance()
    distribution = dist.MultivariateNormal(loc, **{form: FORMS[form](covariance)})
    draws = np.asarray(distribution.sample(jax.random.key(0), N_DRAWS))
    assert draws.shape == (N_DRAWS, 3)
    distances = np.einsum("ni,ij,nj->n", draws - loc, np.linalg.inv(covariance), draws - loc)
    assert stats.kstest(distances, stats.chi2(3).cdf).pvalue > FALSE_ALARM
    one_side = draws @ np.array([1.0, 2.0, -1.0])
    sd = np.sqrt(np.array([1.0, 2.0, -1.0]) @ covariance @ np.array([1.0, 2.0, -1.0]))
    assert stats.kstest(one_side, stats.norm(-3.5, sd).cdf).pvalue > FALSE_ALARM


def test_normal_batches_broadcast():
    loc, covariances = np.random.default_rng(1).normal(size=(4, 1, 3)), random_covariance((2,))
    distribution = dist.MultivariateNormal(loc, covariances)
    assert distribution.batch_shape == (4, 2)
    assert distribution.event_shape == (3,)
    assert distribution.support.shape == (4, 2, 3)
    x = np.asarray(distribution.sample(jax.random.key(0), 5))
    assert x.shape == (5, 4, 2, 3)
    expected = [
        [stats.multivariate_normal(loc[i, 0], covariances[j]).logpdf(x[:, i, j]) for j in range(2)]
        for i in range(4)
    ]
    np.testing.assert_allclose(distribution.log_prob(x), np.moveaxis(expected, -1, 0), rtol=1e-10)


def test_normal_takes_one_mean_for_all_elements():
    assert dist.MultivariateNormal(0.0, np.eye(4)).sample(jax.random.key(0)).shape == (4,)


@pytest.mark.parametrize("concentration", [[0.3, 1.0, 4.0], [2.0, 2.0], [1.0]])
def test_dirichlet_log_density(concentration):
    x = stats.dirichlet(concentration).rvs(6, random_state=0)
    expected = stats.dirichlet(concentration).logpdf(x.T) if len(concentration) > 1 else np.zeros(6)
    np.testing.assert_allclose(dist.Dirichlet(concentration).log_prob(x), expected, rtol=1e-10, atol=1e-10)


def test_dirichlet_outside_its_support():
    distribution = dist.Dirichlet([0.3, 1.0, 4.0])
    outside = np.array([[0.2, 0.2, 0.2], [-0.1, 0.5, 0.6], [0.5, 0.6, -0.1], [np.inf, 0, 0]])
    log_p = jax.jit(distribution.log_prob)
    assert (np.asarray(log_p(outside)) == -np.inf).all()
    assert np.isnan(log_p(np.array([np.nan, 0.5, 0.5])))
    gradients = jax.jit(jax.grad(lambda x: distribution.log_prob(x).sum()))(outside)
    assert np.isfinite(gradients).all()


def test_dirichlet_draws():
    concentration = np.array([[0.3, 1.0, 4.0], [5.0, 1.0, 2.0]])
    distribution = dist.Dirichlet(concentration)
    assert distribution.batch_shape == (2,)
    assert distribution.event_shape == (3,)
    draws = np.asarray(distribution.sample(jax.random.key(0), N_DRAWS))
    assert draws.shape == (N_DRAWS, 2, 3)
    assert bool(distribution.support.contains(draws))
    assert jax.eval_shape(distribution.log_prob, draws).shape == (N_DRAWS, 2)
    for (batch, share), alpha in np.ndenumerate(concentration):
        marginal = stats.beta(alpha, concentration[batch].sum() - alpha)
        assert stats.kstest(draws[:, batch, share], marginal.cdf).pvalue > FALSE_ALARM


def test_dirichlet_draws_stay_inside_for_tiny_concentrations():
    draws = dist.Dirichlet([1e-3, 1e-3]).sample(jax.random.key(0), 1000)
    assert (np.asarray(draws) > 0).all()


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: dist.MultivariateNormal(0.0), ParameterError, "exactly one of"),
        (
            lambda: dist.MultivariateNormal(0.0, np.eye(2), scale_tril=np.eye(2)),
            ParameterError,
            "exactly one",
        ),
        (
            lambda: dist.MultivariateNormal(0.0, [[1, 2], [2, 1]]),
            ParameterError,
            "eigenvalue .* is -1",
        ),
        (lambda: dist.MultivariateNormal(0.0, [[1, 2], [0, 1]]), ParameterError, "symmetric"),
        (lambda: dist.MultivariateNormal(0.0, [[np.nan]]), ParameterError, "got nan"),
        (
            lambda: dist.MultivariateNormal(0.0, scale_tril=[[1, 2], [0, 1]]),
            ParameterError,
            "1 elements",
        ),
        (lambda: dist.MultivariateNormal(0.0, scale_tril=-np.eye(2)), ParameterError, "element is -1"),
        (lambda: dist.MultivariateNormal(0.0, np.ones((2, 3))), ShapeError, "two equal axes"),
        (lambda: dist.MultivariateNormal(np.zeros(3), np.eye(2)), ShapeError, "do not fit together"),
        (lambda: dist.MultivariateNormal(np.zeros(3), np.eye(1)), ShapeError, "does not fit"),
        (lambda: dist.MultivariateNormal(0.0, np.eye(2)).log_prob(1.0), ShapeError, "last axes"),
        (lambda: dist.Dirichlet(2.0), ShapeError, "one number for each share"),
        (lambda: dist.Dirichlet([1.0, 0.0]), ParameterError, r"got 0 at index \(1,\)"),
    ],
)
def test_mistakes_are_explained(make, error, words):
    with pytest.raises(error, match=words):
        make()
