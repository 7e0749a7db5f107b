"""The modelling language: named values, factors, missing data, sums over states, layers, words."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import propto as pp
from propto.errors import ModelError, NameMismatchError, ShapeError

QUICK = {"draws": 30, "warmup": 0, "chains": 4, "progress": False}
SE = np.array([15.0, 10, 16])

# --- deterministic values and factors ---------------------------------------------------------------------


def schools(se):
    mu = pp.rv("mu", pp.Normal(0, 10))
    sigma = pp.rv("sigma", pp.HalfNormal(5))
    t = pp.rv("t", pp.Normal(mu, sigma), dims="school")
    pp.det("share", sigma**2 / (sigma**2 + se**2), dims="school")
    pp.det("best", t.max())
    pp.factor("soft", -0.5 * mu**2)
    pp.rv("y", pp.Normal(t, se), dims="school")


MODEL = pp.Model(schools, SE, coords={"school": ["A", "B", "C"]})
POSTERIOR = MODEL.given(y=[28.0, 8, -3])


def test_a_factor_is_a_term_of_the_density():
    values = {"mu": 1.0, "sigma": 2.0, "t": np.array([3.0, 4, 5])}
    expected = (
        stats.norm.logpdf(1, 0, 10)
        + stats.halfnorm.logpdf(2, scale=5)
        + stats.norm.logpdf(values["t"], 1, 2).sum()
        + stats.norm.logpdf([28.0, 8, -3], values["t"], SE).sum()
        - 0.5
    )
    assert POSTERIOR.log_density(**values) == pytest.approx(expected, rel=1e-13)


def test_deterministic_values_follow_from_draws():
    rng = np.random.default_rng(0)
    draws = {
        "mu": rng.normal(size=(7, 2)),
        "sigma": rng.uniform(size=(7, 2)),
        "t": rng.normal(size=(7, 2, 3)),
    }
    found = POSTERIOR.derived(draws)
    assert found["share"][0] == ("school",)
    square = draws["sigma"][..., None] ** 2
    np.testing.assert_allclose(found["share"][1], square / (square + SE**2), rtol=1e-12)
    np.testing.assert_allclose(found["best"][1], draws["t"].max(axis=-1), rtol=1e-12)
    assert POSTERIOR.names == ("mu", "sigma", "t")  # they cost nothing while sampling


def test_deterministic_values_are_simulated():
    draws = MODEL.simulate(50, seed=1)
    assert draws["share"].dims == ("draw", "school")
    np.testing.assert_allclose(draws["best"], draws["t"].max("school"))


def test_a_failing_factor_is_explained():
    def model():
        x = pp.rv("x", pp.Normal(0, 1))
        pp.factor("only above 0", jnp.where(x > 0, 0.0, -jnp.inf))

    text = pp.Model(model).given().explain(x=-1.0)
    assert text.startswith("the factor 'only above 0' is -inf at x = -1")
    assert "test_language.py:" in text


# --- missing observations ---------------------------------------------------------------------------------


def regression(x):
    beta = pp.rv("beta", pp.Normal(0, 1))
    pp.rv("y", pp.Normal(beta * x, 2.0), dims="day")


DAYS = {"day": ["Mon", "Tue", "Wed", "Thu"]}
X = np.array([1.0, 2, 3, 4])


def test_missing_observations_are_variables():
    posterior = pp.Model(regression, X, coords=DAYS).given(y=[1.0, np.nan, 2.0, np.nan])
    assert posterior.shapes == {"beta": (), "y_missing": (2,)}
    assert posterior.coords["y_missing_at"].tolist() == ["Tue", "Thu"]
    full = np.array([1.0, 5.0, 2.0, 7.0])
    expected = stats.norm.logpdf(0.5) + stats.norm.logpdf(full, 0.5 * X, 2).sum()
    assert posterior.log_density(beta=0.5, y_missing=[5.0, 7.0]) == pytest.approx(expected, rel=1e-13)
    drawn = np.arange(6.0).reshape(3, 2)
    axes, whole = posterior.completed({"y_missing": drawn})["y"]
    assert axes == ("day",)
    np.testing.assert_array_equal(whole, [[1, 0, 2, 1], [1, 2, 2, 3], [1, 4, 2, 5]])


def test_missing_observations_leave_the_others_posterior_as_it_is():
    """The missing value integrates to 1, so beta's posterior is that of the days that are there."""
    some = pp.Model(regression, X[:3], coords={"day": range(3)}).given(y=[1.0, np.nan, 2.0])
    grid = pp.grid(some, points=200)
    precision = 1 + (1 + 9) / 4
    assert grid.mean()["beta"] == pytest.approx((1 + 6) / 4 / precision, abs=1e-6)
    assert grid.sd()["beta"] == pytest.approx(precision**-0.5, abs=1e-6)


