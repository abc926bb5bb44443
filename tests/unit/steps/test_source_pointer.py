"""A DVC pointer says which content the file beside it must have."""

import hashlib

import pytest

from mlstrata_steps import StepError
from mlstrata_steps.ingest import ingest

CONTENT = b"a,y\n1,yes\n2,no\n"
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@pytest.fixture
def pointer(tmp_path):
    (tmp_path / "loans.csv").write_bytes(CONTENT)
    path = tmp_path / "loans.csv.dvc"

    def write(text=None, **change):
        out = {"md5": MD5, "size": len(CONTENT), "hash": "md5", "path": "loans.csv"}
        lines = [f"{name}: {value}" for name, value in {**out, **change}.items()]
        path.write_text(text if text is not None else "outs:\n- " + "\n  ".join(lines) + "\n")
        return str(path)

    return write


def test_the_file_that_a_pointer_names_is_read(pointer, tmp_path):
    found = ingest(pointer(), str(tmp_path / "store"))
    assert found.pointer == "md5:" + MD5
    plain = ingest(str(tmp_path / "loans.csv"), str(tmp_path / "store"))
    assert (found.data_version, found.stamp, found.rows) == (plain.data_version, plain.stamp, 2)
    assert plain.pointer == ""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"md5": "f" * 32}, f"got md5 {MD5} and 15 bytes, the pointer says {'f' * 32}"),
        ({"size": 14}, "15 bytes, the pointer says .* and 14"),
        ({"md5": "0" * 32 + ".dir"}, "points to a folder"),
        ({"path": "../loans.csv"}, "must be a csv, parquet or jsonl file beside it"),
        ({"path": "other.csv"}, "'other.csv' of .* is not here; `dvc pull` brings it"),
        ({"text": "outs: []"}, "is no DVC pointer"),
        ({"text": "{"}, "is no DVC pointer"),
    ],
)
def test_anything_else_is_refused(pointer, tmp_path, change, says):
    with pytest.raises(StepError, match=says):
        ingest(pointer(**change), str(tmp_path / "store"))


def test_a_missing_pointer_is_said(tmp_path):
    with pytest.raises(StepError, match="there is no pointer"):
        ingest(str(tmp_path / "none.csv.dvc"), str(tmp_path / "store"))
