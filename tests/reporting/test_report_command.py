"""Reports from the shell: the format, what a decision adds, and the page of many tables."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from propto.cli import main

SCHOOLS = "school,effect,se\nA,28,15\nB,8,10\nC,-3,16\nD,7,11\nE,-1,9\nF,1,11\nG,18,10\nH,12,18\n"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "schools.csv"
    path.write_text(SCHOOLS, encoding="utf-8")
    return path


@pytest.fixture
def tables(tmp_path):
    rng = np.random.default_rng(0)
    lines = [f"m{i // 5},{rng.normal():.3f},1" for i in range(60)]
    path = tmp_path / "tests.csv"
    path.write_text("\n".join(["metric,estimate,se", *lines]), encoding="utf-8")
    return path


def test_what_was_asked_for_stands_in_the_report(table, parse):
    page = table.with_name("asked.html")
    asked = ["--ship-above", "0", "--top", "2", "--threshold", "5", "--rope", "-1", "1", "--grades", "4"]
    assert main(["fit", str(table), "--engine", "exact", "--quiet", "--report", str(page), *asked]) == 0
    tree = parse(page.read_text(encoding="utf-8"))
    keys = {attributes.get("id") for attributes in tree.all("section")}
    assert {"ledger", "regret", "rope", "grades"} <= keys
    assert "The 6 groups with estimates above 0 claim 74 together" in tree.prose
    assert "P(> 5)" in tree.words


def test_the_report_says_how_to_repeat_it(table, parse):
    page = table.with_name("a.html")
    call = ["fit", str(table), "--engine", "exact", "--quiet", "--report", str(page)]
    assert main(call) == 0
    words = parse(page.read_text(encoding="utf-8")).words
    assert hashlib.sha256(SCHOOLS.encode()).hexdigest() in words
    assert " ".join(["propto", *call]) in words


def test_markdown_appears_beside_the_table(table, capsys):
    assert main(["fit", str(table), "--engine", "exact", "--quiet", "--format", "md"]) == 0
    assert "schools.report.md" in capsys.readouterr().out
    assert (table.parent / "schools.report.md").read_text(encoding="utf-8").startswith("# schools.csv")


def test_the_ending_says_the_format(table):
    path = table.with_name("a.md")
    assert main(["fit", str(table), "--engine", "exact", "--quiet", "--report", str(path)]) == 0
    assert path.read_text(encoding="utf-8").startswith("# schools.csv")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--report", "a.pdf", "--format", "html"], "leave one of them out"),
        (["--report", "a.pdf"], "needs Chromium or Chrome"),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_work(table, arguments, says, capsys, monkeypatch):
    monkeypatch.chdir(table.parent)
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert main(["fit", str(table), "--engine", "exact", "--quiet", *arguments]) == 2
    assert says in capsys.readouterr().err
    assert [path.name for path in table.parent.iterdir()] == ["schools.csv"]


def test_many_tables_have_a_page_where_it_is_asked_for(tables, parse, capsys):
    page = tables.with_name("tests.html")
    assert main(["fit", str(tables), "--by", "metric", "--quiet", "--report", str(page)]) == 0
    assert f"report: {page}" in capsys.readouterr().out
    tree = parse(page.read_text(encoding="utf-8"))
    assert "12 tables of 5 groups, 60 groups in all." in tree.words
    assert {f"m{i}" for i in range(12)} <= set(tree.words)
    assert main(["fit", str(tables), "--by", "metric", "--quiet"]) == 0
    assert sorted(path.name for path in tables.parent.iterdir()) == ["tests.csv", "tests.html"]


def test_many_tables_as_markdown(tables):
    path = tables.with_name("tests.md")
    assert main(["fit", str(tables), "--by", "metric", "--quiet", "--report", str(path)]) == 0
    assert "| m0 |" in path.read_text(encoding="utf-8")
