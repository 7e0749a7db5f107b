"""Fits of subsets against fits of the exact engine, and the group that splits them."""

from __future__ import annotations

import json

import numpy as np
import pytest

import propto as pp
from propto.errors import OptionError
from propto.pooling.subsets import subsets

RNG = np.random.default_rng(6)
S = RNG.uniform(0.3, 1.0, 9)
Y = np.append(RNG.normal(0.2, S[:8]), 6.0)


@pytest.mark.parametrize(
    ("prior_mu", "prior_tau"),
    [
        ("flat", "halfnormal(1)"),
        ("normal(0, 2)", "uniform(0, 5)"),
        ("student_t(4, 0, 1)", "halfcauchy(1)"),
        ("flat", "halfcauchy(0.3)"),
    ],
)
def test_every_subset_is_a_fit_of_its_own(prior_mu, prior_tau):
    fit = pp.pool(Y, S, prior_mu=prior_mu, prior_tau=prior_tau)
    found = subsets(fit)
    assert found.every
    assert found.mu.size == 2**9 - 1 - 9
    assert len(np.unique(found.inside, axis=0)) == found.mu.size
    for i in RNG.choice(found.mu.size, 12, replace=False):
        some = found.inside[i]
        alone = pp.pool(Y[some], S[some], prior_mu=prior_mu, prior_tau=prior_tau)
        assert found.mu[i] == pytest.approx(alone.mu.mean, abs=1e-6)
        assert found.tau[i] == pytest.approx(alone.tau.quantiles[3], abs=0.02 * alone.tau.quantiles[5])


def test_a_subset_of_all_is_the_fit_itself():
    fit = pp.pool(Y, S)
    found = subsets(fit)
    whole = found.inside.all(axis=1)
    assert found.mu[whole][0] == pytest.approx(fit.mu.mean, abs=1e-9)


def test_the_group_far_out_splits_the_subsets():
    found = pp.analyse(pp.pool(Y, S, label=list("ABCDEFGHX")), subsets=True).subsets
    split = np.abs(found.split)
    assert np.argmax(split) == 8
    assert split[8] > 2 > split[:8].max()
    assert "X splits them most" in found.findings()[0]
    table = found.to_frame()
    assert len(table) == found.mu.size
    assert table.loc[table["X"], "mu"].mean() > table.loc[~table["X"], "mu"].mean()
    answer = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert answer["mu"]["q50"] == pytest.approx(np.median(found.mu))


def test_large_tables_get_subsets_by_chance():
    s = RNG.uniform(0.5, 1.0, 40)
    fit = pp.pool(RNG.normal(0, s), s)
    found = pp.analyse(fit, subsets=500, seed=3).subsets
    assert (found.every, found.mu.size) == (False, 500)
    assert found.inside.mean() == pytest.approx(0.5, abs=0.02)  # five sds
    np.testing.assert_array_equal(found.inside, subsets(fit, 500, seed=3).inside)
    assert not np.array_equal(found.inside, subsets(fit, 500, seed=4).inside)


def test_what_cannot_be_asked():
    with pytest.raises(OptionError, match="3 groups at least"):
        subsets(pp.pool([1.0, 2.0], [1.0, 1.0]))
    with pytest.raises(OptionError, match="subsets must be a whole number"):
        pp.analyse(pp.pool(Y, S), subsets=1)
    with pytest.raises(OptionError, match="subsets is for normal effects"):
        pp.analyse(pp.pool_effects(Y, S, effects="t(4)"), subsets=True)
