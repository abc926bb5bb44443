"""A table means the same whatever file it comes in: equal versions, equal kinds; and a bad file is told in one line."""

import datetime as dt
import decimal
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlstrata_steps import StepError
from mlstrata_steps.cells import KINDS, Format, NoValue, infer, value
from mlstrata_steps.ingest import ingest
from mlstrata_steps.source import read_source
from mlstrata_steps.tables import kind_of

# What each kind is written of; a text that reads as something else is none that a csv can keep apart.
WORDS = st.text(st.characters(codec="utf-8", categories=("L", "Zs")), max_size=6).filter(
    lambda text: not text or infer([text], written=True) == "string"
)
CELLS = {
    "whole": st.integers(-(2**63), 2**63 - 1),
    "small": st.integers(-9, 9).map(float),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "flag": st.booleans(),
    "text": WORDS,
    "code": st.integers(0, 99).map(lambda number: f"{number:05d}"),
    "day": st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31)),
    "moment": st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1)),
}


@st.composite
def tables(draw):
    rows = draw(st.integers(1, 8))
    gaps = {name: st.none() | cells if draw(st.booleans()) else cells for name, cells in CELLS.items()}
    table = {name: draw(st.lists(cells, min_size=rows, max_size=rows)) for name, cells in gaps.items()}
    table["row"] = list(range(rows))  # a row of nothing is none
    return table


