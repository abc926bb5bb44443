"""Files of a home: whole, private, inside."""

import os
import stat
from pathlib import Path

import pytest

from mlstrata.components.supervision import files
from mlstrata.components.supervision.file import ConfigFileProvider
from mlstrata.components.supervision.supervisor import check_home
from mlstrata.components.supervision.values import SupervisionError


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a/../../b", "", "."])
def test_paths_stay_inside(tmp_path, path):
    with pytest.raises(SupervisionError, match="inside of the environment's home"):
        files.inside(tmp_path, path)


def test_a_secret_is_never_readable_by_others(tmp_path, monkeypatch):
    modes = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (modes.append(stat.S_IMODE(os.fstat(fd).st_mode)), fsync(fd)))
    old = os.umask(0)
    try:
        assert files.write(tmp_path / "deep/er/file", "x", 0o600)
    finally:
        os.umask(old)
    assert modes == [0o600]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "deep", tmp_path / "deep/er")] == [0o700, 0o700]


def test_the_same_text_is_not_written_again(tmp_path):
    path = tmp_path / "file"
    files.write(path, "x")
    before = path.stat().st_ino
    assert not files.write(path, "x")
    assert path.stat().st_ino == before
    assert files.write(path, "x", 0o644), "its permissions are part of it"


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    files.write(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SupervisionError, match=r"could not write .*file: No space left on device"):
        files.write(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_removing_takes_the_empty_folders_along(tmp_path):
    files.write(tmp_path / "a/b/c", "x")
    files.write(tmp_path / "a/d", "x")
    files.remove(tmp_path / "a/b/c", tmp_path)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["d"]
    files.remove(tmp_path / "a/d", tmp_path)
    assert tmp_path.exists()
    assert not list(tmp_path.iterdir())


def test_the_tail_of_a_log_is_its_last_lines(tmp_path):
    (tmp_path / "log").write_text("".join(f"line {number}\n" for number in range(5000)))
    assert files.tail(tmp_path / "log", 2) == "    line 4998\n    line 4999"
    assert "empty" in files.tail(tmp_path / "none")


def test_a_contributed_file_says_when_it_is_not_as_written(tmp_path):
    provider = ConfigFileProvider()
    props = {"home": str(tmp_path), "socket": str(tmp_path / "s"), "path": "config/x", "content": "one", "signal": ""}
    made = provider.create(props).outs
    assert provider.read("id", made).outs["state"] == "as written"
    (tmp_path / "config/x").write_text("two")
    found = provider.read("id", made).outs
    assert found["state"] == "edited: config/x"
    assert provider.diff("id", found, props).changes
    provider.update("id", found, props)
    assert (tmp_path / "config/x").read_text() == "one"
    (tmp_path / "config/x").unlink()
    assert provider.read("id", made).outs["state"] == "missing: config/x"
    provider.create(props)
    provider.delete("id", made)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ['a "b', "a ;b", "a #b", "a,b", "100%", "a[b]", "a*"])
def test_a_home_that_the_supervisor_cannot_name_is_refused(name):
    with pytest.raises(SupervisionError, match="move the checkout"):
        check_home(Path("/home") / name)
