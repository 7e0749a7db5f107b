"""Labels that would be markup, scripts, formulas of spreadsheets or commands of a terminal are only read."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys

import pytest

from propto.pooling.tables import read_table

EVIL = [
    "<script>document.documentElement.dataset.evil = 1</script>",
    "</script></style><svg onload='document.documentElement.dataset.evil = 2'>",
    '=HYPERLINK("http://example.invalid/" & A1)',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1:A9)",
    "\u202egnp.exe\u2066",
    "\x1b]0;title\x07\x1b[2J\x1b[31mred",
    "[link](javascript:alert(1)) | cell | `code`",
    "＝1+1",
]
TABLE = "label,estimate,se\n" + "\n".join(
    '"{}",{},{}'.format(label.replace('"', '""'), -3 + 4 * i, 5 + i) for i, label in enumerate(EVIL)
)
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All that one command writes of a hostile table, and what it says."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "evil.csv").write_text(TABLE, encoding="utf-8")
    for name in ("page.html", "text.md"):
        options = ["--engine", "exact", "--report", name, "--csv", "out.csv", "--json", "out.json", "--force"]
        run = subprocess.run(
            [sys.executable, "-m", "propto", "fit", "evil.csv", *options],
            cwd=folder,
            capture_output=True,
            check=True,
        )
    (folder / "said").write_bytes(run.stdout + run.stderr)
    return folder


def test_the_terminal_gets_no_commands(folder):
    said = (folder / "said").read_text(encoding="utf-8")
    assert not CONTROL.search(said)
    assert "red" in said


def test_a_terminal_without_these_letters_gets_others(folder, tmp_path):
    table = tmp_path / "letters.csv"
    table.write_text("label,estimate,se\nUmeå 北,1,2\nB,2,2\n", encoding="utf-8")
    command = [sys.executable, "-m", "propto", "fit", str(table), "--engine", "exact", "--csv", "-"]
    run = subprocess.run(command, capture_output=True, env={"PYTHONIOENCODING": "ascii"}, check=False)
    assert run.returncode == 0, run.stderr
    assert rb"Ume\xe5 \u5317" in run.stdout


def test_no_cell_of_the_csv_is_a_formula_and_numbers_are_whole(folder):
    rows = list(csv.DictReader(io.StringIO((folder / "out.csv").read_text(encoding="utf-8"))))
    assert len(rows) == len(EVIL)
    for i, row in enumerate(rows):
        for name, cell in row.items():
            numeric = name != "label" and cell
            assert float(cell) == float(cell) if numeric else not re.match(r"\s*[=+\-@＝]", cell)
        assert float(row["estimate"]) == -3 + 4 * i
    assert rows[4]["label"] == "'-2+3"
    assert rows[0]["label"] == EVIL[0]
    again = read_table(folder / "out.csv", estimate="estimate", std_error="std_error")
    assert list(again.estimate) == [-3 + 4 * i for i in range(len(EVIL))]


def test_many_tables_write_no_formulas_either(tmp_path):
    table = tmp_path / "many.csv"
    lines = [f'"{by}","{label}",{i},{i + 1}' for by in ("=a()", "b") for i, label in enumerate(("@x", "-1"))]
    table.write_text("metric,label,estimate,se\n" + "\n".join(lines))
    command = [sys.executable, "-m", "propto", "fit", str(table), "--by", "metric", "--csv", "-", "--quiet"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = list(csv.reader(io.StringIO(out)))
    assert {row[0] for row in rows[1:]} == {"'=a()", "b"}
    assert {row[1] for row in rows[1:]} == {"'@x", "-1"}  # a plain number is none


def test_json_says_the_labels_as_they_were_read(folder):
    label = [group["label"] for group in json.loads((folder / "out.json").read_text())["groups"]]
    assert label[:6] == EVIL[:6]


def test_the_page_has_its_policy_and_no_script_of_theirs(folder):
    page = (folder / "page.html").read_text(encoding="utf-8")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert "default-src &#39;none&#39;" in policy
    assert "unsafe" not in policy
    for own in ("<script>document", "<svg onload", "</style><svg"):
        assert own not in page
    assert not CONTROL.search(page.replace("\t", " "))


def test_markdown_shows_them_as_text(folder):
    text = (folder / "text.md").read_text(encoding="utf-8")
    assert "<script" not in text
    assert not re.search(r"(?<!\\)\]\(javascript", text)
    lines = text.splitlines()
    borders = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]
    rows = [i for i, line in enumerate(lines) if "javascript:alert" in line and line[0] == "|"]
    assert rows
    assert all(borders[i] in (borders[i - 1], borders[i + 1]) for i in rows)  # a bar in a label is no border


@pytest.mark.slow
def test_in_a_browser_no_script_of_theirs_runs(folder, visit):
    tab = visit((folder / "page.html").read_text(encoding="utf-8"), width=1280)
    tab.wait_for("document.documentElement.dataset.charts === 'drawn'")
    assert tab.ask("document.documentElement.dataset.evil ?? 'none'") == "none"
    assert tab.complaints == []
    assert tab.requests == []
    assert tab.ask("document.body.innerText").count("document.documentElement.dataset.evil = 1") >= 1


def test_an_output_that_is_no_file_is_refused_before_the_work(tmp_path):
    from propto.cli import main

    table = tmp_path / "table.csv"
    table.write_text("label,estimate,se\na,1,2\nb,2,2\n")
    assert main(["fit", str(table), "--json", str(tmp_path)]) == 2
