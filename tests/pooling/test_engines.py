"""Two engines, one answer: MCMC against the exact posterior, and a control that must be told apart."""

import dataclasses

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats

import propto as pp
from propto.errors import OptionError, PriorError, TableError
from propto.pooling.agreement import compare
from propto.pooling.drawn import Drawn
from propto.pooling.exact import pool_exact
from propto.pooling.groups import Groups
from propto.pooling.model import deviations, pool_mcmc, pooling_density
from propto.pooling.priors import parse_mu, parse_tau

ESTIMATE = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
ERROR = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
# Tables of three kinds: noisy groups, precise groups, and both in one table.
TABLES = {
    "noisy": (ESTIMATE, ERROR),
    "precise": (ESTIMATE, ERROR / 20),
    "mixed": (ESTIMATE, ERROR / np.where(np.arange(8) % 2, 15, 1)),
}
# One prior of every family, in pairs.
PRIORS = [
    ("normal(8.75, 20)", "uniform(0, 100)"),
    ("flat", "halfnormal(10)"),
    ("student_t(4, 0, 10)", "halfcauchy(5)"),
    ("flat", "halfstudent_t(4, 5)"),
    ("normal(0, 10)", "exponential(0.2)"),
]


def both(estimate, std_error, seed, prior_mu="flat", prior_tau="halfnormal(10)"):
    priors = {"prior_mu": prior_mu, "prior_tau": prior_tau}
    sampler = pp.NUTS(target_acceptance=0.95)
    fit = pool_mcmc(estimate, std_error, seed=seed, sampler=sampler, draws=500, progress=False, **priors)
    return pool_exact(estimate, std_error, **priors), fit


@pytest.mark.parametrize("name", TABLES)
def test_the_engines_agree_on_every_kind_of_table(name):
    """False alarms: 1 in 1,000 for each table, by the limit's own rule; the seeds are fixed."""
    pooled, fit = both(*TABLES[name], seed=3)
    agreement = compare(pooled, fit)
    assert agreement.agrees, agreement
    assert agreement.compared == 4 * 11
    assert fit.sample_stats["diverging"].values.mean() < 0.01


@pytest.mark.slow
@pytest.mark.parametrize(("prior_mu", "prior_tau"), PRIORS)
def test_the_engines_agree_for_every_prior(prior_mu, prior_tau):
    agreement = compare(*both(ESTIMATE, ERROR, seed=5, prior_mu=prior_mu, prior_tau=prior_tau))
    assert agreement.agrees, agreement


def test_a_small_bias_in_one_group_is_found():
    """The negative control: one mean off by a quarter of its sd."""
    pooled, fit = both(*TABLES["noisy"], seed=3)
    shifted = pooled.theta.mean.copy()
    shifted[4] += 0.25 * pooled.theta.sd[4]
    theta = dataclasses.replace(pooled.theta, mean=shifted)
    agreement = compare(dataclasses.replace(pooled, theta=theta), fit)
    assert not agreement.agrees
    assert agreement.quantity == "mean of theta[5]"


def test_the_draws_are_summarised_as_the_exact_posterior_is():
    pooled, fit = both(*TABLES["noisy"], seed=3)
    drawn = Drawn.of(fit)
    assert set(drawn.to_dict()) == set(pooled.to_dict())
    np.testing.assert_allclose(drawn.theta.sd, pooled.theta.sd, rtol=0.2)
    np.testing.assert_allclose(drawn.prob_positive, pooled.prob_positive, atol=0.05)
    np.testing.assert_allclose(drawn.shrinkage, pooled.shrinkage, atol=0.05)
    assert drawn.log_evidence is None


def test_scale_of_the_data_does_not_matter():
    """The same table in units a billion times smaller or larger."""
    for unit in (1e-9, 1e9):
        pooled, fit = both(ESTIMATE * unit, ERROR * unit, seed=3, prior_tau=f"halfnormal({10 * unit:g})")
        assert compare(pooled, fit).agrees


def test_the_density_is_the_model_and_a_jacobian():
    """Against SciPy: priors, theta given mu and tau, data given theta, and d theta / d z by differences."""
    density = pooling_density(
        Groups.of(ESTIMATE, ERROR), parse_mu("normal(8.75, 20)"), parse_tau("halfcauchy(5)")
    )
    rng = np.random.default_rng(0)
    for tau in (1e-3, 1.0, 30.0):
        mu, z = rng.normal(), rng.normal(size=8)

        def theta(z, mu=mu, tau=tau):
            return mu + tau * deviations(mu, tau, z, ESTIMATE, ERROR)

        slope = (theta(z + 1e-4) - theta(z - 1e-4)) / 2e-4
        wanted = (
            stats.norm.logpdf(mu, 8.75, 20)
            + stats.halfcauchy.logpdf(tau, scale=5)
            + stats.norm.logpdf(theta(z), mu, tau).sum()
            + stats.norm.logpdf(ESTIMATE, theta(z), ERROR).sum()
            + np.log(slope).sum()
        )
        assert density.log_density(mu=mu, tau=tau, z=z) == pytest.approx(wanted, abs=1e-5)


def test_a_tiny_tau_leaves_the_density_finite():
    density = pooling_density(Groups.of(ESTIMATE, ERROR), parse_mu("flat"), parse_tau("halfnormal(10)"))
    values = [density.log_density(mu=5.0, tau=tau, z=np.zeros(8)) for tau in (1e-12, 1e-100)]
    assert np.isfinite(values).all()
    assert values[0] == pytest.approx(values[1])


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, dict])
def test_pool_takes_tables_of_any_kind(frame):
    table = frame({"school": list("ABCDEFGH"), "effect": ESTIMATE, "se": ERROR})
    pooled = pp.pool(table, prior_mu="normal(8.75, 20)", prior_tau="uniform(0, 100)")
    assert list(pooled.label) == list("ABCDEFGH")
    assert round(float(pooled.theta.mean[0]), 2) == 11.37


def test_pool_takes_columns_of_any_kind():
    columns = [(ESTIMATE.tolist(), ERROR.tolist()), (pd.Series(ESTIMATE), pd.Series(ERROR))]
    means = [pp.pool(*pair).theta.mean for pair in columns]
    np.testing.assert_array_equal(*means)


def test_mistakes_are_typed():
    with pytest.raises(TableError, match="positive"):
        pp.pool([1.0, 2.0], [1.0, 0.0])
    with pytest.raises(TableError, match="length"):
        pool_mcmc([1.0, 2.0], [1.0])
    with pytest.raises(PriorError, match="halfnormal"):
        pp.pool([1.0, 2.0], [1.0, 1.0], prior_tau="normal(0, 1)")
    with pytest.raises(OptionError, match="label"):
        pp.pool({"effect": [1.0, 2.0], "se": [1.0, 1.0]}, label=["a", "b"])
