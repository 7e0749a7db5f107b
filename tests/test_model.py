"""Generative models: run forwards, conditioned, and every mistake that users make in them."""

from __future__ import annotations

import math
import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import propto as pp
from propto.errors import (
    DensityError,
    ModelError,
    NameMismatchError,
    OptionError,
    ParameterError,
    ShapeError,
    StartError,
)
from propto.programs import mark_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import numpyro.distributions as npd

EFFECT = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
ERROR = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
QUICK = {"draws": 20, "warmup": 0, "chains": 4, "progress": False}


def schools(std_estimate):
    mu = pp.rv("mu", pp.Normal(8.75, 20))
    sigma = pp.rv("sigma", pp.Uniform(0, 100))
    t = pp.rv("t", pp.Normal(mu, sigma), dims="school")
    pp.rv("effect_estimate", pp.Normal(t, std_estimate), dims="school")


MODEL = pp.Model(schools, ERROR, coords={"school": list("ABCDEFGH")})
POSTERIOR = MODEL.given(effect_estimate=EFFECT)


def log_p_schools(t, mu, sigma, y=EFFECT, se=ERROR):
    """The same, written with SciPy."""
    return (
        stats.norm.logpdf(mu, 8.75, 20)
        + stats.uniform.logpdf(sigma, 0, 100)
        + stats.norm.logpdf(t, mu, sigma).sum()
        + stats.norm.logpdf(y, t, se).sum()
    )


# --- conditioning -----------------------------------------------------------------------------------------


def test_the_posterior_is_the_one_written_by_hand():
    values = {"t": EFFECT / 2, "mu": 7.0, "sigma": 4.0}
    assert repr(POSTERIOR) == "Density(mu, sigma, t[8]; d=10)"
    assert POSTERIOR.log_density(**values) == pytest.approx(log_p_schools(**values), rel=1e-13)
    assert POSTERIOR.log_density(**{**values, "sigma": -1.0}) == -math.inf
    q = POSTERIOR.pack(**values)
    assert q[1] == pytest.approx(math.log(0.04 / 0.96))
    log_det = math.log(100 * 0.04 * 0.96)
    assert [*POSTERIOR.unpack(q)] == ["mu", "sigma", "t"]
    assert POSTERIOR.log_density_at(q) == pytest.approx(log_p_schools(**values) + log_det, rel=1e-13)
    unpacked = POSTERIOR.unpack(q)
    assert all(np.allclose(unpacked[name], value, rtol=1e-13) for name, value in values.items())


def test_the_same_density_without_the_modelling_language():
    def log_p(t, mu, sigma, y, se):
        return (
            -0.5 * ((mu - 8.75) / 20) ** 2
            - 0.5 * jnp.sum(((t - mu) / sigma) ** 2)
            - 8 * jnp.log(sigma)
            - 0.5 * jnp.sum(((y - t) / se) ** 2)
        )

    variables = {"mu": pp.real(), "sigma": pp.interval(0, 100), "t": pp.real(8)}
    by_hand = pp.Density(log_p, variables, data={"y": EFFECT, "se": ERROR})
    q = np.random.default_rng(0).normal(size=(5, 10))
    gaps = [by_hand.log_density_at(row) - POSTERIOR.log_density_at(row) for row in q]
    assert np.ptp(gaps) < 1e-11  # equal up to a constant
    np.testing.assert_allclose(by_hand.gradient_at(q[0]), POSTERIOR.gradient_at(q[0]), rtol=1e-10)


def test_a_fit_has_the_dims_and_the_observations():
    fit = pp.sample(POSTERIOR, **QUICK, sampler=pp.Metropolis())
    assert fit.posterior["t"].dims == ("chain", "draw", "school")
    assert fit.posterior["school"].values.tolist() == list("ABCDEFGH")
    assert fit.posterior["mu"].dims == ("chain", "draw")
    assert fit.observed_data["effect_estimate"].sel(school="C") == -3.0
    assert set(fit.observed_data) == {"effect_estimate"}


def test_any_variables_can_be_observed():
    partly = MODEL.given(mu=7.0, effect_estimate=EFFECT)
    assert partly.names == ("sigma", "t")
    assert partly.log_density(sigma=4.0, t=EFFECT) == pytest.approx(
        log_p_schools(t=EFFECT, mu=7.0, sigma=4.0), rel=1e-13
    )
    prior = MODEL.given()
    assert prior.names == ("mu", "sigma", "t", "effect_estimate")


