"""``propto rerun``: the same numbers and draws again, or what differs; and only `propto fit` is run."""

from __future__ import annotations

import json

import pytest
import xarray as xr

from propto.cli import main

TABLE = "label,estimate,se\nA,28,15\nB,8,10\nC,-3,16\nD,7,11\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A table with what `propto fit` wrote of it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "table.csv").write_text(TABLE)
    outputs = ["--json", str(folder / "fit.json"), "--save", str(folder / "fit.nc")]
    code = main(["fit", str(folder / "table.csv"), *outputs, "--threshold", "5", "--draws", "60", "--quiet"])
    assert code in (0, 1)
    return folder


@pytest.mark.parametrize(("name", "what"), [("fit.json", "every number"), ("fit.nc", "every draw")])
def test_the_same_comes_out_again(made, capsys, name, what):
    before = sorted(path.name for path in made.iterdir())
    assert main(["rerun", str(made / name)]) == 0
    assert capsys.readouterr().out == f"same: {what} of {made / name} came out again, bit for bit\n"
    assert sorted(path.name for path in made.iterdir()) == before  # nothing is written beside


def test_what_differs_is_named(made, tmp_path, capsys):
    content = json.loads((made / "fit.json").read_text())
    content["mu"]["mean"] += 1e-12
    content["groups"][2]["label"] = "X"
    content["run"]["versions"]["jax"] = "0.1"
    (tmp_path / "other.json").write_text(json.dumps(content))
    assert main(["rerun", str(tmp_path / "other.json")]) == 1
    said = capsys.readouterr().out
    assert said.startswith("different: 2 differ\n- mu.mean was")
    assert '- groups[2].label was "X", is "C"' in said
    assert "version: jax was 0.1, is" in said


def test_draws_that_differ_are_named(made, tmp_path, capsys):
    with xr.open_datatree(made / "fit.nc", engine="h5netcdf") as fit:
        fit = fit.load()
    fit["posterior"]["mu"].values[1, 7] += 0.5
    fit.to_netcdf(tmp_path / "fit.nc", engine="h5netcdf")
    assert main(["rerun", str(tmp_path / "fit.nc")]) == 1
    assert "posterior: mu differs in" in capsys.readouterr().out


def test_a_table_that_moved_or_changed(made, tmp_path, capsys):
    (tmp_path / "fit.json").write_text((made / "fit.json").read_text().replace(str(made), "/nowhere"))
    assert main(["rerun", str(tmp_path / "fit.json")]) == 2
    assert "say with --table where it is now" in capsys.readouterr().err
    (tmp_path / "moved.csv").write_text(TABLE)
    assert main(["rerun", str(tmp_path / "fit.json"), "--table", str(tmp_path / "moved.csv")]) == 0
    (tmp_path / "moved.csv").write_text(TABLE.replace("28", "29"))
    assert main(["rerun", str(tmp_path / "fit.json"), "--table", str(tmp_path / "moved.csv")]) == 2
    assert "is not as it was: its SHA-256" in capsys.readouterr().err


@pytest.mark.parametrize(
    "call",
    [
        "rm -rf .",
        "propto learn",
        "propto fit",
        "propto fit 'x",
        "propto fit t.csv --draws x",
        "propto",
        "",
        None,
        3,
    ],
)
def test_a_call_that_is_no_fit_is_not_run(tmp_path, capsys, call):
    (tmp_path / "evil.json").write_text(json.dumps({"run": {"call": call}}))
    assert main(["rerun", str(tmp_path / "evil.json")]) == 2
    assert "propto: " in capsys.readouterr().err


def test_a_hostile_call_writes_nothing(made, tmp_path, capsys):
    content = json.loads((made / "fit.json").read_text())
    aims = [tmp_path / name for name in ("a.html", "b.json", "c.csv", "d.nc")]
    options = " ".join(
        f"{o} {aim}" for o, aim in zip(("--report", "--json", "--csv", "--save"), aims, strict=True)
    )
    content["run"]["call"] += f" {options} --force"
    (tmp_path / "evil.json").write_text(json.dumps(content))
    assert main(["rerun", str(tmp_path / "evil.json")]) == 0
    assert not any(aim.exists() for aim in aims)


@pytest.mark.parametrize("content", [b"", b"[1]", b"\x89HDF", b"{", b"[" * 100_000])
@pytest.mark.parametrize("name", ["x.json", "x.nc", "x"])
def test_what_is_no_fit(tmp_path, capsys, name, content):
    (tmp_path / name).write_bytes(content)
    assert main(["rerun", str(tmp_path / name)]) == 2
    assert main(["rerun", str(tmp_path / "missing.json")]) == 2
