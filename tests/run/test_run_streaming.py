"""Statistics of draws that are not kept, against those of the same draws kept."""

from __future__ import annotations

import tracemalloc

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import propto as pp
from propto.diagnosis import chains
from propto.diagnosis.design import Design
from propto.errors import NameMismatchError, OptionError
from propto.run import keep
from propto.run.streaming import BATCHES, STATISTICS, Batches, Stream


def streamed(draws, *sizes, superchains=None):
    """Statistics by name of (draw, chain, element), taken in in portions of these sizes."""
    first = sizes[0] if sizes else len(draws)
    stream, at = Stream(draws[:first]), 0
    for size in (*sizes, len(draws)):
        stream.take(draws[at : at + size])
        at += size
    found = stream.summary(superchains or draws.shape[1])
    return dict(zip(STATISTICS, found, strict=True))


def autoregressive(rho, *shape, seed=0):
    noise = np.random.default_rng(seed).normal(size=shape) * (1 - rho**2) ** 0.5
    noise[0] /= (1 - rho**2) ** 0.5
    for i in range(1, len(noise)):
        noise[i] += rho * noise[i - 1]
    return noise


@pytest.mark.parametrize("sizes", [(), (1000,), (64, 1, 500, 3), (333,) * 6], ids=str)
def test_moments_and_quantiles(sizes):
    x = 1e6 + 2.5 * np.random.default_rng(1).normal(size=(2345, 4, 3))
    found = streamed(x, *sizes)
    np.testing.assert_allclose(found["mean"], x.mean(axis=(0, 1)), rtol=1e-13)
    np.testing.assert_allclose(found["sd"], x.std(axis=(0, 1), ddof=1), rtol=1e-10)
    exact = np.quantile(x, (0.05, 0.5, 0.95), axis=(0, 1))
    np.testing.assert_allclose([found["q5"], found["q50"], found["q95"]], exact, atol=0.01 * 2.5)


LAWS = {
    "Cauchy": stats.cauchy,
    "exponential": stats.expon,
    "uniform": stats.uniform,
    "log": stats.lognorm(2.0),
}


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_quantiles_of_other_laws(law):
    x = law.rvs(size=(3000, 8, 1), random_state=2)
    found = streamed(x, 100)
    for name, level in (("q5", 0.05), ("q50", 0.5), ("q95", 0.95)):
        assert law.cdf(found[name]) == pytest.approx(np.array([level]), abs=0.01), name


def test_r_hat_is_that_of_the_same_draws():
    for shape, superchains in (((1024, 4, 2), 4), ((1024, 64, 2), 16), ((1024, 40, 2), 40)):
        x = np.random.default_rng(3).normal(size=shape) + np.linspace(0, 1, shape[1])[:, None]
        batches = Batches(*shape[1:])
        batches.take(x)
        halves = chains.split(np.moveaxis(x, -1, 0).swapaxes(1, 2))
        design = Design(shape[1], len(x), superchains)
        if design.many:
            expected = chains.nested_scale_reduction(halves, design.groups)
        else:
            expected = chains.scale_reduction(halves)
        np.testing.assert_allclose(batches.r_hat(design), expected, rtol=1e-10)
        assert (expected > 1.03).all()


def test_chains_that_differ_in_scale_alone_are_seen():
    x = np.random.default_rng(4).normal(size=(4000, 8, 1)) * np.array([1, 1, 1, 1, 1, 1, 1, 4.0])[:, None]
    assert streamed(x, 200)["r_hat"] > 1.05
    assert streamed(x[:, :7], 200)["r_hat"] < 1.01


CASES = [(0.0, 4, 20_000), (0.9, 4, 20_000), (0.6, 64, 5000), (-0.5, 8, 20_000), (0.9, 1, 20_000)]
CASES += [(0.7, 4, 900)]


@pytest.mark.parametrize(("rho", "count", "draws"), CASES)
def test_effective_draws(rho, count, draws):
    """Forty elements: the mean of their estimates has no large bias, and few are off by a factor of two."""
    x = autoregressive(rho, draws, count, 40, seed=5)
    true = draws * count * (1 - rho) / (1 + rho)
    found = streamed(x, 500)
    assert np.median(found["ess"]) == pytest.approx(true, rel=0.15)
    assert np.mean((found["ess"] < true / 2) | (found["ess"] > 2 * true)) <= 0.1
    assert found["mcse"] == pytest.approx(found["sd"] / found["ess"] ** 0.5)


def test_what_is_not_finite_or_never_moves_has_no_statistics():
    x = np.random.default_rng(6).normal(size=(200, 4, 3))
    x[150, 2, 0] = np.nan
    x[:, :, 1] = 7.0
    found = streamed(x, 50)
    assert np.isnan([found[name][0] for name in STATISTICS]).all()
    assert found["mean"][1] == 7.0
    assert found["sd"][1] == 0.0
    assert np.isnan(found["ess"][1])
    assert np.isfinite([found[name][2] for name in STATISTICS]).all()


