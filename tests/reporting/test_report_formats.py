"""The same report as Markdown and as PDF, of many tables, and in notebooks."""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import propto as pp
from propto.errors import OptionError
from propto.pooling.analysis import analyse
from propto.pooling.exact import pool_exact
from propto.reporting import pdf, report, vega, write_report
from propto.reporting.pdf import BROWSERS


def tables(text):
    """Tables of a Markdown text, as lists of rows of cells."""
    found, rows = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif rows:
            found.append(rows)
            rows = []
    return found


@pytest.fixture(scope="module")
def text(eight):
    return report(analyse(eight, ship_above=0, top=2), format="md")


def test_markdown_has_the_findings_and_the_engine_s_numbers(text):
    assert text.startswith("# Pooled estimates\n\n**= Exact.**")
    assert "### A moves most: 28 → 11.4" in text
    (groups,) = (rows for rows in tables(text) if rows[0][:2] == ["group", "pooled mean"])
    assert groups[2] == ["A", "11.37", "0.2 to 26.8", "0.95", "8.22", "28", "15", "83 %"]
    assert "## Glossary" in text
    assert "![" not in text  # pictures need a place to lie


def test_every_table_of_markdown_is_rectangular(text):
    for rows in tables(text):
        assert len({len(row) for row in rows}) == 1
        assert all(set(cell) <= set("-:") for cell in rows[1])


def test_hostile_labels_are_text_in_markdown(evil):
    text = report(evil["pooled"], format="md")
    assert "<script" not in text
    assert "<img" not in text
    for rows in tables(text):
        assert len({len(row) for row in rows}) == 1


def test_written_markdown_brings_its_pictures(eight, tmp_path):
    path = eight.report(tmp_path / "my report.md")
    text = path.read_text(encoding="utf-8")
    addresses = re.findall(r"\]\((my%20report\.files/[\w-]+\.svg)\)", text)
    assert len(addresses) == 13
    for address in addresses:
        picture = tmp_path / address.replace("%20", " ")
        assert ElementTree.parse(picture).getroot().tag.endswith("svg")


def test_without_vl_convert_there_are_tables_only(eight, tmp_path, monkeypatch):
    monkeypatch.setattr("propto.reporting.markdown.picture", lambda chart: None)
    path = eight.report(tmp_path / "plain.md")
    assert "![" not in path.read_text(encoding="utf-8")
    assert [each.name for each in tmp_path.iterdir()] == ["plain.md"]


def test_a_picture_is_an_svg_of_its_own(eight):
    from propto import charts

    assert vega.picture(charts.mu_tau(eight)).startswith("<svg xmlns=")


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="no browser that prints to PDF on PATH")
def test_a_pdf_holds_the_numbers(eight, tmp_path):
    path = eight.report(tmp_path / "report.pdf")
    assert path.read_bytes().startswith(b"%PDF")
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    words = subprocess.run(
        ["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True
    ).stdout
    assert "A moves most: 28 → 11.4" in words
    assert re.search(r"A\s+11\.37\s+0\.2 to 26\.8\s+0\.95", words)
    assert "Find a group" not in words


def test_without_a_browser_a_pdf_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(OptionError, match=r"Chromium or Chrome.*Mend: install one"):
        write_report(tmp_path / "report.pdf")
    assert not list(tmp_path.iterdir())


def test_a_browser_that_fails_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "browser", lambda: shutil.which("false"))
    path = tmp_path / "report.pdf"
    with pytest.raises(OptionError, match="could not print"):
        pdf.pdf("<p>text</p>", path)
    assert not list(tmp_path.iterdir())


def test_formats_that_are_not_known_are_refused(eight, tmp_path):
    with pytest.raises(OptionError, match="one of html, pdf, md"):
        eight.report(tmp_path / "report", format="docx")
    with pytest.raises(OptionError, match="without a path"):
        eight.report(format="pdf")
    assert "<h1>" in eight.report(tmp_path / "report.out").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tests():
    rng = np.random.default_rng(2)
    names = [f"metric {i}" for i in range(30)]
    names[3] = "<script>document.documentElement.dataset.evil = 1</script>"
    columns = {
        "metric": np.repeat(names, 6),
        "estimate": np.repeat(rng.normal(0, 2, 30), 6) + rng.normal(size=180),
        "se": rng.uniform(0.5, 1.5, 180),
    }
    return pp.pool_many(columns, by="metric")


def test_many_tables_have_a_page(tests, parse):
    tree = parse(tests.report())
    assert [attributes["id"] for attributes in tree.all("figure")] == ["means", "pull"]
    for sentence in tests.findings()[:1]:
        assert sentence.rstrip(".") in tree.prose
    j = int(np.argmax(np.abs(tests.tables["mu_prob_positive"] - 0.5) + np.abs(tests.tables["mu_q50"]) / 1e6))
    assert str(tests.tables["table"][j]) in tree.prose
    assert "documentElement.dataset.evil" in tree.prose
    assert len(parse(tests.report()).all("img")) == 0


@pytest.mark.slow
def test_a_table_among_many_is_found(tests, visit):
    tab = visit(tests.report()).wait_for("document.documentElement.dataset.charts === 'drawn'")
    tab.ask("document.querySelector('.search input').focus()")
    tab.browser.call("Input.insertText", tab.session, text="metric 17")
    shown = tab.ask("""[...document.querySelectorAll('#tables tbody tr')].filter((row) => !row.hidden)
        .map((row) => row.cells[0].textContent)""")
    assert shown == ["metric 17"]
    assert tab.complaints == []
    assert tab.ask("document.documentElement.dataset.evil ?? 'none'") == "none"


def test_results_show_themselves_in_notebooks(eight, evil, tests, parse):
    for result in (eight, analyse(eight), tests, evil["pooled"]):
        html = result._repr_html_()
        tree = parse(html)
        assert not tree.all("script")
        assert not tree.all("img")
    assert "A 28 15 11.4 0.2 to 26.8 0.95" in parse(eight._repr_html_()).prose
    assert analyse(eight).findings()[0] in parse(analyse(eight)._repr_html_()).prose


def test_a_long_table_shows_its_ends_in_notebooks(fifty, parse):
    words = parse(fifty._repr_html_()).words
    assert "30 more groups lie between." in words
    assert str(fifty.label[np.argmax(fifty.theta.mean)]) in words


def test_groups_of_one_name_stay_apart(parse):
    pooled = pool_exact([1.0, 5.0, 3.0, 2.0], [1.0] * 4, label=["A", "A", "B", "C"])
    words = parse(pooled.report()).words
    assert "A (2)" in words