def test_everything_observed_leaves_nothing_to_draw():
    nothing = MODEL.given(mu=7.0, sigma=4.0, t=EFFECT, effect_estimate=EFFECT)
    assert nothing.log_density() == pytest.approx(log_p_schools(t=EFFECT, mu=7.0, sigma=4.0), rel=1e-13)
    with pytest.raises(ModelError, match="all are observed"):
        pp.sample(nothing, **QUICK)


def test_a_scalar_variable_takes_its_shape_from_the_data():
    def model():
        mu = pp.rv("mu", pp.Normal(0, 10))
        pp.rv("y", pp.Normal(mu, 2))

    for y in ([1.0, 2.0, 4.0], np.ones((2, 3)), 3.0):
        posterior = pp.Model(model).given(y=y)
        expected = stats.norm.logpdf(0.5, 0, 10) + stats.norm.logpdf(y, 0.5, 2).sum()
        assert posterior.log_density(mu=0.5) == pytest.approx(expected, rel=1e-13)


def test_supports_may_depend_on_other_variables():
    def model():
        top = pp.rv("top", pp.Exponential(0.1))
        x = pp.rv("x", pp.Uniform(0, top))
        pp.rv("low", pp.Uniform(-x, top))

    posterior = pp.Model(model).given()
    values = {"top": 7.0, "x": 3.0, "low": -2.0}
    expected = stats.expon.logpdf(7, scale=10) - math.log(7) - math.log(10)
    assert posterior.log_density(**values) == pytest.approx(expected, rel=1e-13)
    assert posterior.log_density(**{**values, "x": 8.0}) == -math.inf
    q = posterior.pack(**values)
    np.testing.assert_allclose([posterior.unpack(q)[n] for n in values], list(values.values()), rtol=1e-12)
    with jax.enable_x64(True):
        constrain = lambda q: jnp.stack([*posterior.program.constrain(posterior.data, q).values()])  # noqa: E731
        jacobian = jax.jit(jax.jacobian(constrain))(q)
    log_volume = np.linalg.slogdet(jacobian)[1]
    assert posterior.log_density_at(q) == pytest.approx(expected + log_volume, rel=1e-12)


def test_events_with_dims():
    covariance = np.array([[2.0, 0.5], [0.5, 1.0]])

    def model(covariance):
        mean = pp.rv("mean", pp.MultivariateNormal(0.0, np.eye(2)), dims="axis")
        share = pp.rv("share", pp.Dirichlet(np.ones(3)), dims="part")
        pp.rv("y", pp.MultivariateNormal(mean, covariance), dims=("trial", "axis"))
        pp.rv("counts", pp.Normal(share, 0.1), dims=("trial", "part"))

    y, counts = np.array([[1.0, 2.0]] * 4), np.full((4, 3), 1 / 3)
    posterior = pp.Model(model, covariance, coords={"axis": ["u", "v"]}).given(y=y, counts=counts)
    assert posterior.shapes == {"mean": (2,), "share": (3,)}
    assert posterior.dim == 2 + 2
    values = {"mean": [0.5, -1.0], "share": [0.2, 0.3, 0.5]}
    expected = (
        stats.multivariate_normal.logpdf(values["mean"], np.zeros(2), np.eye(2))
        + stats.dirichlet.logpdf(values["share"], np.ones(3))
        + 4 * stats.multivariate_normal.logpdf(y[0], values["mean"], covariance)
        + stats.norm.logpdf(counts, values["share"], 0.1).sum()
    )
    assert posterior.log_density(**values) == pytest.approx(expected, rel=1e-12)


def test_arguments_may_be_nested_and_partly_fixed():
    def model(data, kind, *scales, n, options):
        mu = pp.rv("mu", pp.Normal(data["center"]["mu"], scales[0]), shape=n)
        assert kind == "normal"
        assert options == ("a", True, None)
        assert isinstance(n, int)
        pp.rv("y", pp.Normal(jnp.sum(mu), data["scales"][1] * scales[1]))

    data = {"center": {"mu": np.array(1.0)}, "scales": [np.array([1.0, 2.0]), np.array([3.0])]}
    posterior = pp.Model(model, data, "normal", 2.0, [1.0], n=2, options=("a", True, None)).given(y=[0.5])
    expected = stats.norm.logpdf([0.0, 1.0], 1.0, 2.0).sum() + stats.norm.logpdf(0.5, 1.0, 3.0)
    assert posterior.log_density(mu=[0.0, 1.0]) == pytest.approx(expected, rel=1e-13)


