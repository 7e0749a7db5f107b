"""``propto fit --by``: many tables of one file from the shell."""

import csv
import io
import json

import numpy as np
import pytest

from propto.cli import main
from propto.pooling import many_files
from propto.pooling.exact import pool_exact


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return [
        (f"m{b}", f"v{j}", round(float(rng.normal(b, 2)), 4), round(float(rng.uniform(0.5, 2)), 4))
        for b in range(14)
        for j in range(4)
    ]


@pytest.fixture
def table(tmp_path, rows):
    path = tmp_path / "many.csv"
    path.write_text("metric,variant,estimate,se\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return str(path)


BY = ["--by", "metric", "--label", "variant"]


def test_summary_fits_the_screen(table, capsys):
    assert main(["fit", table, *BY]) == 0
    out, err = capsys.readouterr()
    assert "14 tables of 4 groups, 56 groups in all." in out
    assert "... and 4 more, less sure" in out
    assert "m13" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "reading estimate" in err


def test_groups_as_csv_and_tables_as_json(table, rows, tmp_path, capsys):
    groups, tables = tmp_path / "g.csv", tmp_path / "t.json"
    assert main(["fit", table, *BY, "--csv", str(groups), "--json", str(tables), "--quiet"]) == 0
    written = list(csv.DictReader(groups.read_text().splitlines()))
    assert [(row["metric"], row["label"]) for row in written] == [row[:2] for row in rows]
    alone = pool_exact([row[2] for row in rows[:4]], [row[3] for row in rows[:4]])
    assert float(written[0]["mean"]) == pytest.approx(alone.theta.mean[0], abs=1e-3)
    document = json.loads(tables.read_text())
    assert document["schema_version"] == 1
    assert document["by"] == "metric"
    assert document["tables"][0]["mu_mean"] == pytest.approx(alone.mu.mean, rel=1e-5)
    assert capsys.readouterr().err == ""


def test_standard_output_carries_one_file_only(table, capsys):
    assert main(["fit", table, *BY, "--csv", "-"]) == 0
    out = capsys.readouterr().out
    assert len(list(csv.DictReader(io.StringIO(out)))) == 56
    assert main(["fit", table, *BY, "--csv", "-", "--json", "-"]) == 2


def test_standard_input(table, rows, monkeypatch, capsys):
    with open(table, "rb") as file:
        content = file.read()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert main(["fit", "-", *BY, "--quiet"]) == 0
    assert "14 tables" in capsys.readouterr().out


def test_pieces_are_written_as_they_come(table, tmp_path, monkeypatch, capsys):
    import pandas as pd

    parquet = tmp_path / "many.parquet"
    pd.read_csv(table).to_parquet(parquet)
    for name, size in (("whole", 10_000), ("pieces", 9)):
        monkeypatch.setattr(many_files, "ROWS_AT_ONCE", size)
        assert main(["fit", str(parquet), *BY, "--csv", str(tmp_path / name), "--quiet"]) == 0
    whole, pieces = (
        np.genfromtxt(tmp_path / name, delimiter=",", skip_header=1, usecols=range(2, 10))
        for name in ("whole", "pieces")
    )
    np.testing.assert_allclose(whole, pieces, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--by", "nope"], "no column"),
        ([*BY, "--top", "3"], "--top is for one table"),
        ([*BY, "--engine", "both"], "--engine is for one table"),
        ([*BY, "--save", "x.nc"], "--save is for one table"),
        ([*BY, "--prior-mu", "student_t(3, 0, 1)"], "Mend: normal"),
        ([*BY, "--shared-prior", "--prior-tau", "halfnormal(1)"], "--prior-tau"),
        (["--by", "variant", "--shared-prior"], "there are only"),
    ],
)
def test_bad_options_are_refused(table, arguments, says, capsys):
    assert main(["fit", table, *arguments]) == 2
    assert says in capsys.readouterr().err


def test_a_failed_run_writes_nothing(table, tmp_path, capsys):
    with open(table, "a") as file:
        file.write("m14,v0,1.0,about 2\n")
    groups = tmp_path / "g.csv"
    assert main(["fit", table, *BY, "--csv", str(groups)]) == 2
    assert "about 2" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many.csv"]


def test_a_shared_prior_from_the_shell(table, capsys):
    assert main(["fit", table, *BY, "--shared-prior"]) == 0
    assert "Learnt from all tables" in " ".join(capsys.readouterr().out.split())
