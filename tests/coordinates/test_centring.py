"""Centring of location-scale layers: which share is best for every element, and maps that lose nothing."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import propto as pp
from propto.coordinates.centring import MARGIN, SHARES, best_shares, kappa

pytestmark = pytest.mark.usefixtures("double_precision")

# Errors from 0.01 to 100 times the scale of the layer.
TAU, ERRORS = 1.0, np.array([0.01, 0.1, 1.0, 10.0, 100.0])


# --- kappa ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_kappa_is_one_for_a_gaussian_whatever_its_scale(scale):
    z = stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000)[:, None]
    np.testing.assert_allclose(kappa(scale * (3 + z), -z / scale), 1, rtol=1e-3)


def test_kappa_of_a_known_density():
    """Of a t distribution with n degrees of freedom Var x = n/(n-2), and Var g = (n+1)/(n+3)."""
    n = 12.0
    x = stats.t.ppf((np.arange(400_000) + 0.5) / 400_000, n)[:, None]
    score = -(n + 1) * x / (n + x**2)
    np.testing.assert_allclose(kappa(x, score), n / (n - 2) * (n + 1) / (n + 3), rtol=1e-3)


def test_kappa_of_numbers_that_overflow_is_infinite():
    x = np.random.default_rng(1).normal(size=(50, 2))
    assert np.array_equal(np.isinf(kappa(x * [1, 1e200], x * [1, 1e200])), [False, True])


def test_the_best_share_must_be_clearly_better_than_the_present_one():
    kappas = np.array([[1.0, 1.0, 9.0], [2.0, 2.0, 9.0], [2.0, 2.0, 9.0], [2.0, 2.0, 1.0], [1.05, 1.2, 2.0]])
    assert MARGIN == 1.1
    np.testing.assert_array_equal(best_shares(np.ones(3), SHARES, kappas), [1.0, 0.0, 0.75])
    np.testing.assert_array_equal(best_shares(np.zeros(3), SHARES, kappas), [0.0, 0.0, 0.75])


# --- the best share ---------------------------------------------------------------------------------------


def exact_draws(y, errors, n, seed=0):
    """Draws of (mu, log tau, theta) given y by their exact conditionals, log tau on a fine lattice."""
    rng = np.random.default_rng(seed)
    log_tau = np.linspace(-8, 4, 4001)
    variance = errors**2 + np.exp(2 * log_tau)[:, None]
    precision = (1 / variance).sum(1) + 1 / 25
    mean = (y / variance).sum(1) / precision
    log_p = -0.5 * (log_tau**2 + np.log(variance).sum(1) + (y**2 / variance).sum(1))
    log_p += 0.5 * (mean**2 * precision - np.log(precision))
    p = np.exp(log_p - log_p.max())
    chosen = rng.choice(len(log_tau), n, p=p / p.sum())
    mu = mean[chosen] + rng.normal(size=n) / np.sqrt(precision[chosen])
    tau2 = np.exp(2 * log_tau[chosen])[:, None]
    weight = tau2 / (tau2 + errors**2)
    theta = mu[:, None] + weight * (y - mu[:, None])
    theta += rng.normal(size=theta.shape) * np.sqrt(weight) * errors
    return np.column_stack([mu, log_tau[chosen], theta])


def layered(errors):
    mu = pp.rv("mu", pp.Normal(0, 5))
    log_tau = pp.rv("log_tau", pp.Normal(0, 1))
    theta = pp.rv("theta", pp.Normal(mu, jnp.exp(log_tau)), shape=(15,))
    pp.rv("y", pp.Normal(theta, errors))


def seen_with(program, data, q, share):
    """Coordinates with one share for all elements, and their scores, by JAX alone."""
    centring = jnp.where(program.layers, share, 1.0)

    def log_p(x):
        q, log_det = program.uncentre(data, x, centring)
        return program.log_density_at(data, q) + log_det

    x = jax.vmap(lambda q: program.centre(data, q, centring))(q)
    return np.asarray(x), np.asarray(jax.vmap(jax.grad(log_p))(x))


def test_elements_with_small_errors_are_centred_and_with_large_ones_are_not():
    rng = np.random.default_rng(0)
    errors = np.repeat(ERRORS, 3)
    y = 2 + TAU * rng.normal(size=15) + errors * rng.normal(size=15)
    density = pp.Model(layered, errors).given(y=y)
    draws = exact_draws(y, errors, 20_000)
    kappas = np.stack([kappa(*seen_with(density.program, density.data, draws, s)) for s in SHARES])
    for present in (0.0, 0.5, 1.0):
        shares = best_shares(np.full(17, present), SHARES, kappas)[2:].reshape(5, 3)
        assert (shares[:2] == 1).all()  # errors 0.01 and 0.1
        assert (shares[3:] <= 0.25).all()  # errors 10 and 100
        assert kappas[0, 2:8].min() > 5  # non-centred, these have a funnel of their own
    # The best shares leave nothing of the funnel that the non-centred form has.
    x, score = seen_with(density.program, density.data, draws, np.concatenate([[1.0, 1.0], shares.ravel()]))
    assert kappa(x, score).max() < 5
    assert kappas[0].max() > 1000


@pytest.mark.parametrize(
    ("error", "expected"), [(0.01, {1.0}), (0.05, {1.0}), (20.0, {0.0, 0.25}), (100.0, {0.0, 0.25})]
)
def test_a_run_learns_the_share_of_every_element(error, expected, monkeypatch):
    from propto.run.leader import Run

    runs = []
    attributes = Run.attributes
    monkeypatch.setattr(Run, "attributes", lambda run: runs.append(run) or attributes(run))
    rng = np.random.default_rng(1)
    errors = np.full(15, error)
    y = 2 + TAU * rng.normal(size=15) + errors * rng.normal(size=15)
    density = pp.Model(layered, errors).given(y=y)
    fit = pp.sample(density, draws=20, seed=1, progress=False)
    centring = runs[0].learner.target.coordinates.centring
    assert set(centring[2:]) <= expected
    assert (centring[:2] == 1).all()
    # Draws come back as the model has them.
    truth = exact_draws(y, errors, 4000)
    for name, column in (("mu", 0), ("log_tau", 1)):
        found = fit.posterior[name].values.ravel()
        assert abs(found.mean() - truth[:, column].mean()) < 0.5 * truth[:, column].std()
        assert 0.6 < found.std() / truth[:, column].std() < 1.6
    chain, draw = 3, 7
    values = {n: v[chain, draw].values for n, v in fit.posterior.data_vars.items()}
    lp = density.log_density_at(density.pack(**values))
    np.testing.assert_allclose(fit.sample_stats["lp"][chain, draw], lp, rtol=1e-9)


# --- maps -------------------------------------------------------------------------------------------------


def nested(slope):
    """A scale with a layer, a layer of locations that depends on it, and one within that."""
    log_scale = pp.rv("log_scale", pp.Normal(0, 0.5), shape=(3,))
    mu = pp.rv("mu", pp.Normal(1, 2))
    group = pp.rv("group", pp.Normal(mu, jnp.exp(log_scale)), shape=(3,))
    positive = pp.rv("positive", pp.LogNormal(slope * mu, 0.7))
    pp.rv("item", pp.StudentT(4, group[:, None], positive), shape=(3, 2))
    pp.rv("free", pp.Exponential(1.0))


@pytest.fixture(scope="module")
def density():
    return pp.Model(nested, 0.3).given()


def shares_for(program, seed):
    rng = np.random.default_rng(seed)
    return np.where(program.layers, rng.uniform(0, 1, program.dim), 1.0)


@pytest.mark.parametrize("seed", range(3))
def test_centring_and_back_loses_nothing(density, seed):
    program, data = density.program, density.data
    rng = np.random.default_rng(seed)
    q, centring = rng.normal(size=program.dim), shares_for(program, seed)
    x = program.centre(data, q, centring)
    assert not np.allclose(x, q)
    np.testing.assert_allclose(program.uncentre(data, x, centring)[0], q, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        program.centre(data, program.uncentre(data, q, centring)[0], centring), q, rtol=1e-10, atol=1e-12
    )
    np.testing.assert_array_equal(np.asarray(x)[~program.layers], q[~program.layers])


@pytest.mark.parametrize("seed", range(3))
def test_the_log_determinant_is_that_of_the_jacobian(density, seed):
    program, data = density.program, density.data
    x, centring = np.random.default_rng(seed).normal(size=program.dim), shares_for(program, seed)
    _, log_det = program.uncentre(data, x, centring)
    jacobian = jax.jacfwd(lambda x: program.uncentre(data, x, centring)[0])(jnp.asarray(x))
    sign, expected = np.linalg.slogdet(jacobian)
    assert sign == 1
    np.testing.assert_allclose(log_det, expected, rtol=1e-10)
    assert abs(expected) > 0.1


def test_whole_shares_are_the_known_forms(density):
    """Share 1 is the model's own position; with share 0 a layer is standard, whatever it depends on."""
    program, data = density.program, density.data
    q = np.random.default_rng(4).normal(size=program.dim)
    np.testing.assert_allclose(program.centre(data, q, np.ones(program.dim)), q, rtol=1e-12)
    x = program.centre(data, q, 1.0 - program.layers)
    values = density.unpack(q)
    group = (values["group"] - values["mu"]) / np.exp(values["log_scale"])
    item = (values["item"] - values["group"][:, None]) / values["positive"]
    log_positive = (np.log(values["positive"]) - 0.3 * values["mu"]) / 0.7
    parts = {name: values[name] for name in values} | {"group": group, "item": item}
    parts["positive"], parts["free"] = log_positive, np.log(values["free"])
    np.testing.assert_allclose(x, np.concatenate([np.ravel(part) for part in parts.values()]), rtol=1e-10)


