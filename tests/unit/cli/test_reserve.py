"""Space is kept while there is some, and given back for good."""

import os
from pathlib import Path

from mlstrata.operations import disk_reserve as reserve


def test_it_is_kept_once_and_given_back(tmp_path):
    reserve.keep(tmp_path)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_blocks * 512 >= reserve.BYTES, "real blocks, not a hole"
    before = file.stat().st_mtime_ns
    reserve.keep(tmp_path)
    assert file.stat().st_mtime_ns == before
    reserve.give_back(tmp_path)
    reserve.give_back(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_has_none_to_keep(tmp_path, monkeypatch):
    def full(path, data):
        Path(path).touch()
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_bytes", full)
    reserve.keep(tmp_path)
    assert list(tmp_path.iterdir()) == []