def test_numpys_own_integers_are_fixed_too():
    def model(n):
        pp.rv("x", pp.Normal(jnp.zeros(n), 1))

    assert pp.Model(model, np.array([1, 2, 3]).max()).given().shapes == {"x": (3,)}


def test_new_data_of_the_same_shape_are_the_same_program():
    first = pp.Model(schools, ERROR, coords={"school": range(8)}).given(effect_estimate=EFFECT)
    second = pp.Model(schools, 2 * ERROR, coords={"school": list("ABCDEFGH")}).given(effect_estimate=-EFFECT)
    third = pp.Model(schools, ERROR[:7], coords={"school": range(7)}).given(effect_estimate=EFFECT[:7])
    programs = [density.as_it_stands().program for density in (first, second, third)]
    assert programs[0] == programs[1]
    assert hash(programs[0]) == hash(programs[1])
    assert programs[0] != programs[2]


def test_a_model_may_be_spread_over_helper_functions():
    def scale(name):
        return pp.rv(name, pp.HalfNormal(1))

    def model():
        return pp.rv("x", pp.Normal(0, scale("a") + scale("b")))

    assert pp.Model(model).given(x=1.0).names == ("a", "b")


def test_a_changed_global_is_seen():
    outside = {"scale": 1.0}

    def model():
        pp.rv("x", pp.Normal(0, outside["scale"]))

    posterior = pp.Model(model).given()
    assert pp.grid(posterior).sd()["x"] == pytest.approx(1.0, rel=1e-6)
    before = mark_of(posterior.program, posterior.data)
    outside["scale"] = 5.0
    assert pp.grid(posterior).sd()["x"] == pytest.approx(5.0, rel=1e-6)
    assert mark_of(posterior.program, posterior.data) != before


# --- NumPyro's distributions ------------------------------------------------------------------------------

FOREIGN = {
    "normal": (npd.Normal(1.0, 2.0), stats.norm(1, 2), [0.5], []),
    "half normal": (npd.HalfNormal(2.0), stats.halfnorm(scale=2), [0.5], [-1.0]),
    "gamma": (npd.Gamma(2.0, 3.0), stats.gamma(2, scale=1 / 3), [0.5], [-1.0]),
    "uniform": (npd.Uniform(1.0, 3.0), stats.uniform(1, 2), [1.5], [0.5, 3.5]),
    "poisson": (npd.Poisson(3.0), stats.poisson(3), [2], [-1, 2.5]),
    "binomial": (npd.Binomial(5, 0.3), stats.binom(5, 0.3), [2], [-1, 6]),
}


@pytest.mark.parametrize(("ours", "theirs", "inside", "outside"), FOREIGN.values(), ids=FOREIGN.keys())
def test_numpyros_distributions_are_welcome(ours, theirs, inside, outside):
    def model():
        pp.rv("x", ours)

    density = theirs.logpmf if hasattr(theirs, "pmf") else theirs.logpdf
    for x in inside:
        assert pp.Model(model).given(x=x).log_density() == pytest.approx(density(x), rel=1e-5)
    for x in outside:  # NumPyro itself gives a number for these
        assert pp.Model(model).given(x=x).log_density() == -math.inf


def test_numpyros_distributions_are_drawn_from():
    def model():
        scale = pp.rv("scale", npd.HalfNormal(2.0), shape=3)
        pp.rv("x", npd.Normal(jnp.zeros((2, 1)), scale))

    draws = pp.Model(model).simulate(4000, seed=1)
    assert draws["x"].shape == (4000, 2, 3)
    # E x² = E scale² = 4, to a standard error of less than 0.1
    assert abs(float((draws["x"] ** 2).mean()) - 4) < 0.5
    assert abs(float((draws["scale"] ** 2).mean()) - 4) < 0.5