def test_missing_values_stay_in_their_support():
    def model(top):
        pp.rv("wait", pp.Exponential(1.0), shape=3)
        pp.rv("share", pp.Uniform(0.0, top), dims=("i", "j"))

    share = np.array([[0.1, np.nan], [0.2, np.nan]])
    posterior = pp.Model(model, np.array([1.0, 3.0])).given(wait=[1.0, np.nan, 2.0], share=share)
    assert posterior.shapes == {"wait_missing": (1,), "share_missing": (2,)}
    assert posterior.coords["share_missing_at"].tolist() == ["0, 1", "1, 1"]
    q = np.array([0.3, 0.1, -0.2])
    values = posterior.unpack(q)
    np.testing.assert_allclose(values["share_missing"], 3 / (1 + np.exp(-q[1:])))
    np.testing.assert_allclose(posterior.pack(**values), q)
    jacobian = np.exp(q[0]) * np.prod(3 * np.exp(-q[1:]) / (1 + np.exp(-q[1:])) ** 2)
    assert posterior.log_density_at(q) - posterior.log_density(**values) == pytest.approx(np.log(jacobian))


def test_missing_data_of_new_places_are_the_same_program():
    model = pp.Model(regression, X, coords=DAYS)
    programs = [model.given(y=y).as_it_stands().program for y in ([1.0, np.nan, 2, 3], [np.nan, 2.0, 5.0, 3])]
    assert programs[0] == programs[1]


def test_missing_counts_on_which_nothing_depends_are_left_out():
    def model():
        rate = pp.rv("rate", pp.Exponential(1.0))
        pp.rv("n", pp.Poisson(rate))

    some = pp.Model(model).given(n=[2.0, np.nan, 3.0])
    rest = pp.Model(model).given(n=[2, 3])
    assert some.names == ("rate",)
    assert some.log_density(rate=1.5) == pytest.approx(rest.log_density(rate=1.5), rel=1e-13)


def test_missing_outcomes_on_which_others_depend_are_summed_out():
    def model():
        p = pp.rv("p", pp.Beta(2, 2))
        ill = pp.rv("ill", pp.Bernoulli(p))
        pp.rv("fever", pp.Normal(37 + 2.0 * ill, 0.5), shape=3)

    fever = np.array([37.2, 39.5, 38.0])
    posterior = pp.Model(model).given(ill=[0.0, 1.0, np.nan], fever=fever)
    p = 0.3
    pdf = lambda i, ill: stats.norm.pdf(fever[i], 37 + 2 * ill, 0.5)  # noqa: E731
    likelihood = (1 - p) * pdf(0, 0) * p * pdf(1, 1) * (p * pdf(2, 1) + (1 - p) * pdf(2, 0))
    assert posterior.log_density(p=p) == pytest.approx(
        stats.beta.logpdf(p, 2, 2) + np.log(likelihood), rel=1e-12
    )


# --- discrete variables summed out ------------------------------------------------------------------------


def by_hand(log_p, sizes, **values):
    """The log of the sum of p over all combinations of states."""
    combinations = itertools.product(*(itertools.product(range(k), repeat=n) for k, n in sizes))
    total = -np.inf
    for states in combinations:
        total = np.logaddexp(total, log_p(*map(np.array, states), **values))
    return total


