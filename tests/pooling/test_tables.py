"""From a user's table to estimates with standard errors: columns, scales, refusals, doubts."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from propto.errors import OptionError, TableError
from propto.pooling.pool import pool
from propto.pooling.tables import Table, read_table
from propto.pooling.tables.names import level_of, role_of


def read(text: str, **options: object) -> Table:
    return read_table(io.StringIO(text), **options)


def refused(text: str, **options: object) -> TableError:
    with pytest.raises(TableError) as caught:
        read(text, **options)
    assert all(problem.mend for problem in caught.value.problems)
    return caught.value


ROWS = "A,28,15\nB,8,10\nC,-3,16\n"


# --- the reference files


def test_dirty_reference_tables_are_read_right(shared_folder: Path) -> None:
    folder = shared_folder / "tables" / "dirty"
    for name, expected in json.loads((folder / "EXPECT.json").read_text()).items():
        ask = expected["decision"] == "must_ask"
        if ask:
            with pytest.raises(TableError, match="log=True"):
                read_table(folder / name)
        table = read_table(folder / name, log=ask)
        assert list(table.label) == expected["labels"], name
        for got, wanted in ((table.estimate, expected["estimate"]), (table.std_error, expected["se"])):
            np.testing.assert_allclose(got, wanted, rtol=expected["rel_tolerance"], atol=0, err_msg=name)


def test_bad_reference_tables_are_refused_with_the_right_words(shared_folder: Path) -> None:
    folder = shared_folder / "tables" / "bad"
    for name, expected in json.loads((folder / "EXPECT.json").read_text()).items():
        with pytest.raises(TableError) as caught:
            read_table(folder / name)
        (problem,) = caught.value.problems
        assert (problem.line, problem.column) == (expected["line"], expected["column"]), name
        assert all(text in problem.message for text in expected["message_says"]), problem
        assert str(caught.value).isascii()


def test_all_reference_tables_are_read_without_a_warning(shared_folder: Path) -> None:
    for path in sorted((shared_folder / "tables").glob("*.csv")):
        table, raw = read_table(path), pd.read_csv(path)
        assert table.label == tuple(raw["label"])
        assert table.estimate.tolist() == raw["estimate"].tolist()
        assert table.std_error.tolist() == raw["se"].tolist()
        assert table.warnings == ()


# --- which column is what


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("estimate", "estimate"),
        ("Effect Size", "estimate"),
        ("log(OR)", "estimate"),
        ("Hedges' g", "estimate"),
        ("effect (points)", "estimate"),
        ("Estimate (SE)", "estimate"),
        ("OR", "ratio"),
        ("Odds Ratio", "ratio"),
        ("S.E.", "std_error"),
        (" Std. Error ", "std_error"),
        ("StdErr", "std_error"),
        ("SE(log OR)", "std_error"),
        ("se_yi", "std_error"),
        ("std_estimate", "std_error"),
        ("vi", "variance"),
        ("var_effect", "variance"),
        ("SD", "sd"),
        ("ci.lb", "lower"),
        ("conf.high", "upper"),
        ("95% CI lower", "lower"),
        ("Upper 95% limit", "upper"),
        ("or_lower", "lower"),
        ("LL", "lower"),
        ("2.5 %", "lower"),
        ("q97.5", "upper"),
        ("asymp.LCL", "lower"),
        ("n", "size"),
        ("studlab", "label"),
        ("weeks", None),
        ("year", None),
        ("p.value", None),
        ("2001", None),
        ("l", None),
        ("", None),
    ],
)
def test_a_name_has_its_role(name: str, role: str | None) -> None:
    assert (role_of(name) or (None,))[0] == role


def test_limits_state_their_level() -> None:
    assert level_of("ci90_lo", "ci90_hi") == 0.9
    assert level_of("5%", "95%") == 0.9
    assert level_of("lower", "upper") is None


def test_the_guess_is_said_aloud() -> None:
    table = read("study,weeks,yi,sei\nA,2,28,15\nB,3,8,10\nC,4,-3,16\n")
    assert table.notes[0] == 'reading estimate ← "yi", std_error ← "sei", label ← "study" (3 rows)'
    assert table.columns.estimate.names == ("yi",)
    assert table.label == ("A", "B", "C")


def test_named_columns_win_and_need_not_match_to_the_letter() -> None:
    table = read(
        "who,Gain 1,gain2,err2,se\nA,1,28,15,9\nB,2,8,10,9\nC,3,-3,16,9\n",
        estimate="gain_2",
        std_error="ERR2",
    )
    assert table.estimate.tolist() == [28, 8, -3]
    assert table.std_error.tolist() == [15, 10, 16]
    assert table.label == ("A", "B", "C")


def test_a_first_rank_name_wins_over_a_second_rank_name() -> None:
    assert read("label,estimate,mean,se,sigma\nA,28,1,15,1\nB,8,1,10,1\nC,-3,1,16,1\n").estimate[0] == 28


@pytest.mark.parametrize(
    ("header", "both"),
    [
        ("label,effect,mean,se", ("effect", "mean")),
        ("label,estimate,sei,sigma", ("sei", "sigma")),
        ("label,estimate,Estimate,se", ("estimate", "Estimate")),
        ("label,estimate,estimate,se", ("estimate", "estimate")),
        ("label,or,rr,se", ("or", "rr")),
    ],
)
def test_two_candidates_are_an_error_that_lists_both(header: str, both: tuple[str, str]) -> None:
    (problem,) = refused(f"{header}\nA,28,15,1\nB,8,10,1\n").problems
    assert "more than one column" in problem.message
    assert all(f'"{name}"' in problem.message for name in both)


def test_a_name_that_is_not_there_lists_the_columns_and_the_closest() -> None:
    error = refused("school,effect,std_error\n" + ROWS, estimate="efect", std_error="zzz")
    assert [problem.column for problem in error.problems] == ["efect", "zzz"]
    assert all('"school", "effect", "std_error"' in problem.message for problem in error.problems)
    assert 'estimate="effect"' in (error.problems[0].mend or "")


def test_missing_columns_are_reported_together() -> None:
    error = refused("wer,was,wie\n" + ROWS)
    assert [problem.column for problem in error.problems] == ["estimate", "se"]


@pytest.mark.parametrize(
    "text",
    [
        "label;estimate\nA;28 ± 15\nB;8 ± 10\n",
        "label;OR (95% CI)\nA;0.88 (0.71, 1.07)\nB;0.8 (0.7, 0.9)\n",
        "label;yi;95% CI\nA;28;13 to 43\nB;8;-2 to 18\n",
    ],
)
def test_several_numbers_in_a_cell_are_to_be_taken_apart(text: str) -> None:
    assert "give each number of cells like" in str(refused(text))


def test_one_column_cannot_be_both() -> None:
    assert "as the estimate and as its error" in str(refused("label,effect,se\n" + ROWS, std_error="effect"))


def test_labels() -> None:
    assert read("id,yi,se\n7,28,15\n8,8,10\n9,1,16\n").label == ("7", "8", "9")
    assert read("yi,se\n28,15\n8,10\n1,16\n").label == ("row 1", "row 2", "row 3")
    assert read("arm,yi,se\nx,28,15\ny,8,10\nz,1,16\n").label == ("x", "y", "z")
    assert read("arm,place,yi,se\nx,P,28,15\ny,Q,8,10\nz,R,1,16\n", label="place").label == ("P", "Q", "R")
    assert read('label,yi,se\n"  A\nnorth ",28,15\nUme\x1bå,8,10\n-C-,1,16\n').label == (
        "A north",
        "Ume å",
        "-C-",
    )


def test_a_missing_label_is_numbered_with_a_warning() -> None:
    table = read("label,yi,se\nA,28,15\n,8,10\nC,1,16\n")
    assert table.label == ("A", "row 2", "C")
    assert any("row 2" in warning for warning in table.warnings)


# --- where standard errors come from


def test_a_variance_gives_its_square_root_and_says_so() -> None:
    for options in ({}, {"std_error": "vi"}):
        table = read("study,yi,vi\nA,28,225\nB,8,100\nC,-3,256\n", **options)
        assert table.std_error.tolist() == [15, 10, 16]
        assert 'std_error ← square root of "vi"' in table.notes[0]


def test_an_interval_gives_its_width() -> None:
    text = "study,effect,lower,upper\nA,28,13,43\nB,8,-2,18\nC,-3,-19,13\n"
    np.testing.assert_allclose(read(text).std_error, np.array([15, 10, 16]) / 1.959963984540054, rtol=1e-14)
    np.testing.assert_allclose(
        read(text, level=0.9).std_error, np.array([15, 10, 16]) / 1.6448536269514722, rtol=1e-14
    )
    other = text.replace("lower,upper", "from,to")
    for pair in (("from", "to"), ["from", "to"], "from,to"):
        assert read(other, std_error=pair).std_error.tolist() == read(text).std_error.tolist()


def test_the_level_in_the_names_must_agree() -> None:
    text = "study,effect,ci90_lo,ci90_hi\nA,28,13,43\nB,8,-2,18\nC,-3,-19,13\n"
    assert "level=0.9" in str(refused(text))
    assert read(text, level=0.9).std_error[0] == pytest.approx(15 / 1.6448536269514722)


def test_a_standard_error_wins_over_a_variance_and_an_interval() -> None:
    table = read("study,yi,vi,sei,ci.lb,ci.ub\nA,1,4,2,-2.92,4.92\nB,2,4,2,-1.92,5.92\nC,3,4,2,-.92,6.92\n")
    assert 'std_error ← "sei"' in table.notes[0]
    assert table.warnings == ()


@pytest.mark.parametrize(
    "text",
    [
        "s,yi,se,vi\nA,1,2,2\nB,2,3,3\nC,3,4,4\n",  # a variance under the name se, or the other way round
        "s,yi,se,lower,upper\nA,1,10,-2.9,4.9\nB,2,10,-1.9,5.9\nC,3,10,-0.9,6.9\n",  # an sd under the name se
    ],
)
def test_columns_that_contradict_the_standard_error_are_a_warning(text: str) -> None:
    assert any("which are right" in warning for warning in read(text).warnings)


def test_an_sd_is_taken_with_a_warning_and_asked_about_beside_a_size() -> None:
    assert any("not for the spread" in text for text in read("label,mean,sd\n" + ROWS).warnings)
    text = "label,mean,sd,n\nA,28,15,9\nB,8,10,9\nC,-3,16,9\n"
    error = refused(text)
    assert "sd / sqrt(n)" in str(error)
    assert error.problems[0].column == "sd"
    assert read(text, std_error="sd").std_error.tolist() == [15, 10, 16]


# --- ratios


RATIOS = "study,{},lower,upper\nA,0.88,0.71,1.09\nB,0.79,0.55,1.13\nC,1.50,1.00,2.25\n"


@pytest.mark.parametrize("name", ["or", "HR", "risk ratio", "effect"])
def test_ratios_are_asked_about_by_name_or_by_shape(name: str) -> None:
    assert "log=True (--log)" in str(refused(RATIOS.format(name)))


@pytest.mark.parametrize("name", ["or", "effect"])
def test_logarithms_are_taken_on_demand(name: str) -> None:
    table = read(RATIOS.format(name), log=True)
    lower, upper = np.log([0.71, 0.55, 1.0]), np.log([1.09, 1.13, 2.25])
    np.testing.assert_allclose(table.estimate, np.log([0.88, 0.79, 1.5]), rtol=1e-15)
    np.testing.assert_allclose(table.std_error, (upper - lower) / 3.919927969080108, rtol=1e-14)
    assert "log scale" in table.notes[0]


def test_plain_intervals_on_positive_numbers_are_not_asked_about() -> None:
    table = read("s,effect,lower,upper\nA,5.1,2.1,8.1\nB,7.2,6.1,8.2\nC,9.5,4.4,14.6\n")
    assert table.warnings == ()


def test_ratios_with_plain_errors_cannot_be_read() -> None:
    text = "study,or,se\nA,.9,.1\nB,.8,.1\nC,.7,.1\n"
    assert "interval" in str(refused(text))
    assert "or of its logarithm" in str(refused(text, log=True))
    assert read(text, estimate="or", std_error="se").estimate[0] == 0.9  # the user named both


def test_logarithms_are_not_taken_twice() -> None:
    text = "study,log_or,se_log_or\nA,-.9,.1\nB,.8,.1\nC,.7,.1\n"
    assert read(text).estimate.tolist() == [-0.9, 0.8, 0.7]
    assert "already" in str(refused(text, log=True))


def test_what_has_no_logarithm_is_refused() -> None:
    error = refused("s,or,lower,upper\nA,0,-1,1\nB,1,0.5,2\nC,3,2,4.5\n", log=True)
    assert [(problem.line, problem.column) for problem in error.problems] == [(2, "or"), (2, "lower")]


def test_lopsided_intervals_are_a_warning() -> None:
    table = read("s,effect,lower,upper\nA,1,-1,5\nB,2,-2,9\nC,-1,-4,4\n")
    assert any("not symmetric" in warning for warning in table.warnings)


# --- rows that cannot be used


def test_every_bad_row_is_reported_with_line_column_value_and_label() -> None:
    text = '# a comment\n\nlabel,estimate,se\n"A\nnorth",28,0\n\nB,8,-1\nC,x,\nD,NA,inf\nE,1,2,3\nF,1,1\n'
    problems = refused(text).problems
    assert [(p.line, p.column, p.value) for p in problems] == [
        (4, "se", "0"),
        (7, "se", "-1"),
        (8, "estimate", "x"),
        (8, "se", ""),
        (9, "estimate", "NA"),
        (9, "se", "inf"),
        (10, None, "E,1,2,3"),
    ]
    labels = ("A north", "B", "C", "C", "D", "D")
    assert all(f'"{label}"' in p.message for label, p in zip(labels, problems, strict=False))


def test_intervals_out_of_order_are_refused() -> None:
    problems = refused("s,effect,lower,upper\nA,1,2,3\nB,1,3,-1\nC,1,1,1\nD,1,0,2\n").problems
    assert [(p.line, p.column) for p in problems] == [(2, "effect"), (3, "lower"), (4, "lower")]
    assert "outside its interval" in problems[0].message


SUMMARIES = """Total|TOTAL (95% CI)|Overall|Overall (I-squared = 40%)|Pooled estimate|Summary effect|Subtotal|
Random effects model|RE Model|Grand total|Combined|Pooled OR|All studies|Mean""".replace("\n", "").split("|")


@pytest.mark.parametrize("label", SUMMARIES)
def test_a_summary_row_is_refused(label: str) -> None:
    (problem,) = refused(f'label,estimate,se\n{ROWS}"{label}",9,\n').problems
    assert (problem.line, problem.column) == (5, "label")
    assert "summary of the other rows" in problem.message


@pytest.mark.parametrize("label", ["Totalisator", "Overall Street School", "Poole", "Summary Creek", "Fixed"])
def test_a_group_that_sounds_like_a_summary_is_kept(label: str) -> None:
    assert read(f"label,estimate,se\n{ROWS}{label},2,3\n").label[-1] == label


def test_ragged_rows_say_what_to_quote() -> None:
    (problem,) = refused("label,estimate,se\nA,28,15\nD, north wing,7,11\n").problems
    assert "4 fields" in problem.message
    assert '"D, north wing"' in (problem.mend or "")


def test_text_from_a_file_cannot_write_to_the_terminal() -> None:
    text = str(refused("label,estimate,se\n\x1b[31mA,\x1b]0;x\x07,1\nB,\u202e,1\nC," + "z" * 999 + ",0\n"))
    assert all(line.isprintable() and len(line) < 200 for line in text.splitlines())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        (" \n\n", "empty"),
        ("# nothing\n", "fewer than two columns"),
        ("estimate\n1\n2\n", "fewer than two columns"),
        ("label,estimate,se\n", "no rows"),
        ("label,estimate,se\n#1,2,3\n#2,3,4\n", "all are comments"),
        (ROWS, "the first row looks like data"),
        ("28,15\n8,10\n", "the first row looks like data"),
        ('label,estimate,se\n"A,28,15\nB,8,10\n', "not closed"),
        ('label,estimate,se\n"A,28,15\n"B",8,10\n', "not closed"),
        ('label,estimate,se\nA,28,15\n"' + "x" * 200_000, "not closed"),
        ("x" * 200_000, "fewer than two columns"),
        ("<!DOCTYPE html><html></html>", "web page"),
    ],
)
def test_what_is_no_table_is_refused(text: str, says: str) -> None:
    assert says in str(refused(text))


@pytest.mark.parametrize("level", [0, 1, 95, -0.5])
def test_a_level_is_a_probability(level: float) -> None:
    with pytest.raises(OptionError, match="level"):
        read("label,estimate,se\n" + ROWS, level=level)


def test_an_error_is_one_or_two_names() -> None:
    with pytest.raises(OptionError, match="std_error"):
        read("label,estimate,se\n" + ROWS, std_error=("a", "b", "c"))


# --- doubts


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("A,1,1\nB,2,1\nC,3,1\nD,2,0.577\n", "their summary"),
        ("#D,1,2\n" + ROWS, "comment"),
    ],
)
def test_a_doubt_is_a_warning(rows: str, says: str) -> None:
    (warning,) = read("label,estimate,se\n" + rows).warnings
    assert says in warning


def test_extreme_numbers_raise_no_numpy_warning() -> None:
    table = read("label,estimate,se\nA,1e308,1e-300\nB,-1e308,1e300\nC,0,1\nD,1e-320,1\n")
    assert np.isfinite(table.std_error).all()


# --- properties


LABEL = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp", "Zs")), min_size=1
)
FINITE = st.floats(-1e12, 1e12, allow_nan=False)
ROW = st.tuples(LABEL, FINITE, st.floats(1e-6, 1e6))


@settings(max_examples=100, derandomize=True, deadline=None)
@given(
    st.lists(ROW, min_size=1, max_size=6),
    st.permutations(["label", "estimate", "se", "year"]),
    st.sampled_from([",", ";", "\t", "|"]),
    st.booleans(),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_a_table_survives_any_dialect(
    rows: list, order: list[str], separator: str, comma: bool, newline: str, encoding: str
) -> None:
    """What Python's own quoting wrote is read back exactly, whatever the order, marks and encoding."""

    def number(value: float) -> str:  # after a leading 0, three digits are no group of thousands
        return f"{'-' * (value < 0)}0{abs(value)!r}".replace(".", "," if comma else ".")

    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    lines = [separator.join(order)]
    for label, estimate, error in rows:
        cells = {
            "label": quoted(f"x{label}"),
            "estimate": number(estimate),
            "se": number(error),
            "year": "1999",
        }
        lines.append(
            separator.join(
                quoted(cells[name]) if name in ("estimate", "se") else cells[name] for name in order
            )
        )
    content = newline.join(lines).encode(encoding)
    table = read_table(io.BytesIO(content))
    assert table.label == tuple(f"x{label}" for label, _, _ in rows)
    assert table.estimate.tolist() == [estimate for _, estimate, _ in rows]
    assert table.std_error.tolist() == [error for _, _, error in rows]


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda text: f"label,yi,se\n{text}".encode()))
)
def test_anything_else_is_a_table_error_in_plain_words(content: bytes) -> None:
    table, said = None, ""
    try:
        table = read_table(io.BytesIO(content))
    except TableError as error:
        said = str(error)
    assert all(line.isprintable() for line in said.splitlines())
    assert table is None or (np.isfinite(table.estimate).all() and (table.std_error > 0).all())


def test_reading_a_csv_file_imports_no_heavy_library(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("label,estimate,se\n" + ROWS)
    code = (
        "import sys; from propto.pooling.tables import read_table; read_table(sys.argv[1]);"
        "print({'jax', 'pandas', 'scipy', 'narwhals', 'openpyxl'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_table_that_was_read_can_be_pooled(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("name,estimate,se\na,1,0.5\nb,2,0.4\nc,4,0.7\n")
    assert pool(read_table(path)).to_dict() == pool(path).to_dict()
