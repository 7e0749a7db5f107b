"""``propto fit`` and ``propto check`` asked for decisions, as a user meets them."""

import json
from pathlib import Path

import numpy as np
import pytest

from propto.cli import main

SCHOOLS = Path(__file__).parents[2] / "examples" / "eight_schools.csv"
EXACT = ["--engine", "exact", "--quiet"]
ALL = [
    *("--threshold", "5", "--rope", "-2", "2", "--ship-above", "0"),
    *("--top", "2", "--grades", "4", "--calibrate"),
]


@pytest.fixture
def table(tmp_path):
    copy = tmp_path / "schools.csv"
    copy.write_bytes(SCHOOLS.read_bytes())
    return str(copy)


def written(tmp_path, rows):
    table = tmp_path / "t.csv"
    table.write_text("label,estimate,se\n" + "".join(f"g{j},{y},{s}\n" for j, (y, s) in enumerate(rows)))
    return str(table)


def test_findings_are_sentences_that_fit_the_screen(table, capsys):
    assert main(["fit", table, *EXACT, *ALL]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if not line.startswith("report: ")) <= 80
    text = " ".join(" ".join(lines).split())
    for sentence in (
        "Above 5 with probability 0.95 or more: 0 of 8 groups",
        "Against the region -2 to 2",
        "The 6 groups with estimates above 0 claim 74 together; expect 51",
        "Choosing A and G is expected to cost",
        "At a price of 4 for a wrong order",
        "In 2,000 simulated tables",
        "Most likely the best is A, with probability 0.2",
        "Under 3 other priors no sign, order or decision changes",
    ):
        assert sentence in text


def test_json_has_every_part(table, capsys):
    assert main(["fit", table, *EXACT, *ALL, "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    parts = {"exceedance", "rope", "ledger", "regret", "grades", "calibration", "ranks", "heterogeneity"}
    assert parts | {"sensitivity", "influence", "predictive", "findings", "checks"} <= set(document)
    assert document["exceedance"]["threshold"] == 5
    assert len(document["influence"]["groups"]) == 8
    assert np.shape(document["pairwise"]) == (8, 8)
    assert document["mu"]["mean"] == pytest.approx(7.9, abs=0.1)


def test_a_measure_chooses_the_prior(table, capsys):
    assert main(["fit", table, *EXACT, "--measure", "smd", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["priors"]["tau"] == "halfnormal(0.354)"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--measure", "smd", "--prior-tau", "halfnormal(1)"], "leave out --measure"),
        (["--rope", "2", "1"], "lower limit"),
        (["--top", "99"], "from 1 to 8"),
        (["--grades", "0.5"], "at least 1"),
        (["--top", "3", "--engine", "mcmc"], "--top needs the exact engine"),
        (["--shared-prior"], "--by"),
        (["--calibrate", "--prior-mu", "student_t(3, 0, 10)"], "Mend: normal"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_any_work(table, arguments, says, capsys):
    assert main(["fit", table, *arguments]) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert out == ""
    assert not Path(table).with_suffix(".report.html").exists()


def test_numbers_must_be_numbers(table, capsys):
    with pytest.raises(SystemExit):
        main(["fit", table, "--threshold", "nan"])
    assert "finite" in capsys.readouterr().err


def test_check_says_what_why_and_what_to_do(tmp_path, capsys):
    rng = np.random.default_rng(0)
    rows = [(round(float(y), 3), 0.5) for y in rng.normal(size=11)]
    assert main(["check", written(tmp_path, [*rows, (40.0, 0.4)])]) == 0
    out = capsys.readouterr().out
    assert "g11 does not fit" in out
    assert "why: " in out
    assert "mend: " in out
    assert "12 groups, 1 doubt;" in out
    assert max(map(len, out.splitlines()[:-1])) <= 80


def test_check_of_a_sound_table(table, capsys):
    assert main(["check", table]) == 0
    assert "8 groups, no doubts; ready" in capsys.readouterr().out


def test_fit_says_that_a_table_is_doubtful(tmp_path, capsys):
    rng = np.random.default_rng(0)
    rows = [(round(float(y), 3), 0.5) for y in rng.normal(size=11)]
    assert main(["fit", written(tmp_path, [*rows, (40.0, 0.4)]), *EXACT, "--json", str(tmp_path / "x")]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Check the table: g11 does not fit" in text
    assert "`propto check` says why" in text
    (check,) = json.loads((tmp_path / "x").read_text())["checks"]
    assert check["key"] == "outliers"


def test_labels_cannot_disturb_the_terminal(tmp_path, capsys):
    table = tmp_path / "t.csv"
    table.write_text("label,estimate,se\n\x1b[31mred,50,1\nB,2,1\nC,3,1\n[bold]D,2.5,1\n", encoding="utf-8")
    assert main(["fit", str(table), *EXACT, "--csv", str(tmp_path / "x.csv")]) == 0
    assert main(["check", str(table)]) == 0
    assert "\x1b" not in capsys.readouterr().out
