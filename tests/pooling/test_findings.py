"""Sentences on other effects, covariates and clusters: they say what the numbers say."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from propto.pooling.effects import compare_effects, pool_effects
from propto.pooling.findings import (
    effects_findings,
    ladder_findings,
    regression_findings,
    shape_row,
    variance_components,
)
from propto.pooling.regression import pool_regression

OUTLIER = [0.1, -0.2, 0.0, 0.2, 0.1, -0.1, 0.15, 6.0]
ERRORS = [0.3] * 8


def test_the_share_between_clusters_is_that_of_a_grid():
    """The mean share of the variance between clusters against a plain sum over a fine grid of both scales."""
    y, s = np.array([1.0, 1.4, 3.0, 2.6, -0.5, 0.3]), np.full(6, 0.4)
    cluster = ["a", "a", "b", "b", "c", "c"]
    fit = pool_regression(
        y,
        s,
        cluster=cluster,
        prior_mu="normal(0, 3)",
        prior_tau="halfnormal(1)",
        prior_between="halfnormal(1)",
    )
    same = np.equal.outer(cluster, cluster)
    scales = (np.arange(120) + 0.5) * 4 / 120
    weight = np.zeros((120, 120))
    for (i, tau), (j, omega) in itertools.product(enumerate(scales), repeat=2):
        covariance = np.diag(s**2 + tau**2) + omega**2 * same + 9.0
        likelihood = stats.multivariate_normal.logpdf(y, np.zeros(6), covariance)
        weight[i, j] = likelihood - 0.5 * (tau**2 + omega**2)
    weight = np.exp(weight - weight.max())
    share = scales**2 / (scales**2 + scales[:, None] ** 2)
    parts = variance_components(fit)
    assert parts.share == pytest.approx(np.average(share, weights=weight), abs=2e-3)
    order = np.argsort(share.ravel())
    below = np.cumsum(weight.ravel()[order]) / weight.sum()
    low, high = np.interp([0.05, 0.95], below, share.ravel()[order])
    assert (parts.low, parts.high) == pytest.approx((low, high), abs=0.02)


def test_without_clusters_there_are_no_components():
    assert variance_components(pool_regression(OUTLIER, ERRORS)) is None


def test_an_outlier_makes_heavy_tails_the_better_forecast():
    ladder = compare_effects(OUTLIER, ERRORS, effects=["student_t(2)"])
    score, moves = ladder_findings(ladder)
    step = ladder.steps[0]
    assert step.gain > 1
    assert ("foretells each group from the others best" in score) == step.clear
    j = int(np.argmax(np.abs(step.moved_sd)))
    assert f"group {j + 1} moves most" in moves


def test_effects_that_hardly_move_are_said_to():
    ladder = compare_effects([1.0, 2.0, 3.0], [1.0] * 3, effects=["student_t(1000)"])
    score, moves = ladder_findings(ladder)
    assert "No distribution of effects foretells the groups clearly better" in score
    assert moves == "Under no distribution of effects does a group move by a tenth of its sd."


def test_the_ladder_without_steps_says_nothing():
    assert ladder_findings(compare_effects([1.0, 2.0], [1.0, 1.0], effects=[])) == []


def test_degrees_of_freedom_are_the_inverse_of_the_shape():
    fit = pool_effects(OUTLIER, ERRORS, effects="student_t")
    name, summary = shape_row(fit)
    assert name == "degrees of freedom"
    np.testing.assert_allclose(summary.quantiles * fit.shape.quantiles[::-1], 1)
    assert np.all(np.diff(summary.quantiles) > 0)


def test_what_a_table_does_not_tell_is_said():
    (vague,) = effects_findings(pool_effects([1.0, 2.0, 1.5], [1.0] * 3, effects="student_t"))
    assert "hardly more of this than its prior" in vague
    rng = np.random.default_rng(0)
    y = np.where(np.arange(30) % 3 > 0, 0.0, rng.normal(5, 1, 30)) + 0.2 * rng.normal(size=30)
    clear = effects_findings(pool_effects(y, np.full(30, 0.2), effects="spike_slab"))
    assert "hardly more" not in clear[0]
    assert "of the groups has no effect at all" in clear[0]
    assert "has no effect with probability < 0.001, the lowest" in clear[1]


def test_given_shapes_and_estimated_errors_are_said():
    fit = pool_effects(OUTLIER, ERRORS, effects="student_t(4)", error_df=[5.0] * 4 + [9.0] * 4)
    first, second = effects_findings(fit)
    assert "with 5 to 9 degrees of freedom" in first
    assert second == "Effects follow student_t(4), as given."


def test_coefficients_are_told_with_their_probability():
    dose = np.arange(8.0)
    fit = pool_regression(2 * dose, ERRORS, covariates={"dose": dose, "kind": list("ababbaab")})
    found = regression_findings(fit)
    assert found[0].startswith("One unit more of dose changes the effect by 2.000 (90 % interval ")
    assert "above 0 with probability > 0.999" in found[0]
    assert found[1].startswith("kind=b against the first category")
    assert found[-1].startswith("Groups that are alike in the covariates still differ by tau = ")


def test_many_coefficients_are_counted():
    rng = np.random.default_rng(1)
    columns = {f"x{i}": rng.normal(size=20) for i in range(8)}
    found = regression_findings(pool_regression(rng.normal(size=20), np.ones(20), covariates=columns))
    assert "3 more coefficients stand in the table." in found
