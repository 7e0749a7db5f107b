"""Every source gives the same table: encodings, separators, Excel, Parquet, JSON, dataframes."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from propto.errors import MissingExtraError, TableError
from propto.pooling.tables import Table, read_table

FRAME = pd.DataFrame({"school": ["Umeå", "B", "C"], "yi": [28.5, 8.0, -3.0], "sei": [15.0, 10.0, 16.0]})
TEXT = FRAME.to_csv(index=False)


def check(table: Table) -> Table:
    assert table.label == tuple(FRAME["school"])
    assert table.estimate.tolist() == FRAME["yi"].tolist()
    assert table.std_error.tolist() == FRAME["sei"].tolist()
    return table


def refused(source: object, **options: object) -> str:
    with pytest.raises(TableError) as caught:
        read_table(source, **options)
    return str(caught.value)


# --- text


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
def test_encodings(encoding: str) -> None:
    check(read_table(io.BytesIO(TEXT.encode(encoding))))


def test_a_guessed_encoding_is_said() -> None:
    assert any("Windows-1252" in note for note in read_table(io.BytesIO(TEXT.encode("cp1252"))).notes)


def test_one_stray_byte_leaves_the_rest_as_it_is() -> None:
    content = "label,yi,se\nA\u2013A,\u22123,1\n".encode() + b"Ume\xe5,1,2\nB,2,3\n"
    table = read_table(io.BytesIO(content))
    assert table.label == ("A\u2013A", "Umeå", "B")
    assert table.estimate[0] == -3


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("ending", ["", "\x1a", "\n\n", ",,\n"])
def test_line_ends_and_separators(newline: str, separator: str, ending: str) -> None:
    text = TEXT.replace("\n", newline).replace(",", separator) + ending.replace(",", separator)
    check(read_table(io.BytesIO(text.encode())))


@pytest.mark.parametrize(
    "text",
    [
        "school;yi;sei\nUmeå;28,5;15\nB;8,0;10,0\nC;-3;16\n",
        "sep=;\nschool;yi;sei\nUmeå;28,5;15\nB;8;10\nC;-3;16\n",
        'school,yi,sei\nUmeå,"28,5","15"\nB,"8,0","10"\nC,-3,16\n',
        "school,yi,sei,\nUmeå,28.5,15,\nB,8,10,\nC,-3,16,\n,,,\n",
        "school,yi,sei\nUmeå,28.5,15,,\nB,8,10\nC,-3,16,\n",
        " School , YI ,Sei\n Umeå , 28.5 , 15 \n B , 8 , 10 \n C , -3 , 16 \n",
        "Table 2: coaching, 1981\n\nSource: Rubin\nschool,yi,sei\nUmeå,28.5,15\nB,8,10\nC,-3,16\n",
        '# by hand, "2024\n\nschool,yi,sei\n# first half\nUmeå,28.5,15\n\nB,8,10\nC,-3,16\n',
        "| school | yi | sei |\n|---|---:|---|\n| Umeå | 28.5 | 15 |\n| B | 8 | 10 |\n| C | -3 | 16 |\n",
        "school    yi   sei\n-------- ----- ----\nUmeå      28.5  15\n  B        8  10  \nC  -3  16\n",
        '"yi" "sei"\n"Umeå" 28.5 15\n"B" 8 10\n"C" -3 16\n',
        '"yi"\t"sei"\n"Umeå"\t28.5\t15\n"B"\t8\t10\n"C"\t-3\t16\n',
        '"school" "yi" "sei"\n"1" "Umeå" 28.5 15\n"2" "B" 8 10\n"3" "C" -3 16\n',
        '"","school","yi","sei"\n"1","Umeå",28.5,15\n"2","B",8,10\n"3","C",-3,16\n',
        ",yi,sei\nUmeå,28.5,15\nB,8,10\nC,-3,16\n",
        "school,yi,sei\nUmeå,28.5,±15\nB,8,+/-10\nC,-3,± 16\n",
    ],
)
def test_dialects(text: str) -> None:
    assert check(read_table(io.StringIO(text))).warnings == ()


def test_decimal_commas_between_commas_are_refused_not_guessed() -> None:
    assert "4 fields" in refused(io.StringIO("label,yi,se\nA,2,5,1\nB,3,5,2\nC,1,5,3\n"))


def test_words_between_spaces_are_refused_not_guessed() -> None:
    assert "4 fields" in refused(io.StringIO("study yi se\nSmith 2001 3 1\nJones 2002 2 1\n"))


def test_line_numbers_are_those_of_an_editor() -> None:
    text = 'x\n\n# c\nlabel,yi,se\r\n"A\nA",1,1\n\n#\nB,"2\n",0\n"C\n\n",3,0\n'
    with pytest.raises(TableError) as caught:
        read_table(io.StringIO(text))
    assert [problem.line for problem in caught.value.problems] == [9, 11]


# --- files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    FRAME.to_csv(tmp_path / "schools.csv", index=False)
    return tmp_path


def test_paths_and_file_objects(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "schools.csv"
    assert check(read_table(path)).source == str(path)
    check(read_table(str(path)))
    with path.open(encoding="utf-8") as text, path.open("rb") as binary:
        assert check(read_table(text)).source == str(path)
        check(read_table(binary))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
        assert check(read_table("-")).source == "<stdin>"
    (folder / "schools.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    check(read_table(folder / "schools.csv.gz"))


def test_a_file_that_is_not_there_suggests_another(folder: Path) -> None:
    assert "schools.csv" in refused(folder / "school.csv")
    assert "no folder" in refused(folder / "nowhere" / "schools.csv")
    assert "not fetched" in refused("https://example.org/schools.csv")
    assert "io.StringIO" in refused(TEXT)


def test_a_folder_names_its_tables(folder: Path) -> None:
    assert '"schools.csv"' in refused(folder)


def test_a_file_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(path: Path, mode: str) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    assert "permission denied" in refused(folder / "schools.csv")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "PNG image"),
        (b"%PDF-1.4\n", "PDF document"),
        (b"PK\x03\x04 nothing", "zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old .xls workbook"),
        (bytes(range(256)) * 4, "not a text file"),
    ],
)
def test_a_binary_file_is_named_and_not_echoed(content: bytes, kind: str) -> None:
    message = refused(io.BytesIO(content))
    assert "not a text" in message
    assert kind in message
    assert message.replace("\n", "").isprintable()


@pytest.mark.parametrize("start", [b"PAR1", b"\x1f\x8b", b"PK\x03\x04xl/workbook.xml"])
def test_a_damaged_file_is_said_to_be_one(start: bytes) -> None:
    message = refused(io.BytesIO(start + b"nonsense"))
    assert "damaged" in message or "cannot be read" in message


# --- Excel and Parquet


def test_excel_by_content_wherever_the_table_stands(folder: Path) -> None:
    FRAME.to_excel(folder / "a.xlsx", index=False, startrow=3, startcol=2)
    check(read_table(folder / "a.xlsx"))
    (folder / "a.xlsx").rename(folder / "a.csv")
    check(read_table(folder / "a.csv"))


def test_excel_takes_the_sheet_with_known_names_and_says_so(folder: Path) -> None:
    with pd.ExcelWriter(folder / "a.xlsx") as book:
        pd.DataFrame({"remarks": ["see the other sheet"]}).to_excel(book, sheet_name="read me")
        FRAME.to_excel(book, sheet_name="data", index=False)
    assert any('"data" is read' in note for note in check(read_table(folder / "a.xlsx")).notes)
    with pd.ExcelWriter(folder / "b.xlsx") as book:
        FRAME.to_excel(book, sheet_name="one", index=False)
        FRAME.to_excel(book, sheet_name="two", index=False)
    assert any('"one" is read' in warning for warning in check(read_table(folder / "b.xlsx")).warnings)


def test_excel_problems_name_the_row_of_the_sheet(folder: Path) -> None:
    FRAME.assign(sei=[0, pd.Timestamp(2024, 4, 3), "x"]).to_excel(folder / "a.xlsx", index=False, startrow=2)
    with pytest.raises(TableError) as caught:
        read_table(folder / "a.xlsx")
    assert [problem.line for problem in caught.value.problems] == [4, 5, 6]
    assert "date" in (caught.value.problems[1].mend or "")


def test_parquet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FRAME.to_parquet(folder / "a.parquet")
    check(read_table(folder / "a.parquet"))
    FRAME.set_index("school").to_parquet(folder / "b.parquet")
    check(read_table(folder / "b.parquet"))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match=r"propto\[parquet\]"):
        read_table(folder / "a.parquet")


# --- JSON


@pytest.mark.parametrize(
    "text",
    [
        FRAME.to_json(orient="records"),
        FRAME.to_json(orient="records", lines=True),
        FRAME.to_json(),
        json.dumps(FRAME.to_dict("list")),
    ],
)
def test_json(text: str) -> None:
    check(read_table(io.StringIO(text)))


def test_json_problems_name_the_line_where_there_is_one() -> None:
    with pytest.raises(TableError) as caught:
        read_table(io.StringIO('{"label": "A", "yi": 1, "se": 1}\n\n{"label": "B", "yi": 2, "se": 0}\n'))
    assert [problem.line for problem in caught.value.problems] == [3]
    assert "row 2" in refused(io.StringIO('[{"label": "A", "yi": 1, "se": 1}, {"label": "B", "yi": 2}]'))
    assert ":2: this line is not JSON" in refused(io.StringIO('{"yi": 1, "se": 1}\n{"yi": 1, "se"\n'))
    assert ":3: this JSON cannot be read" in refused(io.StringIO('[{"yi": 1},\n{"yi": 2},\n{"yi" 3}]'))


# --- in memory


@pytest.mark.parametrize(
    "source",
    [
        FRAME,
        FRAME.set_index("school"),
        FRAME.set_index("school").rename_axis(None),
        FRAME.astype({"school": "category"}),
        FRAME.astype({"yi": "Float64", "sei": object}),
        FRAME.astype({"yi": str}),
        pl.from_pandas(FRAME),
        pl.from_pandas(FRAME).lazy(),
        pa.Table.from_pandas(FRAME),
        FRAME.to_dict("list"),
        FRAME.to_dict("records"),
        {name: FRAME[name].to_numpy() for name in FRAME},
    ],
    ids=str,
)
def test_dataframes_and_columns(source: object) -> None:
    check(read_table(source))


def test_missing_cells_of_dataframes_are_problems() -> None:
    for frame in (
        FRAME.assign(sei=[1.0, np.nan, 2.0]),
        FRAME.assign(sei=pd.array([1, None, 2], dtype="Int64")),
        FRAME.assign(sei=["1", None, "2"]),
        pl.from_pandas(FRAME).with_columns(sei=pl.Series([1.0, None, 2.0])),
        pl.from_pandas(FRAME).with_columns(sei=pl.Series([1.0, float("nan"), 2.0])),
    ):
        assert 'the standard error of "B" (row 2) is empty' in refused(frame)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (FRAME.iloc[:0], "no rows"),
        ({}, "no rows"),
        ([], "no rows"),
        ({"yi": [1, 2], "se": [1]}, "differ in length"),
        ({"yi": 1, "se": [1]}, "not a sequence"),
        ([1, 2], "not a record"),
        (np.eye(3), "type ndarray is not a table"),
        (None, "type NoneType is not a table"),
        (pd.DataFrame([[1, 2, 3]], columns=["yi", "yi", "se"]), "more than one column"),
        (pd.DataFrame([[1, 2, 3]]), "no column for the estimate"),
    ],
    ids=str,
)
def test_what_is_no_table_is_refused(source: object, says: str) -> None:
    assert says in refused(source)
