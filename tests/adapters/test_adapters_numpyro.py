"""NumPyro's own ways of saying things: masks, weights, factors, plates, handlers; and what is refused."""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import propto as pp
from propto.errors import ModelError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    numpyro = pytest.importorskip("numpyro", reason="numpyro is not installed")
    import numpyro.distributions as dist
    from numpyro import handlers
    from numpyro.infer.util import log_density

Y = np.array([1.0, -2.0, 0.5, 3.0])


def check(model, *args, **kwargs):
    """The density is NumPyro's own, not only up to a constant."""
    density = pp.from_numpyro(model, *args, **kwargs)
    for seed in range(3):
        values = density.unpack(np.random.default_rng(seed).normal(size=density.dim))
        with jax.enable_x64(True):
            theirs, _ = log_density(handlers.seed(model, 0), args, kwargs, values)
        assert density.log_density(**values) == pytest.approx(float(theirs), rel=1e-12, abs=1e-12)
    return density


def test_weights_masks_and_factors():
    def model(y, keep):
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        with handlers.scale(scale=0.3):
            nu = numpyro.sample("nu", dist.Gamma(2, 1))
        numpyro.factor("soft", -(mu**2) * jnp.ones(2))
        with numpyro.plate("row", len(y)), handlers.mask(mask=keep):
            numpyro.sample("y", dist.Normal(mu, nu), obs=y)

    density = check(model, Y, np.array([True, False, True, True]))
    assert [*density.observed] == ["y"]


def test_observations_broadcast():
    def model(y):
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(mu, 1), obs=y)
        numpyro.sample("one", dist.Normal(mu * jnp.ones(3), 1), obs=0.5)

    assert check(model, Y).observed["one"].shape == (3,)


def test_matrices_and_vectors_keep_their_bijections():
    def model():
        numpyro.sample("chol", dist.LKJCholesky(3, 2.0))
        numpyro.sample("corr", dist.LKJ(2, 1.5))
        with numpyro.plate("unit", 2):
            numpyro.sample("share", dist.Dirichlet(jnp.ones(3)))
        numpyro.sample(
            "cut",
            dist.TransformedDistribution(dist.Normal(0, 1).expand([3]), dist.transforms.OrderedTransform()),
        )
        numpyro.sample("walk", dist.MultivariateNormal(jnp.zeros(2), jnp.eye(2)))
        numpyro.sample("wide", dist.ImproperUniform(dist.constraints.positive, (), (2,)))

    assert check(model).dims["share"] == ("unit", "share_dim_1")


def test_plates_are_dims_also_of_what_follows():
    def model(y):
        with numpyro.plate("b", 4), numpyro.plate("a", 2):
            x = numpyro.sample("x", dist.Normal(0, 1))
            numpyro.deterministic("twice", 2 * x)
            numpyro.sample("y", dist.Normal(x, 1), obs=y)

    density = check(model, np.zeros((2, 4)))
    assert density.dims["x"] == density.dims["y"] == ("a", "b")
    axes, twice = density.derived({"x": np.ones((3, 2, 4))})["twice"]
    assert axes == ("a", "b")
    assert np.asarray(twice).tolist() == np.full((3, 2, 4), 2.0).tolist()


def test_handlers_and_subsamples():
    def model(y):
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        with numpyro.plate("row", len(y), subsample_size=2) as rows:
            numpyro.sample("y", dist.Normal(mu, 1), obs=y[rows])

    density = pp.from_numpyro(model, Y)
    gaps = [density.log_density(mu=mu) for mu in (0.0, 1.0)]
    rows = density.observed["y"]
    assert gaps[1] - gaps[0] == pytest.approx(2 * (rows.sum() - 1) - 0.5)

    def free():
        numpyro.sample("z", dist.Normal(numpyro.sample("m", dist.Normal(0, 1)), 1))

    assert pp.from_numpyro(handlers.condition(free, {"z": 1.5})).names == ("m",)
    reparametrised = handlers.reparam(free, config={"z": numpyro.infer.reparam.LocScaleReparam(0)})
    assert pp.from_numpyro(reparametrised).names == ("m", "z_decentered")


def test_new_data_compile_nothing():
    def model(y):
        numpyro.sample("y", dist.Normal(numpyro.sample("mu", dist.Normal(0, 1)), 1.0), obs=y)

    first, second = (pp.from_numpyro(model, y).as_it_stands() for y in (Y, Y + 1))
    assert first.program == second.program


def test_what_cannot_be_sampled_is_refused():
    def with_param():
        numpyro.sample("x", dist.Normal(numpyro.param("scale", 1.0), 1))

    def with_delta():
        numpyro.sample("x", dist.Delta(1.0))
        numpyro.sample("y", dist.Normal(0, 1))

    def in_time():
        def step(before, _):
            x = numpyro.sample("x", dist.Normal(before, 1))
            return x, x

        numpyro.contrib.control_flow.scan(step, 0.0, jnp.arange(3))

    import numpyro.contrib.control_flow

    for model, words in (
        (with_param, "'scale' is a numpyro.param"),
        (with_delta, "'x' has a delta distribution"),
        (in_time, "inside of a function that JAX transforms"),
    ):
        with pytest.raises(ModelError, match=words):
            pp.from_numpyro(model)


def test_predictions_and_likelihoods_work_as_for_our_own_models():
    def model(y):
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        with numpyro.plate("row", len(y)):
            numpyro.sample("y", dist.Normal(mu, 0.1), obs=y)

    density = pp.from_numpyro(model, Y)
    fit = pp.sample(density, chains=8, draws=50, progress=False, seed=2)
    drawn = pp.predict(fit, density)["y"]
    assert drawn.dims == ("chain", "draw", "row")
    assert float((drawn - fit.posterior["mu"]).std()) == pytest.approx(0.1, rel=0.1)  # sd 0.0018
    seen = pp.log_likelihood(fit, density).log_likelihood["y"]
    assert seen.values == pytest.approx(stats.norm.logpdf(Y, fit.posterior["mu"].values[..., None], 0.1))
