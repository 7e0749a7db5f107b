"""Every number of the first lesson's source, line by line, and the posterior that it could not draw.

The numbers with 16 digits were printed by SciPy; propto's own distributions and grid give them here.
"""

from __future__ import annotations

from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.stats import norm
from scipy import integrate, stats

import propto as pp

SCHOOLS = list("ABCDEFGH")


def test_mean_of_the_effects(schools):
    assert schools().data["effect_estimate"].mean() == 8.75


# --- conditional probability ------------------------------------------------------------------------------


@pytest.mark.usefixtures("double_precision")
def test_p_conditional(schools):
    std_estimate = schools().data["std_estimate"]

    def effects(t):
        pp.rv("effect_estimate", pp.Normal(t, std_estimate), shape=(8,))

    terms = pp.Normal(np.zeros(8), std_estimate).log_prob(np.zeros(8))
    printed = [0.02659615, 0.03989423, 0.02493389, 0.03626748, 0.04432692, 0.03626748, 0.03989423, 0.02216346]
    np.testing.assert_allclose(np.exp(terms), printed, atol=5e-9)
    model = pp.Model(effects, np.zeros(8)).given(effect_estimate=np.zeros(8))
    assert model.log_density() == pytest.approx(np.log(printed).sum(), abs=1e-6)


@pytest.mark.usefixtures("double_precision")
def test_priors():
    assert np.exp(pp.Normal(8.75, 20).log_prob(10.0)) == pytest.approx(0.01990819283434433, rel=1e-14)
    assert np.exp(pp.Uniform(0, 100).log_prob(2.3)) == pytest.approx(0.01, rel=1e-14)


def test_joint_prior():
    def prior():
        mu = pp.rv("mu", pp.Normal(8.75, 20))
        sigma = pp.rv("sigma", pp.Uniform(0, 100))
        pp.rv("t", pp.Normal(mu, sigma), shape=(8,))

    density = pp.Model(prior).given()
    p = np.exp(density.log_density(t=[8.75] * 8, mu=8.75, sigma=1.0))
    assert p == pytest.approx(1.279854491013879e-07, rel=1e-13)


ANIMALS = {
    "bear": "land",
    "horse": "land",
    "bee": "land",
    "cat": "land",
    "duck": "land water",
    "hippo": "land water",
    "alligator": "land water",
    "fish": "water",
    "shark": "water",
}


def test_animals():
    """p(water | land) = 3/7, and p(land | water) = 3/5 by counting and by Bayes' theorem."""

    def p(place, given=""):
        among = [places for places in ANIMALS.values() if given in places]
        return Fraction(sum(place in places for places in among), len(among))

    assert p("water", given="land") == Fraction(3, 7)
    assert p("land", given="water") == Fraction(3, 5)
    assert p("water", given="land") * p("land") / p("water") == Fraction(3, 5)


# --- the grid ---------------------------------------------------------------------------------------------


def p_prop(x, y):
    """A proportion in two dimensions, zero outside a box."""
    inside = (jnp.abs(x) <= 2) & (jnp.abs(y) <= 3)
    return jnp.where(inside, 0.3 * norm.pdf(x) + 0.7 * norm.pdf(y) - 0.1 * norm.pdf(x * y), 0.0)


@pytest.fixture(scope="module")
def toy():
    density = pp.Density(p_prop, {"x": pp.real(), "y": pp.real()}, log=False)
    return pp.grid(density, points=200, ranges={"x": (-3, 3), "y": (-3, 3)})


def test_grid_table(toy):
    table = toy.table()
    assert list(table.columns) == ["x", "y", "p_prop", "p"]
    assert len(table) == 40_000
    head = table.head()
    assert (head.x == -3).all()
    np.testing.assert_allclose(head.y, [-3, -2.969849, -2.939698, -2.909548, -2.879397], atol=5e-7)
    assert (head.p_prop == 0).all()
    assert (head.p == 0).all()
    assert table.p.sum() == pytest.approx(1)


def test_grid_against_the_lesson_written_in_scipy(toy):
    bins = np.linspace(-3, 3, 200)
    x, y = np.meshgrid(bins, bins, indexing="ij")
    expected = 0.3 * stats.norm.pdf(x) + 0.7 * stats.norm.pdf(y) - 0.1 * stats.norm.pdf(x * y)
    expected = np.where((np.abs(x) > 2) | (np.abs(y) > 3), 0, expected)
    np.testing.assert_allclose(toy.table().p_prop, expected.ravel(), rtol=1e-12)
    np.testing.assert_allclose(toy.weights, expected / expected.sum(), rtol=1e-12)
    points, p = toy.marginal("y")
    np.testing.assert_allclose(points, bins)
    np.testing.assert_allclose(p, expected.sum(0) / expected.sum(), rtol=1e-12)


