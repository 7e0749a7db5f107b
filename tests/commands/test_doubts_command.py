"""``propto fit`` asked for publication bias, subsets and estimated distributions, as a user meets them."""

from __future__ import annotations

import json

import numpy as np
import pytest

import propto as pp
from propto.cli import main

Y = np.array([0.62, 0.55, 0.70, 0.41, 0.38, 0.20, 0.08, 0.30])
S = np.array([0.30, 0.27, 0.33, 0.20, 0.18, 0.09, 0.04, 0.14])
EXACT = ["--engine", "exact", "--quiet"]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "trials.csv"
    rows = zip(Y, S, strict=True)
    path.write_text("label,estimate,se\n" + "".join(f"g{j},{y},{s}\n" for j, (y, s) in enumerate(rows)))
    return str(path)


def document(capsys, *arguments):
    assert main(["fit", *arguments, "--quiet", "--json", "-"]) == 0
    return json.loads(capsys.readouterr().out)


def test_bias_is_that_of_the_library(table, capsys):
    found = document(capsys, table, "--engine", "exact", "--bias", "--prior-mu", "normal(0, 1)")["bias"]
    fit = pp.pool(Y, S, prior_mu="normal(0, 1)")
    expected = pp.pool_bias(Y, S, prior_mu="normal(0, 1)", prior_tau=fit.prior_tau)
    assert found["favoured"] == "higher"
    assert found["inclusion"]["bias"]["posterior"] == pytest.approx(expected.inclusion["bias"].posterior)
    assert found["mu"]["mean"] == pytest.approx(expected.mu.mean)
    assert len(found["models"]) == 36


def test_the_side_can_be_said(table, capsys):
    found = document(capsys, table, "--engine", "exact", "--bias", "lower")
    assert found["bias"]["favoured"] == "lower"
    other = document(capsys, table, "--engine", "exact", "--bias", "higher")
    factors = [each["bias"]["forms"]["one_sided(0.025, 0.05)"]["log_bayes_factor"] for each in (found, other)]
    assert factors[0] < 0 < factors[1]  # all are just high enough


def test_the_screen_says_it_in_lines_that_fit(table, capsys):
    assert main(["fit", table, *EXACT, "--bias", "--subsets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if not line.startswith("report: ")) <= 80
    text = " ".join(" ".join(lines).split())
    for sentence in (
        "under models with publication bias",
        "Averaged over all 36 models mu is",
        "Over all subsets",
    ):
        assert sentence in text


def test_the_report_has_its_sections(table, tmp_path, capsys):
    report = tmp_path / "a.md"
    assert main(["fit", table, *EXACT, "--bias", "--subsets", "--report", str(report)]) == 0
    text = report.read_text()
    assert "average over all models" in text
    assert "squared distance in sds" in text
    assert "apart, in sds of the subsets" in text


def test_without_asking_nothing_of_it_is_done(table, capsys):
    found = document(capsys, table, "--engine", "exact")
    assert not {"bias", "subsets"} & set(found)


@pytest.mark.parametrize("effects", ["unimodal", "unimodal(0)", "nonparametric"])
def test_estimated_effects_are_those_of_the_library(table, capsys, effects):
    found = document(capsys, table, "--effects", effects)
    fit = pp.pool_effects(Y, S, effects=effects)
    np.testing.assert_allclose([row["mean"] for row in found["groups"]], fit.theta.mean)
    np.testing.assert_allclose(np.array([row["lfsr"] for row in found["groups"]], dtype=float), fit.lfsr)
    assert found["effects"] == effects
    assert found["log_evidence"] is None
    assert found["priors"] == {"mu": "estimated from the table", "tau": "estimated from the table"}
    assert main(["fit", table, "--quiet", "--effects", effects]) == 0
    out = capsys.readouterr().out
    assert "log evidence" not in out
    assert "taken as known" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bias", "--engine", "mcmc"], "--bias needs the exact engine"),
        (["--subsets", "--effects", "t(4)"], "--subsets is answered for normal effects"),
        (["--bias", "--cluster", "label"], "--bias is answered for normal effects"),
        (["--effects", "unimodal", "--prior-tau", "halfnormal(1)"], "estimated without priors"),
        (["--effects", "nonparametric", "--error-df", "5"], "must be known"),
    ],
)
def test_what_does_not_go_together_is_refused(table, capsys, arguments, words):
    assert main(["fit", table, "--quiet", *arguments]) == 2
    assert words in " ".join(capsys.readouterr().err.split())