# --- which variables are layers ---------------------------------------------------------------------------


def found(function, *args, **observed):
    return set(pp.Model(function, *args).given(**observed).program.centred)


def test_layers_within_layers_are_found(density):
    assert set(density.program.centred) == {"group", "positive", "item"}
    assert density.program.layers.tolist() == [False] * 4 + [True] * 3 + [True] + [True] * 6 + [False]


def test_layers_are_found_through_ordinary_code():
    def model(x, county):
        beta = pp.rv("beta", pp.Normal(0, 1), shape=(2,))
        log_tau = pp.rv("log_tau", pp.Normal(0, 1))
        center = jnp.where(x[:, 0] > 0, x @ beta, jnp.tanh(beta[0]))
        by_loop = jax.lax.fori_loop(0, 3, lambda i, total: total + jnp.exp(log_tau) / (i + 1), 0.0)
        alpha = pp.rv("alpha", pp.Normal(center, by_loop), shape=(4,))
        walk = pp.rv("walk", pp.Normal(jax.lax.cumsum(alpha)[county], 2.0), shape=(3,))
        pp.rv("y", pp.Normal(walk, 1.0))

    x = np.random.default_rng(0).normal(size=(4, 2))
    assert found(model, x, np.array([0, 2, 3]), y=np.zeros(3)) == {"alpha", "walk"}


