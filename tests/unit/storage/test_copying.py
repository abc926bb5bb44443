"""A copy of a store is the store, whatever cut it off before; what was not proved is never removed."""

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlstrata.environments.spec.storage import FolderStorage, S3Storage
from mlstrata.services.storage.copying import copy, empty
from mlstrata.services.storage.migration import JOURNAL, Migration, Phase, read, same
from mlstrata.services.storage.settings import BucketStore, FolderStore
from mlstrata.services.storage.stores import Folder, StorageError, opened

NAMES = st.lists(
    st.text(st.characters(whitelist_categories=("Ll", "Nd"), whitelist_characters=" ü-"), min_size=1, max_size=8),
    min_size=1,
    max_size=3,
).map("/".join)
TREES = st.dictionaries(NAMES, st.binary(max_size=64), max_size=6).filter(
    lambda tree: not any(other.startswith(f"{name}/") for name in tree for other in tree)
)


class CutOffError(Exception):
    """What stands for a kill."""


class Dying(Folder):
    """A folder whose writer dies after so many writes; the one it dies in is left unfinished."""

    def __init__(self, root: Path, writes: int) -> None:
        super().__init__(root)
        self.left = writes

    def write(self, name, source):
        self.left -= 1
        if self.left < 0:
            path = self._root / f"{name}.mlstrata-unfinished"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.read()[:1])
            raise CutOffError
        super().write(name, source)


def filled(root: Path, tree: dict[str, bytes]) -> Folder:
    folder = opened(FolderStore(path=root))
    for name, content in tree.items():
        folder.write(name, io.BytesIO(content))
    return folder


def held(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@settings(deadline=None, max_examples=40)
@given(tree=TREES, before=TREES, deaths=st.lists(st.integers(0, 3), max_size=4))
def test_after_any_deaths_the_target_is_the_source(tmp_path_factory, tree, before, deaths):
    clash = any(a == b or a.startswith(f"{b}/") or b.startswith(f"{a}/") for a in tree for b in before)
    before = {} if clash else before
    root = tmp_path_factory.mktemp("stores")
    source, target = filled(root / "a", tree), filled(root / "b", before)
    for writes in deaths:
        try:
            copy(source, Dying(root / "b", writes))
        except CutOffError:
            continue
    done = copy(source, target)
    found = {name: content for name, content in held(root / "b").items() if not name.endswith("-unfinished")}
    assert found == tree == held(root / "a")
    assert (done.artifacts, done.size) == (len(tree), sum(map(len, tree.values())))
    assert copy(source, target).written == 0
    assert empty(source, done.digests) == len(tree)
    assert held(root / "a") == {}


def test_the_same_size_with_other_bytes_is_copied_again(tmp_path):
    source, target = filled(tmp_path / "a", {"m": b"good"}), filled(tmp_path / "b", {"m": b"evil"})
    assert copy(source, target).written == 1
    assert held(tmp_path / "b") == {"m": b"good"}


def test_what_is_read_back_otherwise_is_not_taken_for_a_copy(tmp_path):
    class Forgetful(Folder):
        def write(self, name, source):
            super().write(name, io.BytesIO(source.read()[:-1]))

    source = filled(tmp_path / "a", {"m": b"good"})
    (tmp_path / "b").mkdir()
    with pytest.raises(StorageError, match="m: what was read back is not what was written"):
        copy(source, Forgetful(tmp_path / "b"))


def test_what_came_after_the_copy_keeps_the_old_store_whole(tmp_path):
    source, target = filled(tmp_path / "a", {"m": b"1", "n": b"2"}), filled(tmp_path / "b", {})
    proved = copy(source, target).digests
    source.write("late", io.BytesIO(b"3"))
    with pytest.raises(StorageError, match="1 artifacts came to the old store after the copy, such as late"):
        empty(source, proved)
    assert set(held(tmp_path / "a")) == {"m", "n", "late"}


def test_the_journal_says_which_store_is_used(tmp_path):
    assert read(tmp_path) is None
    folder, bucket = FolderStorage(kind="folder"), S3Storage(kind="s3")
    moving = Migration(source=folder, target=bucket)
    assert moving.active == folder
    assert moving.model_copy(update={"phase": Phase.SWITCHED}).active == bucket
    assert moving.needed == (folder, bucket)
    assert moving.model_copy(update={"phase": Phase.EMPTIED}).needed == (bucket,)
    (tmp_path / JOURNAL).parent.mkdir(parents=True)
    (tmp_path / JOURNAL).write_text(moving.model_dump_json())
    assert read(tmp_path) == moving
    assert same(bucket, S3Storage(kind="s3", versioning=False))
    assert not same(folder, FolderStorage(kind="folder", path="models"))


def test_no_key_is_in_what_a_client_is_told():
    store = BucketStore(bucket="b-1", endpoint="http://127.0.0.1:1", credentials=Path("/h/credentials"))
    assert store.uri == "s3://b-1/artifacts"
    assert store.variables()["AWS_SHARED_CREDENTIALS_FILE"] == "/h/credentials"
    assert not any(word in name for name in store.variables() for word in ("ACCESS_KEY", "SECRET", "TOKEN"))