def test_two_layers_of_states():
    """A state of all, states of each, and two measurements: one along a second axis."""
    table = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    y, w = np.array([0.1, 1.2, 2.2]), np.arange(6.0).reshape(3, 2) / 3

    def model(table):
        mu = pp.rv("mu", pp.Normal(0, 3), shape=3)
        kind = pp.rv("kind", pp.Bernoulli(0.4))
        z = pp.rv("z", pp.Categorical(table[kind]), dims="i")
        pp.rv("y", pp.Normal(mu[z], 1.0), dims="i")
        pp.rv("w", pp.Normal(mu[z][:, None] + kind, 1.0), dims=("i", "j"))

    def log_p(kind, z, mu):
        return (
            stats.norm.logpdf(mu, 0, 3).sum()
            + stats.bernoulli.logpmf(kind[0], 0.4)
            + np.log(table[kind[0]][z]).sum()
            + stats.norm.logpdf(y, mu[z]).sum()
            + stats.norm.logpdf(w, mu[z][:, None] + kind[0]).sum()
        )

    posterior = pp.Model(model, table, coords={"i": [1, 2, 3], "j": [1, 2]}).given(y=y, w=w)
    mu = np.array([0.0, 1.0, 2.5])
    assert posterior.names == ("mu",)
    expected = by_hand(log_p, [(2, 1), (3, 3)], mu=mu)
    assert posterior.log_density(mu=mu) == pytest.approx(expected, rel=1e-12)
    assert posterior.log_density_at(mu) == pytest.approx(expected, rel=1e-12)
    step = 1e-5 * np.array([1.0, 0, 0])
    slope = (posterior.log_density_at(mu + step) - posterior.log_density_at(mu - step)) / 2e-5
    assert posterior.gradient_at(mu)[0] == pytest.approx(slope, rel=1e-6)


def test_two_states_of_one_element():
    def model():
        p = pp.rv("p", pp.Beta(1, 1))
        a = pp.rv("a", pp.Bernoulli(p), shape=2)
        b = pp.rv("b", pp.Binomial(2, 0.3), shape=2)
        pp.rv("y", pp.Normal(1.0 * a + 3.0 * b, 1.0))

    y = np.array([0.5, 4.0])

    def log_p(a, b, p):
        return (
            stats.bernoulli.logpmf(a, p).sum()
            + stats.binom.logpmf(b, 2, 0.3).sum()
            + stats.norm.logpdf(y, a + 3 * b).sum()
        )

    posterior = pp.Model(model).given(y=y)
    expected = by_hand(log_p, [(2, 2), (3, 2)], p=0.3)
    assert posterior.log_density(p=0.3) == pytest.approx(expected, rel=1e-12)


def test_a_sum_is_a_mixture():
    def summed():
        mu = pp.rv("mu", pp.Ordered(pp.Normal(0, 2), 2))
        z = pp.rv("z", pp.Bernoulli(0.3), shape=4)
        pp.rv("y", pp.Normal(mu[z], 1.0))

    def mixed():
        mu = pp.rv("mu", pp.Ordered(pp.Normal(0, 2), 2))
        pp.rv("y", pp.Mixture([0.7, 0.3], pp.Normal(mu, 1.0)))

    y = np.array([-1.0, 0.3, 2.0, 2.5])
    one, other = (pp.Model(model).given(y=y).log_density(mu=[0.0, 2.0]) for model in (summed, mixed))
    assert one == pytest.approx(other, rel=1e-12)


@pytest.mark.parametrize(
    ("follow", "words"),
    [
        (lambda z: pp.rv("y", pp.Normal(jnp.cumsum(z) * 1.0, 1)), "elements of 'y' depend on several"),
        (lambda z: pp.rv("y", pp.Normal(z[::-1] * 1.0, 1)), "elements of 'y' depend on several"),
        (lambda z: pp.rv("y", pp.Normal(z.sum() * jnp.ones(5), 1)), "elements of 'y' depend on several"),
        (lambda z: pp.factor("f", -1.0 * z.sum()), "elements of 'f' depend on several"),
        (lambda z: pp.det("d", z + 1), "'d' depends on 'z'"),
        (lambda z: pp.rv("x", pp.Uniform(0.0, z + 1.0)), "'x' depends on 'z'"),
    ],
)
def test_what_cannot_be_summed_element_by_element(follow, words):
    def model():
        z = pp.rv("z", pp.Bernoulli(0.4), shape=5)
        follow(z)

    with pytest.raises(ModelError, match=words):
        pp.Model(model).given(**({"y": np.ones(5)} if "'y'" in words else {}))


