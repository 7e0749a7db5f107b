"""Predictions and pointwise likelihood against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import propto as pp
from propto.errors import ModelError, NameMismatchError, ShapeError

Y, SE = np.array([1.0, -0.5, 2.0, 0.3]), np.array([0.5, 1.0, 0.7, 1.0])


def groups(se):
    mu = pp.rv("mu", pp.Normal(0, 2))
    t = pp.rv("t", pp.Normal(mu, 0.8), dims="group")
    pp.det("twice", 2 * t, dims="group")
    pp.rv("y", pp.Normal(t, se), dims="group")


POSTERIOR = pp.Model(groups, SE, coords={"group": list("abcd")}).given(y=Y)


@pytest.fixture(scope="module")
def fit():
    """Exact and independent draws of the posterior, in the form of a fit."""
    rng, n = np.random.default_rng(1), (4, 2000)
    precision = np.diag([1 / 4 + 4 / 0.64, *(1 / 0.64 + 1 / SE**2)])
    precision[0, 1:] = precision[1:, 0] = -1 / 0.64
    covariance = np.linalg.inv(precision)
    mean = covariance @ np.concatenate([[0.0], Y / SE**2])
    x = rng.multivariate_normal(mean, covariance, size=n)
    draws = {"mu": (("chain", "draw"), x[..., 0]), "t": (("chain", "draw", "group"), x[..., 1:])}
    coords = {"chain": range(4), "draw": range(2000), "group": list("abcd")}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(draws, coords=coords)})


def test_predictions_have_the_moments_of_the_closed_form(fit):
    drawn = pp.predict(fit, POSTERIOR, seed=3)["y"]
    assert drawn.dims == ("chain", "draw", "group")
    t = fit.posterior["t"]
    expected = t.var(("chain", "draw")) + SE**2
    z = (drawn.mean(("chain", "draw")) - t.mean(("chain", "draw"))) / np.sqrt(SE**2 / 8000)
    assert np.abs(z).max() < 4.5  # alarm 3e-5
    assert drawn.var(("chain", "draw")).values == pytest.approx(expected.values, rel=0.08)  # sd 0.016
    assert (drawn == pp.predict(fit, POSTERIOR, seed=3)["y"]).all()
    assert (drawn != pp.predict(fit, POSTERIOR, seed=4)["y"]).any()


def test_new_groups_are_drawn_and_old_ones_kept(fit):
    new = pp.Model(groups, [0.1, 0.1, 0.1], coords={"group": ["z", "c", "a"]})
    drawn = pp.predict(fit, new)
    old = fit.posterior["t"].sel(group=["c", "a"])
    assert (drawn["t"].sel(group=["c", "a"]) == old).all()
    assert (drawn["twice"] == 2 * drawn["t"]).all()
    z, mu = drawn["t"].sel(group="z"), fit.posterior["mu"]
    assert float((z - mu).mean()) == pytest.approx(0, abs=0.04)  # sd 0.009
    assert float((z - mu).std()) == pytest.approx(0.8, rel=0.04)  # sd 0.008
    assert float((drawn["y"] - drawn["t"]).std()) == pytest.approx(0.1, rel=0.04)


def test_shapes_without_labels_must_agree(fit):
    def bare():
        pp.rv("y", pp.Normal(pp.rv("t", pp.Normal(0, 1), shape=2), 1))

    with pytest.raises(ShapeError, match="give coords"):
        pp.predict(fit, pp.Model(bare))


def test_log_likelihood_and_prior_are_the_densities(fit):
    whole = pp.log_likelihood(fit, POSTERIOR)
    t = fit.posterior["t"].values
    assert np.allclose(whole.log_likelihood["y"].values, stats.norm.logpdf(Y, t, SE))
    assert list(whole.log_likelihood["y"].coords["group"].values) == list("abcd")
    assert list(whole.log_prior.data_vars) == ["mu"]  # t depends on mu
    assert np.allclose(whole.log_prior["mu"], stats.norm.logpdf(fit.posterior["mu"], 0, 2))
    assert "log_likelihood" not in fit.children


def test_leave_one_out_agrees_with_the_closed_form():
    """Of a normal mean, whose leave-one-out predictive density is normal."""

    def model():
        pp.rv("y", pp.Normal(pp.rv("mu", pp.Normal(0, 2)), 1), shape=20)

    pytest.importorskip("arviz_stats")
    rng = np.random.default_rng(2)
    y = rng.normal(0.7, 1, size=20)
    posterior = pp.Model(model).given(y=y)
    precision = 20 + 1 / 4
    mu = y.sum() / precision + rng.normal(size=(4, 4000)) / np.sqrt(precision)
    fit = xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), mu)})})
    rest = y.sum() - y
    exact = stats.norm.logpdf(y, rest / (19 + 1 / 4), np.sqrt(1 + 1 / (19 + 1 / 4))).sum()
    found = pp.loo(fit, posterior)
    assert found.elpd == pytest.approx(exact, abs=0.05)
    assert found.n_data_points == 20


def test_the_better_model_comes_first_and_a_conflict_is_told():
    pytest.importorskip("arviz_stats")

    def model(sd):
        pp.rv("y", pp.Normal(pp.rv("mu", pp.Normal(0, sd)), 1), shape=3)

    posteriors = {
        name: pp.Model(model, sd).given(y=[5.1, 5.9, 4.4]) for name, sd in (("tight", 0.3), ("wide", 9.0))
    }
    fits = {name: (pp.sample(p, draws=40, seed=1, progress=False), p) for name, p in posteriors.items()}
    assert list(pp.compare(fits).index) == ["wide", "tight"]
    diagnosis = {name: pp.power_sensitivity(*pair).loc["mu", "diagnosis"] for name, pair in fits.items()}
    assert "conflict" in diagnosis["tight"]
    assert "conflict" not in diagnosis["wide"]


def test_what_does_not_fit_is_refused(fit):
    plain = pp.Density(lambda x: -(x**2), {"x": pp.real()})
    other = pp.Model(lambda: pp.rv("y", pp.Normal(pp.rv("nu", pp.Normal(0, 1)), 1))).given(y=0.0)
    for call, error, words in (
        (lambda: pp.log_likelihood(fit, plain), ModelError, "conditioned on data"),
        (lambda: pp.log_likelihood(fit, other), NameMismatchError, "no variable 'nu'"),
        (lambda: pp.predict(3, POSTERIOR), ModelError, "expected a fit"),
        (lambda: pp.predict(fit, plain), ModelError, "pp.predict takes"),
    ):
        with pytest.raises(error, match=words):
            call()
