"""Copies in a store: kept when they arrived whole, and only then are older ones removed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlstrata.services.backup.__main__ import BackupError, back_up, fetch

START = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    folder = tmp_path / "dumps"
    folder.mkdir()
    (folder / "mlflow.dump").write_bytes(b"PGDMP" + b"x" * 1000)
    (folder / "feast.dump").write_bytes(b"PGDMP")
    return folder


def test_a_copy_is_what_was_sent(dumps, tmp_path):
    store = tmp_path / "store"
    name, removed = back_up(dumps, f"file://{store}", keep=14, now=START)
    assert name == "20261101T000000Z"
    assert removed == []
    for file in dumps.iterdir():
        assert (store / name / file.name).read_bytes() == file.read_bytes()


def test_the_oldest_go_and_the_newest_stay(dumps, tmp_path):
    store = tmp_path / "store"
    (store / "other").mkdir(parents=True)
    names = [back_up(dumps, f"file://{store}", keep=3, now=START + timedelta(days=day))[0] for day in range(5)]
    assert sorted(path.name for path in store.iterdir()) == [*names[2:], "other"], "what is no copy is not touched"


@pytest.mark.parametrize("content", [None, b""])
def test_nothing_is_no_backup_and_removes_nothing(content, tmp_path, dumps):
    store = tmp_path / "store"
    kept, _ = back_up(dumps, f"file://{store}", keep=1, now=START)
    empty = tmp_path / "empty"
    empty.mkdir()
    if content is not None:
        (empty / "mlflow.dump").write_bytes(content)
    with pytest.raises(BackupError, match="a backup needs files"):
        back_up(empty, f"file://{store}", keep=1, now=START + timedelta(days=1))
    assert (store / kept).is_dir()


@pytest.mark.parametrize(("asked", "day"), [("newest", 1), ("20261101T000000Z", 0)])
def test_what_was_copied_comes_back(dumps, tmp_path, asked, day):
    store, back = f"file://{tmp_path}/store", tmp_path / "back"
    for at in range(2):
        (dumps / "mlflow.dump").write_bytes(b"PGDMP of day %d" % at)
        back_up(dumps, store, keep=14, now=START + timedelta(days=at))
    assert fetch(back, store, asked) == (START + timedelta(days=day)).strftime("%Y%m%dT%H%M%SZ")
    assert (back / "mlflow.dump").read_bytes() == b"PGDMP of day %d" % day
    assert (back / "feast.dump").read_bytes() == b"PGDMP"


def test_a_copy_that_is_not_there_is_told_with_those_that_are(dumps, tmp_path):
    store = f"file://{tmp_path}/store"
    with pytest.raises(BackupError, match="none yet"):
        fetch(tmp_path / "back", f"file://{tmp_path}", "newest")
    back_up(dumps, store, keep=14, now=START)
    with pytest.raises(BackupError, match="allowed newest, 20261101T000000Z"):
        fetch(tmp_path / "back", store, "20200101T000000Z")
