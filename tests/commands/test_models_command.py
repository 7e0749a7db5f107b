"""``propto fit`` with other effects, covariates, clusters and correlated errors, as a user meets it."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from propto.cli import main
from propto.pooling.effects import compare_effects, pool_effects
from propto.pooling.exact import pool_exact
from propto.pooling.regression import pool_regression

Y = [0.2, 1.1, 0.8, 2.3, 1.9, 3.4, 2.6, 4.2]
S = [0.4, 0.6, 0.3, 0.5, 0.4, 0.7, 0.3, 0.6]
DOSE = [0, 1, 1, 2, 2.5, 3, 3, 4]
KIND = ["lab", "lab", "field", "field", "lab", "lab", "field", "field"]
SITE = ["n", "n", "n", "s", "s", "s", "w", "w"]
DF = [9, 9, 12, 5, 30, 8, 8, 20]
LABEL = list("ABCDEFGH")


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "trials.csv"
    rows = zip(LABEL, Y, S, DOSE, KIND, SITE, DF, strict=True)
    path.write_text(
        "label,estimate,se,dose,kind,site,df\n" + "".join(f"{','.join(map(str, row))}\n" for row in rows)
    )
    return str(path)


@pytest.fixture
def document(table, capsys):
    """A function from options to the JSON document of a fit."""

    def fitted(*options):
        assert main(["fit", table, "--quiet", *options, "--json", "-"]) == 0
        return json.loads(capsys.readouterr().out)

    return fitted


def said(capsys):
    return " ".join(capsys.readouterr().out.split())


def assert_theta(document, fit):
    np.testing.assert_allclose([group["mean"] for group in document["groups"]], fit.theta.mean, rtol=1e-9)
    np.testing.assert_allclose([group["q95"] for group in document["groups"]], fit.theta.quantiles[:, 5])


@pytest.mark.parametrize(
    ("option", "effects"), [("t(4)", "student_t(4)"), ("spike-slab(0.3)", "spike_slab(0.3)")]
)
def test_other_effects_are_those_of_the_library(document, option, effects):
    found, fit = document("--effects", option), pool_effects(Y, S, effects=effects)
    assert_theta(found, fit)
    assert found["model"]["effects"] == found["effects"] == effects
    assert found["compare_effects"]["effects"][1]["effects"] == effects
    assert found["log_score"] == pytest.approx(fit.log_score.sum())
    assert {"prob_zero", "log_score"} <= set(found["groups"][0])


def test_two_normals_by_any_way_of_writing(document):
    assert document("--effects", "two-normals(3, 0.1)")["model"]["effects"] == "two_normals(3, 0.1)"


def test_estimated_errors_by_a_number_and_by_a_column(document):
    one, each = document("--error-df", "9"), document("--error-df", "df")
    assert_theta(one, pool_effects(Y, S, error_df=9))
    assert_theta(each, pool_effects(Y, S, error_df=DF))
    assert (one["model"]["error_df"], each["model"]["error_df"]) == (9.0, "df")
    assert "with 5 to 30 degrees of freedom" in each["findings"][0]


def test_a_comparison_stands_beside_the_usual_fit(document):
    found = document("--engine", "exact", "--compare-effects", "--ship-above", "1")
    assert_theta(found, pool_exact(Y, S))
    names = [each["effects"] for each in found["compare_effects"]["effects"]]
    assert names == ["normal", "student_t", "spike_slab", "two_normals(3)", "unimodal", "nonparametric"]
    gains = [step.gain for step in compare_effects(Y, S).steps]
    assert [each["gain"] for each in found["compare_effects"]["effects"][1:]] == pytest.approx(gains)
    assert {"ledger", "ranks", "sensitivity"} <= set(found)
    assert "in log score" in " ".join(found["findings"])


def test_a_distribution_of_ones_own_takes_the_place_of_its_family(document):
    found = document("--effects", "t(3)", "--compare-effects")
    names = [each["effects"] for each in found["compare_effects"]["effects"]]
    assert names == ["normal", "student_t(3)", "spike_slab", "two_normals(3)", "unimodal", "nonparametric"]
    assert found["effects"] == "student_t(3)"


def test_covariates_are_those_of_the_library(document):
    found = document("--covariates", "dose", "kind", "--prior-beta", "normal(0, 2)")
    fit = pool_regression(Y, S, covariates={"dose": DOSE, "kind": KIND}, prior_beta="normal(0, 2)")
    assert_theta(found, fit)
    assert [row["name"] for row in found["coefficients"]] == ["mu", "dose", "kind=lab"]
    np.testing.assert_allclose([row["mean"] for row in found["coefficients"]], fit.coefficients.mean)
    assert found["priors"]["beta"] == {"dose": "normal(0, 2)", "kind=lab": "normal(0, 2)"}
    assert found["model"]["covariates"] == ["dose", "kind"]
    assert found["findings"][0].startswith("One unit more of dose changes the effect by")


def test_clusters_are_those_of_the_library(document):
    found = document("--cluster", "site", "--prior-between", "halfnormal(0.5)")
    fit = pool_regression(Y, S, cluster=SITE, prior_between="halfnormal(0.5)")
    assert_theta(found, fit)
    assert [row["cluster"] for row in found["clusters"]] == ["n", "s", "w"]
    assert found["between"]["q50"] == pytest.approx(fit.between.quantiles[3])
    assert found["priors"]["between"] == "halfnormal(0.5)"


def test_a_covariance_matrix_is_taken_in_the_order_of_its_labels(document, tmp_path):
    correlation = np.full((8, 8), 0.3) + 0.7 * np.eye(8)
    matrix = correlation * np.outer(S, S)
    order = [3, 1, 0, 2, 7, 6, 5, 4]
    lines = [["", *(LABEL[j] for j in order)], *([LABEL[i], *matrix[i, order]] for i in order)]
    file = tmp_path / "v.csv"
    file.write_text("\n".join(",".join(map(str, line)) for line in lines))
    found = document("--covariance", str(file), "--covariates", "dose")
    assert_theta(found, pool_regression(Y, covariance=matrix, covariates={"dose": DOSE}))
    assert found["model"]["covariance"] == str(file)


def test_the_screen_has_what_the_model_adds_in_80_columns(table, capsys):
    for options, words in {
        ("--effects", "spike-slab(0.5)"): [
            "P(=0)",
            "mean without zeros (mu)",
            "spike_slab(0.5)",
            "log score",
        ],
        ("--covariates", "dose", "kind"): ["kind=lab", "mean at average covariates", "coefficients ~ flat"],
        ("--cluster", "site"): ["sd between clusters", "of the variance", "sd between clusters ~ halfnormal"],
        ("--engine", "exact", "--compare-effects"): ["two_normals(3)", "Most likely the best is"],
    }.items():
        assert main(["fit", table, "--quiet", *options]) == 0
        out = capsys.readouterr().out
        lines = [line for line in out.splitlines() if not line.startswith("report: ")]
        assert max(map(len, lines)) <= 80
        for word in words:
            assert word in " ".join(out.split())
        assert "Exact integration" in out


def test_numbers_are_never_cut(tmp_path, capsys):
    table = tmp_path / "t.csv"
    rows = "".join(f"a group with a long name {j},{-1234.5 + j},{100.5 + j}\n" for j in range(6))
    table.write_text(f"label,estimate,se\n{rows}")
    assert main(["fit", str(table), "--engine", "exact", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "-1234 ± 100" in out or "-1235 ± 101" in out
    groups = out[out.index("group ") : out.index("all groups")]
    assert all(line.count("…") <= 1 for line in groups.splitlines())
    assert "P(>0)" in groups


def test_what_was_read_is_said_on_stderr(table, capsys):
    assert main(["fit", table, "--covariates", "dose", "kind"]) == 0
    assert '"dose" (numbers), "kind" (2 categories, compared with field)' in capsys.readouterr().err


def test_a_doubt_about_the_table_is_said_once(tmp_path, capsys):
    table = tmp_path / "t.csv"
    table.write_text("label,estimate,se\nA,28,15\nB,8,10\nC,-3,16\nA,28,1800\n")
    for command in (["check", str(table)], ["fit", str(table), "--engine", "exact"]):
        assert main(command) == 0
        both = " ".join("".join(capsys.readouterr()).split())
        assert both.count("stands more than once") == 1
        assert both.count("100 times larger") == 1
        assert both.count("only 4 groups") == 1
        assert "stands 2 times" not in both
        assert "is it right?" not in both


def test_outliers_are_no_doubt_where_effects_may_be_outliers(tmp_path, capsys):
    table = tmp_path / "t.csv"
    rows = "".join(f"g{j},{1 + 0.1 * (j % 3)},0.1\n" for j in range(11))
    table.write_text(f"label,estimate,se\n{rows}far,9,0.1\n")
    usual, heavy = (
        main(["fit", str(table), "--quiet", *options]) or said(capsys)
        for options in (["--engine", "exact"], ["--effects", "t(3)"])
    )
    assert "far does not fit to the other groups" in usual
    assert "does not fit" not in heavy


def test_the_csv_has_a_row_a_group(table, capsys):
    assert main(["fit", table, "--quiet", "--covariates", "dose", "--csv", "-"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    fit = pool_regression(Y, S, covariates={"dose": DOSE})
    assert [row["label"] for row in rows] == LABEL
    np.testing.assert_allclose([float(row["mean"]) for row in rows], fit.theta.mean)


@pytest.mark.parametrize("options", [("--effects", "t(4)"), ("--covariates", "dose"), ("--cluster", "site")])
def test_a_report_appears_beside_the_table(table, options, capsys):
    assert main(["fit", table, *options]) == 0
    assert "trials.report.html" in capsys.readouterr().out
    assert "<h1>trials.csv</h1>" in Path(table).with_suffix(".report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--effects", "cauchy"], "there is no such distribution"),
        (["--effects", "t(0.5)"], "df must lie between"),
        (["--error-df", "0.5"], "degrees of freedom are 1 or more"),
        (["--error-df", "nan"], "degrees of freedom are 1 or more"),
        (["--error-df", "dof"], 'no column "dof"'),
        (["--covariates", "doses"], "did you mean covariates"),
        (["--covariates", "dose", "dose"], "named twice"),
        (["--covariates", "label"], "another text in each"),
        (["--cluster", "town"], 'no column "town"'),
        (["--covariance", "nowhere.csv"], "no such file"),
        (["--effects", "t", "--covariates", "dose"], "--effects with --covariates"),
        (["--compare-effects", "--cluster", "site"], "--compare-effects with --cluster"),
        (["--error-df", "9", "--covariance", "v.csv"], "--error-df with --covariance"),
        (["--cluster", "site", "--covariance", "v.csv"], "leave one out"),
        (["--prior-beta", "flat"], "--prior-beta is for --covariates"),
        (["--covariates", "dose", "--prior-between", "halfnormal(1)"], "--prior-between is for --cluster"),
        (["--covariates", "dose", "--prior-mu", "student_t(3, 0, 1)"], "leaves no closed form"),
        (["--effects", "spike-slab", "--prior-mu", "flat"], "where all effects may be zero"),
        (["--covariates", "dose", "--engine", "mcmc"], "integrated exactly, without MCMC"),
        (["--effects", "t", "--engine", "both"], "integrated exactly, without MCMC"),
        (["--cluster", "site", "--calibrate"], "--calibrate is answered for normal effects"),
        (["--effects", "t", "--top", "9"], "from 1 to 8"),
        (["--covariates", "dose", "--rope", "2", "1"], "lower limit"),
        (["--compare-effects", "--engine", "mcmc"], "--compare-effects needs the exact engine"),
        (["--by", "site", "--covariates", "dose"], "--covariates is for one table"),
        (["--by", "site", "--compare-effects"], "--compare-effects is for one table"),
        (["--by", "site", "--effects", "t"], "--effects is for one table"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(table, options, words, capsys):
    before = sorted(Path(table).parent.iterdir())
    assert main(["fit", table, *options]) == 2
    out, err = capsys.readouterr()
    assert (out, words in err) == ("", True), err
    assert sorted(Path(table).parent.iterdir()) == before


@pytest.mark.parametrize("options", [["--effects", "t(4)"], ["--covariates", "dose"], ["--cluster", "site"]])
def test_other_models_are_asked_for_decisions(document, options):
    """Thresholds from draws beside the exact probabilities: 8 of them, each wrong by 5 sds once in 2e6."""
    asked = ["--threshold", "0", "--rope", "-1", "1", "--ship-above", "1", "--top", "2", "--grades", "4"]
    found = document(*options, *asked)
    exact = [group["prob_positive"] for group in found["groups"]]
    counted = [group["prob_above"] for group in found["exceedance"]["groups"]]
    mcse = found["counted"]["mcse"]
    assert mcse == 0.5 / found["counted"]["draws"] ** 0.5 < 0.01
    np.testing.assert_allclose(counted, exact, atol=5 * mcse)
    assert sum(group["prob_best"] for group in found["ranks"]["groups"]) == pytest.approx(1)
    chosen = [group["estimate"] > 1 for group in found["groups"]]
    expected = sum(g["mean"] for g, ship in zip(found["groups"], chosen, strict=True) if ship)
    spread = found["ledger"]["by_estimate"]["total"]["sd"]
    assert abs(found["ledger"]["by_estimate"]["total"]["mean"] - expected) < 5 * 2 * mcse * spread
    assert found["regret"]["top"] == 2
    assert found["grades"]["groups"][0]["grade"] >= 1
    assert any("independent draws" in sentence for sentence in found["findings"])


def test_draws_of_other_models_are_saved_for_arviz(table, tmp_path, capsys):
    path = tmp_path / "draws.nc"
    options = ["--covariates", "dose", "kind", "--chains", "3", "--draws", "500", "--seed", "4"]
    assert main(["fit", table, "--quiet", *options, "--save", str(path)]) == 0
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        posterior = tree["posterior"]
        assert posterior["theta"].dims == ("chain", "draw", "group")
        assert posterior["theta"].shape == (3, 500, 8)
        assert posterior["group"].values.tolist() == LABEL
        assert posterior["coefficient"].values.tolist() == ["dose", "kind=lab"]
        slope = posterior["beta"].sel(coefficient="dose")
        fit = pool_regression(Y, S, covariates={"dose": DOSE, "kind": KIND})
        assert abs(float(slope.mean()) - fit.coefficients.mean[1]) < 5 * fit.coefficients.sd[1] / 1500**0.5
        assert tree.attrs["seed"] == 4
    assert capsys.readouterr().err == ""


def test_check_reads_what_fit_reads(table, tmp_path, capsys):
    assert main(["check", table, "--covariates", "dose", "kind", "--cluster", "site"]) == 0
    out, err = capsys.readouterr()
    assert "8 groups, 2 covariates, 3 clusters, 1 doubt;" in out
    assert '"kind" (2 categories, compared with field)' in " ".join(err.split())
    matrix = tmp_path / "v.csv"
    np.savetxt(matrix, np.diag(np.square(S)), delimiter=",")
    assert main(["check", table, "--covariance", str(matrix)]) == 0
    capsys.readouterr()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--covariates", "doses"], "did you mean"),
        (["--covariates", "label"], "another text in each"),
        (["--covariates", "df", "--error-df", "0.5"], "degrees of freedom are 1 or more"),
        (["--covariates", "dose", "--error-df", "df"], "--error-df with --covariates"),
        (["--covariance", "nowhere.csv"], "no such file"),
        (["--cluster", "site", "--covariance", "v.csv"], "leave one out"),
        (["--by", "nope"], "no column"),
        (["--by", "site", "--covariates", "dose"], "--covariates is for one table"),
    ],
)
def test_check_refuses_what_fit_refuses(table, options, words, capsys):
    for command in ("check", "fit"):
        assert main([command, table, *options]) == 2
        out, err = capsys.readouterr()
        assert (out, words in err) == ("", True), err


def test_check_of_many_tables_names_the_doubtful(table, capsys):
    assert main(["check", table, "--by", "site"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "3 tables, 3 with doubts; ready for `propto fit --by site`" in out
    assert "- w: There are only 2 groups." in out


def test_a_missing_covariate_is_named_with_its_row(table, capsys):
    path = Path(table)
    path.write_text(path.read_text().replace("0.3,1,field", "0.3,,field"))
    assert main(["fit", table, "--covariates", "dose"]) == 2
    err = capsys.readouterr().err
    assert 'trials.csv:4: the covariate "dose" of "C" is empty' in err
    assert "mend: fill it in" in err


def test_covariates_that_say_the_same_are_refused(table, capsys):
    path = Path(table)
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join([f"{lines[0]},twice", *(f"{x},{2 * d}" for x, d in zip(lines[1:], DOSE, strict=True))])
    )
    assert main(["fit", table, "--covariates", "dose", "twice"]) == 2
    assert "can be written with the other columns" in capsys.readouterr().err


def test_normal_effects_named_aloud_are_the_usual_fit(document):
    assert_theta(document("--effects", "normal", "--engine", "exact", "--top", "2"), pool_exact(Y, S))


def test_one_group_is_fitted_and_said_to_tell_little(tmp_path, capsys):
    table = tmp_path / "t.csv"
    table.write_text("label,estimate,se\nA,3,1\n")
    assert main(["fit", str(table), "--effects", "t(4)", "--json", str(tmp_path / "t.json")]) == 0
    assert "One group alone cannot be foretold from others" in said(capsys)
    document = json.loads((tmp_path / "t.json").read_text())
    assert document["log_score"] is None
    assert document["checks"][0]["key"] == "few"
