"""Regressions by formula against exact answers: SciPy, least squares, the exact pooling engine."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import special, stats

import propto as pp
from propto.diagnosis.estimators import ess_bulk, mcse_mean

pytest.importorskip("formulaic", reason="formulaic is not installed")

RNG = np.random.default_rng(2)
N = 24
X = RNG.normal(2, 3, size=N)
G = np.array(list("abcd"))[np.arange(N) % 4]
DATA = pd.DataFrame({"x": X, "g": G, "y": 1 + 0.5 * X + RNG.normal(size=N), "se": RNG.uniform(0.5, 2, N)})
DATA["k"], DATA["n"] = RNG.integers(0, 6, N), 6
DATA["won"] = RNG.integers(0, 2, N)
ALARM = 1e-5


def half_t(x, scale):
    return np.log(2) + stats.t.logpdf(x, 3, 0, scale)


# What each family adds to the density: own parameters at some values, response, scale and centre of priors.
FAMILIES = {
    "gaussian": ("y", {"sigma": 1.3}, lambda eta: stats.norm.logpdf(DATA.y, eta, 1.3)),
    "student": ("y", {"sigma": 1.3, "nu": 4.0}, lambda eta: stats.t.logpdf(DATA.y, 4, eta, 1.3)),
    "bernoulli": ("won", {}, lambda eta: stats.bernoulli.logpmf(DATA.won, special.expit(eta))),
    "binomial": ("k | trials(n)", {}, lambda eta: stats.binom.logpmf(DATA.k, 6, special.expit(eta))),
    "poisson": ("k", {}, lambda eta: stats.poisson.logpmf(DATA.k, np.exp(eta))),
    "negative_binomial": (
        "k",
        {"phi": 2.0},
        lambda eta: stats.nbinom.logpmf(DATA.k, 2.0, 2 / (2 + np.exp(eta))),
    ),
}


def own_prior(name, value, s):
    return stats.expon.logpdf(value, scale=s) if name == "sigma" else stats.gamma.logpdf(value, 2, scale=10)


@pytest.mark.parametrize("family", FAMILIES)
def test_likelihood_and_default_priors_are_as_stated(family):
    left, own, likelihood = FAMILIES[family]
    density = pp.formula(f"{left} ~ x + (1 | g)", DATA, family=family)
    y = DATA[left.split(" ")[0]]
    s = y.std(ddof=0) if family in ("gaussian", "student") else 1.0
    centre = {"gaussian": y.mean(), "student": y.median(), "poisson": np.log(y.mean())}
    centre["negative_binomial"] = centre["poisson"]
    m = centre.get(family, 0.0)
    intercept, slope, sd, effects = 0.4, 0.2, 0.7, np.array([0.1, -0.2, 0.3, 0.0])
    spread = X.std()
    expected = (
        stats.norm.logpdf(slope, 0, 2.5 * s / spread)
        + stats.norm.logpdf(intercept + X.mean() * slope, m, 2.5 * s)
        + half_t(sd, 2.5 * s)
        + stats.norm.logpdf(effects, 0, sd).sum()
        + sum(own_prior(name, value, s) for name, value in own.items())
        + likelihood(intercept + slope * X + effects[np.arange(N) % 4]).sum()
    )
    values = {"Intercept": intercept, "b": [slope], "sd(Intercept|g)": sd, "Intercept|g": effects, **own}
    assert density.log_density(**values) == pytest.approx(expected, rel=1e-12)


def test_flat_priors_and_known_errors_give_weighted_least_squares():
    flat = {"Intercept": pp.Flat(), "b": pp.Flat()}
    density = pp.formula("y | se(se) ~ x + C(g)", DATA, priors=flat)
    assert list(density.coords["coef"]) == ["x", "C(g)[T.b]", "C(g)[T.c]", "C(g)[T.d]"]
    dummies = [(label == G).astype(float) for label in "bcd"]
    matrix = np.column_stack([np.ones(N), X, *dummies]) / DATA.se.to_numpy()[:, None]
    best, *_ = np.linalg.lstsq(matrix, DATA.y / DATA.se, rcond=None)
    step = np.array([0.3, -0.1, 0.2, 0.5, -0.4])
    at = [density.log_density(Intercept=b[0], b=b[1:]) for b in (best, best + step)]
    assert at[1] - at[0] == pytest.approx(-0.5 * np.sum((matrix @ step) ** 2), rel=1e-9)


@pytest.mark.parametrize("bars", ["|", "||"])
def test_group_effects_are_multivariate_normal(bars):
    density = pp.formula(f"y | se(se) ~ 1 + (1 + x {bars} g)", DATA)
    correlation = 0.6 if bars == "|" else 0.0
    sds = np.array([0.8, 0.3])
    covariance = np.outer(sds, sds) * np.array([[1, correlation], [correlation, 1]])
    chol = np.array([[1, 0], [correlation, np.sqrt(1 - correlation**2)]])
    prior = {"chol(g)": chol} if bars == "|" else {}

    def at(effects):
        named = {"Intercept|g": effects[:, 0], "x|g": effects[:, 1]}
        sd = {"sd(Intercept|g)": sds[0], "sd(x|g)": sds[1]}
        eta = 1.0 + effects[np.arange(N) % 4, 0] + effects[np.arange(N) % 4, 1] * X
        rest = stats.norm.logpdf(DATA.y, eta, DATA.se).sum()
        return density.log_density(Intercept=1.0, **named, **sd, **prior) - rest

    some, other = RNG.normal(size=(2, 4, 2))
    expected = [stats.multivariate_normal.logpdf(e, [0, 0], covariance).sum() for e in (some, other)]
    assert at(some) - at(other) == pytest.approx(expected[0] - expected[1], rel=1e-10)
    assert density.program.layers.sum() >= 8  # effects of both kinds have their centring learnt


def test_coefficients_with_a_prior_of_their_own():
    priors = {"x": pp.StudentT(4, 0, 1), "sigma": pp.HalfNormal(3), "sd": pp.HalfNormal(1)}
    density = pp.formula("y ~ x + se + (1 | g)", DATA, priors=priors)
    assert density.shapes["x"] == ()
    assert list(density.coords["coef"]) == ["se"]
    values = {"x": 0.1, "b": [0.2], "Intercept": 0.0, "sigma": 1.0, "sd(Intercept|g)": 0.5}
    values["Intercept|g"] = np.zeros(4)
    gap = density.log_density(**values) - density.log_density(**{**values, "sd(Intercept|g)": 1.0})
    assert gap == pytest.approx(-0.5 * (0.25 - 1) + 4 * np.log(2))


def test_any_frame_serves_and_new_data_compile_nothing():
    frames = [DATA, pl.from_pandas(DATA), DATA.to_dict("list")]
    one, two, three = (pp.formula("y ~ x + (1 | g)", frame).as_it_stands() for frame in frames)
    q = np.linspace(-1, 1, one.dim)
    assert one.log_density_at(q) == two.log_density_at(q) == three.log_density_at(q)
    other = pp.formula("y ~ x + (1 | g)", DATA.assign(y=DATA.y * 3, x=DATA.x - 1)).as_it_stands()
    assert other.program == one.program


SCHOOLS = pd.DataFrame(
    {
        "school": list("ABCDEFGH"),
        "estimate": [28.0, 8, -3, 7, -1, 1, 18, 12],
        "std_error": [15.0, 10, 16, 11, 9, 11, 10, 18],
        "x": [0.0, 1, 0, 2, 1, 3, 0, 1],
    }
)


@pytest.mark.slow
def test_known_standard_errors_agree_with_the_exact_pooling_engine():
    priors = {"Intercept": pp.Normal(0, 5), "sd": pp.HalfCauchy(5)}
    density = pp.formula("estimate | se(std_error) ~ 1 + (1 | school)", SCHOOLS, priors=priors)
    fit = pp.sample(density, seed=3, progress=False)
    exact = pp.pool(SCHOOLS.estimate, SCHOOLS.std_error, prior_mu="normal(0, 5)", prior_tau="halfcauchy(5)")
    effects = fit.posterior["Intercept"] + fit.posterior["Intercept|school"]
    assert list(effects.coords["school"].values) == list("ABCDEFGH")
    _agree(effects.values, exact.theta.mean)
    _agree(fit.posterior["Intercept"].values[..., None], [exact.mu.mean])


@pytest.mark.slow
def test_covariates_agree_with_the_exact_regression():
    priors = {"Intercept": pp.Normal(0, 10), "b": pp.Normal(0, 4), "sd": pp.HalfNormal(6)}
    density = pp.formula("estimate | se(std_error) ~ x + (1 | school)", SCHOOLS, priors=priors)
    fit = pp.sample(density, seed=4, progress=False)
    exact = pooled_regression()
    draws = np.stack([fit.posterior["Intercept"].values, fit.posterior["b"].values[..., 0]], axis=-1)
    _agree(draws, exact)


def pooled_regression():
    """Means of the coefficients by quadrature over tau, independent of the sampler."""
    matrix = np.column_stack([np.ones(8), SCHOOLS.x])
    y, se = SCHOOLS.estimate.to_numpy(), SCHOOLS.std_error.to_numpy()
    prior = np.diag([1 / 100, 1 / 16])
    taus = np.linspace(0.001, 40, 4000)
    means, logs = [], []
    for tau in taus:
        marginal = stats.multivariate_normal(
            np.zeros(8), np.diag(se**2 + tau**2) + matrix @ np.linalg.inv(prior) @ matrix.T
        )
        weights = 1 / (se**2 + tau**2)
        means.append(np.linalg.solve(prior + (matrix.T * weights) @ matrix, (matrix.T * weights) @ y))
        logs.append(marginal.logpdf(y) - 0.5 * (tau / 6) ** 2)
    return np.average(means, axis=0, weights=np.exp(np.array(logs) - max(logs)))


def _agree(draws, means):
    """z-scores of the means; the limit is Bonferroni's at ALARM."""
    assert ess_bulk(draws).min() > 400
    z = (draws.mean(axis=(0, 1)) - np.asarray(means)) / mcse_mean(draws)
    assert np.abs(z).max() < stats.norm.isf(ALARM / (2 * z.size))
