"""Copies of a bucket's objects: only what is new is fetched, and a bucket that was lost comes back whole."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlstrata.services.backup.copies import BackupError
from mlstrata.services.backup.objects import COPIES, Folder, Made, back_up, restore
from tests.support.bucket import KEYS, client, serving

pytestmark = pytest.mark.local
START = datetime(2026, 11, 1, 1, 17, tzinfo=UTC)
BUCKET = "lost"
LARGE = os.urandom(9 << 20)
"""More than is sent at once, so it is put together of parts by the service."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("store"), BUCKET) as found:
        yield found


@pytest.fixture
def s3(url: str) -> Any:
    return client(url)


@pytest.fixture
def bucket(s3: Any) -> str:
    # One for all: each takes volumes of the service's.
    for key in held(s3, BUCKET):
        s3.delete_object(Bucket=BUCKET, Key=key)
    for key, body in {"1/model": b"a model", "data/rows.csv": b"a,b\n", "same": b"a model"}.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    return BUCKET


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "copies")


def night(s3: Any, bucket: str, folder: Folder, number: int, keep: int = 14) -> Made:
    return back_up(s3, bucket, folder, keep, START + timedelta(days=number))


def held(s3: Any, bucket: str) -> dict[str, bytes]:
    listed = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {one["Key"]: s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed}


def command(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, **KEYS, "AWS_ENDPOINT_URL_S3": url, "AWS_DEFAULT_REGION": "us-east-1"}
    words = [sys.executable, "-m", "mlstrata.services.backup.objects", *arguments]
    return subprocess.run(words, env=environ, capture_output=True, text=True, check=False)


def test_a_lost_bucket_comes_back_as_it_was(url, s3, bucket, folder):
    s3.upload_fileobj(io.BytesIO(LARGE), bucket, "models/large")
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    s3.put_object(Bucket=bucket, Key="a key/with ümläut", Body=b"x")
    before = held(s3, bucket)
    made = command(url, f"--bucket={bucket}", f"--folder={folder.path}")
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.endswith(": 6 objects, 6 of them new; 0 older copies removed\n")
    for key in before:
        s3.delete_object(Bucket=bucket, Key=key)
    s3.delete_bucket(Bucket=bucket)
    back = command(url, f"--bucket={bucket}", f"--folder={folder.path}", "--restore=newest")
    assert (back.returncode, back.stderr) == (0, "")
    assert back.stdout == f"s3://{bucket}: 6 objects were sent, the others were there\n"
    assert held(s3, bucket) == before


def test_a_night_fetches_what_is_new_and_each_content_once(s3, bucket, folder):
    assert night(s3, bucket, folder, 0).fetched == 3
    assert night(s3, bucket, folder, 1).fetched == 0
    s3.put_object(Bucket=bucket, Key="2/model", Body=b"another")
    s3.put_object(Bucket=bucket, Key="data/rows.csv", Body=b"c,d\n")
    s3.delete_object(Bucket=bucket, Key="same")
    made = night(s3, bucket, folder, 2)
    assert (made.objects, made.fetched, made.damaged) == (3, 2, 0)
    contents = {path.name for path in (folder.path / "contents").glob("*/*")}
    assert contents == {hashlib.sha256(one).hexdigest() for one in (b"a model", b"a,b\n", b"another", b"c,d\n")}


def test_the_oldest_go_with_what_only_they_had(s3, bucket, folder):
    first = night(s3, bucket, folder, 0, keep=2).name
    s3.put_object(Bucket=bucket, Key="data/rows.csv", Body=b"c,d\n")
    night(s3, bucket, folder, 1, keep=2)
    assert folder.content(hashlib.sha256(b"a,b\n").hexdigest()).exists()
    assert night(s3, bucket, folder, 2, keep=2).removed == [first]
    assert not folder.content(hashlib.sha256(b"a,b\n").hexdigest()).exists()
    assert len(folder.names()) == 2