def test_the_state_does_not_grow():
    batches = Batches(3, 2)
    size = batches.sums.nbytes
    for _ in range(50):
        batches.take(np.ones((997, 3, 2)))
    assert batches.sums.nbytes == size
    assert batches.draws == 50 * 997
    assert BATCHES / 3 <= batches.draws // batches.length <= batches.most


def model():
    mu = pp.rv("mu", pp.Normal(0, 5))
    t = pp.rv("t", pp.Normal(mu, 1.0), dims="school")
    pp.det("best", jnp.max(t))
    pp.rv("y", pp.Normal(t, 1.0), dims="school")


@pytest.fixture(scope="module")
def density():
    return pp.Model(model, coords={"school": list("ABC")}).given(y=[1.0, 2.0, 4.0])


OPTIONS = {"draws": 150, "seed": 3, "progress": False}


@pytest.fixture
def small_portions(monkeypatch):
    monkeypatch.setattr(keep, "PORTION", 128 * 8 * 40)


@pytest.mark.usefixtures("small_portions")
def test_a_run_that_keeps_some_or_none(density):
    whole = pp.sample(density, **OPTIONS)
    some = pp.sample(density, keep=["best", "mu"], **OPTIONS)
    none = pp.sample(density, keep=(), threads=1, chunk_size=7, **OPTIONS)
    assert list(some.posterior.data_vars) == ["best", "mu"]
    for name in ("best", "mu"):
        np.testing.assert_array_equal(some.posterior[name], whole.posterior[name])
    for name in whole.sample_stats.data_vars:
        np.testing.assert_array_equal(some.sample_stats[name], whole.sample_stats[name])
    assert "posterior" not in none.children
    assert "sample_stats" not in none.children
    assert some.streamed.identical(none.streamed)
    assert none.attrs["divergences"] == int(whole.sample_stats["diverging"].sum())
    assert none.attrs["draws"] == 150
    assert dict(none.streamed.sizes) == {"statistic": 8, "school": 3}
    for name, draws in whole.posterior.data_vars.items():
        found = none.streamed[name]
        for statistic, level in (("q5", 0.05), ("q50", 0.5), ("q95", 0.95)):
            exact, sd = draws.quantile(level, ("chain", "draw")), draws.std()
            assert abs(found.sel(statistic=statistic) - exact).max() < 0.01 * sd
        np.testing.assert_allclose(found.sel(statistic="mean"), draws.mean(("chain", "draw")), rtol=1e-12)
        np.testing.assert_allclose(found.sel(statistic="sd"), draws.std(("chain", "draw"), ddof=1), rtol=1e-9)
        assert (found.sel(statistic="r_hat") < 1.05).all()
    assert pp.diagnose(some).status == pp.diagnose(whole).status


@pytest.mark.usefixtures("small_portions")
def test_until_looks_at_what_is_kept(density):
    rule = pp.ess(3000, "mu", max_draws=200)
    options = {"seed": 3, "progress": False, "until": rule}
    fit, whole = pp.sample(density, keep=("mu",), **options), pp.sample(density, **options)
    np.testing.assert_array_equal(fit.posterior["mu"], whole.posterior["mu"])
    assert fit.attrs["effective_draws"] == whole.attrs["effective_draws"]


def test_memory_does_not_grow_with_the_draws(monkeypatch):
    monkeypatch.setattr(keep, "PORTION", 100_000)
    density = pp.Density(lambda x: -0.5 * jnp.sum(x**2), {"x": pp.real(20)})

    def peak(draws, **options):
        tracemalloc.start()
        pp.sample(density, draws=draws, warmup=30, chains=32, chunk_size=50, progress=False, **options)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(100, keep=())  # compiles
    short, long = (peak(draws, keep=()) for draws in (400, 3200))
    assert long < 1.3 * short
    assert peak(3200) > 3 * long


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"keep": ("nu",), "draws": 5}, NameMismatchError, "unknown variable 'nu'"),
        ({"keep": "mu", "draws": 5}, OptionError, r"keep=\('mu',\)"),
        ({"keep": ()}, OptionError, "keep needs draws"),
        ({"keep": ("mu",), "until": pp.ess(100, "t")}, OptionError, "until for kept variables"),
        ({"keep": ("mu",), "draws": 5, "store": "x.zarr"}, OptionError, "leave out keep or store"),
        ({"keep": ("mu",), "draws": 5, "sampler": pp.SMC()}, OptionError, "leave keep out"),
    ],
    ids=str,
)
def test_what_cannot_be_left_out(density, options, error, said):
    with pytest.raises(error, match=said):
        pp.sample(density, progress=False, **options)