def test_a_layer_that_changes_with_a_state_is_not_centred():
    def model():
        mu = pp.rv("mu", pp.Normal(0, 3), shape=2)
        s = pp.rv("s", pp.HalfNormal(1))
        z = pp.rv("z", pp.Bernoulli(0.5), shape=3)
        x = pp.rv("x", pp.Normal(mu[z], s))
        t = pp.rv("t", pp.Normal(mu[0], s), shape=3)
        pp.rv("y", pp.Normal(x + t, 1.0))

    posterior = pp.Model(model).given(y=np.ones(3))
    assert posterior.program.centred == ("t",)
    values = posterior.unpack(np.linspace(-1, 1, posterior.dim))
    mu, s, x, t = (values[name] for name in ("mu", "s", "x", "t"))
    each = np.log(0.5 * stats.norm.pdf(x, mu[0], s) + 0.5 * stats.norm.pdf(x, mu[1], s))
    expected = each.sum() + stats.norm.logpdf(t, mu[0], s).sum() + stats.norm.logpdf(1, x + t).sum()
    expected += stats.norm.logpdf(mu, 0, 3).sum() + stats.halfnorm.logpdf(s)
    assert posterior.log_density(**values) == pytest.approx(expected, rel=1e-12)


# --- groups by an index array, dims -----------------------------------------------------------------------


def test_layers_are_seen_through_an_index_array():
    district = np.array([0, 0, 1, 2, 2, 2])

    def model(district, x):
        mu = pp.rv("mu", pp.Normal(0, 1))
        tau = pp.rv("tau", pp.HalfNormal(1))
        rho = pp.rv("rho", pp.HalfNormal(1))
        alpha = pp.rv("alpha", pp.Normal(mu, tau), dims="district")
        house = pp.rv("house", pp.Normal(alpha[district] + x, rho), dims="home")
        pp.rv("y", pp.Normal(house, 1.0), dims="home")

    coords = {"district": ["u", "v", "w"], "home": np.arange(6)}
    posterior = pp.Model(model, district, np.ones(6), coords=coords).given(y=np.zeros(6))
    assert posterior.program.centred == ("alpha", "house")
    fit = pp.sample(posterior, **QUICK, sampler=pp.Metropolis())
    assert fit.posterior["alpha"].sel(district="v").shape == (4, 30)


def test_an_axis_that_is_missing_at_the_end_is_named():
    def model():
        a = pp.rv("a", pp.Normal(0, 1), dims="dog")
        pp.rv("y", pp.Normal(a, 1), dims=("dog", "trial"))

    with pytest.raises(ShapeError, match=r"give its parameters an axis at the end: x\[:, None\]"):
        pp.Model(model, coords={"dog": range(3), "trial": range(5)}).given()


# --- shrinkage priors and Gaussian processes --------------------------------------------------------------


