"""The charts that serve a decision show the numbers of the parts that they are drawn from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from propto import charts
from propto.charts.decisions import NEVER
from propto.charts.funnel import Z95
from propto.errors import ChartError
from propto.pooling.analysis import analyse
from propto.pooling.many import pool_many
from propto.pooling.ranks import rank
from propto.pooling.thresholds import exceedance


@pytest.fixture(scope="module")
def found(eight):
    return analyse(eight)


@pytest.fixture(scope="module")
def found_many(many_groups):
    return analyse(many_groups)


def test_the_bars_are_the_probabilities_above_the_threshold(eight):
    part = exceedance(eight, 7.0)
    rows = pd.DataFrame(charts.exceedance(part).datasets["chances"]).set_index("group")["prob"]
    np.testing.assert_allclose(rows[list(part.label)], part.prob, atol=1e-4)
    assert list(rows) == sorted(rows, reverse=True)


def test_the_rank_map_holds_every_rank_that_can_be_seen(found, frame_with):
    table = frame_with(charts.rank_map(found.ranks), "probability")
    for j, label in enumerate(found.ranks.label):
        row = table[table["group"] == label]
        place = (row["low"] - 0.5).astype(int)
        np.testing.assert_allclose(row["probability"], found.ranks.probabilities[j, place], atol=1e-4)
        assert row["probability"].sum() == pytest.approx(1, abs=8 * NEVER)


def test_ranks_of_many_groups_are_put_together(found_many, frame_with):
    chart = charts.rank_map(found_many.ranks)
    table = frame_with(chart, "probability")
    assert table["group"].nunique() == 40
    best = table[table["group"] == str(found_many.ranks.label[np.argmin(found_many.ranks.mean)])]
    assert best["probability"].sum() == pytest.approx(1, abs=60 * NEVER)


def test_ranks_without_a_matrix_are_refused(many_groups):
    import dataclasses

    part = dataclasses.replace(rank(many_groups, draws=400), probabilities=None)
    with pytest.raises(ChartError, match="up to 1,000 groups"):
        charts.rank_map(part)


def test_the_pair_map_is_the_matrix(eight, found, frame_with):
    table = frame_with(charts.pair_map(eight), "probability")
    wide = table.pivot(index="group", columns="other", values="probability")
    expected = found.pairwise[np.ix_([0, 6], [2, 4])]
    np.testing.assert_allclose(wide.loc[["A", "G"], ["C", "E"]], expected, atol=1e-4)


def test_the_priors_are_those_of_the_sensitivity(found, frame_with):
    table = frame_with(charts.prior_sensitivity(found.sensitivity), "prior")
    wide = table.pivot(index="group", columns="prior", values="mean")
    assert wide.shape == (8, 1 + len(found.sensitivity.alternatives))
    np.testing.assert_allclose(wide["as used"], found.sensitivity.base, atol=1e-3)
    for other in found.sensitivity.alternatives:
        (name,) = (
            n
            for n in wide
            if n.startswith(str(other.prior_tau)) and ("flat" in n) == (str(other.prior_mu) == "flat")
        )
        np.testing.assert_allclose(wide[name], other.theta, atol=1e-3)


def test_leave_one_out_shows_the_refits(eight, found, frame_with):
    chart = charts.leave_one_out(found.influence, float(eight.mu.mean))
    table = frame_with(chart, "low").set_index("group")
    part = found.influence
    for name, values in {
        "mu": part.mu_mean,
        "low": part.mu_low,
        "high": part.mu_high,
        "tau": part.tau_median,
    }.items():
        np.testing.assert_allclose(table.loc[list(part.label), name], values, atol=1e-3)
    rules = [
        layer.data["value"].item() for side in chart.concat for layer in side.layer if "value" in layer.data
    ]
    assert rules == pytest.approx([float(eight.mu.mean), float(eight.tau.quantiles[3])], abs=1e-3)


def test_many_groups_show_those_that_matter_most(found_many, frame_with):
    influence = frame_with(charts.leave_one_out(found_many.influence), "low")
    strongest = np.argsort(-np.abs(found_many.influence.mu_shift))[:40]
    assert set(influence["group"]) == set(found_many.influence.label[strongest])
    moved = frame_with(charts.prior_sensitivity(found_many.sensitivity), "prior")
    assert set(moved["group"]) == set(
        found_many.sensitivity.label[np.argsort(-found_many.sensitivity.shift)[:40]]
    )


def test_the_predictive_check_draws_the_data_over_its_replicates(eight, found, frame_with):
    chart = charts.predictive_check(found.predictive, eight.estimate)
    thin, bold = (layer.data for layer in chart.layer)
    np.testing.assert_allclose(bold["x"], np.sort(eight.estimate))
    assert thin["table"].nunique() == 50
    np.testing.assert_allclose(thin[thin["table"] == 3]["x"], found.predictive.replicates[3], atol=1e-2)


def test_the_funnel_holds_95_percent_at_the_median_of_tau(eight):
    sides, _, dots = (layer.data for layer in charts.funnel(eight).layer)
    high = sides[sides["side"] == "high"]
    reach = Z95 * np.hypot(high["error"], eight.tau.quantiles[3])
    np.testing.assert_allclose(high["estimate"], eight.mu.mean + reach, atol=1e-2)
    np.testing.assert_allclose(dots["error"], eight.std_error)


def test_a_trend_with_precision_is_said():
    from propto.pooling.exact import pool_exact

    error = np.linspace(0.1, 2, 30)
    rng = np.random.default_rng(0)
    pooled = pool_exact(1 + 2 * error + error * rng.normal(size=30) / 3, error)
    assert charts.funnel(pooled).title.text[0].startswith("Less precise groups have higher estimates: ")
    level = pool_exact(rng.normal(size=30) * error, error)
    assert charts.funnel(level).title.text[0].startswith("No sign that estimates depend")
    assert "equally precise" in charts.funnel(pool_exact(rng.normal(size=30), np.ones(30))).title.text[0]


def test_ridges_are_exact_densities(eight, frame_with):
    table = frame_with(charts.effect_densities(eight), "foot")
    for j, label in enumerate(eight.label):
        row = table[table["group"] == label]
        height = (row["top"] - row["foot"]).to_numpy()
        density = eight.density_theta(j, row["x"].to_numpy())
        scale = (height**2 / density)[density > 0.2 * density.max()]
        np.testing.assert_allclose(scale, scale.mean(), rtol=0.02)  # one scale for the whole ridge


def test_a_new_group_has_its_exact_density(eight, frame_with):
    table = frame_with(charts.new_group(eight), "density")
    new = table[table["kind"] == "a new group"]
    np.testing.assert_allclose(new["density"], eight.density_new(new["x"].to_numpy()), rtol=0.01, atol=1e-5)


def test_the_histograms_of_many_tables_count_all(frame_with):
    rng = np.random.default_rng(1)
    columns = {
        "test": np.repeat(np.arange(40), 5).astype(str),
        "estimate": np.repeat(rng.normal(0, 3, 40), 5) + rng.normal(size=200),
        "se": np.ones(200),
    }
    many = pool_many(columns, by="test")
    for chart in (charts.many_means(many), charts.many_shrinkage(many)):
        assert frame_with(chart, "tables")["tables"].sum() == 40
    above = int((many.tables["mu_prob_positive"] >= 0.95).sum())
    assert f"{above} have a mean effect above 0" in " ".join(charts.many_means(many).title.text)


def test_the_sizes_grow_to_those_of_the_whole_run(good_fit, frame_with):
    from propto.diagnosis.summary import summary

    chart = charts.ess_growth(good_fit, ["mu"])
    for panel, column in zip(chart.concat, ("ess_bulk", "ess_tail"), strict=True):
        last = panel.layer[1].data.iloc[-1]
        assert last["draws"] == 1000
        assert last["ess"] == pytest.approx(summary(good_fit)[column]["mu"], rel=1e-3)