def test_numpyros_events_and_data_dependent_limits():
    def model(n):
        mean = pp.rv("mean", npd.MultivariateNormal(jnp.zeros(2), jnp.eye(2)))
        half = pp.rv("half", npd.HalfNormal(jnp.ones(3)).to_event(1))
        p = pp.rv("p", npd.Beta(1.0, 1.0))
        pp.rv("heads", npd.Binomial(n, p))
        pp.rv("y", pp.Normal(jnp.sum(mean) + jnp.sum(half), 1))

    posterior = pp.Model(model, np.array([10, 20])).given(heads=np.array([3, 8]), y=0.0)
    assert posterior.shapes == {"mean": (2,), "half": (3,), "p": ()}
    values = {"mean": [0.1, 0.2], "half": [0.5, 1.0, 1.5], "p": 0.4}
    expected = (
        stats.norm.logpdf(values["mean"]).sum()
        + stats.halfnorm.logpdf(values["half"]).sum()
        + stats.binom.logpmf([3, 8], [10, 20], 0.4).sum()
        + stats.norm.logpdf(0.0, 3.3, 1)
    )
    assert posterior.log_density(**values) == pytest.approx(expected, rel=1e-5)
    assert posterior.log_density(**{**values, "half": [0.5, -1.0, 1.5]}) == -math.inf
    beyond = pp.Model(model, np.array([10, 20])).given(heads=np.array([3, 21]), y=0.0)
    assert "heads[1] = 21 has density 0" in beyond.explain(**values)


# --- simulating -------------------------------------------------------------------------------------------


def test_simulate_draws_from_prior_and_prediction():
    n = 20_000
    draws = MODEL.simulate(n, seed=3)
    assert draws.sizes == {"draw": n, "school": 8}
    assert draws.attrs == {"seed": 3}
    assert draws["school"].values.tolist() == list("ABCDEFGH")
    assert draws["effect_estimate"].dims == ("draw", "school")
    # var = E sigma² + 20² + se²; means at 5 standard errors, variances at 5 % (their own error is 1 %)
    variance = 100**2 / 3 + 20**2 + ERROR**2
    y = draws["effect_estimate"].values
    assert np.all(abs(y.mean(0) - 8.75) < 5 * np.sqrt(variance / n))
    np.testing.assert_allclose(y.var(0), variance, rtol=0.05)
    assert stats.kstest(draws["sigma"], stats.uniform(0, 100).cdf).pvalue > 1e-4
    residual = (draws["t"] - draws["mu"]) / draws["sigma"]
    correlation = np.corrcoef(residual.values.T) - np.eye(8)
    assert abs(correlation).max() < 5 / math.sqrt(n)  # the schools are drawn independently


def test_simulate_is_reproducible_and_extends():
    draws = MODEL.simulate(5, seed=1)
    assert draws.identical(MODEL.simulate(5, seed=1))
    assert draws.identical(MODEL.simulate(5, seed=np.int64(1)))
    assert not draws.equals(MODEL.simulate(5, seed=2))


def test_known_values_are_kept_and_the_rest_follows_from_them():
    t = np.arange(8.0)
    draws = MODEL.simulate(4000, seed=1, t=t, mu=3)
    assert np.all(draws["t"].values == t)
    assert np.all(draws["mu"].values == 3)
    error = draws["effect_estimate"].values.mean(0) - t
    assert np.all(abs(error) < 5 * ERROR / math.sqrt(4000))


def test_every_shape_is_drawn_independently():
    def model(loc):
        pp.rv("wide", pp.Normal(loc, 1.0), shape=(5, 4, 3))  # loc has shape (4, 1)
        pp.rv("pair", pp.MultivariateNormal(np.zeros(2), np.array([[1.0, 0.9], [0.9, 1.0]])), shape=(6, 2))
        pp.rv("share", pp.Dirichlet(np.ones((1, 3))), shape=(4, 3))
        pp.rv("count", pp.Poisson(3.0), shape=2)

    loc = np.array([[0.0], [10.0], [20.0], [30.0]])
    draws = pp.Model(model, loc).simulate(2000, seed=5)
    wide = draws["wide"].values
    assert wide.shape == (2000, 5, 4, 3)
    np.testing.assert_allclose(wide.mean((0, 1, 3)), loc[:, 0], atol=5 / math.sqrt(2000 * 15))
    flat = (wide - loc).reshape(2000, -1)
    assert abs(np.corrcoef(flat.T) - np.eye(60)).max() < 6 / math.sqrt(2000)
    pair = draws["pair"].values
    within = np.corrcoef(pair.reshape(2000, -1).T)
    expected = np.kron(np.eye(6), [[1.0, 0.9], [0.9, 1.0]])
    assert abs(within - expected).max() < 6 / math.sqrt(2000)
    np.testing.assert_allclose(draws["share"].sum("share_dim_1"), 1.0)
    assert len(np.unique(draws["share"].values[0], axis=0)) == 4
    assert draws["count"].dtype.kind == "i"


