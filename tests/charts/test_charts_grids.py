"""The charts of a grid keep its probability when they bin it down."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from propto import charts
from propto.charts.theme import edges
from propto.errors import ChartError


def mass(table):
    return table["p"] * (table["x2"] - table["x"]) * (table["y2"] - table["y"])


def test_cells_hold_all_the_probability_in_its_place(toy_grid):
    table = charts.grid_scatter(toy_grid).data
    share = mass(table)
    assert share.sum() == pytest.approx(1, abs=3e-3)  # cells below a thousandth of the fullest are left out
    assert table["x"].nunique() <= 70
    assert table["y"].nunique() <= 70
    assert (share * (table["x"] + table["x2"]) / 2).sum() == pytest.approx(1.2, abs=0.02)
    assert (share * (table["y"] + table["y2"]) / 2).sum() == pytest.approx(2.1, abs=0.02)


def test_axes_can_be_swapped(toy_grid):
    table = charts.grid_scatter(toy_grid, x="y", y="x").data
    assert (mass(table) * (table["x"] + table["x2"]) / 2).sum() == pytest.approx(2.1, abs=0.02)
    assert charts.grid_scatter(toy_grid, y="x").encoding.x.to_dict()["title"] == "y"


def test_a_third_variable_is_summed_out():
    rng = np.random.default_rng(0)
    weights = rng.random((6, 5, 4))
    weights /= weights.sum()
    axes = {name: np.arange(float(size)) for name, size in zip("abc", weights.shape, strict=True)}
    grid = SimpleNamespace(names=("a", "b", "c"), axes=axes, weights=weights, marginal=None)
    table = charts.grid_scatter(grid, x="c", y="a").data
    wide = table.pivot(index="x", columns="y", values="p").to_numpy()
    np.testing.assert_allclose(wide, weights.sum(axis=1).T, atol=1e-5)


def test_marginals_are_histograms_of_the_right_mass(toy_grid):
    chart = charts.grid_marginals(toy_grid)
    assert "x 1.2" in chart.title.text[0]
    assert "y 2.1" in chart.title.text[0]
    for panel in chart.concat:
        assert len(panel.data) <= 60
        assert panel.data["probability"].sum() == pytest.approx(1, abs=1e-3)


def test_one_variable_alone_has_no_scatter():
    grid = SimpleNamespace(names=("a",), axes={"a": np.arange(3.0)}, weights=np.ones(3) / 3, marginal=None)
    with pytest.raises(ChartError, match="only 'a'"):
        charts.grid_scatter(grid)


def test_edges_lie_halfway_between_points():
    points = np.array([0.0, 1.0, 4.0, 5.0])
    np.testing.assert_allclose(edges(points), [-0.5, 0.5, 2.5, 4.5, 5.5])
    assert np.diff(edges(np.array([3.0]))) == 1