def test_constant_priors_and_data_make_no_layer():
    def model(x, se):
        beta = pp.rv("beta", pp.Normal(x, se), shape=(3,))  # only data
        other = pp.rv("other", pp.Normal(jnp.zeros(3), 1.0))
        shape = pp.rv("shape", pp.Gamma(2.0, jnp.exp(other[0])))  # no location and scale
        known = pp.rv("known", pp.Normal(0.0, 1.0))
        below = pp.rv("below", pp.Normal(known, 1.0))  # depends on what is observed
        pp.rv("half", pp.HalfNormal(jnp.exp(other[1])))  # half a line is no layer
        pp.rv("y", pp.Normal(beta + below, shape))

    assert found(model, np.ones(3), np.ones(3), y=np.zeros(3), known=0.3) == set()


def test_observed_variables_are_no_layers():
    def model():
        mu = pp.rv("mu", pp.Normal(0, 1))
        pp.rv("a", pp.Normal(mu, 1.0), shape=(2,))
        pp.rv("b", pp.Normal(mu, 1.0), shape=(2,))

    assert found(model) == {"a", "b"}
    assert found(model, a=np.zeros(2)) == {"b"}


def test_layers_keep_their_dims_and_names():
    def model(se):
        mu = pp.rv("mu", pp.Normal(0, 5))
        tau = pp.rv("tau", pp.HalfNormal(5))
        t = pp.rv("t", pp.Normal(mu, tau), dims=("year", "school"))
        pp.rv("y", pp.Normal(t, se), dims=("year", "school"))

    coords = {"school": ["A", "B", "C"], "year": [2001, 2002]}
    density = pp.Model(model, np.ones((2, 3)), coords=coords).given(y=np.arange(6.0).reshape(2, 3))
    assert density.program.centred == ("t",)
    fit = pp.sample(density, draws=10, warmup=40, chains=16, seed=0, progress=False)
    assert fit.posterior["t"].dims == ("chain", "draw", "year", "school")
    assert fit.posterior["school"].values.tolist() == ["A", "B", "C"]
    far = fit.posterior["t"].mean(("chain", "draw"))
    assert (np.diff(far.values.ravel()) > 0).all()  # in the order of the observations
