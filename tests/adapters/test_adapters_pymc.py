"""PyMC's own ways of saying things: data containers, transforms, potentials, missing data."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest

import propto as pp
from propto.errors import ModelError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pm = pytest.importorskip("pymc", reason="pymc is not installed", exc_type=ImportError)


def regression(x, y):
    with pm.Model(coords={"row": range(len(y))}) as model:
        covariate = pm.Data("covariate", x, dims="row")
        slope, sigma = pm.Normal("slope", 0, 2), pm.HalfNormal("sigma", 1)
        pm.Potential("soft", -(slope**4))
        pm.Normal("y", slope * covariate + 0.1 * x, sigma, observed=y, dims="row")
    return model


X, Y = np.array([1.0, 2.0, 3.0]), np.array([0.5, 1.5, 0.0])


def test_the_log_density_is_pymcs_own():
    model = regression(X, Y)
    density, theirs = pp.from_pymc(model), model.compile_logp()
    for slope, log_sigma in ((0.3, -1.0), (-2.0, 0.7)):
        point = {"slope": np.array(slope), "sigma_log__": np.array(log_sigma)}
        assert density.log_density_at([slope, log_sigma]) == pytest.approx(float(theirs(point)), rel=1e-12)


def test_new_data_compile_nothing():
    first, second = (pp.from_pymc(regression(x, y)) for x, y in ((X, Y), (X + 1, 2 * Y)))
    assert first.program == second.program
    assert first.log_density(slope=1.0, sigma=1.0) != second.log_density(slope=1.0, sigma=1.0)
    assert first.program != pp.from_pymc(regression(X[:2], Y[:2])).program
    assert list(first.coords["row"]) == [0, 1, 2]
    assert first.observed["y"].tolist() == Y.tolist()


def test_missing_observations_are_variables():
    with pm.Model() as model, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pm.Normal("y", pm.Normal("mu", 0, 1), 1, observed=np.ma.masked_invalid([1.0, np.nan, 2.0]))
    density = pp.from_pymc(model)
    assert density.names == ("mu", "y_unobserved")
    _, whole = density.derived({"mu": np.zeros(1), "y_unobserved": np.full((1, 1), 9.0)})["y"]
    assert np.asarray(whole).tolist() == [[1.0, 9.0, 2.0]]


def test_what_cannot_be_sampled_is_refused():
    with pm.Model() as discrete:
        pm.Poisson("n", 3)
    with pm.Model() as empty:
        pm.Normal("y", 0, 1, observed=1.0)
    for model, words in (
        (discrete, "'n' is discrete"),
        (empty, "no free variables"),
        (3, "takes a pymc.Model"),
    ):
        with pytest.raises(ModelError, match=words):
            pp.from_pymc(model)


def test_the_precision_of_the_users_jax_stays_as_it_is():
    """In a process of its own, for what changes it happens at the first import only."""
    script = """
import jax.numpy as jnp, propto as pp, pymc as pm
with pm.Model() as model:
    pm.Normal("x", 0, 1)
density = pp.from_pymc(model)
assert jnp.ones(1).dtype == jnp.float32
assert abs(density.log_density(x=1.0) - density.log_density(x=0.0) + 0.5) < 1e-12
"""
    subprocess.run([sys.executable, "-c", script], check=True)