@pytest.mark.parametrize(("options", "words"), [({"draws": 0}, "draws"), ({"seed": -1}, "seed")])
def test_options_of_simulate(options, words):
    with pytest.raises(OptionError, match=words):
        MODEL.simulate(**options)


def test_an_improper_variable_cannot_be_simulated_but_can_be_fixed():
    def model():
        mu = pp.rv("mu", pp.Flat())
        pp.rv("y", pp.Normal(mu, 1))

    with pytest.raises(ModelError, match="'mu': Flat is improper"):
        pp.Model(model).simulate(10)
    assert pp.Model(model).simulate(10, mu=2.0).sizes == {"draw": 10}


# --- mistakes ---------------------------------------------------------------------------------------------


def test_names_of_observations_must_be_known():
    with pytest.raises(NameMismatchError, match=r"unknown observed variable 'effect'; expected .*'mu'"):
        MODEL.given(effect=EFFECT)
    with pytest.raises(NameMismatchError, match="unknown fixed variable 'effect'"):
        MODEL.simulate(effect=EFFECT)


def test_observations_must_have_the_right_shape():
    with pytest.raises(ShapeError, match=r"'effect_estimate' .*\(3,\).*\(8,\)"):
        MODEL.given(effect_estimate=EFFECT[:3])
    with pytest.raises(ShapeError, match=r"'mu' .*\(2,\).*\(\)"):
        pp.Model(lambda: pp.rv("mu", pp.Normal(0, 1), shape=())).given(mu=[1.0, 2.0])
    no_dims = pp.Model(lambda se: pp.rv("y", pp.Normal(0, se)), ERROR)
    with pytest.raises(ShapeError, match=r"'y'.*\(8,\).*\(3,\)"):
        no_dims.given(y=EFFECT[:3])


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        ([np.nan] * 8, ModelError, "all of 'effect_estimate' is NaN"),
        (["a"] * 8, DensityError, "'effect_estimate' does not hold numbers"),
        (np.ma.masked_greater(EFFECT, 20), DensityError, "'effect_estimate' has masked"),
        ([[1.0], [2.0, 3.0]], DensityError, "'effect_estimate' is not an array"),
    ],
)
def test_observations_must_be_numbers(value, error, words):
    with pytest.raises(error, match=words):
        MODEL.given(effect_estimate=value)


def test_an_observation_outside_its_support_is_named_at_the_start():
    def model():
        rate = pp.rv("rate", pp.Gamma(2.0, 1.0))
        pp.rv("count", pp.Poisson(rate), dims="day")
        pp.rv("wait", pp.Exponential(rate))

    days = {"day": ["Mon", "Tue", "Wed"]}
    posterior = pp.Model(model, coords=days).given(count=[3, -1, 2], wait=[1.0, 2.0])
    with pytest.raises(StartError, match=r"count\[Tue\] = -1 has density 0") as caught:
        pp.sample(posterior, **QUICK)
    assert "rate = " in str(caught.value)
    assert "wait" not in str(caught.value).split("\n", 1)[1]  # only the term that fails
    posterior = pp.Model(model, coords=days).given(count=[3, 1, 2], wait=[1.0, -2.0])
    assert posterior.explain(rate=1.0).startswith("wait[1] = -2 has density 0 (log density -inf)\n  at ")
    assert posterior.explain(rate=-1.0).startswith("rate = -1 has density 0")


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        (lambda: (pp.rv("a", pp.Normal(0, 1)), pp.rv("a", pp.Normal(0, 1))), NameMismatchError, "'a'"),
        (lambda: pp.rv("n", pp.Poisson(3.0)), ModelError, r"'n' is discrete \(Poisson\)"),
        (lambda: pp.rv("a", pp.Normal(0, 1), dims="i"), ShapeError, "'a' has the dim 'i'.*give it in coords"),
        (lambda: pp.rv("a", pp.Normal(0, 1), dims="i", shape=3), ModelError, "dims or shape"),
        (lambda: pp.rv("a", pp.Normal(np.zeros(3), 1), shape=4), ShapeError, r"'a'.*\(3,\).*\(4,\)"),
        (lambda: pp.rv("a", pp.Normal(np.zeros(3), 1), dims=("i", "j")), ShapeError, "'a'"),
        (lambda: pp.rv("a", pp.Normal(np.zeros((2, 2)), 1), dims=("i", "i")), ShapeError, "'a'"),
        (lambda: pp.rv("a", pp.Normal(np.zeros(2), 1), dims="a"), NameMismatchError, "'a'"),
        (lambda: pp.rv("chain", pp.Normal(0, 1)), NameMismatchError, "'chain'"),
        (lambda: pp.rv("a/b", pp.Normal(0, 1)), NameMismatchError, "'a/b'"),
        (lambda: pp.rv("a", 3.0), ModelError, "'a' needs a distribution"),
        (lambda: pp.rv("a", pp.Normal), ModelError, "'a' needs a distribution"),
        (lambda: pp.rv(pp.Normal(0, 1)), TypeError, "distribution"),
        (lambda: pp.rv(3, pp.Normal(0, 1)), ModelError, "name, a string"),
        (lambda: pp.rv("a", pp.Normal(0, -1)), ParameterError, "Normal: scale.*-1"),
        (lambda: pp.rv("a", pp.Normal(np.zeros(3), np.ones(4))), ShapeError, r"Normal.*\(3,\).*\(4,\)"),
        (lambda: None, ModelError, "declares no random variable"),
    ],
)
def test_mistakes_in_a_model(model, error, words):
    with pytest.raises(error, match=words):
        pp.Model(model).given()


