"""The charts of fits summarise draws without losing what they are there to show."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, rankdata

from propto import charts
from propto.charts.draws import envelope
from propto.charts.ranks import RANK_BINS, rank_band, rank_excess
from propto.diagnosis.summary import summary


@pytest.mark.parametrize(("size", "bins"), [(7, 2), (1000, 13), (5000, 150), (10, 50)])
def test_the_envelope_keeps_the_lowest_and_the_highest_of_every_bin(size, bins):
    draws = np.random.default_rng(size).standard_t(2, size)
    kept = envelope(draws, bins)
    assert len(kept) <= 2 * bins
    assert (np.diff(kept) > 0).all()
    for part in np.array_split(np.arange(size), bins) if size > 2 * bins else [np.arange(size)]:
        inside = draws[kept[np.isin(kept, part)]]
        assert inside.min() == draws[part].min()
        assert inside.max() == draws[part].max()


def test_traces_show_the_worst_variable_first_and_all_chains(bad_fit):
    chart = charts.traces(bad_fit)
    worst = summary(bad_fit)["r_hat"].sort_values(ascending=False).index[:4]
    assert [panel.encoding.y.to_dict()["title"] for panel in chart.vconcat] == list(worst)
    assert worst[0] in chart.title.text[0]
    assert set(chart.vconcat[0].data["chain"]) == {"1", "2", "3", "4"}
    assert "worst 4 of 10" in chart.title.subtitle[0]


def test_of_a_thousand_chains_the_one_that_is_stuck_is_drawn(make_fit, frame_with):
    mu = np.random.default_rng(4).normal(size=(1000, 50))
    mu[777] = 9.0
    fit = make_fit({"mu": mu})
    for chart in (charts.traces(fit), charts.rank_plot(fit)):
        assert "of 1,000" in " ".join(chart.title.subtitle)
    table = frame_with(charts.traces(fit), "draw")
    assert table["chain"].nunique() == 8
    assert "778" in set(table["chain"])


def test_names_choose_variables_and_elements_in_the_order_given(good_fit):
    chart = charts.traces(good_fit, ["theta[C]", "mu"])
    assert [panel.encoding.y.to_dict()["title"] for panel in chart.vconcat] == ["theta[C]", "mu"]
    assert len(charts.rank_plot(good_fit, ["theta"]).concat) == 8


def test_not_a_number_is_drawn_around_and_comes_first(make_fit):
    rng = np.random.default_rng(5)
    bad = rng.normal(size=(4, 400))
    bad[1, 7] = np.nan
    fit = make_fit({"a": rng.normal(size=(4, 400)), "b": bad})
    for chart in (charts.traces(fit), charts.rank_plot(fit), charts.marginals(fit), charts.rhat_ess(fit)):
        chart.to_dict()
    assert charts.traces(fit).vconcat[0].encoding.y.to_dict()["title"] == "b"


def test_ranks_agree_with_scipy_and_balance_within_each_chain():
    draws = np.random.default_rng(6).normal(size=(3, 400)) + np.array([[0.0], [0.2], [1.0]])
    ranks = rankdata(draws).reshape(draws.shape) - 1
    bins = (ranks * RANK_BINS / draws.size).astype(int)
    counts = np.array([np.bincount(chain, minlength=RANK_BINS) for chain in bins])
    np.testing.assert_allclose(rank_excess(draws), counts / (400 / RANK_BINS) - 1)
    np.testing.assert_allclose(rank_excess(draws).sum(axis=1), 0, atol=1e-12)


def test_the_band_holds_99_of_100_bars_of_independent_draws():
    rng = np.random.default_rng(7)
    outside = [np.abs(rank_excess(rng.normal(size=(4, 2000)))) > rank_band(2000) for _ in range(100)]
    # 8,000 bars of which 1 % may leave; the bounds let a right band fail once in a million seeds
    count = int(np.sum(outside))
    assert binom.ppf(5e-7, 8000, 0.006) <= count <= binom.isf(5e-7, 8000, 0.011)


def test_a_chain_that_sits_apart_leaves_the_band(bad_fit, frame_with):
    chart = charts.rank_plot(bad_fit, ["mu"])
    table = frame_with(chart, "excess")
    assert (table[table["chain"] == "3"]["state"] == "outside the band").mean() > 0.9
    assert chart.title.text[0].startswith("Uneven")


def test_rhat_and_ess_are_those_of_the_summary(bad_fit):
    table = summary(bad_fit)
    for fit in (bad_fit, table):
        left, right = charts.rhat_ess(fit).concat
        drawn = left.layer[1].data.set_index("variable")["rhat"]
        np.testing.assert_allclose(drawn.to_numpy(), table["r_hat"][drawn.index], atol=2e-4 * np.ptp(drawn))
        sizes = right.layer[1].data
        bulk = sizes[sizes["kind"] == "bulk"].set_index("variable")["ess"]
        np.testing.assert_allclose(bulk.to_numpy(), table["ess_bulk"][bulk.index], rtol=1e-2)


def test_of_thousands_of_variables_the_weakest_are_drawn(make_fit):
    draws = np.random.default_rng(8).normal(size=(4, 100, 8, 300))
    draws[:, :, 3, 123] += np.arange(4)[:, None] * 5
    import xarray as xr

    data = xr.Dataset({"z": (("chain", "draw", "a", "b"), draws)})
    fit = xr.DataTree.from_dict({"posterior": data})
    for chart in (charts.rhat_ess(fit), charts.traces(fit), charts.rank_plot(fit)):
        assert "of 2,400 variables" in " ".join(chart.title.subtitle)
    assert charts.rhat_ess(fit).concat[0].layer[1].data["variable"][0] == "z[3, 123]"


def test_marginals_are_the_histograms_of_the_draws(good_fit, frame_with):
    chart = charts.marginals(good_fit, ["tau"])
    bars, line = frame_with(chart, "probability"), frame_with(chart, "middle")
    draws = good_fit["posterior"]["tau"].values.ravel()
    ends = np.append(bars["low"], bars["high"].iloc[-1])
    np.testing.assert_allclose(bars["probability"], np.histogram(draws, ends)[0] / draws.size, atol=2e-3)
    quantiles = np.quantile(draws, [0.05, 0.5, 0.95])
    np.testing.assert_allclose(line[["low", "middle", "high"]].iloc[0], quantiles, rtol=1e-4)


def test_the_energy_histograms_hold_all_draws_and_its_steps(good_fit, bad_fit):
    chart = charts.energy(good_fit)
    for layer in chart.layer:
        assert layer.data["share"].sum() / 2 == pytest.approx(1, abs=1e-3)
    assert "moved freely" in chart.title.text[0]
    assert "too slowly" in charts.energy(bad_fit).title.text[0]


def test_crosses_are_the_divergent_draws_only(bad_fit):
    diverging = bad_fit["sample_stats"]["diverging"].values
    tau = bad_fit["posterior"]["tau"].values
    calm, crosses = (layer.data for layer in charts.divergences(bad_fit, "mu", "tau").layer)
    assert len(crosses) == diverging.sum()
    assert crosses["y"].max() <= tau[diverging].max() + 1e-3
    assert len(calm) <= 400


def test_a_constant_variable_is_drawn(make_fit, frame_with):
    fit = make_fit({"a": np.full((4, 200), 3.0), "b": np.random.default_rng(9).normal(size=(4, 200))})
    for chart in (charts.traces(fit), charts.marginals(fit), charts.rhat_ess(fit), charts.rank_plot(fit)):
        chart.to_dict()
