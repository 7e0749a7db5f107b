"""Covariates and clusters of a user's table: what is read, and what is refused with which words."""

from __future__ import annotations

import io

import numpy as np
import pytest

from propto.errors import OptionError, TableError
from propto.pooling.tables import Table, read_table

TEXT = "label,effect,se,hours,kind,district\nA,28,15,2,x,1\nB,8,10,5,y,1\nC,-3,16,7,x,2\n"


def read(text: str, **options: object) -> Table:
    return read_table(io.StringIO(text), **options)


def test_numbers_categories_and_clusters_are_read():
    table = read(TEXT, covariates=["hours", "kind"], cluster="district")
    np.testing.assert_array_equal(table.covariates["hours"], [2.0, 5.0, 7.0])
    assert table.covariates["kind"].tolist() == ["x", "y", "x"]
    assert table.cluster == ("1", "1", "2")
    plain = read(TEXT)
    assert (dict(plain.covariates), plain.cluster) == ({}, None)


def test_a_column_of_clusters_is_not_taken_for_the_label():
    table = read("school,study,yi,vi\nS1,a,1,1\nS1,b,2,1\nS2,c,3,2\n", cluster="school")
    assert (table.label, table.cluster) == (("a", "b", "c"), ("S1", "S1", "S2"))


def test_decimal_commas_in_covariates():
    table = read("label;effect;se;hours\nA;28,5;15;2,5\nB;8;10;5\nC;-3;16;7\n", covariates=["hours"])
    np.testing.assert_array_equal(table.covariates["hours"], [2.5, 5.0, 7.0])


def test_dataframes():
    table = read_table({"effect": [1, 2], "se": [1, 1], "x": [0.5, 1.5]}, covariates=["x"])
    np.testing.assert_array_equal(table.covariates["x"], [0.5, 1.5])


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (TEXT.replace("7,x", "n/a,x"), {"covariates": ["hours"]}, 'covariate "hours" of "C" is missing'),
        (TEXT.replace("7,x", "seven,x"), {"covariates": ["hours"]}, '"seven", not a number'),
        (TEXT.replace("7,x", "7,"), {"covariates": ["kind"]}, 'covariate "kind" of "C" is missing'),
        (TEXT.replace(",y,", ",x,"), {"covariates": ["kind"]}, "explains nothing"),
        (TEXT.replace(",1\n", ",2\n"), {"covariates": ["district"]}, "explains nothing"),
        (TEXT, {"covariates": ["label"]}, "another text in each of 3 rows"),
        (TEXT, {"covariates": ["hour"]}, "did you mean covariates"),
        (TEXT, {"covariates": ["se"]}, "already"),
        (TEXT, {"covariates": ["hours", "hours"]}, "named twice"),
        (TEXT, {"covariates": ["district"], "cluster": "district"}, "named twice"),
        (TEXT.replace("x,2", "x,"), {"cluster": "district"}, 'cluster "district" of "C" is missing'),
        (TEXT, {"cluster": "town"}, 'no column "town"'),
    ],
)
def test_refusals_name_the_cell_and_the_mend(text, options, words):
    with pytest.raises(TableError) as caught:
        read(text, **options)
    assert words in str(caught.value)
    assert all(problem.mend for problem in caught.value.problems)


def test_one_text_is_not_a_list_of_names():
    with pytest.raises(OptionError, match=r"give a list of names"):
        read(TEXT, covariates="hours")


def test_clusters_of_one_are_doubted():
    assert "alone in its cluster" in " ".join(read(TEXT, cluster="label").warnings)


DF = "label,effect,se,df\nA,28,15,9\nB,8,10,4.5\nC,-3,16,20\n"


def test_degrees_of_freedom_of_the_errors():
    table = read(DF, error_df="df")
    np.testing.assert_array_equal(table.error_df, [9.0, 4.5, 20.0])
    assert any("degrees of freedom" in note for note in table.notes)
    assert read(DF).error_df is None


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (DF.replace("4.5", "0.5"), {"error_df": "df"}, 'freedom "df" of "B" is 0.5; it must be 1 or more'),
        (DF.replace("4.5", ""), {"error_df": "df"}, 'freedom "df" of "B" is empty'),
        (DF, {"error_df": "dof"}, 'no column "dof"'),
        (DF, {"error_df": "se"}, "already"),
        (DF, {"error_df": "df", "covariates": ["df"]}, "named twice"),
    ],
)
def test_degrees_of_freedom_that_cannot_be_used(text, options, words):
    with pytest.raises(TableError) as caught:
        read(text, **options)
    assert words in str(caught.value)
    assert all(problem.mend for problem in caught.value.problems)


def test_what_covariates_were_taken_for_is_said():
    notes = " ".join(read(TEXT, covariates=["hours", "kind"]).notes)
    assert '"hours" (numbers), "kind" (2 categories, compared with x)' in notes
