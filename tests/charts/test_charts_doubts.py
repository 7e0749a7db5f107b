"""The numbers in the charts of publication bias, of influence and of subsets."""

from __future__ import annotations

import numpy as np
import pytest

import propto as pp
from propto import charts
from propto.errors import ChartError

Y = np.array([0.62, 0.31, 0.05, 0.41, -0.12, 1.4])
S = np.array([0.30, 0.12, 0.09, 0.20, 0.25, 0.3])


def rows_of(chart, field):
    """The rows of the data set of a chart that have this field."""
    for data in chart.to_dict()["datasets"].values():
        if field in data[0]:
            return data
    raise AssertionError(field)


def title(chart) -> str:
    return " ".join(chart.to_dict()["title"]["text"])


def test_bias_has_a_row_for_every_form_and_the_average():
    fit = pp.pool_bias(Y, S, biases=["one_sided(0.025)", "pet"])
    chart = charts.bias_models(fit)
    rows = rows_of(chart, "form")
    assert [row["form"].split()[-1] for row in rows[:2]] == ["models", "bias"]
    assert rows[0]["mean"] == pytest.approx(fit.mu.mean, abs=1e-3)
    assert rows[1]["mean"] == pytest.approx(fit.uncorrected.mean, abs=1e-3)
    assert {row["form"].split()[-1] for row in rows[2:]} == {"one_sided(0.025)", "pet"}
    for row in rows:
        assert row["low"] <= row["low50"] <= row["high50"] <= row["high"]
    assert "publication bias" in title(chart)


def test_baujat_shows_scatter_and_influence():
    fit = pp.pool(Y, S, label=list("ABCDEF"))
    chart = charts.baujat(fit)
    rows = {row["group"]: row for row in rows_of(chart, "scatter")}
    influence = pp.analyse(fit).influence
    for j, name in enumerate("ABCDEF"):
        v = S[j] ** 2 + fit.tau.quantiles[3] ** 2
        assert rows[name]["scatter"] == pytest.approx((Y[j] - fit.mu.mean) ** 2 / v, abs=1e-3)
        without = pp.pool(
            np.delete(Y, j), np.delete(S, j), prior_mu=str(fit.prior_mu), prior_tau=str(fit.prior_tau)
        )
        moved = ((fit.mu.mean - without.mu.mean) / fit.mu.sd) ** 2
        assert rows[name]["moved"] == pytest.approx(moved, abs=1e-3)
    most = "ABCDEF"[int(np.argmax(np.abs(influence.mu_shift)))]
    assert title(chart).startswith(f"{most} moves the average effect most")


def test_gosh_shows_every_subset_of_a_short_table():
    found = pp.analyse(pp.pool(Y, S, label=list("ABCDEF")), subsets=True).subsets
    rows = rows_of(charts.gosh(found), "subset")
    assert len(rows) == 2**6 - 1 - 6
    j = int(np.argmax(np.abs(found.split)))
    inside = [row["subset"].startswith("with ") for row in rows]
    np.testing.assert_array_equal(inside, found.inside[:, j])
    np.testing.assert_allclose([row["mu"] for row in rows], found.mu, atol=1e-3)


def test_gosh_draws_no_more_than_it_may():
    s = np.full(30, 0.5)
    found = pp.analyse(pp.pool(np.linspace(0, 1, 30), s), subsets=True).subsets
    assert found.mu.size == 10_000
    assert len(rows_of(charts.gosh(found), "subset")) <= 4000


@pytest.mark.parametrize("chart", [charts.bias_models, charts.baujat, charts.gosh])
def test_other_things_are_refused(chart):
    with pytest.raises(ChartError, match="charts"):
        chart([1, 2, 3])