def test_lengths_of_dims_must_agree():
    with pytest.raises(ShapeError, match=r"Normal.*\(8,\).*\(5,\)"):
        pp.Model(schools, ERROR[:5], coords={"school": list("ABCDEFGH")}).given(effect_estimate=EFFECT)

    def model(x):
        pp.rv("a", pp.Normal(x, 1), dims="i")
        pp.rv("b", pp.Normal(np.zeros(2), 1), dims="i")

    with pytest.raises(ShapeError, match=r"'b'.*\(2,\).*\(3,\)"):
        pp.Model(model, np.zeros(3)).given()
    with pytest.raises(ShapeError, match=r"'a'.*\(3,\).*\(4,\)"):
        pp.Model(model, np.zeros(3), coords={"i": [1, 2, 3, 4]}).given()


@pytest.mark.parametrize("branch", ["if", "float", "numpy", "range"])
def test_python_on_traced_values_is_explained(branch):
    def model():
        x = pp.rv("x", pp.Normal(0, 1))
        if branch == "if" and x > 0:
            x = 2 * x
        elif branch == "float":
            float(x)
        elif branch == "numpy":
            np.exp(x)
        elif branch == "range":
            range(x.astype(int))

    with pytest.raises(ModelError, match=r"jnp\.where") as caught:
        pp.Model(model).given()
    assert re.search(r"test_model\.py:\d+", str(caught.value))


@pytest.mark.parametrize("transform", [jax.vmap, jax.jit, lambda f: lambda x: jax.lax.map(f, x)])
def test_a_variable_inside_of_a_transformed_function(transform):
    def model():
        mu = pp.rv("mu", pp.Normal(0, 1))
        x = transform(lambda i: pp.rv("x", pp.Normal(mu + i, 1)))(jnp.arange(3.0))
        pp.rv("y", pp.Normal(x, 1))

    for use in (lambda: pp.Model(model).given(y=np.ones(3)), lambda: pp.Model(model).simulate(2)):
        with pytest.raises(ModelError, match=r"'x' is declared inside .*vmap.*shape="):
            use()


def test_a_variable_outside_a_model():
    with pytest.raises(ModelError, match=r"pp\.rv\('a', \.\.\.\) was called outside a model"):
        pp.rv("a", pp.Normal(0, 1))


def test_a_failing_model_leaves_no_recorder_behind():
    def model():
        pp.rv("a", pp.Normal(0, 1))
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        pp.Model(model).given()
    with pytest.raises(ModelError, match="outside a model"):
        pp.rv("a", pp.Normal(0, 1))


@pytest.mark.parametrize("argument", [{1, 2}, {"x": {1, 2}}, bytearray(b"a")])
def test_arguments_must_be_data_or_fixed(argument):
    with pytest.raises(ModelError, match=r"argument 1.* of the model function is"):
        pp.Model(lambda x: pp.rv("a", pp.Normal(0, 1)), argument)


def test_texts_in_data_are_refused_by_name():
    with pytest.raises(DensityError, match=r"argument 1\['y'\] of the model function does not hold numbers"):
        pp.Model(lambda x: pp.rv("a", pp.Normal(0, 1)), {"y": np.array(["a", "b"])})


def test_a_model_is_not_a_density():
    with pytest.raises(ModelError, match=r"model\.given"):
        pp.sample(MODEL, **QUICK)
