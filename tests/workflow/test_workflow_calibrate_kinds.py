"""Simulation-based calibration of models of ten kinds, and of one with a planted error.

A right model and sampler fail a test with probability 0.01, over all its quantities together. Seeds are
fixed, so that a test that has passed once stays so.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest

import propto as pp
from propto.supports.elements import HalfLine
from propto.workflow.calibrate import Calibration

pytestmark = pytest.mark.slow

X = np.linspace(-1, 1, 10)
SIMULATIONS = 60


def three_levels():
    """Pupils in classes in schools."""
    mu = pp.rv("mu", pp.Normal(0, 2))
    tau = pp.rv("tau", pp.HalfNormal(1))
    school = pp.rv("of_school", pp.Normal(mu, tau), dims="school")
    rho = pp.rv("rho", pp.HalfNormal(1))
    group = pp.rv("of_class", pp.Normal(jnp.repeat(school, 2), rho), dims="class")
    pp.rv("y", pp.Normal(group[:, None], 0.5), dims=("class", "pupil"))


def autoregression():
    """AR(1) from its stationary distribution."""
    phi = pp.rv("phi", pp.Uniform(-1, 1))
    sigma = pp.rv("sigma", pp.LogNormal(0, 0.5))
    gaps = np.abs(np.subtract.outer(np.arange(12), np.arange(12)))
    covariance = sigma**2 / (1 - phi**2) * phi**gaps
    pp.rv("y", pp.MultivariateNormal(0.0, covariance), shape=12)


def mixture():
    """Two kinds of rows; which row is which is summed out."""
    share = pp.rv("share", pp.Beta(2, 2))
    mu = pp.rv("mu", pp.Ordered(pp.Normal(0, 3), 2))
    kind = pp.rv("kind", pp.Bernoulli(share), dims="row")
    pp.rv("y", pp.Normal(mu[kind], 1), dims="row")


def hidden_states():
    stay = pp.rv("stay", pp.Beta(4, 2), shape=2)
    mu = pp.rv("mu", pp.Ordered(pp.Normal(0, 2), 2))
    transition = jnp.stack([jnp.stack([stay[0], 1 - stay[0]]), jnp.stack([1 - stay[1], stay[1]])])
    pp.rv("y", pp.HMM([0.5, 0.5], transition, pp.Normal(mu, 0.7), length=20))


def gaussian_process(x):
    length = pp.rv("length", pp.InverseGamma(5, 3))
    scale = pp.rv("scale", pp.HalfNormal(1))
    noise = pp.rv("noise", pp.LogNormal(-1, 0.5))
    covariance = pp.matern52(x, x, scale, length) + noise**2 * jnp.eye(10)
    pp.rv("y", pp.MultivariateNormal(0.0, covariance))


def correlated():
    """Rows of three numbers with scales and a correlation matrix."""
    mu = pp.rv("mu", pp.Normal(0, 1), shape=3)
    scale = pp.rv("scale", pp.LogNormal(0, 0.3), shape=3)
    chol = pp.rv("chol", pp.LKJCholesky(3, 3.0))
    pp.det("corr", chol @ chol.T)
    pp.rv("y", pp.MultivariateNormal(mu, scale_tril=scale[:, None] * chol), shape=(10, 3))


def ordinal(x):
    beta = pp.rv("beta", pp.Normal(0, 1))
    cuts = pp.rv("cuts", pp.Ordered(pp.Normal(0, 1.5), 3))
    pp.rv("y", pp.OrderedLogistic(beta * x, cuts))


def sparse(x):
    beta = pp.horseshoe("beta", 0.3, shape=4)
    pp.rv("y", pp.Normal(x @ beta, 0.5))


def cut_off(x):
    """Waiting times that are told only up to 2; sizes that are seen only above 0.5."""
    rate = pp.rv("rate", pp.Gamma(3, 2))
    mu = pp.rv("mu", pp.Normal(1, 0.5))
    sigma = pp.rv("sigma", pp.LogNormal(-0.5, 0.3))
    pp.rv("wait", pp.Censored(pp.Exponential(rate), high=2.0), shape=10)
    pp.rv("size", pp.Truncated(pp.Normal(mu + 0.5 * x, sigma), low=0.5))


DESIGN = np.random.default_rng(0).normal(size=(10, 4))
KINDS = {
    "three levels": (
        pp.Model(three_levels, coords={"school": range(3), "class": range(6), "pupil": range(3)}),
        "y",
    ),
    "autoregression": (pp.Model(autoregression), "y"),
    "mixture": (pp.Model(mixture, coords={"row": range(12)}), "y"),
    "hidden states": (pp.Model(hidden_states), "y"),
    "gaussian process": (pp.Model(gaussian_process, X), "y"),
    "correlated": (pp.Model(correlated), "y"),
    "ordinal": (pp.Model(ordinal, X), "y"),
    "sparse": (pp.Model(sparse, DESIGN), "y"),
    "cut off": (pp.Model(cut_off, X), ["wait", "size"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_models_of_many_kinds_are_calibrated(kind):
    model, observed = KINDS[kind]
    found = pp.calibrate(model, observed, simulations=SIMULATIONS, seed=21)
    assert found.is_calibrated, str(found)


def test_missing_observations_are_calibrated():
    """What is imputed is ranked as well: the truths that were taken away are draws of their posterior."""

    def regression(x):
        beta = pp.rv("beta", pp.Normal(0, 1), shape=2)
        sigma = pp.rv("sigma", pp.LogNormal(0, 0.5))
        pp.rv("y", pp.Normal(beta[0] + beta[1] * x, sigma), dims="row")

    model, away = pp.Model(regression, X), [2, 7, 9]
    truths = model.simulate(SIMULATIONS, seed=22)
    ranks = []
    for i in range(SIMULATIONS):
        truth = truths.isel(draw=i)
        y = truth["y"].values.copy()
        y[away] = np.nan
        fit = pp.sample(model.given(y=y), draws=10, seed=i, progress=False).posterior.isel(draw=-1)
        true = [*truth["beta"].values, truth["sigma"].item(), *truth["y"].values[away]]
        drawn = np.column_stack([fit["beta"], fit["sigma"], fit["y_missing"]])
        ranks.append((drawn < true).sum(axis=0))
    names = ("beta[0]", "beta[1]", "sigma", *(f"y[{k}]" for k in away))
    found = Calibration(names, np.array(ranks), 64)
    assert found.is_calibrated, str(found)


# --- planted errors ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Forgetful(HalfLine):
    """The numbers above 0, with a map that forgets its log-determinant."""

    def _forward(self, z):
        x, _ = super()._forward(z)
        return x, jnp.zeros(())


class Scale(pp.HalfNormal):
    """A half normal distribution on that support."""

    def _support(self, shape):
        return Forgetful(bound=0.0, side=1, closed=True, shape=shape)


def without_jacobian():
    """Three levels, with one scale on the faulty support."""
    mu = pp.rv("mu", pp.Normal(0, 2))
    tau = pp.rv("tau", Scale(1))
    school = pp.rv("of_school", pp.Normal(mu, tau), shape=3)
    rho = pp.rv("rho", pp.HalfNormal(1))
    group = pp.rv("of_class", pp.Normal(jnp.repeat(school, 2), rho))
    pp.rv("y", pp.Normal(group[:, None], 0.5), shape=(6, 3))


def test_a_forgotten_jacobian_is_caught():
    found = pp.calibrate(pp.Model(without_jacobian), "y", simulations=SIMULATIONS, seed=21)
    assert not found.is_calibrated, str(found)
    assert found.table()["p"].idxmin() == "tau"
    assert found.table().loc["tau", "mean_rank"] > 0.55  # draws of tau are too small
