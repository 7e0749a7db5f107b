"""The charts of tables and pooled results show the numbers of the exact engine."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from propto import charts
from propto.charts.numbers import number, probability


def forest_rows(chart):
    """The rows of a forest, reported and pooled."""
    return pd.DataFrame([*chart.datasets["reported"], *chart.datasets["pooled"]])


def test_data_bars_carry_estimates_intervals_and_the_plain_mean(eight, frame_with):
    chart = charts.data_bars(eight)
    table = frame_with(chart, "estimate")
    np.testing.assert_allclose(table["estimate"], eight.estimate)
    half = (table["high"] - table["low"]) / 2
    np.testing.assert_allclose(half, norm.ppf(0.975) * eight.std_error, rtol=1e-4)
    assert frame_with(chart, "mean")["mean"].item() == 8.75
    assert "8.75" in " ".join(chart.title.text)


def test_the_forest_shows_reported_and_pooled_intervals(eight):
    table = forest_rows(charts.shrinkage_forest(eight, sort="given"))
    reported, pooled, new = (table[table["kind"] == kind] for kind in ("reported", "pooled", "predicted"))
    assert list(reported["group"]) == list("ABCDEFGH")
    np.testing.assert_allclose(
        reported["low90"], eight.estimate + norm.ppf(0.05) * eight.std_error, atol=2e-3
    )
    np.testing.assert_allclose(
        reported["high50"], eight.estimate + norm.ppf(0.75) * eight.std_error, atol=2e-3
    )
    np.testing.assert_allclose(pooled["mid"], eight.theta.mean, atol=2e-3)
    levels = list(eight.theta.levels)
    for name, level in {"low90": 0.05, "low50": 0.25, "high50": 0.75, "high90": 0.95}.items():
        np.testing.assert_allclose(pooled[name], eight.theta.quantiles[:, levels.index(level)], atol=2e-3)
        np.testing.assert_allclose(new[name], eight.new_group.quantiles[levels.index(level)], atol=2e-3)


@pytest.mark.parametrize(
    ("sort", "order"),
    [("pooled", "AGHBDCFE"), ("estimate", "AGHBDFEC"), ("std_error", "EBGDFACH"), ("given", "ABCDEFGH")],
)
def test_the_forest_is_sorted_as_asked(eight, sort, order):
    table = forest_rows(charts.shrinkage_forest(eight, sort=sort))
    assert "".join(table[table["kind"] == "pooled"]["group"]) == order


def test_the_forest_of_many_groups_shows_exactly_the_extremes(many_groups):
    table = forest_rows(charts.shrinkage_forest(many_groups))
    drawn = set(table[table["kind"] == "pooled"]["group"])
    order = np.argsort(many_groups.theta.mean)
    assert drawn == {many_groups.label[j] for j in (*order[:20], *order[-20:])}


def test_one_enormous_error_does_not_squeeze_the_others(eight):
    error = np.array(eight.std_error)
    error[0] = 1e9
    chart = charts.shrinkage_forest(dataclasses.replace(eight, std_error=error))
    domain = chart.to_dict()["layer"][-1]["encoding"]["x"]["scale"]["domain"]
    assert domain[1] - domain[0] < 200


def test_the_half_eyes_are_the_exact_densities_and_stay_in_their_support(eight):
    chart = charts.mu_tau(eight)
    mu, tau = chart.concat
    for panel, density, prior in (
        (mu, eight.density_mu, eight.prior_mu),
        (tau, eight.density_tau, eight.prior_tau),
    ):
        table = panel.layer[0].data
        x = table["x"].to_numpy()
        np.testing.assert_allclose(table["density"], density(x), atol=2e-4 * table["density"].max())
        assert 0.97 < np.trapezoid(table["density"], x) < 1.001
        np.testing.assert_allclose(panel.layer[-1].data["density"], np.exp(prior.log_density(x)), rtol=2e-3)
    assert tau.layer[0].data["x"].min() == 0


def test_a_flat_prior_is_not_drawn(eight):
    from propto.pooling.exact import pool_exact

    flat = pool_exact(eight.estimate, eight.std_error, prior_mu="flat", prior_tau="halfcauchy(5)")
    mu, tau = charts.mu_tau(flat).concat
    assert len(tau.layer) == len(mu.layer) + 1


def test_without_spread_all_groups_agree_and_at_tau_15_school_a_is_half_way(eight, frame_with):
    table = frame_with(charts.shrinkage_against_tau(eight), "tau")
    wide = table.pivot(index="tau", columns="group", values="mean")
    assert np.ptp(wide.iloc[0]) < 1e-3
    # E[theta_A | tau] = (28 + mu(tau)) / 2 where tau equals A's standard error, 15; 18.19 by that formula
    assert np.interp(15.0, wide.index, wide["A"]) == pytest.approx(18.19, abs=0.01)


def test_the_overview_counts_every_one_of_very_many_groups(frame_with):
    rng = np.random.default_rng(3)
    from propto.pooling.exact import pool_exact

    pooled = pool_exact(rng.normal(size=3000), rng.uniform(0.5, 2, 3000))
    assert frame_with(charts.shrinkage_overview(pooled), "groups")["groups"].sum() == 3000


def test_the_title_names_the_group_that_moves_most(eight):
    assert " ".join(charts.shrinkage_forest(eight).title.text).startswith(
        "A moves most: 28 → 11.4, since its error (15)"
    )


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (11.3712, 8.22, "11.4"),
        (-0.04, 1.0, "0.0"),
        (-3.26, 0.5, "−3.26"),
        (0.00123456, 0.001, "0.0012"),
        (1234567.0, 54321.0, "1235000"),
        (2.8e10, 1.5e10, "2.80e10"),
        (float("nan"), 1.0, "–"),
        (float("inf"), 1.0, "∞"),
        (5.0, 0.0, "5.0"),
        (5.0, float("nan"), "5.0"),
    ],
)
def test_numbers_have_the_digits_of_their_error(value, error, text):
    assert number(value, error) == text


def test_probabilities_never_claim_certainty():
    assert [probability(p) for p in (0.0, 1.0, 0.5, 0.995)] == ["< 0.001", "> 0.999", "0.50", "0.995"]
