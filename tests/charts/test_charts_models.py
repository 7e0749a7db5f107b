"""Charts of other models: their numbers are those of the fits, and what cannot be drawn is refused."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import vl_convert

from propto import charts
from propto.charts.theme import MAX_ROWS
from propto.errors import ChartError
from propto.pooling.effects import compare_effects, pool_effects
from propto.pooling.regression import pool_regression

Y = [0.2, 1.1, 0.8, 2.3, 1.9, 3.4, 2.6, 9.0]
S = [0.4, 0.6, 0.3, 0.5, 0.4, 0.7, 0.3, 0.6]
LABEL = list("ABCDEFGH")


@pytest.fixture(scope="module")
def ladder():
    return compare_effects(Y, S, effects=["student_t(3)", "spike_slab(0.3)"], label=LABEL)


@pytest.fixture(scope="module")
def fit():
    dose = np.array([0.0, 1, 1, 2, 2.5, 3, 3, 4])
    return pool_regression(
        Y,
        S,
        covariates={"dose": dose, "kind": list("ababbaab")},
        cluster=list("nnnsssww"),
        label=LABEL,
    )


def sound(chart):
    """The rows of a chart that the schema knows, that Vega draws, and that is titled and described."""
    spec = chart.to_dict()
    rows = [row for values in spec["datasets"].values() for row in values]
    assert 0 < len(rows) <= MAX_ROWS
    assert spec["title"]["text"]
    assert len(spec["description"]) > 20
    version = ".".join(spec["$schema"].split("/v")[-1].split(".")[:2])
    assert vl_convert.vegalite_to_svg(spec, vl_version=version).startswith("<svg")
    return rows


def title(chart):
    return " ".join(chart.title.text)


def test_moves_are_the_posterior_means_under_each_distribution(ladder):
    chart = charts.effects_moves(ladder)
    rows = [row for row in sound(chart) if "effects" in row]
    for fit in (ladder.normal, *(step.fit for step in ladder.steps)):
        of = {row["group"]: row["mean"] for row in rows if row["effects"].startswith(str(fit.effects))}
        assert [of[label] for label in LABEL] == pytest.approx(list(fit.theta.mean), abs=1e-3)
    names = {row["effects"] for row in rows}
    gain = ladder.steps[0].gain
    (student,) = (name for name in names if name.startswith("student_t(3), log score"))
    assert float(re.search(r"score ([+−\d.]+)", student)[1].replace("−", "-")) == pytest.approx(gain, abs=0.1)
    step = max(ladder.steps, key=lambda step: np.abs(step.moved_sd).max())
    mover = LABEL[int(np.argmax(np.abs(step.moved_sd)))]
    assert f"Under {step.fit.effects} {mover} moves most" in title(chart)


def test_bars_of_no_effect(ladder):
    fit = ladder.steps[1].fit
    rows = {row["group"]: row["prob"] for row in sound(charts.no_effect(fit)) if "prob" in row}
    assert [rows[label] for label in LABEL] == pytest.approx(list(fit.prob_zero), abs=1e-3)
    assert list(rows) == [LABEL[j] for j in np.argsort(-fit.prob_zero, kind="stable")]


def test_bubbles_lie_where_the_estimates_are_and_the_line_where_the_fit_predicts(fit):
    chart = charts.bubble(fit, "dose")
    rows = sound(chart)
    bubbles = {row["group"]: row for row in rows if "group" in row}
    assert [bubbles[label]["effect"] for label in LABEL] == pytest.approx(Y, abs=1e-3)
    assert [bubbles[label]["x"] for label in LABEL] == pytest.approx([0, 1, 1, 2, 2.5, 3, 3, 4], abs=1e-3)
    order = [bubbles[label]["size"] for label in LABEL]
    assert np.argmax(order) == S.index(0.3)
    assert np.all(np.diff(np.array(order)[np.argsort(S, kind="stable")]) <= 1e-9)
    line = [row for row in rows if "middle" in row]
    at = [line[0], line[30], line[-1]]
    expected, new = fit.predict([{"dose": row["x"]} for row in at])
    for i, row in enumerate(at):
        q = expected.quantiles[i]
        assert [row["low"], row["middle"], row["high"]] == pytest.approx(q[[1, 3, 5]], abs=5e-3)
        assert [row["least"], row["largest"]] == pytest.approx(new.quantiles[i][[1, 5]], abs=5e-3)
    assert title(chart).startswith("From dose 0 to 4 the expected effect goes from ")


def test_clusters_are_the_fit_s_highest_on_top(fit):
    chart = charts.cluster_effects(fit)
    rows = [row for row in sound(chart) if "cluster" in row]
    medians = fit.cluster_effect.quantiles[:, 3]
    assert [row["median"] for row in rows] == pytest.approx(sorted(medians, reverse=True), abs=1e-3)
    names = [fit.cluster_names[j] for j in np.argsort(-medians)]
    assert [row["cluster"] for row in rows] == names
    assert title(chart).endswith(f"({names[0]})")


def test_large_tables_stay_small():
    rng = np.random.default_rng(0)
    y, s, x = rng.normal(size=3000), rng.uniform(0.5, 1, 3000), rng.normal(size=3000)
    fit = pool_regression(y, s, covariates={"x": x}, cluster=[f"c{i // 30}" for i in range(3000)])
    for chart in (charts.bubble(fit, "x"), charts.cluster_effects(fit)):
        assert len(sound(chart)) <= MAX_ROWS
        assert "Shown:" in " ".join(chart.title.subtitle)
    ladder = compare_effects(y[:200], s[:200], effects=["student_t(4)"])
    chart = charts.effects_moves(ladder)
    assert len(sound(chart)) <= MAX_ROWS
    assert "the 40 of 200 groups that move most" in " ".join(chart.title.subtitle)
    spiked = dataclasses.replace(ladder.normal, prob_zero=rng.uniform(size=200))
    assert "20 highest" in " ".join(charts.no_effect(spiked).title.subtitle)


@pytest.mark.parametrize("name", ["effects_moves", "no_effect", "cluster_effects"])
def test_what_cannot_be_drawn_is_refused_by_name(name):
    with pytest.raises(ChartError, match=rf"charts\.{name} .*float"):
        getattr(charts, name)(3.14)


def test_refusals_say_what_there_is(fit):
    with pytest.raises(ChartError, match=r"charts\.bubble .*float"):
        charts.bubble(3.14, "x")
    with pytest.raises(ChartError, match="no covariate 'age'; the columns are dose, kind=b"):
        charts.bubble(fit, "age")
    with pytest.raises(ChartError, match="this fit has none"):
        charts.cluster_effects(pool_regression(Y, S))
    with pytest.raises(ChartError, match="needs a distribution beside the normal"):
        charts.effects_moves(compare_effects(Y, S, effects=[]))


@pytest.mark.parametrize("label", ["<script>alert(1)</script>", "a' + b", "", "Ä ü €"])
def test_labels_of_any_kind_are_drawn_as_they_are(label):
    labels = [label, label, *"CDEFGH"]
    fit = pool_regression(Y, S, covariates={label or "x": range(8)}, cluster=["a", label] * 4, label=labels)
    assert {label, f"{label} (2)"} <= {row.get("group") for row in sound(charts.bubble(fit, label or "x"))}
    assert label in {row.get("cluster") for row in sound(charts.cluster_effects(fit))}
    spiked = pool_effects(Y, S, effects="spike_slab(0.5)", label=labels)
    assert f"{label} (2)" in {row.get("group") for row in sound(charts.no_effect(spiked))}
