"""Every way to pool the reference tables gives their answers, and metafor's where tau is what it says."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import propto as pp
from propto.pooling.components import theta_given
from propto.pooling.effects import pool_effects
from propto.pooling.exact import Summary
from propto.pooling.heterogeneity import heterogeneity
from propto.pooling.influence import influence
from propto.pooling.regression import pool_regression

SHARED = Path(os.environ.get("PROPTO_SHARED", Path(__file__).parents[2].parent / "shared"))
TABLES = sorted((SHARED / "tables").glob("*.json"))
MU = {"normal": "normal({mean}, {sd})", "improper uniform": "flat"}
TAU = {
    "uniform": "uniform({lower}, {upper})",
    "half-normal": "halfnormal({scale})",
    "half-cauchy": "halfcauchy({scale})",
}
QUANTILES = [("q2.5", 0.025), ("q50", 0.5), ("q97.5", 0.975)]
pytestmark = [
    pytest.mark.skipif(not TABLES, reason="reference tables not present"),
    pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem),
]


def read(path):
    """The table as a user reads it, and its answers."""
    return pp.read_table(path.with_suffix(".csv"), estimate="estimate"), json.loads(path.read_text())


def pool(table, **options):
    return pp.pool(table.estimate, table.std_error, label=table.label, **options)


def priors(fit):
    on_mu, on_tau = fit["prior"]["mu"], fit["prior"]["tau"]
    return {
        "prior_mu": MU[on_mu["dist"]].format(**on_mu),
        "prior_tau": TAU[on_tau["dist"]].format(**on_tau),
    }


def check(ours, expected, tolerance, wanted=("mu", "tau", "new", "theta")):
    """Quantiles of everything in units of its posterior sd."""
    names = {"mu": "mu", "tau": "tau", "new": "new_group", "theta": "theta"}
    for name in wanted:
        rows = expected[name] if name == "theta" else [expected[name]]
        summary = getattr(ours, names[name])
        for key, level in QUANTILES:
            place = Summary.levels.index(level)
            found = np.atleast_2d(summary.quantiles)[:, place]
            gap = [(x - row[key]) / row["sd"] for x, row in zip(found, rows, strict=True) if key in row]
            assert np.abs(gap).max() < tolerance, f"{key} of {name}"


def test_from_file_to_answer(path):
    table, answers = read(path)
    for fit in answers["fits"].values():
        pooled = pool(table, **priors(fit))
        assert list(pooled.label) == [row["label"] for row in fit["expected"]["theta"]]
        check(pooled, fit["expected"], 1e-8)


def test_bayesmeta_prints_the_same_digits(path):
    """Its own error at tight settings is about 1e-4 sd; where sds hardly exist only quantiles count."""
    table, answers = read(path)
    for fit in answers["fits"].values():
        check(pool(table, **priors(fit)), fit["bayesmeta"], 5e-4)


def test_other_engines(path):
    """Effects that are normal after all, and a regression without covariates."""
    table, answers = read(path)
    for fit in answers["fits"].values():
        given, expected = priors(fit), fit["expected"]
        effects = pool_effects(table.estimate, table.std_error, **given)
        check(effects, expected, 3e-5)
        assert effects.log_evidence == pytest.approx(expected["log_marginal_likelihood"], abs=1e-8)
        regression = pool_regression(table.estimate, table.std_error, **given)
        check(regression, expected, 1e-7)
        assert regression.log_evidence == pytest.approx(expected["log_marginal_likelihood"], abs=1e-8)


def test_metafor_is_the_posterior_given_its_tau(path):
    """With tau at REML's value and a flat prior on mu, means are its estimates and sds its errors."""
    table, answers = read(path)
    theirs, pooled = answers["metafor"], pool(table)
    for tau_squared, fit in ((theirs["tau2"], theirs), (0.0, theirs["common_effect"])):
        given = pooled.marginal.given(np.array([tau_squared**0.5]))
        mean, variance = float(given.mean[0]), 1 / float(given.precision[0])
        assert mean == pytest.approx(fit["mu"], rel=1e-8, abs=1e-10)
        assert variance**0.5 == pytest.approx(fit["se"], rel=1e-8)
        if "blup" in fit:
            effects, _ = theta_given(
                table.estimate, table.std_error**2, np.array(tau_squared**0.5), mean, variance
            )
            np.testing.assert_allclose(effects, [row["pred"] for row in fit["blup"]], rtol=1e-7, atol=1e-9)


def test_heterogeneity_is_metafors(path):
    table, answers = read(path)
    theirs, ours = answers["metafor"], heterogeneity(pool(table))
    assert ours.q == pytest.approx(theirs["QE"], rel=1e-9)
    assert ours.q_p == pytest.approx(theirs["QEp"], rel=1e-6, abs=1e-12)
    share = theirs["tau2"] / (theirs["tau2"] + ours.typical_error**2)
    assert 100 * share == pytest.approx(theirs["I2"], rel=1e-8, abs=1e-10)


def test_leaving_a_group_out_is_a_fit_without_it(path):
    """The first group and the last; under the priors of the whole table."""
    table, _ = read(path)
    pooled = pool(table)
    found = influence(pooled)
    for j in (0, len(table.label) - 1):
        rest = pp.pool(
            np.delete(table.estimate, j),
            np.delete(table.std_error, j),
            prior_mu=str(pooled.prior_mu),
            prior_tau=str(pooled.prior_tau),
        )
        assert found.mu_mean[j] == pytest.approx(float(rest.mu.mean), rel=1e-6, abs=1e-9)
