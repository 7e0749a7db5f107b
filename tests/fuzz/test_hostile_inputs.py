"""Anything at all as a table, a prior, a formula or a name: an answer, or an error of propto in words.

Every test tries 150 inputs, the same ones every time; `fuzz/` tries millions.
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

import propto as pp
from propto.errors import NameMismatchError, ProptoError, TableError
from propto.names import check_axes
from propto.pooling.tables import read_table, sources

BOUNDED = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "cp037", "shift_jis"]
NUMBERS = st.sampled_from(
    [
        "1",
        "-2.5",
        "1,5",
        "1.234.567",
        "1'000",
        "1e308",
        "1e400",
        "-0",
        "nan",
        "∞",
        "12 %",
        "$5",
        "<0.1",
        "3±1",
    ]
)
CELLS = st.one_of(
    NUMBERS, st.text(max_size=12), st.sampled_from(["", "\0", '"', "=1+1", "\u202ex", "#", "\r", "--"])
)
NAMES = st.sampled_from(
    ["label", "estimate", "se", "yi", "vi", "lower", "upper", "n", "", "estimate", "\ufeffse"]
)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=5)
SEPARATORS = st.sampled_from([",", ";", "\t", "|", " ", ",,"])


def survives(function, *args, **options):
    """Call a function, which may refuse in words."""
    try:
        return function(*args, **options)
    except ProptoError as error:
        return _said(error)


def _said(error):
    assert str(error).strip()


@BOUNDED
@given(
    header=st.lists(NAMES, min_size=1, max_size=4),
    rows=ROWS,
    sep=SEPARATORS,
    encoding=st.sampled_from(ENCODINGS),
)
def test_tables_of_odd_cells_in_any_encoding(header, rows, sep, encoding):
    text = "\n".join(sep.join(row) for row in [header, *rows])
    survives(read_table, io.BytesIO(text.encode(encoding, "replace")))
    survives(read_table, io.StringIO(text), log=True)


@BOUNDED
@given(content=st.binary(max_size=400))
@example(b"\x1f\x8b\x08")
@example(b"PAR1" + bytes(20) + b"PAR1")
@example(b"PK\x03\x04 xl/workbook")
@example("label;estimate;se\nÅ;1,5;2".encode("latin-1"))
@example(b"label,estimate,se\n" + b"x" * 200_000 + b",1,2\n")
def test_any_bytes_as_any_input(targets, content):
    for run in targets.TARGETS.values():
        run(content)


CELL_OF_JSON = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**400), 10**400), st.floats(), st.text(max_size=5), st.just([1])
)


@BOUNDED
@given(rows=st.lists(st.dictionaries(NAMES, CELL_OF_JSON, max_size=4), max_size=4), by=st.integers(0, 2))
def test_json_of_any_types(rows, by):
    columns = {name: [row.get(name) for row in rows] for row in rows for name in row}
    text = [json.dumps(rows), json.dumps(columns), "\n".join(map(json.dumps, rows))][by]
    survives(read_table, io.StringIO(text))


@BOUNDED
@given(columns=st.dictionaries(NAMES, st.lists(CELL_OF_JSON, max_size=4) | CELL_OF_JSON, max_size=4))
def test_columns_of_any_types(columns):
    survives(read_table, columns)


@BOUNDED
@given(
    text=st.text(max_size=40)
    | st.tuples(
        st.sampled_from(["normal", "Half-Cauchy", "t", "spike_slab", "uniform", "two_normals"]),
        st.lists(NUMBERS, max_size=3),
    ).map(lambda parts: f"{parts[0]}({', '.join(parts[1])})")
)
def test_any_text_as_a_prior_or_as_effects(text):
    table = {"estimate": [1.0, 2.0, 4.0], "std_error": [1.0, 1.0, 2.0]}
    for option in ("prior_mu", "prior_tau"):
        survives(pp.pool, **table, **{option: text})
    survives(pp.pool_effects, **table, effects=text)


TERMS = st.lists(
    st.sampled_from(
        ["y", "~", "x", "g", "(", ")", "|", "||", "+", "1", "0", "*", ":", "/", "se(s)", "np.log(x)", "C(g)"]
    )
    | st.text(max_size=4),
    max_size=10,
).map(" ".join)


@BOUNDED
@given(text=TERMS)
@example("y ~ x + (1 | g)")
@example("y ~ __import__('os').getcwd()")
@example("y ~ " + "(" * 60)
def test_any_text_as_a_formula(text):
    data = {"y": [1.0, 2.2, 2.9, 4.1], "x": [0.5, 1, 2, 3], "g": ["a", "a", "b", "b"], "s": [1.0, 1, 1, 1]}
    survives(pp.formula, text, data)


@BOUNDED
@given(name=st.text(max_size=10) | st.sampled_from(["..", ".zattrs", "a\\b", "chain", "x" * 300]))
def test_names_that_are_taken_can_be_kept_everywhere(name, tmp_path):
    """A name is refused, or it can be a file's, a store's and a terminal's."""
    try:
        check_axes({name: (2,)}, {name: (f"axis of {name}"[:200],)}, {})
    except NameMismatchError as error:
        return _said(error)
    assert name.isprintable()
    (tmp_path / name).mkdir(exist_ok=True)
    assert (tmp_path / name).resolve().parent == tmp_path.resolve()


def test_what_would_grow_beyond_all_measure_is_refused(monkeypatch):
    """A small archive of a large file, an archive in an archive, a workbook of zeros, endless nesting."""
    monkeypatch.setattr(sources, "MOST_BYTES", 2**16)
    content = b"label,estimate,se\n" + b"a,1,2\n" * 2**14
    with pytest.raises(TableError, match="larger than"):
        read_table(io.BytesIO(gzip.compress(content)))
    with pytest.raises(TableError, match="holds another one"):
        read_table(io.BytesIO(gzip.compress(gzip.compress(b"label,estimate,se\na,1,2\n"))))
    workbook = io.BytesIO()
    with zipfile.ZipFile(workbook, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", bytes(2**20))
    with pytest.raises(TableError, match="larger than"):
        read_table(io.BytesIO(workbook.getvalue()))
    for nested in (
        "[" * 100_000,
        '{"a":' * 100_000,
        f'[{{"label": "a", "estimate": {"9" * 5000}, "se": 1}}]',
    ):
        with pytest.raises(TableError, match="JSON"):
            read_table(io.StringIO(nested))


def test_a_device_without_an_end_is_no_table(monkeypatch):
    monkeypatch.setattr(sources, "MOST_BYTES", 2**16)
    with pytest.raises(TableError, match="larger than"):
        read_table("/dev/zero")


def test_a_long_field_and_many_columns_are_said_clearly():
    with pytest.raises(TableError, match="longer than"):
        read_table(io.StringIO(f"label,estimate,se\n{'x' * 200_000},1,2\n"))
    wide = ",".join(f"c{i}" for i in range(20_000))
    with pytest.raises(TableError):
        read_table(io.StringIO(f"{wide}\n{wide}\n"))
    numbers = ",".join("1" * 300 for _ in range(3))
    assert np.isfinite(read_table(io.StringIO(f"label,estimate,se\n{numbers}\n")).estimate).all()
