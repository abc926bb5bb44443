"""A copy is the data of one moment, proved file by file; a restore that is cut off leaves the old or all of the new."""

import os
import shutil
import sqlite3
import tarfile
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlstrata.operations.backup import copy
from mlstrata.operations.backup.copy import ARCHIVE, CopyError, Manifest, gather, put_back, read_manifest
from tests.support.patience import PATIENCE

NAMES = st.lists(
    st.text(st.characters(categories=("Ll", "Nd"), include_characters=" ü-"), min_size=1, max_size=8).filter(
        lambda name: name not in ("prometheus", "alertmanager") and not name.endswith(("-wal", "-shm", "-journal"))
    ),
    min_size=1,
    max_size=3,
).map("/".join)
TREES = st.dictionaries(NAMES, st.binary(max_size=64), max_size=6).filter(
    lambda tree: not any(other.startswith(f"{name}/") for name in tree for other in tree)
)


def about(**changes: object) -> Manifest:
    fields = {"taken": datetime(2026, 11, 1, tzinfo=UTC), "version": "1", "storage": "folder", "released": {}}
    return Manifest(**{"environment": "local", "files": {}, **fields, **changes})


def fill(root: Path, tree: dict[str, bytes]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name, content in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def held(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


class CutOffError(BaseException):
    """What stands for a kill: nothing catches it."""


@settings(deadline=None, max_examples=60)
@given(tree=TREES, before=TREES, cut=st.integers(0, 12))
def test_a_restore_cut_off_anywhere_leaves_the_old_or_the_new_and_the_next_ends_it(tmp_path_factory, tree, before, cut):
    top = tmp_path_factory.mktemp("copy")
    source, target = fill(top / "a/data", tree), fill(top / "b/data", before)
    manifest = gather({"data": source}, top / "copy", about())
    assert {name.removeprefix("data/") for name in manifest.files} == set(tree)
    left = cut

    def dying(real):
        def call(*arguments, **named):
            nonlocal left
            left -= 1
            if left < 0:
                raise CutOffError
            return real(*arguments, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", dying(Path.rename))
        patch.setattr(copy.os, "utime", dying(os.utime))
        try:
            put_back(top / "copy", {"data": target}, manifest)
        except CutOffError:
            # At one point between two renames the old lies beside, whole; nowhere is there a mixture.
            beside = target.with_name("data.replaced")
            assert held(target if target.exists() else beside) in (before, tree)
    put_back(top / "copy", {"data": target}, read_manifest(top / "copy", "local"))
    assert held(target) == tree == held(source)
    assert sorted(path.name for path in target.parent.iterdir()) == ["data"]


def test_a_database_is_copied_as_it_was_at_one_moment(tmp_path):
    path = tmp_path / "data/mlflow/mlflow.db"
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE pairs (a INTEGER, b INTEGER)")
    stop = threading.Event()

    def write() -> None:
        number = 0
        with sqlite3.connect(path, timeout=PATIENCE) as writer:
            while not stop.is_set():
                number += 1
                # Two statements, one transaction: a copy of half of it would hold a sum that is not nought.
                writer.execute("INSERT INTO pairs VALUES (?, 0)", (number,))
                writer.execute("INSERT INTO pairs VALUES (0, ?)", (-number,))
                writer.commit()

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for number in range(5):
            manifest = gather({"data": tmp_path / "data"}, tmp_path / f"copy{number}", about())
            put_back(tmp_path / f"copy{number}", {"data": tmp_path / f"back{number}"}, manifest)
            assert [path.name for path in (tmp_path / f"back{number}/mlflow").iterdir()] == ["mlflow.db"]
            with sqlite3.connect(tmp_path / f"back{number}/mlflow/mlflow.db") as copied:
                assert copied.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                assert copied.execute("SELECT total(a) + total(b) FROM pairs").fetchone() == (0,)
    finally:
        stop.set()
        writing.join()


def test_a_damaged_database_is_said_and_not_copied(tmp_path):
    data = fill(tmp_path / "data", {"mlflow/mlflow.db": b"SQLite format 3\x00" + b"x" * 4096})
    with pytest.raises(CopyError, match=r"mlflow\.db: the database is damaged"):
        gather({"data": data}, tmp_path / "copy", about())


def test_what_is_measured_anew_or_speaks_of_this_machine_stays_behind(tmp_path):
    kept = {"audit/audit.jsonl": b"1", "runner/one/artifacts/x": b"2", "mlflow/artifacts/cache/x": b"3"}
    left = {"prometheus/wal/0": b"4", "alertmanager/silences": b"5", "runner/one/cache/x": b"6"}
    data = fill(tmp_path / "data", kept | left)
    fill(data, {"mlflow/artifacts.location": f"{data}/mlflow/artifacts\n".encode()})
    manifest = gather({"data": data}, tmp_path / "copy", about())
    assert set(manifest.files) == {f"data/{name}" for name in kept}
    fill(data, {"mlflow/artifacts.location": b"s3://models/artifacts\n"})
    manifest = gather({"data": data}, tmp_path / "copy", about())
    assert "data/mlflow/artifacts.location" in manifest.files, "a bucket is the same from everywhere"


def test_a_folder_of_artifacts_elsewhere_comes_too(tmp_path):
    roots = {"data": fill(tmp_path / "home/data", {"a": b"1"}), "artifacts": fill(tmp_path / "models", {"m": b"2"})}
    manifest = gather(roots, tmp_path / "copy", about())
    new = {"data": tmp_path / "new/data", "artifacts": tmp_path / "new models"}
    put_back(tmp_path / "copy", new, manifest)
    assert (held(new["data"]), held(new["artifacts"])) == ({"a": b"1"}, {"m": b"2"})


def test_copies_are_for_their_owner_alone(tmp_path):
    manifest = gather({"data": fill(tmp_path / "data", {"a": b"1"})}, tmp_path / "copy", about())
    put_back(tmp_path / "copy", {"data": tmp_path / "back"}, manifest)
    for path in (tmp_path / "copy", tmp_path / "back"):
        assert path.stat().st_mode & 0o077 == 0
        assert all(one.stat().st_mode & 0o077 == 0 for one in path.rglob("*"))


def _other_bytes(folder: Path) -> None:
    content = (folder / ARCHIVE).read_bytes()
    (folder / ARCHIVE).write_bytes(content.replace(b"precious", b"forged!!"))


def _cut(folder: Path) -> None:
    os.truncate(folder / ARCHIVE, 700)


def _one_more(folder: Path) -> None:
    (folder / "x").write_bytes(b"x")
    with tarfile.open(folder / ARCHIVE, "a") as archive:
        archive.add(folder / "x", "data/extra")


def _without(folder: Path) -> None:
    tarfile.open(folder / ARCHIVE, "w").close()


@pytest.mark.parametrize("damage", [_other_bytes, _cut, _one_more, _without])
def test_a_copy_that_is_not_whole_changes_nothing(tmp_path, damage):
    manifest = gather({"data": fill(tmp_path / "data", {"a": b"precious"})}, tmp_path / "copy", about())
    damage(tmp_path / "copy")
    target = fill(tmp_path / "home/data", {"b": b"mine"})
    with pytest.raises(CopyError, match=r"is damaged .*nothing was changed"):
        put_back(tmp_path / "copy", {"data": target}, manifest)
    assert held(target) == {"b": b"mine"}
    assert [path.name for path in target.parent.iterdir()] == ["data"]


@pytest.mark.parametrize("name", ["data/../../outside", "data//../../outside"])
def test_no_file_leads_out_of_the_folder(tmp_path, name):
    manifest = gather({"data": fill(tmp_path / "data", {"a": b"1"})}, tmp_path / "copy", about())
    entry = manifest.files["data/a"]
    with tarfile.open(tmp_path / "copy" / ARCHIVE, "w") as archive:
        archive.add(tmp_path / "data/a", name)
    forged = manifest.model_copy(update={"files": {name: entry}})
    with pytest.raises(CopyError, match="leads out"):
        put_back(tmp_path / "copy", {"data": tmp_path / "deep/home/data"}, forged)
    assert not list(tmp_path.rglob("outside"))


def test_another_environments_copy_is_refused(tmp_path):
    gather({"data": fill(tmp_path / "data", {"a": b"1"})}, tmp_path / "copy", about(environment="other"))
    with pytest.raises(CopyError, match="the copy is of 'other', not of 'local'; nothing was changed"):
        read_manifest(tmp_path / "copy", "local")
    (tmp_path / "copy/manifest.json").write_text("{}")
    with pytest.raises(CopyError, match="not what a backup writes"):
        read_manifest(tmp_path / "copy", "local")
    shutil.rmtree(tmp_path / "copy")
    with pytest.raises(CopyError, match="no copy of a local environment"):
        read_manifest(tmp_path / "copy", "local")
