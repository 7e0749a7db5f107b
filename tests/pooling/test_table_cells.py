"""Number cells: every way of writing has one reading, or none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from propto.pooling.tables.cells import read_numbers, shown

READ = {
    "28": 28.0,
    "-3": -3.0,
    "+3": 3.0,
    ".5": 0.5,
    "5.": 5.0,
    " 7 ": 7.0,
    "1e-3": 1e-3,
    "1.5E+2": 150.0,
    "1,5e2": 150.0,
    "0,889311": 0.889311,
    ",5": 0.5,
    "\u221220": -20.0,
    "\u201371": -71.0,
    "\u2212 20": -20.0,
    "\xa06.36459\xa0": 6.36459,
    "\u200b1.5\ufeff": 1.5,
    "1,234.5": 1234.5,
    "1.234,5": 1234.5,
    "1\xa0234,5": 1234.5,
    "1\u202f234\u202f567": 1234567.0,
    "1 234.5": 1234.5,
    "1'234.5": 1234.5,
    "1\u2019234,5": 1234.5,
    "1,234,567": 1234567.0,
    "1.234.567": 1234567.0,
    "12,34,567": 1234567.0,
    "1.234": 1.234,
    "0,123": 0.123,
    "1234,567": 1234.567,
    "12,5": 12.5,
    "0\xb771": 0.71,
    "28%": 28.0,
    "28 %": 28.0,
    "$1,200.50": 1200.5,
    "-$8": -8.0,
    "$-8": -8.0,
    "8 €": 8.0,
    "0.54**": 0.54,
    '="28"': 28.0,
    "'28": 28.0,
}
REFUSED = {
    "": "empty",
    "   ": "empty",
    "NA": "missing",
    "n/a": "missing",
    "#N/A": "missing",
    "NaN": "missing",
    "NULL": "missing",
    ".": "missing",
    "-": "missing",
    "\u2014": "missing",
    "?": "missing",
    "inf": "not finite",
    "-Infinity": "not finite",
    "∞": "not finite",
    "1e999": "not finite",
    "#DIV/0!": "error of the spreadsheet",
    "about 11": "not a number",
    "<0.001": "not a number",
    "1,2,3": "not a number",
    "1,23.4": "not a number",
    "1.2.3": "not a number",
    "1 2": "not a number",
    "1_000": "not a number",
    "0x10": "not a number",
    "28 ± 15": "not a number",
    "0.88 (0.71, 1.07)": "not a number",
    "3-Apr": "not a number",
    "٣": "not a number",
    "1,234": "can be read as 1234 or as 1.234",
    "-1,234": "can be read as -1234 or as -1.234",
}


@pytest.mark.parametrize(("cell", "value"), READ.items())
def test_a_number_is_read(cell: str, value: float) -> None:
    (numbers,) = read_numbers([[cell]])
    assert numbers.faults == {}
    assert numbers.values.tolist() == [value]


@pytest.mark.parametrize(("cell", "reason"), REFUSED.items())
def test_what_is_no_number_is_a_fault_with_a_reason_and_a_mend(cell: str, reason: str) -> None:
    (numbers,) = read_numbers([[cell]])
    assert np.isnan(numbers.values).all()
    assert reason in numbers.faults[0].message
    assert numbers.faults[0].mend


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (["0,5", "1,234"], [0.5, 1.234]),  # commas are certain decimals
        (["1,234.5", "1,234"], [1234.5, 1234.0]),  # commas are certain thousands
        (["1.234,5", "1.234"], [1234.5, 1234.0]),
        (["980.5", "1,234"], [980.5, 1234.0]),  # points are decimals, and numbers are as large as thousands
        (["980", "1,234"], [980.0, 1234.0]),
        (["0.5", "1,234"], None),  # 1234 beside 0.5: ask
        (["0,5", "1.234"], None),
        (["0,5", "0.5", "1,234"], None),  # both marks are decimals
    ],
)
def test_an_unclear_mark_follows_its_column(column: list[str], values: list[float] | None) -> None:
    (numbers,) = read_numbers([column])
    if values is None:
        assert list(numbers.faults) == [len(column) - 1]
    else:
        assert numbers.values.tolist() == values


def test_an_unclear_mark_follows_the_other_columns_where_its_own_says_nothing() -> None:
    estimate, error = read_numbers([["1,234", "2,500"], ["0,5", "0,25"]])
    assert estimate.values.tolist() == [1.234, 2.5]
    assert error.values.tolist() == [0.5, 0.25]
    estimate, error = read_numbers([["1.234", "2.500"], ["0,5", "0,25"]])
    assert sorted(estimate.faults) == [0, 1]


def test_thousands_without_certain_evidence_are_a_doubt() -> None:
    assert read_numbers([["980", "1,234"]])[0].doubts
    assert not read_numbers([["1,234.5", "1,234"]])[0].doubts


def test_a_decimal_point_that_could_be_a_thousands_mark_is_a_doubt() -> None:
    (numbers,) = read_numbers([["980", "1.234"]])
    assert numbers.values.tolist() == [980.0, 1.234]
    assert numbers.doubts
    for column in (["980", "1.234", "1.5"], ["980.000", "1.234"], ["98", "1.234"], ["980", "0.234"]):
        assert not read_numbers([column])[0].doubts


def test_decimal_commas_and_points_together_are_a_doubt() -> None:
    assert any("mixed" in doubt for doubt in read_numbers([["0,5", "0.25"]])[0].doubts)


def test_units_must_agree() -> None:
    estimate, error = read_numbers([["28%", "8%"], ["15", "10"]])
    assert list(error.faults) == [0]
    assert "in %" in error.faults[0].message
    estimate, error = read_numbers([["$28", "$8"], ["€15", "€10"]])
    assert estimate.faults or error.faults


def test_cells_that_are_not_text() -> None:
    cells = [1, 2.5, None, math.nan, True, np.float64(4), "5", [6]]
    (numbers,) = read_numbers([cells])
    assert numbers.values[[0, 1, 5, 6]].tolist() == [1.0, 2.5, 4.0, 5.0]
    assert sorted(numbers.faults) == [2, 3, 4, 7]


def test_shown_cells_cannot_write_to_a_terminal() -> None:
    text = shown("\x1b[31mred\x07\u202e\n" + "x" * 1000)
    assert text.isprintable()
    assert len(text) < 100


NUMBER = st.floats(allow_nan=False, allow_infinity=False, width=64)
MINUS = st.sampled_from(["-", "\u2212", "\u2013"])
PAD = st.sampled_from(["", " ", "\xa0", "\u2009"])


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.lists(NUMBER, min_size=1, max_size=8), MINUS, PAD)
def test_any_float_survives_a_decimal_comma(values: list[float], minus: str, pad: str) -> None:
    """``repr`` is the oracle; ``0,5`` settles the marks that could be thousands."""
    cells = [f"{pad}{value!r}{pad}".replace("-", minus).replace(".", ",") for value in [0.5, *values]]
    (numbers,) = read_numbers([cells])
    assert numbers.values[1:].tolist() == values


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1, max_size=8),
    st.sampled_from([(",", "."), (".", ","), (" ", "."), (" ", ","), ("'", "."), ("\u202f", ",")]),
)
def test_grouped_numbers_are_read_as_python_wrote_them(values: list, marks: tuple[str, str]) -> None:
    swap = str.maketrans({",": marks[0], ".": marks[1]})
    (numbers,) = read_numbers([[f"{value:,.2f}".translate(swap) for value in values]])
    assert numbers.values.tolist() == [float(value) for value in values]


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=4))
def test_any_text_is_a_finite_number_or_a_fault(cells: list[str]) -> None:
    (numbers,) = read_numbers([cells])
    for row, value in enumerate(numbers.values):
        assert math.isfinite(value) != (row in numbers.faults and math.isnan(value))
