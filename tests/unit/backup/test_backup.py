"""Copies in a store: kept when they arrived whole, and only then are older ones removed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlstrata.services.backup.__main__ import LIST, BackupError, back_up, fetch

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
    name, removed, unfinished = back_up(dumps, f"file://{store}", keep=14, now=START)
    assert name == "20261101T000000Z"
    assert removed == unfinished == []
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
    kept = back_up(dumps, f"file://{store}", keep=1, now=START)
    empty = tmp_path / "empty"
    empty.mkdir()
    if content is not None:
        (empty / "mlflow.dump").write_bytes(content)
    with pytest.raises(BackupError, match="a backup needs files"):
        back_up(empty, f"file://{store}", keep=1, now=START + timedelta(days=1))
    assert (store / kept.name).is_dir()


@pytest.mark.parametrize(("asked", "day"), [("newest", 1), ("20261101T000000Z", 0)])
def test_what_was_copied_comes_back(dumps, tmp_path, asked, day):
    store, back = f"file://{tmp_path}/store", tmp_path / "back"
    for at in range(2):
        (dumps / "mlflow.dump").write_bytes(b"PGDMP of day %d" % at)
        back_up(dumps, store, keep=14, now=START + timedelta(days=at))
    assert fetch(back, store, asked) == (START + timedelta(days=day)).strftime("%Y%m%dT%H%M%SZ")
    assert (back / "mlflow.dump").read_bytes() == b"PGDMP of day %d" % day
    assert (back / "feast.dump").read_bytes() == b"PGDMP"
    assert len(list(back.iterdir())) == 2, "the list of its files is the copy's own"


def test_a_copy_that_is_not_there_is_told_with_those_that_are(dumps, tmp_path):
    store = f"file://{tmp_path}/store"
    with pytest.raises(BackupError, match="none yet"):
        fetch(tmp_path / "back", f"file://{tmp_path}", "newest")
    back_up(dumps, store, keep=14, now=START)
    with pytest.raises(BackupError, match="allowed newest, 20261101T000000Z"):
        fetch(tmp_path / "back", store, "20200101T000000Z")


def cut_off(folder: Path) -> None:
    """Leave of a copy what one that is killed while it is sent leaves."""
    (folder / LIST).unlink()
    (folder / "feast.dump").unlink()


def test_copies_that_were_cut_off_count_for_nothing(dumps, tmp_path):
    store = tmp_path / "store"
    made = [back_up(dumps, f"file://{store}", keep=9, now=START + timedelta(days=day)).name for day in range(4)]
    for name in made[2:]:
        cut_off(store / name)
    assert fetch(tmp_path / "back", f"file://{store}", "newest") == made[1]
    with pytest.raises(BackupError, match=f"got {made[3]}, a copy that was never finished; allowed newest, {made[0]}"):
        fetch(tmp_path / "back", f"file://{store}", made[3])
    last, removed, unfinished = back_up(dumps, f"file://{store}", keep=2, now=START + timedelta(days=9))
    assert (removed, unfinished) == ([made[0]], made[2:])
    assert sorted(path.name for path in store.iterdir()) == [made[1], last]


@pytest.mark.parametrize("damage", ["shorter", "gone", "list"])
def test_a_copy_whose_files_are_not_those_of_its_list_is_not_whole(dumps, tmp_path, damage):
    store = tmp_path / "store"
    first, second = (back_up(dumps, f"file://{store}", keep=9, now=START + timedelta(days=day)).name for day in (0, 1))
    file = store / second / "mlflow.dump"
    if damage == "shorter":
        file.write_bytes(file.read_bytes()[:-1])
    elif damage == "gone":
        file.unlink()
    else:
        (store / second / LIST).write_text("{")
    assert fetch(tmp_path / "back", f"file://{store}", "newest") == first


def test_a_store_without_one_whole_copy_says_so(dumps, tmp_path):
    store = tmp_path / "store"
    cut_off(store / back_up(dumps, f"file://{store}", keep=9, now=START).name)
    with pytest.raises(BackupError, match="got newest; allowed none yet"):
        fetch(tmp_path / "back", f"file://{store}", "newest")


@pytest.mark.parametrize("torn", [b"\xff\xfe", b"[", b"[" * 100_000, b"3"])
def test_a_copy_whose_list_is_torn_is_unfinished_and_ends_no_backup(dumps, tmp_path, torn):
    store = tmp_path / "store"
    first = back_up(dumps, f"file://{store}", keep=3, now=START)
    (store / first.name / LIST).write_bytes(torn)
    second = back_up(dumps, f"file://{store}", keep=3, now=START + timedelta(days=1))
    assert second.unfinished == [first.name]
    assert fetch(tmp_path / "back", f"file://{store}", "newest") == second.name
