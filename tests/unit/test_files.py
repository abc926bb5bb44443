"""Files: whole or not at all, private from the first byte, locked between processes."""

import os
import stat
import subprocess
import sys
import threading

import pytest

from mlstrata import files


def test_a_write_is_all_or_nothing_and_only_when_needed(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "file.json"
    assert files.write(path, "1")
    inode = path.stat().st_ino
    assert not files.write(path, b"1")
    assert path.stat().st_ino == inode
    assert files.write(path, "2")
    assert path.stat().st_ino != inode

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write(path, "3")
    assert path.read_text() == "2"
    assert [one.name for one in path.parent.iterdir()] == ["file.json"]


def test_a_block_that_raises_changes_nothing(tmp_path):
    path = tmp_path / "file"
    files.write(path, "old")

    def cut_off():
        with files.replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_permissions_are_those_asked_for_whatever_the_umask(tmp_path, monkeypatch, umask):
    modes = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (modes.append(stat.S_IMODE(os.fstat(fd).st_mode)), fsync(fd)))
    old = os.umask(umask)
    try:
        files.write_private(tmp_path / "deep/er/secret", "x")
        files.write(tmp_path / "shared", "x", 0o644)
        files.write(tmp_path / "usual", "x", mode=None)
    finally:
        os.umask(old)
    assert modes == [0o600, 0o644, 0o666 & ~umask], "before the file has its name"
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("deep", "deep/er")] == [0o700, 0o700]


def test_a_change_of_permissions_is_a_change(tmp_path):
    path = tmp_path / "file"
    files.write(path, "x", 0o600)
    assert not files.write(path, "x")
    assert files.write(path, "x", 0o644)
    assert not files.write(path, "x", 0o644)


def test_threads_that_write_one_file_leave_one_of_their_contents(tmp_path):
    path, texts = tmp_path / "file", [str(number) * 50_000 for number in range(8)]
    threads = [threading.Thread(target=files.write, args=(path, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in texts
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


_HOLD = """
import sys, pathlib
from mlstrata import files
with files.locked(pathlib.Path(sys.argv[1]), shared=sys.argv[2] == "shared"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("first", "second", "free"), [("", False, False), ("shared", False, False), ("shared", True, True)]
)
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_lock_holds_between_processes_and_falls_with_its_holder(tmp_path, first, second, free, kind):
    path = tmp_path / "new/lock" if kind == "file" else tmp_path
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, path, first], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        taken = True
        try:
            with files.locked(path, shared=second, wait=False):
                pass
        except BlockingIOError:
            taken = False
        assert taken is free
        assert kind == "folder" or path.parent.stat().st_mode & 0o077 == 0, "the lock's folder is its owner's"
        holder.kill()
        holder.wait()
        with files.locked(path, wait=False):
            pass


def test_a_file_is_its_owners_unless_it_is_said_to_be_shared(tmp_path):
    files.write(tmp_path / "own", "x")
    files.write(tmp_path / "shared", "x", mode=None)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("own", "shared")]
    assert modes == [0o600, 0o666 & ~_umask()]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
