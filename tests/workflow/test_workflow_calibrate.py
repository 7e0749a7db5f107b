"""Calibration of models of several kinds, and of ones with a planted error."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import propto as pp
from propto.errors import ModelError, NameMismatchError, OptionError

X = np.linspace(-1, 1, 12)


def normal():
    mu = pp.rv("mu", pp.Normal(1, 2))
    sigma = pp.rv("sigma", pp.HalfNormal(1))
    pp.rv("y", pp.Normal(mu, sigma), shape=6)


def schools():
    tau = pp.rv("tau", pp.HalfNormal(2))
    t = pp.rv("t", pp.Normal(pp.rv("mu", pp.Normal(0, 2)), tau), shape=6)
    pp.rv("y", pp.Normal(t, 1))


def logistic(x):
    beta = pp.rv("beta", pp.Normal(0, 1), shape=2)
    pp.rv("y", pp.Bernoulli(logits=beta[0] + beta[1] * x))


def counts(x):
    rate = jnp.exp(pp.rv("alpha", pp.Normal(1, 0.5)) + pp.rv("beta", pp.Normal(0, 0.5)) * x)
    pp.rv("y", pp.NegativeBinomial(rate, pp.rv("phi", pp.Gamma(4, 1))))


def shares():
    pp.rv("y", pp.Binomial(8, pp.rv("p", pp.Dirichlet(np.array([1.0, 2, 3])))))


class Misstated(pp.Normal):
    """A normal whose density is that of another scale than its draws: the planted error."""

    def _log_prob(self, value):
        return -0.5 * ((value - self.loc) / (1.5 * self.scale)) ** 2 - jnp.log(self.scale)


def planted():
    mu = pp.rv("mu", pp.Normal(0, 1))
    pp.rv("y", Misstated(mu, 1.0), shape=4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "simulations"),
    # Of the shares 60 data sets are odd by chance (p = 0.002); 400 others are not (0.06), nor are 120.
    [(normal, 60), (schools, 60), (logistic, 60), (counts, 60), (shares, 120)],
)
def test_right_models_are_calibrated(model, simulations):
    arguments = (X,) if model in (logistic, counts) else ()
    found = pp.calibrate(pp.Model(model, *arguments), "y", simulations=simulations, seed=11)
    assert found.is_calibrated, str(found)  # wrong in 1 % of seeds


@pytest.mark.slow
def test_a_planted_error_is_caught():
    found = pp.calibrate(pp.Model(planted), "y", simulations=100, seed=12)
    assert not found.is_calibrated
    assert found.table().loc["mu", "spread"] < 0.95  # posteriors too wide
    assert str(found).startswith("not calibrated: 100 data sets, 2 quantities")


def test_what_is_returned():
    found = pp.calibrate(pp.Model(normal), "y", simulations=10, draws=16, seed=1)
    assert found.quantities == ("mu", "sigma", "log likelihood")
    assert found.ranks.shape == (10, 3)
    assert 0 <= found.ranks.min() <= found.ranks.max() <= 16
    again = pp.calibrate(pp.Model(normal), ["y"], simulations=10, draws=16, seed=1)
    assert (found.ranks == again.ranks).all()
    lines = found.chart().to_dict()["datasets"].values()
    gaps = max(lines, key=len)
    assert {row["quantity"] for row in gaps} == set(found.quantities)
    first = next(row for row in gaps if row["quantity"] == "mu")
    assert first["gap"] == pytest.approx((found.ranks[:, 0] <= 0).mean() - 1 / 17)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: pp.calibrate(pp.Model(normal), "z"), NameMismatchError, "'z'"),
        (lambda: pp.calibrate(pp.Model(normal), []), OptionError, "at least one"),
        (lambda: pp.calibrate(pp.Model(normal), "y", simulations=2), OptionError, "simulations"),
        (lambda: pp.calibrate(normal, "y"), ModelError, "takes a pp.Model"),
        (
            lambda: pp.calibrate(pp.Model(lambda: pp.rv("y", pp.Normal(pp.rv("m", pp.Flat()), 1))), "y"),
            ModelError,
            "improper",
        ),
    ],
)
def test_wrong_calls_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
