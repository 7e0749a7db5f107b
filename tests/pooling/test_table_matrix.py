"""The covariance matrix of a table: what is read, in which order, and what is refused with which words."""

from __future__ import annotations

import numpy as np
import pytest

from propto.errors import TableError
from propto.pooling.tables import read_table
from propto.pooling.tables.matrix import read_covariance

MATRIX = [[1.0, 0.0, 0.0], [0.0, 4.0, 1.5], [0.0, 1.5, 9.0]]


@pytest.fixture
def table():
    return read_table({"label": ["A", "B", "C"], "effect": [1, 2, 3], "se": [1, 2, 3]})


@pytest.fixture
def read(table, tmp_path):
    def reader(text, of=table):
        path = tmp_path / "v.csv"
        path.write_text(text, encoding="utf-8")
        return read_covariance(path, of)

    return reader


@pytest.mark.parametrize(
    "text",
    [
        "1,0,0\n0,4,1.5\n0,1.5,9\n",
        "A,B,C\n1,0,0\n0,4,1.5\n0,1.5,9\n",
        ",A,B,C\nA,1,0,0\nB,0,4,1.5\nC,0,1.5,9\n",
        "A,1,0,0\nB,0,4,1.5\nC,0,1.5,9\n",
        '"A" "B" "C"\n"A" 1 0 0\n"B" 0 4 1.5\n"C" 0 1.5 9\n',
        ";A;B;C\r\nA;1,0;0;0\r\nB;0;4,0;1,5\r\nC;0;1,5;9\r\n",
        "\ufeff1\t0\t0\n\n0\t4\t1.5\n0\t1.5\t9",
        "1,0,0\n0,4,1.5000001\n0,1.4999999,9\n",
        "1.004,0,0\n0,4,1.5\n0,1.5,9\n",
    ],
)
def test_the_same_matrix_in_many_ways_of_writing(read, text):
    matrix, notes = read(text)
    np.testing.assert_allclose(matrix, MATRIX, rtol=5e-3, atol=1e-6)
    assert np.array_equal(matrix, matrix.T)
    assert notes == ()


def test_labels_bring_it_into_the_order_of_the_table(read):
    matrix, notes = read(",C,A,B\nC,9,0,1.5\nA,0,1,0\nB,1.5,0,4\n")
    np.testing.assert_array_equal(matrix, MATRIX)
    assert "sorted by its labels" in notes[0]


def test_numbers_as_labels(read):
    table = read_table({"label": [3, 1, 2], "effect": [1, 2, 3], "se": [1, 2, 3]})
    matrix, _ = read(",1,2,3\n1,4,1.5,0\n2,1.5,9,0\n3,0,0,1\n", table)
    np.testing.assert_array_equal(matrix, MATRIX)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("1,0\n0,4\n", "expected 3 rows and 3 columns, one for each group, got 2 rows of 2"),
        ("1,0,0\n0,4,1\n", "got 2 rows of 3"),
        ("1,0,0\n0,4\n0,1,9\n", "2 or 3 numbers"),
        ("A,B\n1,0,0\n0,4,1\n0,1,9\n", "expected 3 rows and 3 columns"),
        ("1,0,0\n0,x,1\n0,1,9\n", "the covariance is \"x\", not a number (column '2')"),
        ("1,0,\n0,4,1\n0,1,9\n", "the covariance is empty"),
        ("1,0,0\n0,4,2\n0,1,9\n", 'v.csv:2: a covariance matrix is symmetric; that of "B" with "C" is 2'),
        ("1,0,0\n0,-4,1\n0,1,9\n", 'the variance of "B" is -4'),
        ("1,0,0\n0,4,7\n0,7,9\n", 'the correlation of "B" and "C" 1.167'),
        ("1,1.8,-2.7\n1.8,4,5.4\n-2.7,5.4,9\n", "not positive definite: some combination"),
        ("1,0,0\n0,1,.5\n0,.5,1\n", "looks like a correlation matrix"),
        ("9,0,0\n0,4,0\n0,0,1\n", 'the standard error of "A" is 3 by the matrix and 1 by the table'),
        ("A,B,D\n1,0,0\n0,4,1\n0,1,9\n", 'the table has no group "D"'),
        ("A,B,D\n1,0,0\n0,4,1\n0,1,9\n", 'the matrix has no group "C"'),
        (",A,B,C\nA,1,0,0\nC,0,4,1\nB,0,1,9\n", 'v.csv:3: row 2 is of "C", and column 2 of "B"'),
    ],
)
def test_what_is_no_covariance_matrix_of_the_table_is_refused(read, text, words):
    with pytest.raises(TableError) as caught:
        read(text)
    assert words in str(caught.value)
    assert all(problem.mend for problem in caught.value.problems)


def test_labels_that_stand_twice_need_the_order_of_the_table(read):
    table = read_table({"label": ["A", "A", "B"], "effect": [1, 2, 3], "se": [1, 2, 3]})
    matrix, _ = read("A,A,B\n1,0,0\n0,4,1.5\n0,1.5,9\n", table)
    np.testing.assert_array_equal(matrix, MATRIX)
    with pytest.raises(TableError, match="stand more than once"):
        read("B,A,A\n9,0,0\n0,1,0\n0,0,4\n", table)


def test_a_file_that_is_not_there_is_named(table, tmp_path):
    with pytest.raises(TableError, match="there is no such file"):
        read_covariance(tmp_path / "w.csv", table)


def test_errors_without_correlations_are_a_matrix_too(tmp_path):
    """The largest correlation of two estimates is 0, and that of an estimate with itself, 1, is none."""
    errors = [0.4, 0.6, 0.3]
    table = read_table({"label": ["A", "B", "C"], "effect": [1, 2, 3], "se": errors})
    path = tmp_path / "v.csv"
    np.savetxt(path, np.diag(np.square(errors)), delimiter=",")
    np.testing.assert_array_equal(read_covariance(path, table)[0], np.diag(np.square(errors)))