def written(folder: Path, table: dict[str, list[object]]) -> list[str]:
    """Write a table as parquet, csv and JSON lines."""
    types = {"small": pa.float64(), "number": pa.float64(), "flag": pa.bool_(), "text": pa.string(), "day": pa.date32()}
    types |= {"moment": pa.timestamp("us"), "whole": pa.int64(), "code": pa.string(), "row": pa.int64()}
    arrow = pa.table({name: pa.array(cells, types[name]) for name, cells in table.items()})
    pq.write_table(arrow, folder / "t.parquet")
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in table.items()})
    frame.to_csv(folder / "t.csv", index=False)
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    lines = [json.dumps(row, default=str) for row in rows]
    (folder / "t.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return [str(folder / f"t.{suffix}") for suffix in ("parquet", "csv", "jsonl")]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(tables())
def test_a_table_has_one_version_and_the_same_kinds_in_every_format(tmp_path, table):
    files = written(tmp_path, table)
    kinds = [{name: kind_of(column) for name, column in read_source(file).items()} for file in files]
    assert kinds[0] == kinds[1] == kinds[2]
    assert len({ingest(file, str(tmp_path / "store")).data_version for file in files}) == 1


@given(
    st.sampled_from(KINDS), st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary()
)
def test_a_cell_has_one_value_and_that_value_stands_for_itself(kind, cell):
    for as_text in (False, True):
        try:
            found = value(cell, kind, written=as_text)
        except NoValue:
            continue
        assert value(found, kind) == found


def read(tmp_path, content, name="t.csv", form=None, **more):
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_source(str(file), Format.parse(form), **more)


def kinds(table):
    return {name: kind_of(table[name]) for name in table}


TYPED = [
    ("decimal", pa.array([decimal.Decimal("1.50"), None], pa.decimal128(10, 2)), "number", [1.5, None]),
    ("whole decimal", pa.array([decimal.Decimal(5)], pa.decimal128(10, 0)), "number", [5.0]),
    ("large decimal", pa.array([decimal.Decimal("2.25")], pa.decimal256(50, 2)), "number", [2.25]),
    ("gaps", pa.array([True, None, False]), "boolean", [True, None, False]),
    ("bytes", pa.array([b"M\xc3\xa4x", None]), "string", ["Mäx", None]),
    ("fixed bytes", pa.array([b"ab"], pa.binary(2)), "string", ["ab"]),
    ("dictionary", pa.array(["a", "b", "a"]).dictionary_encode(), "string", ["a", "b", "a"]),
    ("large text", pa.array(["a"], pa.large_string()), "string", ["a"]),
    ("a view", pa.array(["a"], pa.string_view()), "string", ["a"]),
    ("float32", pa.array([0.1, 2.5], pa.float32()), "number", [0.1, 2.5]),
    ("float16", pa.array([np.float16(0.5)], pa.float16()), "number", [0.5]),
    ("uint64", pa.array([2**63 - 1], pa.uint64()), "integer", [2**63 - 1]),
    ("int8", pa.array([1, None], pa.int8()), "integer", [1, None]),
    ("day", pa.array([dt.date(2025, 9, 28)]), "date", ["2025-09-28"]),
    ("midnights", pa.array([dt.datetime(2025, 9, 28)], pa.timestamp("ns")), "date", ["2025-09-28"]),
    ("zone", pa.array([dt.datetime(2025, 9, 28, 10)], pa.timestamp("ms", "Europe/Berlin")), "time", ["2025-09-28T10"]),
    ("clock", pa.array([dt.time(10, 30)], pa.time64("ns")), "string", ["10:30:00"]),
    ("nothing", pa.nulls(2), "integer", [None, None]),
    ("empty text", pa.array(["", "a"]), "string", [None, "a"]),
]


@pytest.mark.parametrize(("column", "kind", "values"), [one[1:] for one in TYPED], ids=[one[0] for one in TYPED])
def test_every_type_of_parquet_is_one_of_our_kinds(tmp_path, column, kind, values):
    pq.write_table(pa.table({"c": column}), tmp_path / "t.parquet")
    found = read_source(str(tmp_path / "t.parquet"))["c"]
    assert kind_of(found) == kind
    if kind in {"date", "time"}:
        values = [pd.Timestamp(one) for one in values]
    assert [None if pd.isna(one) else one for one in found] == values


NO_KIND = [
    ("lists", pa.array([[1]]), "column c holds values of type list"),
    ("objects", pa.array([{"a": 1}]), "column c holds values of type struct"),
    ("spans", pa.array([dt.timedelta(1)]), "column c holds values of type duration"),
    ("bytes", pa.array([b"\xff\x00", b"ok"]), r"column c holds b'\\xff\\x00' in 1 row, which is not bytes that are"),
    (
        "large",
        pa.array([2**64 - 1], pa.uint64()),
        r"column c holds whole numbers above 2\^63, such as 18446744073709551615",
    ),
]


@pytest.mark.parametrize(("column", "says"), [one[1:] for one in NO_KIND], ids=[one[0] for one in NO_KIND])
def test_what_has_no_kind_is_refused_by_name_unless_nothing_sees_it(tmp_path, column, says):
    pq.write_table(pa.table({"c": column, "x": range(len(column))}), tmp_path / "t.parquet")
    with pytest.raises(StepError, match=says):
        read_source(str(tmp_path / "t.parquet"))
    assert kinds(read_source(str(tmp_path / "t.parquet"), exclude=["c"])) == {"c": "string", "x": "integer"}


WRITTEN = [
    ("whole numbers", ["1", "-2", ""], "integer"),
    ("gaps made numbers of them", ["1.0", "2.0", ""], "integer"),
    ("decimals that are whole", ["1.00", "2.00", ""], "integer"),
    ("numbers", ["1.0", "2.0"], "number"),
    ("words for missing among numbers", ["1.5", "NA", "null"], "number"),
    ("words for missing among flags", ["TRUE", "false", "n/a"], "boolean"),
    ("NA among texts", ["NA", "DE", "None"], "string"),
    ("NA alone", ["NA", "NA"], "string"),
    ("zeros in front", ["01067", "80331"], "string"),
    ("days", ["2025-01-31", ""], "date"),
    ("no such day", ["2025-02-30", "2025-01-01"], "string"),
    ("moments", ["2025-01-31 10:00:00", "2025-01-31T11:00Z"], "time"),
    ("days and moments", ["2025-01-31", "2025-01-31T11:00:00+02:00"], "time"),
    ("phones", ["+4930123456", "+4940123456"], "string"),
    ("exponents", ["1e-3", "2"], "number"),
    ("flags and numbers", ["true", "1"], "string"),
]


@pytest.mark.parametrize(("texts", "kind"), [one[1:] for one in WRITTEN], ids=[one[0] for one in WRITTEN])
def test_the_kind_of_what_a_csv_writes(tmp_path, texts, kind):
    rows = "".join(f"{at},{text}\n" for at, text in enumerate(texts))
    assert kinds(read(tmp_path, f"row,c\n{rows}"))["c"] == kind


def test_a_text_stays_what_it_is(tmp_path):
    table = read(tmp_path, 'row,c\n1,NA\n2,null\n3," x "\n4,\n5,""\n')
    assert table["c"].fillna("gone").tolist() == ["NA", "null", " x ", "gone", "gone"]


def test_a_declared_format_is_read(tmp_path):
    form = {"delimiter": ";", "decimal": ",", "thousands": ".", "encoding": "windows-1252", "dates": "%d.%m.%Y"}
    form |= {"missing": ["k.A.", "9999"], "kinds": {"plz": "string"}}
    rows = "name;saldo;seit;plz;n\nJürgen;1.234,50;28.09.2025;80331;1\nk.A.;k.A.;01.10.2025;10115;9999\n"
    table = read(tmp_path, rows.encode("windows-1252"), form=form)
    assert kinds(table) == {"name": "string", "saldo": "number", "seit": "date", "plz": "string", "n": "integer"}
    assert table["name"].fillna("gone").tolist() == ["Jürgen", "gone"]
    assert table["saldo"].tolist()[0] == 1234.5
    assert table["seit"].tolist()[0] == pd.Timestamp("2025-09-28")
    assert table.isna().sum().to_dict() == {"name": 1, "saldo": 1, "seit": 0, "plz": 0, "n": 1}


def test_a_group_of_other_than_three_digits_is_no_thousands(tmp_path):
    assert (
        kinds(read(tmp_path, "a;b\n1.5;x\n", form={"delimiter": ";", "decimal": ",", "thousands": "."}))["a"]
        == "string"
    )


@pytest.mark.parametrize("start", ["", "\ufeff", "\n\n"])
def test_names_of_rows_marks_and_empty_lines_are_left_out(tmp_path, start):
    table = read(tmp_path, f'{start},a,"b c",\n0,1,x,\n1,2,y,\n,,,\n\n')
    assert table.to_dict("list") == {"a": [1, 2], "b c": ["x", "y"]}


BAD = [
    ("ragged", "a,b\n1,2,\n3,4,\n", "line 2 has 3 fields, the header 2 \\(2 rows"),
    ("short", "a,b\n1,2\n3\n", "line 3 has 1 fields, the header 2;"),
    ("ragged after a text of lines", 'a,b\n"x\ny",2\n3,4,5\n', "line 4 has 3 fields, the header 2"),
    ("twice", "a,b,a\n1,2,3\n", "several columns named a; names must be unique"),
    ("no name", "a,,b\n1,2,3\n", "column 2 has no name; name it in the header"),
    ("semicolons", "a;b\nx;1\n", 'separated by a semicolon; write format: {delimiter: ";"}'),
    ("semicolons and decimal commas", "a;b\n1,5;2,5\n", 'separated by a semicolon; write format: {delimiter: ";"}'),
    ("tabs", "a\tb\n1\t2\n", 'separated by a tab; write format: {delimiter: "\\\\t"}'),
    ("Latin-1", "a,b\nM\xe4x,1\n".encode("latin-1"), "line 2: byte 0xe4 is no utf-8 \\('Mäx,1'\\); write format"),
    ("UTF-16", "a,b\nx,1\n".encode("utf-16"), "is written in UTF-16; write format: {encoding: utf-16}"),
    ("Parquet", b"PAR1\x15\x04\x15\xf0", "is no csv, but a Parquet file; call it .parquet"),
    ("a spreadsheet", b"PK\x03\x04\x14\x00", "is no csv, but a spreadsheet or an archive"),
    ("empty", "", "cannot be read as csv: it is empty"),
]


@pytest.mark.parametrize(("content", "says"), [one[1:] for one in BAD], ids=[one[0] for one in BAD])
def test_a_bad_csv_is_told_in_one_line_with_its_cause(tmp_path, content, says):
    with pytest.raises(StepError, match=says.replace("{", r"\{").replace("}", r"\}")) as raised:
        read(tmp_path, content)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"a": 1}\n{"a": ', "line 2 is not JSON"),
        ("[1]\n", "line 1 is no object"),
        ('{"a": [1]}', "column a holds lists"),
    ],
)
def test_bad_json_lines_are_told_in_one_line(tmp_path, content, says):
    with pytest.raises(StepError, match=says):
        read(tmp_path, content, "t.jsonl")


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"delimeter": ";"}, "format: unknown rule 'delimeter'"),
        ({"encoding": "utf-9"}, "format.encoding: got 'utf-9'"),
        ({"kinds": {"a": "interger"}}, "did you mean 'integer'"),
        ({"kinds": {"n": "integer"}}, "format.kinds: the data has no column 'n'; it has a, b"),
        ({"kinds": {"b": "integer"}}, "column b holds 'x' in 1 row, which is not a number"),
    ],
)
def test_a_format_that_does_not_fit_is_told(tmp_path, form, says):
    with pytest.raises(StepError, match=says):
        read(tmp_path, "a,b\n1,x\n", form=form)