def test_an_earlier_night_brings_back_what_was_overwritten_and_removed_since(s3, bucket, folder):
    before = held(s3, bucket)
    first = night(s3, bucket, folder, 0).name
    s3.put_object(Bucket=bucket, Key="data/rows.csv", Body=b"c,d\n")
    s3.delete_object(Bucket=bucket, Key="1/model")
    s3.put_object(Bucket=bucket, Key="since", Body=b"new")
    night(s3, bucket, folder, 1)
    assert restore(s3, bucket, folder, first, versioning=False) == (2, [])
    assert held(s3, bucket) == {**before, "since": b"new"}, "what it has besides stays"


class Cut:
    """A client whose service goes away after some objects."""

    def __init__(self, s3: Any, after: int) -> None:
        self.s3, self.left = s3, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self.s3, name)

    def get_object(self, **asked: str) -> Any:
        self.left -= 1
        if self.left < 0:
            raise ConnectionError("it went away")
        return self.s3.get_object(**asked)


def test_a_copy_that_was_cut_off_goes_on(s3, bucket, folder):
    with pytest.raises(ConnectionError):
        night(Cut(s3, 2), bucket, folder, 0)
    assert folder.names() == []
    made = night(s3, bucket, folder, 0)
    assert (made.objects, made.fetched) == (3, 1)


def test_an_object_that_came_short_is_no_copy(s3, bucket, folder):
    class Short(Cut):
        def get_object(self, **asked: str) -> Any:
            answer = self.s3.get_object(**asked)
            return {**answer, "ContentLength": answer["ContentLength"] + 1}

    with pytest.raises(BackupError, match=r"bytes came of"):
        night(Short(s3, 9), bucket, folder, 0)
    assert folder.names() == []
    assert list(folder.path.glob(".unfinished-*")) == []


def test_a_damaged_content_is_found_within_a_week_and_fetched_again(s3, bucket, folder):
    night(s3, bucket, folder, 0)
    path = folder.content(hashlib.sha256(b"a,b\n").hexdigest())
    path.write_bytes(b"x,y\n")
    assert sum(night(s3, bucket, folder, number).damaged for number in range(1, 8)) == 1
    assert path.read_bytes() == b"a,b\n"


def test_a_damaged_content_is_named_and_all_others_come_back(url, s3, bucket, folder):
    before = held(s3, bucket)
    night(s3, bucket, folder, 0)
    folder.content(hashlib.sha256(b"a,b\n").hexdigest()).write_bytes(b"x,y\n")
    for key in before:
        s3.delete_object(Bucket=bucket, Key=key)
    back = command(url, f"--bucket={bucket}", f"--folder={folder.path}", "--restore=newest")
    assert back.returncode == 1
    assert back.stderr.endswith(", and not sent: data/rows.csv\n")
    assert held(s3, bucket) == {key: body for key, body in before.items() if key != "data/rows.csv"}


def test_an_empty_bucket_is_no_copy_of_one_that_had_objects(s3, bucket, folder):
    night(s3, bucket, folder, 0)
    for key in held(s3, bucket):
        s3.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(BackupError, match="it is empty, and had 3 objects"):
        night(s3, bucket, folder, 1)
    assert len(folder.names()) == 1


def test_a_torn_list_is_refused_by_name_and_ends_no_backup(s3, bucket, folder):
    night(s3, bucket, folder, 0)
    torn = night(s3, bucket, folder, 1).name
    (folder.path / COPIES / f"{torn}.json").write_bytes(b"{")
    with pytest.raises(BackupError, match="its list is torn"):
        restore(s3, bucket, folder, "newest", versioning=False)
    made = night(s3, bucket, folder, 2, keep=1)
    assert (made.fetched, made.objects) == (0, 3)


def test_what_cannot_be_is_said_in_a_sentence(url, folder):
    for arguments, said in (
        (["--restore=newest"], "--restore: got newest; allowed none yet in"),
        (["--bucket=not-there"], "NoSuchBucket"),
    ):
        done = command(url, f"--bucket={BUCKET}", f"--folder={folder.path}", *arguments)
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr
