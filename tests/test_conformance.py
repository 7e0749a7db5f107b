"""Posteriors of many kinds against the references of posteriordb, sampled with the defaults.

The references are exact (by quadrature) where such numbers are given, else from long runs with their own
error. A right sampler fails a model with probability ALARM (Bonferroni over its parameters' means and
means of squares).
"""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import logsumexp
from jax.scipy.stats import beta as beta_distribution, norm
from scipy import stats

import propto as pp
from propto.diagnosis.estimators import ess_bulk, mcse_mean

ALARM = 1e-4

# --- the models: data in, posterior out -------------------------------------------------------------------


def autoregression(data):
    y = np.array(data["y"])
    lags = np.stack([y[5 - k : len(y) - k] for k in range(1, 6)], axis=1)

    def model(lags):
        alpha = pp.rv("alpha", pp.Normal(0, 10))
        beta = pp.rv("beta", pp.Normal(0, 10), shape=(5,))
        sigma = pp.rv("sigma", pp.HalfCauchy(2.5))
        pp.rv("y", pp.Normal(alpha + lags @ beta, sigma))

    return pp.Model(model, lags).given(y=y[5:])


def kid_scores(data):
    x = np.stack([np.ones(data["N"]), data["mom_hs"], data["mom_iq"]], axis=1)

    def model(x):
        beta = pp.rv("beta", pp.Flat(), shape=(3,))
        sigma = pp.rv("sigma", pp.HalfCauchy(2.5))
        pp.rv("kid_score", pp.Normal(x @ beta, sigma))

    return pp.Model(model, x).given(kid_score=data["kid_score"])


def earnings(data):
    """Badly scaled: intercept and error are of the order 10⁴, and correlated with the slope."""

    def log_p(beta, sigma, earn, height):
        return jnp.sum(norm.logpdf(earn, beta[0] + beta[1] * height, sigma))

    variables = {"beta": pp.real(2), "sigma": pp.positive()}
    return pp.Density(
        log_p, variables, data={name: np.array(data[name], float) for name in ("earn", "height")}
    )


def eight_schools(data):
    def model(std_estimate):
        mu = pp.rv("mu", pp.Normal(0, 5))
        tau = pp.rv("tau", pp.HalfCauchy(5))
        z = pp.rv("z", pp.Normal(0, 1), shape=(8,))
        pp.rv("y", pp.Normal(mu + tau * z, std_estimate))

    return pp.Model(model, np.array(data["sigma"], float)).given(y=data["y"])


def gaussian_process(data):
    x = np.array(data["x"])

    def model(squares):
        rho = pp.rv("rho", pp.Gamma(25, 4))
        alpha = pp.rv("alpha", pp.HalfNormal(2))
        sigma = pp.rv("sigma", pp.HalfNormal(1))
        covariance = alpha**2 * jnp.exp(-squares / (2 * rho**2)) + sigma * jnp.eye(len(x))
        pp.rv("y", pp.MultivariateNormal(jnp.zeros(len(x)), covariance))

    return pp.Model(model, (x[:, None] - x) ** 2).given(y=data["y"])


def mixture(data):
    """Two normals told apart by their order."""

    def log_p(mu, sigma, theta, y):
        first = jnp.log(theta) + norm.logpdf(y, mu[0], sigma[0])
        second = jnp.log1p(-theta) + norm.logpdf(y, mu[1], sigma[1])
        prior = jnp.sum(norm.logpdf(mu, 0, 2) + norm.logpdf(sigma, 0, 2))
        return prior + beta_distribution.logpdf(theta, 5, 5) + jnp.sum(jnp.logaddexp(first, second))

    variables = {"mu": pp.ordered(2), "sigma": pp.positive(2), "theta": pp.unit_interval()}
    return pp.Density(log_p, variables, data={"y": data["y"]})


def radon(data):
    county, floor = np.array(data["county_idx"]) - 1, np.array(data["floor_measure"], float)

    def model(county, floor):
        mu_alpha = pp.rv("mu_alpha", pp.Normal(0, 10))
        beta = pp.rv("beta", pp.Normal(0, 10))
        sigma_alpha = pp.rv("sigma_alpha", pp.HalfNormal(1))
        sigma_y = pp.rv("sigma_y", pp.HalfNormal(1))
        z = pp.rv("z", pp.Normal(0, 1), shape=(85,))
        alpha = mu_alpha + sigma_alpha * z
        pp.rv("log_radon", pp.Normal(alpha[county] + beta * floor, sigma_y))

    return pp.Model(model, county, floor).given(log_radon=data["log_radon"])


def wells(data):
    """Logistic regression with a covariate of up to 300."""

    def model(distance):
        beta = pp.rv("beta", pp.Flat(), shape=(2,))
        pp.rv("switched", pp.Bernoulli(logits=beta[0] + beta[1] * distance))

    return pp.Model(model, np.array(data["dist"], float)).given(switched=data["switched"])


def hidden_markov(data):
    """Two hidden states, summed out by the forward recursion."""

    def log_p(theta1, theta2, mu, y):
        log_transition = jnp.log(jnp.stack([theta1, theta2]))
        log_emission = norm.logpdf(y[:, None], mu, 1)

        def forward(log_alpha, log_emission):
            return logsumexp(log_alpha[:, None] + log_transition, axis=0) + log_emission, None

        log_alpha, _ = jax.lax.scan(forward, log_emission[0], log_emission[1:])
        return jnp.sum(norm.logpdf(mu, jnp.array([3.0, 10.0]), 1)) + logsumexp(log_alpha)

    variables = {"theta1": pp.simplex(2), "theta2": pp.simplex(2), "mu": pp.ordered(2)}
    return pp.Density(log_p, variables, data={"y": data["y"]})


MODELS = {
    "arK-arK": autoregression,
    "kidiq-kidscore_momhsiq": kid_scores,
    "earnings-earn_height": earnings,
    "eight_schools-eight_schools_noncentered": eight_schools,
    "gp_pois_regr-gp_regr": gaussian_process,
    "low_dim_gauss_mix-low_dim_gauss_mix": mixture,
    "radon_mn-radon_variable_intercept_noncentered": radon,
    "wells_data-wells_dist": wells,
    "hmm_example-hmm_example": hidden_markov,
}

# What the reference reports beyond the variables of the model.
DERIVED = {
    "eight_schools-eight_schools_noncentered": {"theta": lambda p: p["mu"] + p["tau"] * p["z"]},
    "radon_mn-radon_variable_intercept_noncentered": {
        "alpha": lambda p: p["mu_alpha"] + p["sigma_alpha"] * p["z"]
    },
}


# --- the comparison ---------------------------------------------------------------------------------------


def scalars(name, posterior):
    """Draws of every number of the posterior by the reference's names, shape (chain, draw)."""
    variables = {**posterior, **{new: of(posterior) for new, of in DERIVED.get(name, {}).items()}}
    found = {}
    for variable, draws in variables.items():
        flat = draws.values.reshape(*draws.shape[:2], -1)
        found |= {variable: flat[..., 0]} if draws.ndim == 2 else {}
        found |= {f"{variable}[{i + 1}]": flat[..., i] for i in range(flat.shape[-1]) if draws.ndim == 3}
    return found


def moment(reference, which):
    """A moment of the reference and its error."""
    if f"exact_{which}" in reference:
        return reference[f"exact_{which}"], 0.0
    return reference[which], reference[f"mcse_{which}"]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_moments_agree_with_the_reference(name, shared_folder):
    folder = shared_folder / "posteriordb" / name
    references = json.loads((folder / "reference.json").read_text())["params"]
    posterior = MODELS[name](json.loads((folder / "data.json").read_text()))
    fit = pp.sample(posterior, seed=4, progress=False)
    draws = scalars(name, dict(fit.posterior.data_vars))
    assert set(references) <= set(draws)

    stacked = np.stack([draws[parameter] for parameter in references], axis=-1)
    assert ess_bulk(stacked).min() > 400
    limit = stats.norm.isf(ALARM / 2 / (2 * len(references)))
    for which, values in (("mean", stacked), ("mean_sq", stacked**2)):
        truth, error = np.transpose([moment(reference, which) for reference in references.values()])
        z = (values.mean(axis=(0, 1)) - truth) / np.hypot(mcse_mean(values), error)
        worst = int(np.argmax(np.abs(z)))
        assert abs(z[worst]) < limit, (list(references)[worst], which, z[worst])