def test_a_name_given_twice_is_refused_in_every_format(tmp_path):
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("a,a\n1,2\n")
    (tmp_path / "t.jsonl").write_text('{"a": 1, "a": 2}\n')
    for suffix in ("parquet", "csv", "jsonl"):
        with pytest.raises(StepError, match="several columns named a; names must be unique"):
            read_source(str(tmp_path / f"t.{suffix}"))


def test_the_names_of_folders_are_no_columns(tmp_path):
    (tmp_path / "year=2025").mkdir()
    pq.write_table(pa.table({"a": [1]}), tmp_path / "year=2025" / "t.parquet")
    assert kinds(read_source(str(tmp_path / "year=2025" / "t.parquet"))) == {"a": "integer"}


def test_a_declared_kind_reads_the_texts_of_a_typed_file(tmp_path):
    pq.write_table(pa.table({"a": ["1.5", None, "2"], "b": ["7", "8", "9"]}), tmp_path / "t.parquet")
    assert kinds(read_source(str(tmp_path / "t.parquet"))) == {"a": "string", "b": "string"}
    form = Format.parse({"kinds": {"a": "number", "b": "integer"}})
    table = read_source(str(tmp_path / "t.parquet"), form)
    assert kinds(table) == {"a": "number", "b": "integer"}
    assert table["a"].tolist()[0] == 1.5


def test_rows_of_nothing_are_left_out_of_training(tmp_path):
    pq.write_table(pa.table({"a": [1, None, 2], "b": ["x", None, "y"]}), tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("a,b\n1,x\n,\n2,y\n")
    versions = {ingest(str(tmp_path / f"t.{suffix}"), str(tmp_path / "s")) for suffix in ("csv", "parquet")}
    assert {one.rows for one in versions} == {2}
    assert len({one.data_version for one in versions}) == 1
