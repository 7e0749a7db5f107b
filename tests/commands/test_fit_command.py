"""``propto fit`` as a user meets it: results, exit codes, files, and what it says of bad input."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from propto.cli import main

SCHOOLS = Path(__file__).parents[2] / "examples" / "eight_schools.csv"
SEED_PRIORS = ["--prior-mu", "normal(8.75, 20)", "--prior-tau", "uniform(0, 100)"]
SHARED = Path(os.environ.get("PROPTO_SHARED", Path(__file__).parents[3] / "shared")) / "tables"
SUMMARY = {"mean", "sd", "q2.5", "q5", "q25", "q50", "q75", "q95", "q97.5"}


@pytest.fixture
def table(tmp_path):
    copy = tmp_path / "schools.csv"
    copy.write_bytes(SCHOOLS.read_bytes())
    return copy


@pytest.fixture(scope="module")
def both_engines(tmp_path_factory):
    """One run of both engines with every output, shared by the tests that read it."""
    folder = tmp_path_factory.mktemp("both")
    outputs = {option: folder / f"out.{end}" for option, end in OUTPUTS.items()}
    arguments = [text for option, path in outputs.items() for text in (option, str(path))]
    code = main(["fit", str(SCHOOLS), *SEED_PRIORS, "--seed", "1", "--quiet", *arguments])
    return code, outputs


OUTPUTS = {"--json": "json", "--csv": "csv", "--save": "nc", "--report": "html"}


def test_the_seeds_question_is_answered_by_both_engines(both_engines):
    code, outputs = both_engines
    document = json.loads(outputs["--json"].read_text())
    school_a = document["groups"][0]
    assert code == 0
    assert document["verdict"]["status"] in ("pass", "caution")
    assert school_a["label"] == "A"
    assert round(school_a["mean"], 2) == 11.37
    assert round(school_a["sd"], 2) == 8.22
    assert document["engines"]["mcmc"]["max_gap_mcse"] < 4.2


def test_the_json_has_the_documented_shape(both_engines):
    document = json.loads(both_engines[1]["--json"].read_text())
    assert document["schema_version"] == 1
    assert set(document["verdict"]) == {"status", "reasons"}
    for name in ("mu", "tau", "new_group"):
        assert set(document[name]) == SUMMARY
    for group in document["groups"]:
        assert set(group) == SUMMARY | {"label", "estimate", "std_error", "prob_positive", "shrinkage"}
    assert document["priors"] == {"mu": "normal(8.75, 20)", "tau": "uniform(0, 100)"}
    assert {"seed", "version", "draws", "chains", "seconds"} <= set(document["run"])
    assert document["run"]["seed"] == 1


def test_the_csv_has_a_row_a_group(both_engines):
    rows = list(csv.DictReader(io.StringIO(both_engines[1]["--csv"].read_text())))
    assert [row["label"] for row in rows] == list("ABCDEFGH")
    assert float(rows[0]["mean"]) == pytest.approx(11.372, abs=1e-3)


def test_the_saved_draws_are_those_of_the_summary(both_engines):
    import xarray as xr

    with xr.open_datatree(both_engines[1]["--save"], engine="h5netcdf") as fit:
        theta = fit["posterior"]["theta"].sel(group="A")
        assert theta.dims == ("chain", "draw")
        assert float(theta.mean()) == pytest.approx(11.37, abs=0.5)
        assert int(fit.attrs["seed"]) == 1


def test_the_report_stands_alone(both_engines):
    page = both_engines[1]["--report"].read_text()
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "<script src" not in page
    assert "11.4" in page


def test_same_seed_same_json(table, capsys):
    documents = []
    for _ in range(2):
        assert main(["fit", str(table), "--engine", "exact", "--json", "-"]) == 0
        documents.append(json.loads(capsys.readouterr().out))
        del documents[-1]["run"]["seconds"]
    assert documents[0] == documents[1]


def test_stdout_is_the_result_and_stderr_the_rest(table, capsys):
    assert main(["fit", str(table), "--engine", "exact"]) == 0
    out, err = capsys.readouterr()
    assert "PASS" in out
    assert "effect_estimate" in err
    assert "effect_estimate" not in out


def test_the_table_fits_80_columns(table, capsys):
    main(["fit", str(table), "--engine", "exact"])
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("report: ")]
    assert max(map(len, lines)) <= 80


def test_long_and_odd_labels_do_not_break_the_table(tmp_path, capsys):
    table = tmp_path / "t.csv"
    labels = ["a" * 200, "[red]x[/red]", "日本語の長い名前がここに続きますよ", "\x1b[31mred"]
    rows = [f'"{label}",{j},1.5' for j, label in enumerate(labels)]
    table.write_text("label,estimate,se\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert main(["fit", str(table), "--engine", "exact", "--no-color"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "[red]x[/red]" in out


def test_many_groups_are_cut_but_counted(tmp_path, capsys):
    table = tmp_path / "t.csv"
    table.write_text("label,estimate,se\n" + "".join(f"g{j},{j % 17},{1 + j % 3}\n" for j in range(2000)))
    assert main(["fit", str(table), "--json", str(tmp_path / "t.json")]) == 0
    out, err = capsys.readouterr()
    assert "1,960 more" in out
    assert "exact integration only" in err
    assert len(json.loads((tmp_path / "t.json").read_text())["groups"]) == 2000


def test_a_report_appears_beside_the_table_and_is_replaced(table, capsys):
    for _ in range(2):
        assert main(["fit", str(table), "--engine", "exact"]) == 0
        assert "schools.report.html" in capsys.readouterr().out
    assert (table.parent / "schools.report.html").stat().st_size > 10_000


@pytest.mark.parametrize("option", ["--json", "--csv", "--report"])
def test_a_file_that_exists_is_kept_unless_forced(table, tmp_path, option, capsys):
    target = tmp_path / "mine.txt"
    target.write_text("precious")
    arguments = ["fit", str(table), "--engine", "exact", option, str(target)]
    assert main(arguments) == 2
    assert target.read_text() == "precious"
    assert "--force" in capsys.readouterr().err
    assert main([*arguments, "--force"]) == 0
    assert target.read_text() != "precious"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prior-tau", "normal(0, 1)"], "halfnormal"),
        (["--prior-mu", "normal(0)"], "normal"),
        (["--estimate", "effect"], "effect_estimate"),
        (["--json", "no/such/folder/x.json"], "no folder"),
        (["--save", "draws.csv"], ".nc"),
        (["--engine", "exact", "--save", "x.nc"], "MCMC"),
        (["--json", "-", "--csv", "-"], "standard output"),
    ],
)
def test_bad_arguments_are_explained(table, arguments, said, capsys):
    before = sorted(table.parent.iterdir())
    assert main(["fit", str(table), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert sorted(table.parent.iterdir()) == before


@pytest.mark.parametrize(
    "arguments", [["--draws", "0"], ["--seed", "-1"], ["--sampler", "gibbs"], ["--level", "2"]]
)
def test_arguments_out_of_range_stop_the_parser(table, arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["fit", str(table), *arguments])
    assert stop.value.code == 2


def test_a_missing_file_is_named_with_the_closest_one(table, capsys):
    assert main(["fit", str(table.with_name("school.csv"))]) == 2
    assert "schools.csv" in capsys.readouterr().err


def _bad_files():
    if not SHARED.exists():
        return []
    return sorted((SHARED / "bad").glob("b*.csv"))


@pytest.mark.parametrize("bad", _bad_files() or [None], ids=lambda path: path and path.name)
def test_every_bad_file_gets_its_error_and_nothing_is_written(bad, tmp_path, capsys):
    if bad is None:
        pytest.skip("reference tables not present")
    expected = json.loads((bad.parent / "EXPECT.json").read_text())[bad.name]
    copy = tmp_path / bad.name
    copy.write_bytes(bad.read_bytes())
    assert main(["fit", str(copy)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert list(tmp_path.iterdir()) == [copy]
    for said in expected["message_says"]:
        assert said in err
    if expected["line"] is not None:
        assert f"{copy.name}:{expected['line']}:" in err


def test_reads_from_standard_input():
    result = subprocess.run(
        [sys.executable, "-m", "propto", "fit", "-", "--engine", "exact", "--json", "-"],
        input=SCHOOLS.read_bytes(),
        capture_output=True,
        check=True,
    )
    assert len(json.loads(result.stdout)["groups"]) == 8


def test_a_terminal_without_unicode_gets_ascii():
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "propto",
            "fit",
            str(SCHOOLS),
            "--engine",
            "exact",
            "--json",
            os.devnull,
            "--force",
        ],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"},
        capture_output=True,
        check=True,
    )
    assert b"PASS" in result.stdout
    result.stdout.decode("ascii")


def test_check_reads_and_says_what_it_took(table, capsys):
    assert main(["check", str(table)]) == 0
    out, err = capsys.readouterr()
    assert "8 groups" in out
    assert "std_estimate" in err


def test_help_and_version(capsys):
    assert main([]) == 0
    assert "propto fit" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0


def test_a_failed_diagnosis_is_exit_code_1(table, tmp_path):
    code = main(
        ["fit", str(table), "--draws", "4", "--chains", "2", "--quiet", "--json", str(tmp_path / "t.json")]
    )
    document = json.loads((tmp_path / "t.json").read_text())
    assert document["verdict"]["status"] == "fail"
    assert document["verdict"]["reasons"][0]["remedy"]
    assert code == 1


def test_a_bug_of_ours_is_101(table, monkeypatch, capsys):
    monkeypatch.setattr("propto.commands.fit.pool_exact", lambda **_: 1 / 0)
    assert main(["fit", str(table), "--engine", "exact"]) == 101
    assert "bug" in capsys.readouterr().err


def test_an_interrupt_is_130(table, monkeypatch):
    def interrupt(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr("propto.commands.fit.pool_exact", interrupt)
    assert main(["fit", str(table), "--engine", "exact"]) == 130
