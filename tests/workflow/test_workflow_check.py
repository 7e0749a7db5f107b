"""The dry run against closed forms, and what it says of densities that are wrong."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import propto as pp
from propto.errors import DensityError, ModelError, OptionError

SE = np.array([15.0, 10, 16])


def schools(se):
    mu = pp.rv("mu", pp.Normal(0, 10))
    sigma = pp.rv("sigma", pp.Uniform(0, 100))
    t = pp.rv("t", pp.Normal(mu, sigma), dims="school")
    pp.det("best", t.max())
    pp.factor("soft", -0.01 * mu**2)
    pp.rv("y", pp.Normal(t, se), dims="school")


POSTERIOR = pp.Model(schools, SE, coords={"school": list("ABC")}).given(y=[28.0, 8, -3])
FOUND = pp.check(POSTERIOR)


def narrow(text):
    return all(len(line) <= 80 for line in text.splitlines())


def test_terms_are_those_of_the_log_density():
    parts = {part.name: part for part in FOUND.parts}
    assert FOUND.is_fine
    assert FOUND.dim == 5
    assert {name: part.domain for name, part in parts.items()} == {
        "mu": "real",
        "sigma": "0 to 100",
        "soft": "factor",
        "t": "real",
        "y": "observed",
        "log-determinant": "of the maps",
    }
    assert (parts["t"].axes, parts["t"].shape) == (("school",), (3,))
    assert np.allclose(parts["sigma"].log_terms, -np.log(100))
    mu2 = np.array(parts["soft"].log_terms) / -0.01
    assert np.allclose(parts["mu"].log_terms, stats.norm.logpdf(np.sqrt(mu2), 0, 10))
    assert np.allclose(sum(np.array(part.log_terms) for part in FOUND.parts), FOUND.log_densities)


def test_starts_are_those_of_the_run(double_precision):
    from propto.run.start import start_points

    start = start_points(POSTERIOR, 64, 0, None, 1.0 - POSTERIOR.program.layers, True)
    _, log_det = POSTERIOR.program.uncentre(POSTERIOR.data, start.x[5], 1.0 - POSTERIOR.program.layers)
    assert FOUND.log_densities[5] == pytest.approx(start.logp[5] - float(log_det), rel=1e-6)


def test_what_a_run_needs():
    cost = FOUND.cost
    assert cost.data_bytes == 6 * 8
    assert cost.draw_bytes == 8 * 100 * 64 * (5 + 5 + 1)  # positions, variables, and what det names
    assert 0 < cost.single < cost.batch < 64 * cost.single
    low, usual, high = cost.seconds
    assert low < usual < high
    assert usual == pytest.approx(180 * cost.batch)


def test_the_text():
    assert narrow(str(FOUND))
    text = " ".join(str(FOUND).split())
    for words in ("5 numbers to sample", "school 3", "0 to 100", "agrees with finite", "an estimate"):
        assert words in text
    assert text.endswith("nothing speaks against sampling")


# --- derivatives ------------------------------------------------------------------------------------------


@jax.custom_jvp
def bent(x):
    return jnp.sin(x)


@bent.defjvp
def _(primals, tangents):
    (x,), (dx,) = primals, tangents
    return jnp.sin(x), jnp.where(jnp.arange(x.size) == 17, 1.3, 1.0) * jnp.cos(x) * dx


def stopped():
    mu = pp.rv("mu", pp.Normal(0, 1))
    s = pp.rv("s", pp.HalfNormal(1))
    pp.rv("y", pp.Normal(mu, jax.lax.stop_gradient(s)))


@pytest.mark.parametrize(
    ("density", "names"),
    [
        (pp.Model(stopped).given(y=3.0), ["s"]),
        # One wrong derivative among a thousand.
        (
            pp.Density(
                lambda a, x: -0.5 * jnp.sum(x**2) - jnp.sum(bent(x)) - a**2,
                {"a": pp.real(), "x": pp.real(1000)},
            ),
            ["x"],
        ),
    ],
)
def test_wrong_derivatives_are_named(density, names):
    found = pp.check(density)
    assert [slope.name for slope in found.slopes if slope.is_wrong] == names
    assert f"gradient: wrong for {names[0]}" in str(found)
    assert f"along {names[0]!r}" in found.problems[0]
    assert narrow(str(found))


def series():
    share = pp.rv("share", pp.Beta(2, 2))
    mu = pp.rv("mu", pp.Ordered(pp.Normal(0, 5), 2))
    stay = jnp.stack([jnp.stack([share, 1 - share]), jnp.stack([1 - share, share])])
    pp.rv("y", pp.HMM([0.5, 0.5], stay, pp.Normal(mu, 1.0), length=20))


def process(x):
    length = pp.rv("length", pp.InverseGamma(5, 5))
    scale = pp.rv("scale", pp.HalfNormal(1))
    noise = pp.rv("noise", pp.HalfNormal(1))
    covariance = pp.squared_exponential(x, x, scale, length) + noise**2 * jnp.eye(len(x))
    pp.rv("y", pp.MultivariateNormal(0.0, covariance))


def matrices():
    chol = pp.rv("chol", pp.LKJCholesky(3, 2.0))
    s = pp.rv("s", pp.HalfNormal(1), shape=3)
    pp.rv("w", pp.Dirichlet(np.ones(4)))
    pp.rv("y", pp.MultivariateNormal(np.zeros(3), scale_tril=s[:, None] * chol), shape=(5, 3))


def kinds():
    p = pp.rv("p", pp.Beta(2, 2))
    z = pp.rv("z", pp.Bernoulli(p), shape=4)
    pp.rv("y", pp.Normal(3.0 * z, 1.0))


RNG = np.random.default_rng(4)


@pytest.mark.parametrize(
    "density",
    [
        pp.Model(series).given(y=RNG.normal(size=20)),
        pp.Model(process, np.linspace(0, 1, 12)).given(y=RNG.normal(size=12)),
        pp.Model(matrices).given(y=RNG.normal(size=(5, 3))),
        pp.Model(kinds).given(y=RNG.normal(size=4)),
        pp.Density(lambda x: -jnp.abs(x) * 1e6, {"x": pp.real()}),
        pp.Density(lambda x: -jnp.exp(40 * x), {"x": pp.interval(-1, 1)}),
        pp.Density(lambda x: -0.5 * jnp.sum(((x - 1e4) / 1e-4) ** 2), {"x": pp.real(3)}),
    ],
    ids=["HMM", "GP", "LKJ", "summed", "kink", "steep", "narrow and far"],
)
@pytest.mark.parametrize("seed", range(3))
def test_right_derivatives_raise_no_alarm(density, seed):
    found = pp.check(density, seed=seed)
    assert not [slope for slope in found.slopes if slope.is_wrong], found.slopes
    assert narrow(str(found))


# --- what cannot be sampled, or not so ---------------------------------------------------------------------


def test_starts_without_density_are_counted_and_explained():
    def model():
        x = pp.rv("x", pp.Normal(0, 1))
        pp.factor("above", jnp.where(x > 0, 0.0, -jnp.inf))

    found = pp.check(pp.Model(model).given())
    assert 18 < found.undefined < 46  # half of 64, within 3.5 standard deviations
    assert found.reason.startswith("the factor 'above' is -inf")
    assert np.isfinite(found.log_densities).all()
    assert found.is_fine
    assert f"nothing can start at {found.undefined} start points" in " ".join(str(found).split())


def test_a_density_without_starts_is_no_error_but_a_problem():
    found = pp.check(pp.Density(lambda x: jnp.log(-1.0 - x**2), {"x": pp.real()}))
    assert not found.is_fine
    assert found.cost is None
    assert "none of 100 start points" in found.problems[0]
    assert "do not sample this yet" in str(found)
    assert narrow(str(found))


def test_a_gradient_that_is_nowhere_finite_is_a_problem():
    found = pp.check(pp.Density(lambda x: -(x**2) + jnp.sqrt(x - x), {"x": pp.real()}))
    assert found.undefined == 0
    assert "its gradient is not" in found.problems[0]


def test_a_host_function_has_no_gradient():
    found = pp.check(pp.Density(lambda x: -(float(x) ** 2), {"x": pp.positive()}, jax=False))
    assert found.slopes == ()
    assert found.cost.what == "density"
    assert found.cost.chains == 8
    assert found.cost.evaluations == (1400, 1400, 1400)
    assert "gradient: none" in str(found)
    assert found.parts[0].domain == "above 0"


def test_a_model_of_numpyro():
    numpyro = pytest.importorskip("numpyro")
    from numpyro import distributions as dist

    def model(y):
        s = numpyro.sample("s", dist.HalfNormal(1))
        numpyro.sample("y", dist.Normal(numpyro.sample("w", dist.Dirichlet(np.ones(3))).sum(), s), obs=y)

    found = pp.check(pp.from_numpyro(model, np.zeros(3)))
    assert found.is_fine
    assert [slope.name for slope in found.slopes] == ["s", "w"]


def test_a_model_of_stan_does_not_tell_where_its_variables_are():
    pytest.importorskip("stanli")
    found = pp.check(pp.from_stan("parameters { simplex[3] w; real x; } model { x ~ normal(w[1], 1); }"))
    assert found.is_fine
    assert [slope.name for slope in found.slopes] == ["w, x"]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: pp.check(pp.Model(schools, SE)), ModelError, "condition it first"),
        (lambda: pp.check(3), ModelError, "pp.Density"),
        (lambda: pp.check(POSTERIOR, seed=-1), OptionError, "seed"),
        (lambda: pp.check(pp.Model(kinds).given(p=0.3, z=np.ones(4), y=np.ones(4))), ModelError, "no free"),
        (lambda: pp.check(pp.Density(lambda x: 1 / 0, {"x": pp.real()}, jax=False)), DensityError, "ZeroDiv"),
    ],
)
def test_wrong_calls_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