def test_grid_moments(toy):
    assert toy.expectation(lambda x, y: x**2) == pytest.approx(1.1475, abs=5e-5)
    assert toy.expectation(lambda x, y: y**2) == pytest.approx(1.7546, abs=5e-5)


# --- the posterior in ten dimensions ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def exact(schools):
    """Posterior mean and sd of school A by quadrature over sigma, with t and mu integrated in closed form."""
    y, se = schools().data["effect_estimate"], schools().data["std_estimate"]

    def given(sigma):
        """Weight of sigma; mean and second moment of school A's effect."""
        precision = 1 / (se**2 + sigma**2)
        p = precision.sum() + 1 / 400
        mu = (precision @ y + 8.75 / 400) / p
        log_p = 0.5 * (np.sum(np.log(precision)) - precision @ y**2 - np.log(p) + p * mu**2)
        keep = sigma**2 * precision[0]
        mean = keep * y[0] + (1 - keep) * mu
        return np.exp(log_p) * np.array([1, mean, mean**2 + keep * se[0] ** 2 + (1 - keep) ** 2 / p])

    total, first, second = integrate.quad_vec(given, 0, 100, epsrel=1e-10)[0]
    return first / total, np.sqrt(second / total - (first / total) ** 2)


def test_exact_answer(exact):
    np.testing.assert_allclose(exact, [11.37, 8.22], atol=0.005)


SAMPLERS = [pp.Metropolis(), pp.HMC(), pp.NUTS(), pp.Ensemble()]


def worst_z(draws, exact, least=1000):
    """Mean and variance of draws (chain, draw) in their own errors, from the means of the chains."""
    z = []
    for values, truth in ((draws, exact[0]), ((draws - exact[0]) ** 2, exact[1] ** 2)):
        means = values.mean(axis=1)
        error = means.std(ddof=1) / np.sqrt(len(means))
        assert values.var() / error**2 > least
        z.append(abs(means.mean() - truth) / error)
    return max(z)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: type(s).__name__)
def test_school_a(schools, exact, sampler):
    """Mean and sd within their own error; a right sampler fails with probability 1e-4."""
    fit = pp.sample(schools(), sampler=sampler, chains=32, draws=800, seed=3, progress=False)
    posterior = fit.posterior
    draws = (posterior["mu"] + posterior["sigma"] * posterior["eta"].isel(eta_dim_0=0)).values
    assert 2 * 2 * stats.t.sf(worst_z(draws, exact), 31) > 1e-4


def test_centred_form_is_right(schools, exact):
    """As the lesson writes it, the posterior has a neck; the coordinates of its layer are learnt.

    A right sampler fails with probability 1e-4.
    """

    def centred(std_estimate):
        mu = pp.rv("mu", pp.Normal(8.75, 20))
        sigma = pp.rv("sigma", pp.Uniform(0, 100))
        t = pp.rv("t", pp.Normal(mu, sigma), dims="school")
        pp.rv("effect_estimate", pp.Normal(t, std_estimate), dims="school")

    data = schools().data
    model = pp.Model(centred, data["std_estimate"], coords={"school": SCHOOLS})
    density = model.given(effect_estimate=data["effect_estimate"])
    fit = pp.sample(density, draws=400, seed=0, progress=False)
    assert 2 * 2 * stats.t.sf(worst_z(fit.posterior["t"].sel(school="A").values, exact, 500), 127) > 1e-4
    assert (fit.posterior["sigma"].values < 0.5).mean() > 0.01  # the neck is drawn from


def test_centred_form_as_a_bare_function_is_right_or_not_passed(schools, exact):
    """Nothing shows the layer; where the draws are wrong, the verdict must say so."""

    def log_p(t, mu, sigma, effect_estimate, std_estimate):
        likelihood = norm.logpdf(effect_estimate, t, std_estimate).sum()
        return likelihood + norm.logpdf(t, mu, sigma).sum() + norm.logpdf(mu, 8.75, 20)

    variables = {"t": pp.real(8), "mu": pp.real(), "sigma": pp.interval(0, 100)}
    fit = pp.sample(pp.Density(log_p, variables, data=schools().data), seed=0, progress=False)
    draws = fit.posterior["t"][..., 0].values
    means = draws.mean(axis=1)
    z = abs(means.mean() - exact[0]) / means.std(ddof=1) * np.sqrt(len(means))
    assert z < stats.t.isf(1e-4 / 2, len(means) - 1) or pp.diagnose(fit).status != "pass"