def test_horseshoe_and_r2d2_are_the_densities_of_their_papers():
    def model():
        pp.horseshoe("b", 0.3, shape=2, slab_scale=1.5, slab_df=6.0)

    posterior = pp.Model(model).given()
    tau, lam, c2, b = 0.2, np.array([0.5, 3.0]), 2.0, np.array([0.1, -1.0])
    expected = (
        stats.halfcauchy.logpdf(tau, scale=0.3)
        + stats.halfcauchy.logpdf(lam).sum()
        + stats.invgamma.logpdf(c2, 3.0, scale=6 * 1.5**2 / 2)
        + stats.norm.logpdf(b, 0, np.sqrt(c2 * (tau * lam) ** 2 / (c2 + (tau * lam) ** 2))).sum()
    )
    found = posterior.log_density(b_global=tau, b_local=lam, b_slab=c2, b=b)
    assert found == pytest.approx(expected, rel=1e-12)
    assert posterior.program.centred == ("b",)

    draws = pp.Model(lambda: pp.r2d2("b", 2.0, np.array([1.0, 3.0]))).simulate(20_000, seed=0)
    explained = draws["b"] ** 2 * np.array([1.0, 9.0]) / 4
    odds = draws["b_r2"] / (1 - draws["b_r2"])
    ratio = (explained / (draws["b_share"].values * odds.values[:, None])).mean("draw")
    np.testing.assert_allclose(ratio, 1.0, atol=5 * np.sqrt(2 / 20_000))  # squares of standard normals


@pytest.mark.parametrize("kernel", [pp.squared_exponential, pp.matern32, pp.matern52])
def test_kernels_are_covariances(kernel):
    x = np.linspace(0, 4, 9)
    with jax.enable_x64(True):
        matrix = np.asarray(kernel(x, x, 2.0, 1.5))
        apart = np.asarray(kernel(x[:, None] * [1.0, 0.0], x[:, None] * [1.0, 0.0], 2.0, [1.5, 7.0]))
        slope = jax.grad(lambda length: kernel(x, x, 2.0, length).sum())(1.5)
    np.testing.assert_allclose(np.diag(matrix), 4.0)
    np.testing.assert_allclose(apart, matrix)
    assert np.linalg.eigvalsh(matrix).min() > -1e-12
    assert np.isfinite(slope)


def test_the_basis_of_sines_approaches_the_process():
    x = np.linspace(-1, 1, 7)
    basis, frequencies = pp.hilbert_basis(x, 60, 4.0)
    with jax.enable_x64(True):
        spectrum = np.asarray(pp.spectrum(frequencies, 1.3, 0.6))
        exact = np.asarray(pp.squared_exponential(x, x, 1.3, 0.6))
    np.testing.assert_allclose((basis * spectrum) @ basis.T, exact, atol=1e-6)


# --- words ------------------------------------------------------------------------------------------------


def test_a_model_tells_its_mathematics():
    assert MODEL.describe().splitlines() == [
        "mu ~ Normal(0, 10)",
        "sigma ~ HalfNormal(5)",
        "t[school] ~ Normal(mu, sigma)",
        "share[school] = f(sigma, se)",
        "best = f(t)",
        "p ∝ exp(f(mu)), the factor 'soft'",
        "y[school] ~ Normal(t, se)",
    ]


def test_a_model_draws_its_graph():
    graph = MODEL.graph()
    arrows = [line.strip() for line in graph.splitlines() if "->" in line]
    assert arrows == [
        '"mu" -> "t";',
        '"sigma" -> "t";',
        '"sigma" -> "share";',
        '"se" -> "share";',
        '"t" -> "best";',
        '"mu" -> "soft";',
        '"t" -> "y";',
        '"se" -> "y";',
    ]
    assert graph.count("subgraph") == 1


def test_a_name_that_follows_from_others_cannot_be_observed():
    with pytest.raises(NameMismatchError, match=r"'best' follows from other variables \(pp\.det\)"):
        MODEL.given(best=3.0)


def test_a_fit_has_what_follows_and_what_was_missing():
    posterior = MODEL.given(y=[28.0, np.nan, -3.0])
    fit = pp.sample(posterior, **QUICK, sampler=pp.Metropolis())
    assert fit.posterior["share"].dims == ("chain", "draw", "school")
    np.testing.assert_allclose(fit.posterior["best"], fit.posterior["t"].max("school"))
    assert fit.posterior["y_missing"]["y_missing_at"].values.tolist() == ["B"]
    whole = fit["completed_data"]["y"]
    assert (whole.sel(school="A") == 28.0).all()
    np.testing.assert_array_equal(whole.sel(school="B"), fit.posterior["y_missing"].isel(y_missing_at=0))
