"""Independent draws of every model against its exact posterior, and the decisions that are counted in them.

Bounds are 5 Monte Carlo standard errors: with a hundred numbers a false alarm in ten thousand seeds.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import propto as pp
from propto.errors import OptionError
from propto.pooling.analysis import Analysis
from propto.pooling.decisions import Decisions
from propto.pooling.drawing import Sample, as_tree, draws_of
from propto.pooling.effects import pool_effects
from propto.pooling.exact import Summary, pool_exact
from propto.pooling.ledger import ledger
from propto.pooling.ranks import pairwise, rank
from propto.pooling.regression import pool_regression
from propto.pooling.thresholds import exceedance, rope

Y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
S = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
N = 20_000
BOUND = 5 * 0.5 / np.sqrt(N)
FITS = {
    "normal": lambda: pool_effects(Y, S),
    "t": lambda: pool_effects(Y, S, effects="student_t"),
    "spike": lambda: pool_effects(Y, S, effects="spike_slab"),
    "two normals": lambda: pool_effects(Y, S, effects="two_normals"),
    "estimated errors": lambda: pool_effects(Y, S, error_df=5),
    "covariates": lambda: pool_regression(Y, S, covariates={"x": np.arange(8.0)}),
    "clusters": lambda: pool_regression(Y, S, cluster=list("abcdabcd"), covariates={"x": np.arange(8.0)}),
    "covariance": lambda: pool_regression(Y, covariance=np.outer(S, S) * (0.4 + 0.6 * np.eye(8))),
}


@pytest.fixture(scope="module", params=FITS)
def fit(request):
    return FITS[request.param]()


@pytest.fixture(scope="module")
def drawn(fit):
    return fit.draws(N, seed=1)


def shares_below(draws: np.ndarray, summary: Summary) -> np.ndarray:
    """Share of the draws below each quantile, of which a spike at zero makes no level."""
    shares = (draws[..., None] < summary.quantiles).mean(axis=0)
    return np.where(np.abs(summary.quantiles) < 1e-9, Summary.levels, shares)


@pytest.mark.parametrize("name", ["mu", "tau", "between", "new_group", "theta"])
def test_draws_have_the_exact_quantiles(fit, drawn, name):
    if name not in drawn:
        assert name == "between"
        return
    summary = getattr(fit, name)
    np.testing.assert_allclose(
        shares_below(drawn[name], summary),
        np.broadcast_to(Summary.levels, summary.quantiles.shape),
        atol=BOUND,
    )


def test_draws_have_the_exact_probabilities(fit, drawn):
    np.testing.assert_allclose((drawn["theta"] > 0).mean(axis=0), fit.prob_positive, atol=BOUND)
    if hasattr(fit, "prob_zero"):
        np.testing.assert_allclose((drawn["theta"] == 0).mean(axis=0), fit.prob_zero, atol=BOUND)


def test_draws_know_how_effects_hang_together():
    """The joint posterior of normal effects, against the exact probabilities of all pairs and of a sum."""
    exact, other = pool_exact(Y, S), pool_effects(Y, S)
    bound = 5 * Sample.of(other).mcse
    np.testing.assert_allclose(pairwise(other), pairwise(exact), atol=bound)
    ours, theirs = ledger(other, 5).by_estimate, ledger(exact, 5).by_estimate
    assert ours.naive == theirs.naive
    assert ours.prob_positive == pytest.approx(theirs.prob_positive, abs=bound)
    assert ours.total.mean == pytest.approx(theirs.total.mean, abs=2 * bound * theirs.total.sd)
    assert ours.total.sd == pytest.approx(theirs.total.sd, rel=2 * bound)
    np.testing.assert_allclose(rank(other).prob_best, rank(exact).prob_best, atol=1.5 * bound)
    one, two = exceedance(other, 5), exceedance(exact, 5)
    np.testing.assert_allclose(one.prob, two.prob, atol=bound)
    assert one.new_group == pytest.approx(two.new_group, abs=bound)
    np.testing.assert_allclose(rope(other, -5, 5).inside, rope(exact, -5, 5).inside, atol=bound)


def test_draws_of_groups_in_a_cluster_hang_together():
    """Their correlation, against that of the normal posterior at scales that priors hold."""
    held = {
        "prior_tau": "uniform(2, 2.001)",
        "prior_between": "uniform(5, 5.001)",
        "prior_mu": "normal(0, 3)",
    }
    cluster = np.repeat([0, 1, 2, 3], 2)
    fit = pool_regression(Y, S, cluster=cluster.tolist(), **held)
    prior = 9.0 + 25 * (cluster[:, None] == cluster) + 4 * np.eye(8)
    posterior = np.linalg.inv(np.linalg.inv(prior) + np.diag(S**-2))
    sd = np.sqrt(np.diagonal(posterior))
    found = np.corrcoef(fit.draws(N, seed=2)["theta"].T)
    np.testing.assert_allclose(found, posterior / np.outer(sd, sd), atol=5 / np.sqrt(N))


def test_zeros_take_any_rank_between_the_others():
    """Of three effects that are nearly always zero each is as often the best as the others."""
    fit = pool_effects([0.0, 0.0, 0.0], [0.1] * 3, effects="spike_slab(0.99)", prior_mu="normal(0, 9)")
    found = rank(fit)
    np.testing.assert_allclose(found.prob_best, 1 / 3, atol=5 * found.mcse)
    np.testing.assert_allclose(pairwise(fit), 0.5, atol=5 * found.mcse)


def test_the_same_seed_gives_the_same_draws(fit):
    one, same, other = (fit.draws(50, seed=seed) for seed in (3, 3, 4))
    for name, values in one.items():
        np.testing.assert_array_equal(values, same[name])
        assert not np.array_equal(values, other[name])


def test_draws_come_in_no_order(fit, drawn):
    """Neighbours have no correlation, as chains would."""
    for name in ("mu", "tau"):
        rank_of = stats.rankdata(drawn[name])
        assert abs(np.corrcoef(rank_of[:-1], rank_of[1:])[0, 1]) < 5 / np.sqrt(N)


def test_the_draws_are_as_many_as_a_second_gives():
    assert draws_of(pool_exact(Y, S)) == draws_of(pool_effects(Y, S)) == N
    costly = pool_effects(Y, S, effects="student_t(3)", error_df=3)
    assert 400 <= draws_of(costly) < N


def test_analyse_gives_each_model_what_is_defined_for_it():
    assert isinstance(pp.analyse(pool_exact(Y, S), threshold=5), Analysis)
    found = pp.analyse(pool_effects(Y, S, effects="student_t(4)"), threshold=5, top=2)
    assert type(found) is Decisions
    assert [name for name, _ in found.parts()] == ["exceedance", "regret", "ranks"]
    assert "independent draws" in found.findings()[-1]
    assert found.to_dict()["counted"] == {"draws": N, "mcse": 0.5 / np.sqrt(N)}
    assert "<table>" in found._repr_html_()
    with pytest.raises(OptionError, match="normal effects without covariates"):
        pp.analyse(pool_effects(Y, S), calibrate=True)


def test_refusals():
    for fit in (pool_effects(Y, S), pool_regression(Y, S)):
        with pytest.raises(OptionError, match="1 or more"):
            fit.draws(0, seed=0)


def test_a_tree_has_names_dimensions_and_seed():
    fit = pool_regression(Y, S, covariates={"x": np.arange(8.0)}, label=list("ABCDEFGH"))
    tree = as_tree(fit, 2, 10, seed=5)
    posterior = tree["posterior"]
    assert posterior["theta"].dims == ("chain", "draw", "group")
    assert posterior["beta"].sel(coefficient="x").shape == (2, 10)
    np.testing.assert_array_equal(posterior["mu"].values.ravel(), fit.draws(20, seed=5)["mu"])
    assert tree["observed_data"]["estimate"].values.tolist() == Y.tolist()
    assert tree.attrs["seed"] == 5
