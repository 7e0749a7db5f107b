"""Models of other libraries are the same posterior as the one written in our own language."""

from __future__ import annotations

import importlib
import warnings
from functools import cache

import numpy as np
import pytest
from scipy import stats

import propto as pp
from propto.diagnosis.estimators import ess_bulk, mcse_mean

from .five_models import DATA, in_numpyro, in_propto, in_pymc, in_stan, points

# A right adapter fails one model's draws with this probability, Bonferroni over its numbers.
ALARM = 1e-5
WRITTEN = {"numpyro": in_numpyro, "pymc": in_pymc, "stan": in_stan}
NEEDS = {"numpyro": ["numpyro"], "pymc": ["pymc"], "stan": ["bridgestan", "stanli"]}


@cache
def written(language, name):
    """The model in another language; skipped where its library is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for package in NEEDS[language]:
            try:
                importlib.import_module(package)
            except ImportError:
                pytest.skip(f"{package} is not installed")
        return WRITTEN[language](name)


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("language", WRITTEN)
def test_the_density_is_the_same_but_for_a_constant(language, name):
    theirs, ours = written(language, name), in_propto(name)
    assert theirs.shapes == ours.shapes
    gaps = [theirs.log_density(**values) - ours.log_density(**values) for values in points(ours)]
    assert np.allclose(gaps, gaps[0], rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("language", WRITTEN)
def test_positions_lead_to_variables_and_back(language, name):
    theirs = written(language, name)
    q = np.random.default_rng(2).normal(size=theirs.dim)
    values = theirs.unpack(q)
    assert np.allclose(theirs.pack(**values), q, rtol=0, atol=1e-10)
    step = 1e-5 * np.random.default_rng(3).normal(size=theirs.dim)
    slope = (theirs.log_density_at(q + step) - theirs.log_density_at(q - step)) / 2
    assert slope == pytest.approx(step @ theirs.gradient_at(q), rel=1e-5)


@pytest.mark.parametrize("language", WRITTEN)
def test_the_map_has_its_determinant(language):
    """Of a simplex in each library's own coordinates: log p(q) - log p(x) is log |det dx/dq|."""
    theirs = written(language, "slopes")
    place = 3  # after two means and the total
    q = np.random.default_rng(4).normal(size=theirs.dim)

    def share(z):
        return theirs.unpack(np.concatenate([q[:place], [z], q[place + 1 :]]))["share"][0]

    def log_det(q):
        return theirs.log_density_at(q) - theirs.log_density(**theirs.unpack(q))

    other = q.copy()
    other[place] += 1.0
    slopes = [abs(share(z + 1e-6) - share(z - 1e-6)) / 2e-6 for z in (q[place], other[place])]
    assert log_det(other) - log_det(q) == pytest.approx(np.log(slopes[1] / slopes[0]), abs=1e-6)


@pytest.mark.parametrize("language", WRITTEN)
def test_a_density_outside_of_its_support_is_zero(language):
    theirs = written(language, "centred")
    values = {**points(theirs, 1)[0], "tau": -1.0}
    assert theirs.log_density(**values) == -np.inf


@pytest.mark.parametrize("language", WRITTEN)
def test_names_dims_and_coords_survive(language):
    theirs = written(language, "slopes")
    fit = pp.sample(theirs, draws=2, warmup=0, chains=2, progress=False)
    assert fit.posterior["u"].dims == ("chain", "draw", "unit", "coef")
    assert fit.posterior["u"].sel(unit="w", coef="slope").shape == (2, 2)
    assert fit.posterior["share"].sum("coef").values == pytest.approx(np.ones((2, 2)))


@pytest.mark.parametrize("language", WRITTEN)
def test_what_follows_from_the_variables_survives(language):
    theirs = written(language, "non-centred")
    values = theirs.unpack(np.random.default_rng(6).normal(size=theirs.dim))
    draws = {name: np.stack([[value, value]]) for name, value in values.items()}
    axes, theta = theirs.derived(draws)["theta"]
    assert axes == ("school",)
    assert theta.shape == (1, 2, 8)
    assert np.asarray(theta)[0, 1] == pytest.approx(values["mu"] + values["tau"] * values["z"])


@pytest.mark.parametrize("language", ["numpyro", "pymc"])
def test_layers_are_seen(language):
    """So that the centring of a model as its author wrote it is learnt."""
    theirs, ours = written(language, "centred"), in_propto("centred")
    assert list(theirs.program.layers) == list(ours.program.layers) == [False] * 2 + [True] * 8
    slopes = written(language, "slopes")
    assert sum(slopes.program.layers) == 12


@pytest.mark.slow
@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("language", WRITTEN)
def test_draws_agree(language, name):
    if (language, name) == ("stan", "centred"):
        pytest.skip("Stan's code shows no layers, and the centred funnel breaks any sampler")
    fits = [pp.sample(written(language, name), seed=8, progress=False), our_fit(name)]
    names = in_propto(name).names
    columns = [np.concatenate([_flat(fit.posterior[v]) for v in names], axis=-1) for fit in fits]
    assert min(ess_bulk(c).min() for c in columns) > 400
    moments = [[(f(c).mean((0, 1)), mcse_mean(f(c))) for f in (np.asarray, np.square)] for c in columns]
    for (a, a_error), (b, b_error) in zip(*moments, strict=True):
        z = (a - b) / np.hypot(a_error, b_error)
        assert np.abs(z).max() < stats.norm.isf(ALARM / (4 * len(z)))


@cache
def our_fit(name):
    return pp.sample(in_propto(name), seed=7, progress=False)


def _flat(draws):
    return draws.values.reshape(*draws.shape[:2], -1)
