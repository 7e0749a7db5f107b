"""The page: whole, self-contained, harmless, worded with care, and true to the numbers."""

from __future__ import annotations

import json
import os
import re
from types import SimpleNamespace

import numpy as np
import pytest

from propto.errors import ChartError
from propto.glossary import TERMS
from propto.pooling.analysis import analyse
from propto.pooling.exact import pool_exact
from propto.reporting import page, report, vega, write_report
from propto.reporting.words import VERDICTS, answer

KINDS = ("exact", "both", "general", "failing", "evil")
RESULTS = [
    *("data", "funnel", "forest", "why", "whole", "new", "shapes"),
    *("above", "ranks-of", "pairs", "priors", "predictive", "influence"),
]
TRUST = ["health", "ranks", "traces", "growth", "divergences", "energy"]
CHARTS = {
    "exact": RESULTS,
    "both": RESULTS + TRUST,
    "general": ["marginals", "health", "ranks", "traces", "growth", "energy"],
    "failing": TRUST + RESULTS,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_chart_has_a_picture_a_specification_a_description_and_a_table(kind, pages, parse):
    tree = parse(pages[kind])  # parsing asserts that all elements are closed in order
    figures = [attributes["id"] for attributes in tree.all("figure")]
    if kind in CHARTS:
        assert figures == CHARTS[kind]
    data = [
        json.loads(text)
        for (tag, attributes), text in tree.raw
        if attributes.get("type") == "application/json" and attributes.get("id") != "facts"
    ]
    plots = [attributes for attributes in tree.all("div") if attributes.get("role") == "img"]
    assert len(data) == len(plots) == len(tree.all("details")) == len(figures)
    assert all(len(plot["aria-label"]) > 30 for plot in plots)
    assert len(tree.all("svg")) == len(figures)
    for spec in data:
        for columns in spec["datasets"].values():
            whole = [column["places"] if isinstance(column, dict) else column for column in columns.values()]
            assert len({len(column) for column in whole}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_unique_and_links_lead_somewhere(kind, pages, parse):
    names = [attributes["id"] for _, attributes in parse(pages[kind]).elements if "id" in attributes]
    assert len(names) == len(set(names))
    links = [attributes["href"] for attributes in parse(pages[kind]).all("a")]
    assert links
    assert {link.removeprefix("#") for link in links} <= set(names)
    used = set(re.findall(r"url\(#([^)]+)\)", pages[kind].split("<script>")[0]))
    assert used <= set(names)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_loaded_from_anywhere(kind, pages, parse):
    tree = parse(pages[kind])
    for tag, attributes in tree.elements:
        for name, value in attributes.items():
            if name in ("src", "srcset", "action", "data", "poster", "xlink:href") or (
                name == "href" and tag != "a"
            ):
                pytest.fail(f"{tag} {name}={value}")
            assert not name.startswith("on"), f"{tag} has an event handler"
    (style,) = (text for (tag, _), text in tree.raw if tag == "style")
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("kind", KINDS)
def test_the_policy_allows_the_scripts_by_hash_and_no_eval(kind, pages, parse):
    tree = parse(pages[kind])
    (policy,) = (a["content"] for a in tree.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in policy
    scripts = [a for a in tree.all("script") if a.get("type") != "application/json"]
    assert scripts == [{}] * 4  # Vega, and three of our own
    assert policy.count("'sha256-") == len(scripts) + 1  # and one style


def test_hostile_texts_stay_texts(pages, evil, parse):
    tree = parse(pages["evil"])
    assert not tree.all("img")
    assert {name for name, _ in tree.elements} == {name for name, _ in parse(pages["both"]).elements}
    for label in evil["pooled"].label:
        assert " ".join(label.split()) in tree.prose
    assert "{{ 7 * 7 }}" in tree.prose
    assert "</script><img" not in pages["evil"]


def test_json_for_scripts_never_holds_a_tag():
    text = vega.json_text({"label": "</script><!--\u2028"})
    assert "<" not in text
    assert "\u2028" not in text
    assert json.loads(text) == {"label": "</script><!--\u2028"}


@pytest.mark.parametrize("status", ["pass", "caution", "fail"])
def test_the_verdict_is_a_word_and_a_sign(status, eight, fit, parse):
    reasons = () if status == "pass" else (SimpleNamespace(severity=status, message="M.", remedy="R."),)
    text = page(pooled=eight, fit=fit, verdict=SimpleNamespace(status=status, reasons=reasons))
    sign, word, _ = VERDICTS[status]
    assert f'class="verdict {status}"' in text
    assert sign in parse(text).words
    assert word in parse(text).words
    assert len({entry[0] for entry in VERDICTS.values()}) == len(VERDICTS)


def test_a_failed_diagnosis_comes_before_the_results(pages, parse):
    words = parse(pages["failing"]).words
    assert words.index("Can it be trusted?") < words.index("The data")
    assert "Run it longer & look <again>." in words
    assert any("says little about draws that failed" in word for word in words)
    words = parse(pages["both"]).words
    assert words.index("Would it change?") < words.index("Can it be trusted?")


def test_the_answer_says_the_known_numbers_of_eight_schools(eight):
    sentences = answer(analyse(eight))
    assert 3 <= len(sentences) <= 5
    text = " ".join(sentences)
    assert "A moves most, from 28 to 11.4." in text
    assert "A has the highest pooled mean, 11.4 (90 % interval 0.2 to 26.8)" in text
    assert "is 0.95, given this model and these priors" in text


@pytest.mark.parametrize("kind", KINDS)
def test_no_word_claims_more_than_a_probability(kind, pages, parse):
    prose = parse(pages[kind]).prose.lower()
    for word in ("significan", "prove", "confirm", "reject", "p-value", "nan", "none", "undefined"):
        assert not re.search(rf"\b{word}", prose), word


def test_tables_show_the_engine_s_numbers(pages, parse):
    prose = parse(pages["exact"]).prose
    assert "A 11.37 0.2 to 26.8 0.95 8.22 28 15 83 %" in prose
    assert "Prior of τ uniform(0, 100)" in prose
    assert "propto fit schools.csv" in prose


def test_the_engines_are_compared_in_monte_carlo_errors(pages, eight, fit, parse):
    words = parse(pages["both"]).words
    title = next(word for word in words if word.startswith("The two engines agree"))
    gap = float(re.search(r"is ([\d.]+) Monte Carlo", title)[1])
    theta = fit["posterior"]["theta"].values
    rough = np.abs(theta.mean((0, 1)) - eight.theta.mean) / (theta.std((0, 1)) / np.sqrt(4000))
    assert gap >= 0.8 * rough.max()  # the draws are independent, so this MCSE is nearly right
    told = {"mcmc": {"max_gap_mcse": 7.25}}
    words = parse(page(pooled=eight, fit=fit, engines=told)).words
    assert any(word.startswith("The two engines do not agree: the largest gap is 7.2") for word in words)


def test_the_glossary_explains_what_is_on_the_page(pages, parse):
    pooled, sampled = {"mu", "tau", "shrinkage", "rank", "prior"}, {"r-hat", "ess", "mcse"}
    for kind, there, absent in (("exact", pooled, sampled), ("general", sampled, pooled)):
        words = set(parse(pages[kind]).words)
        assert {TERMS[key].name for key in there} <= words
        assert not {TERMS[key].name for key in absent} & words


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_of_eight_groups_weighs_at_most_two_megabytes(kind, pages):
    assert len(pages[kind].encode()) <= 2_000_000


def test_fifty_groups_with_everything_asked_weigh_at_most_three_megabytes(fifty, draws_of):
    asked = analyse(fifty, threshold=2, rope=(-1, 1), ship_above=3, top=5, price=4, calibrate=20)
    text = page(analysis=asked, fit=draws_of(fifty))
    assert len(text.encode()) <= 3_000_000
    for key in ("rope", "ledger", "regret", "grades", "calibration"):
        assert f'id="{key}"' in text


def test_ten_thousand_groups_have_a_page():
    rng = np.random.default_rng(0)
    error = rng.uniform(1, 8, 10_000)
    text = page(pooled=pool_exact(rng.normal(5, 4, 10_000) + error * rng.normal(size=10_000), error))
    assert len(text.encode()) <= 4_000_000
    assert "The first 1,000 of 10,000 groups." in text


@pytest.mark.parametrize(
    "columns",
    [
        ([3.0], [1.0]),
        ([5.0] * 6, [1.0] * 6),
        ([1.0, 2.0, 3.0, 1e6], [1.0, 1.0, 1.0, 1e6]),
        ([2.8e-7, 8e-8, -3e-8], [1.5e-7, 1e-7, 1.6e-7]),
        ([2.8e9, 8e8, -3e8], [1.5e9, 1e9, 1.6e9]),
    ],
)
def test_odd_tables_have_a_report(columns, parse):
    for priors in ({}, {"prior_mu": "normal(0, 5)", "prior_tau": "halfcauchy(5)"}):
        assert parse(page(pooled=pool_exact(*columns, **priors))).all("figure")


def test_moments_that_do_not_exist_are_dashes(parse):
    pooled = pool_exact([3.0, 4.0], [1.0, 2.0], prior_mu="flat", prior_tau="halfcauchy(5)")
    assert np.isnan(pooled.mu.sd)
    assert "–" in parse(page(pooled=pooled)).words


def test_one_chain_and_few_draws_have_a_report(fit, parse):
    tree = parse(page(fit=fit.isel(chain=[0], draw=slice(0, 10))))
    assert "ranks" not in [attributes.get("id") for attributes in tree.all("figure")]


def test_report_returns_the_text_or_writes_it(eight, fit, tmp_path):
    assert report(eight).startswith("<!DOCTYPE html>")
    path = report(fit, tmp_path / "fit.html", title="My fit")
    assert path == tmp_path / "fit.html"
    assert "<h1>My fit</h1>" in path.read_text(encoding="utf-8")


def test_what_has_no_report_is_refused(tmp_path):
    with pytest.raises(ChartError, match="got dict"):
        report({})
    with pytest.raises(ChartError, match="neither"):
        write_report(tmp_path / "x.html")
    assert not list(tmp_path.iterdir())


def test_a_report_is_written_whole_or_not_at_all(eight, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("the old one", encoding="utf-8")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk")))
    with pytest.raises(OSError, match="disk"):
        write_report(path, pooled=eight)
    assert path.read_text(encoding="utf-8") == "the old one"
    assert list(tmp_path.iterdir()) == [path]


def test_the_bundle_is_kept_and_a_cache_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    vega.bundle.cache_clear()
    first = vega.bundle()
    assert [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.js")] == [first]
    assert len(first) <= 950_000
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    vega.bundle.cache_clear()
    assert vega.bundle() == first
    vega.bundle.cache_clear()


def test_notebook_settings_of_altair_do_not_reach_the_report(eight, tmp_path, monkeypatch):
    import altair as alt

    monkeypatch.chdir(tmp_path)
    plain = page(pooled=eight, run={"time": "now"})
    with alt.data_transformers.enable("json"), alt.theme.enable("dark"):
        assert page(pooled=eight, run={"time": "now"}) == plain
    assert not list(tmp_path.iterdir())
