"""What holds for every chart: a valid specification that renders, few rows, words, and typed refusals."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import vl_convert

from propto import charts
from propto.charts.theme import MAX_ROWS
from propto.errors import ChartError, OptionError, ProptoError

POOLED = (
    *("data_bars", "shrinkage_forest", "shrinkage_overview", "mu_tau", "shrinkage_against_tau"),
    *("funnel", "effect_densities", "new_group", "pair_map"),
)
FITTED = ("marginals", "traces", "rank_plot", "rhat_ess", "energy", "ess_growth")
PARTS = ("exceedance", "rank_map", "prior_sensitivity", "leave_one_out", "many_means", "many_shrinkage")
GRIDDED = ("grid_scatter", "grid_marginals")


def rows(spec):
    return sum(len(values) for values in spec.get("datasets", {}).values())


def assert_sound(chart):
    """The specification is valid, small, titled, described, and Vega can draw it."""
    spec = chart.to_dict()  # validates against the schema of Vega-Lite
    assert 0 < rows(spec) <= MAX_ROWS
    assert spec["title"]["text"]
    assert len(spec["description"]) > 20
    version = ".".join(spec["$schema"].split("/v")[-1].split(".")[:2])
    svg = vl_convert.vegalite_to_svg(spec, vl_version=version)
    assert svg.startswith("<svg")
    return spec


@pytest.mark.parametrize("name", POOLED)
def test_charts_of_a_pooled_result_are_sound(name, eight):
    assert_sound(getattr(charts, name)(eight))


@pytest.mark.parametrize("name", POOLED)
def test_a_thousand_groups_stay_small_and_the_subtitle_says_what_is_left_out(name, many_groups):
    chart = getattr(charts, name)(many_groups)
    assert rows(chart.to_dict()) <= MAX_ROWS
    if name == "pair_map":
        assert "20 best and the 20 worst of 1,000" in " ".join(chart.title.subtitle)
    elif name not in ("mu_tau", "shrinkage_overview", "funnel", "new_group"):
        assert "20 highest and 20 lowest of 1,000" in " ".join(chart.title.subtitle).replace(
            "the 20 l", "20 l"
        )


@pytest.mark.parametrize("name", FITTED)
def test_charts_of_a_fit_are_sound(name, good_fit, bad_fit):
    good, bad = (assert_sound(getattr(charts, name)(fit)) for fit in (good_fit, bad_fit))
    if name != "marginals":
        assert good["title"]["text"] != bad["title"]["text"]


def test_divergences_are_sound(bad_fit):
    assert_sound(charts.divergences(bad_fit, "mu", "tau"))


@pytest.mark.parametrize("name", GRIDDED)
def test_charts_of_a_grid_are_sound(name, toy_grid):
    assert_sound(getattr(charts, name)(toy_grid))


@pytest.mark.parametrize("name", [*POOLED, *FITTED, *GRIDDED, *PARTS])
def test_what_cannot_be_drawn_is_refused_by_name(name):
    with pytest.raises(ChartError, match=f"charts.{name} ") as caught:
        getattr(charts, name)(3.14)
    assert "float" in str(caught.value)
    assert isinstance(caught.value, ProptoError)


def test_refusals_say_what_there_is(good_fit, toy_grid, eight):
    with pytest.raises(ChartError, match=r"no variable 'sigma'.*mu, tau, theta"):
        charts.traces(good_fit, ["sigma"])
    with pytest.raises(ChartError, match="takes a list"):
        charts.rank_plot(good_fit, "mu")
    with pytest.raises(ChartError, match="no variable 'z'; it has x, y"):
        charts.grid_scatter(toy_grid, x="z")
    with pytest.raises(ChartError, match="sample_stats\\['energy'\\]"):
        charts.energy(good_fit.filter(lambda node: node.name != "sample_stats"))
    with pytest.raises(ChartError, match="density_mu"):
        charts.mu_tau(type("Drawn", (), {**vars(eight), "prior_mu": None})())
    with pytest.raises(OptionError, match="std_error"):
        charts.shrinkage_forest(eight, sort="name")


@pytest.mark.parametrize(
    "label", ["<script>alert(1)</script>", "a' + b", 'say "x"', "back\\slash", "=SUM(A1)", "Ä ü €", "", " "]
)
def test_labels_of_any_kind_are_drawn_as_they_are(label, eight):
    import dataclasses

    odd = dataclasses.replace(eight, label=np.array([label, label, *"CDEFGH"]))
    drawn_by = (
        "shrinkage_forest",
        "data_bars",
        "shrinkage_against_tau",
        "effect_densities",
        "funnel",
        "pair_map",
    )
    for chart in (getattr(charts, name)(odd) for name in drawn_by):
        spec = assert_sound(chart)
        drawn = {row.get("group") for values in spec["datasets"].values() for row in values}
        assert {label, f"{label} (2)"} <= drawn


def test_charts_import_no_jax():
    code = "import sys, propto.charts; sys.exit('jax' in sys.modules or 'xarray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
