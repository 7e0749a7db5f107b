"""Reports of other models: every section with the fit's numbers, in every format, whatever the labels."""

from __future__ import annotations

import numpy as np
import pytest

import propto as pp
from propto.charts.numbers import number
from propto.pooling.analysis import analyse
from propto.pooling.exact import pool_exact
from propto.reporting import report, write_report

Y = [0.2, 1.1, 0.8, 2.3, 1.9, 3.4, 2.6, 9.0]
S = [0.4, 0.6, 0.3, 0.5, 0.4, 0.7, 0.3, 0.6]
LABEL = list("ABCDEFGH")
DOSE = [0.0, 1, 1, 2, 2.5, 3, 3, 4]


@pytest.fixture(scope="module")
def fits():
    structure = {"covariates": {"dose": DOSE, "kind": list("ababbaab")}, "cluster": list("nnnsssww")}
    ladder = pp.compare_effects(Y, S, effects=["spike_slab", "student_t(3)"], label=LABEL)
    return {
        "ladder": ladder,
        "spike": ladder.steps[0].fit,
        "errors": pp.pool_effects(Y, S, error_df=5, label=LABEL),
        "regression": pp.pool_regression(Y, S, **structure, label=LABEL),
        "correlated": pp.pool_regression(Y, covariance=np.diag(S) ** 2 + 0.02, label=LABEL),
    }


SECTIONS = {
    "ladder": ["data", "forest", "table", "numbers", "effects", "scores", "run"],
    "spike": ["data", "forest", "table", "zero", "numbers", "run"],
    "errors": ["data", "forest", "table", "numbers", "run"],
    "regression": [
        *("data", "coefficients", "covariate-1", "components", "clusters"),
        *("forest", "table", "numbers", "run"),
    ],
    "correlated": ["data", "forest", "table", "numbers", "run"],
}


@pytest.fixture(scope="module")
def pages(fits):
    return {name: report(fit) for name, fit in fits.items()}


def sections(tree):
    found = [attributes.get("id") for tag, attributes in tree.elements if tag in ("figure", "section")]
    return [key for key in found if key and key not in ("checks",)]


@pytest.mark.parametrize("name", SECTIONS)
def test_a_page_has_its_sections_in_order(name, pages, parse):
    tree = parse(pages[name])
    assert sections(tree) == SECTIONS[name]
    linked = [attributes["href"] for attributes in tree.all("a")]
    assert [key for key in SECTIONS[name] if f"#{key}" not in linked] == []


@pytest.mark.parametrize("name", SECTIONS)
def test_every_chart_has_a_finding_a_description_and_its_numbers(name, pages, parse):
    tree = parse(pages[name])
    figures, plots = tree.all("figure"), [div for div in tree.all("div") if div.get("role") == "img"]
    assert len(figures) == len(plots) == len(tree.all("details"))
    assert all(len(plot["aria-label"]) > 20 for plot in plots)
    assert not tree.all("form")  # nothing here is recomputed in the page


@pytest.mark.parametrize("name", SECTIONS)
def test_a_page_is_small_and_asks_for_nothing(name, pages, visit):
    assert len(pages[name].encode()) <= 1_500_000
    tab = visit(pages[name]).wait_for("document.documentElement.dataset.charts === 'drawn'")
    assert (tab.requests, tab.complaints) == ([], [])


def test_the_numbers_are_the_fit_s(fits, pages, parse):
    words = parse(pages["regression"]).prose
    fit = fits["regression"]
    for i, name in enumerate(fit.coefficient_names[1:], 1):
        mean, sd = (float(column[i]) for column in (fit.coefficients.mean, fit.coefficients.sd))
        assert f" {name} {number(mean, sd, 3)} " in words
    assert "P(> 0) mean of it prior" in words
    assert "lies between clusters" in words
    assert "Prior of ω halfnormal" in words
    assert "θⱼ ~ normal(μ + (xⱼ − x̄)ᵀβ + b of its cluster, τ)" in words
    spike = parse(pages["spike"]).prose
    j = int(np.argmin(fits["spike"].prob_zero))
    assert f"of {LABEL[j]}" in spike
    assert "Share without effect" in spike
    assert "θⱼ = 0 with probability w, else θⱼ ~ normal(μ, τ), w ~ uniform(0, 1)" in spike
    assert "yⱼ ~ Student t(dfⱼ, θⱼ, seⱼ)" in parse(pages["errors"]).prose
    assert "y ~ normal(θ, V)" in parse(pages["correlated"]).prose


def test_a_comparison_joins_the_usual_report(fits, parse):
    text = report(analyse(pool_exact(Y, S, label=LABEL)), ladder=fits["ladder"])
    found = sections(parse(text))
    assert found.index("influence") < found.index("effects") < found.index("scores") < found.index("run")
    assert '<form id="what-if"' in text


def test_words_of_the_sections_are_explained(pages, parse):
    for name, word in {"ladder": "Log score", "spike": "P(= 0)", "regression": "Coefficient"}.items():
        assert word in parse(pages[name]).words


@pytest.mark.parametrize("name", SECTIONS)
def test_markdown_says_the_same(name, fits):
    text = report(fits[name], format="md")
    assert text.startswith("# Pooled estimates\n\n**= Exact.**")
    assert "<script" not in text
    assert ("### Under" in text) == (name == "ladder")


def test_files_of_every_kind(fits, tmp_path):
    write_report(tmp_path / "a.md", pooled=fits["regression"])
    drawn = sorted(path.stem for path in (tmp_path / "a.files").iterdir())
    assert drawn == ["clusters", "covariate-1", "data", "forest"]
    write_report(tmp_path / "a.html", pooled=fits["spike"], ladder=fits["ladder"], title="Zeros?")
    assert "<h1>Zeros?</h1>" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_hostile_names_are_text(parse, visit):
    evil = "<script>document.documentElement.dataset.evil = 1</script>"
    fit = pp.pool_regression(
        Y, S, covariates={evil: DOSE}, cluster=[evil, "b"] * 4, label=[evil, evil, *"CDEFGH"]
    )
    tree = parse(report(fit, title=evil))
    assert f"{evil} (2)" in tree.words
    tab = visit(tree.text).wait_for("document.documentElement.dataset.charts === 'drawn'")
    assert tab.ask("document.documentElement.dataset.evil ?? 'none'") == "none"
    assert "<script" not in report(fit, format="md", title=evil)


def test_many_groups_have_an_overview_and_a_search(parse):
    rng = np.random.default_rng(3)
    fit = pp.pool_regression(rng.normal(size=300), np.ones(300), covariates={"x": rng.normal(size=300)})
    text = report(fit)
    assert {"overview", "forest", "table"} <= set(sections(parse(text)))
    assert 'data-rows="table"' in text
    assert len(text.encode()) <= 1_500_000
