"""What is acknowledged is not lost, whatever ends the process, and comes once to a reader that remembers its place."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlstrata.services.recording.segments import HEAD, SUFFIX, frame, frames
from mlstrata.services.recording.spill import Durability, Spill, SpillError, SpillFullError
from tests.support.patience import eventually

SMALL = 256


def opened(folder, **given):
    return Spill(folder, **({"segment": SMALL, "limit": 2**20, "wait_s": 0.0} | given))


def everything(spill, most=7):
    found = []
    while (batch := spill.read(most)).payloads:
        found += batch.payloads
        spill.trim(batch.upto)
    return found


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spill"


@pytest.mark.parametrize("durability", Durability)
def test_records_come_back_in_order_over_several_segments(folder, durability):
    spill = opened(folder, durability=durability)
    numbers = [spill.append(b"%d" % number).result() for number in range(100)]
    assert numbers == list(range(100))
    assert len(list(folder.glob(f"*{SUFFIX}"))) > 2
    assert everything(spill) == [b"%d" % number for number in range(100)]
    spill.close()


def test_only_what_the_store_has_committed_goes(folder):
    spill = opened(folder)
    for number in range(100):
        spill.append(b"%03d" % number).result()
    batch = spill.read(60)
    assert spill.read(60) == batch, "it is read again until it is committed"
    spill.trim(batch.upto)
    spill.close()
    again = opened(folder)
    assert again.committed == batch.upto > 0
    assert again.pending == 100 - batch.upto
    assert everything(again) == [b"%03d" % number for number in range(batch.upto, 100)]
    again.close()


def test_two_processes_never_have_one_folder(folder):
    spill = opened(folder)
    with pytest.raises(SpillError, match="another process"):
        opened(folder)
    spill.close()
    opened(folder).close()


def test_a_full_spill_refuses_and_takes_again_once_the_store_has_committed(folder):
    spill = opened(folder, limit=1000)
    for _ in range(10):
        spill.append(b"x" * 90).result()
    with pytest.raises(SpillFullError, match="of 1000"):
        spill.append(b"x" * 90)
    kept = everything(spill)
    assert kept == [b"x" * 90] * 10
    # Of the last file nobody knows yet that it is synced and closed.
    eventually(lambda: _takes(spill))
    spill.close()


def _takes(spill):
    spill.trim(spill.committed)
    with suppress(SpillFullError):
        return spill.append(b"x" * 90).result() >= 0
    return False


def test_a_full_disk_refuses_and_what_was_taken_stays(folder, monkeypatch):
    spill = opened(folder)
    spill.append(b"kept").result()
    real = os.pwrite

    def full(handle, data, at):
        if len(data) > 3:
            return real(handle, data[:3], at)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(SpillFullError, match="No space"):
        spill.append(b"lost")
    monkeypatch.undo()
    spill.append(b"after").result()
    spill.close()
    again = opened(folder)
    assert everything(again) == [b"kept", b"after"]
    again.close()


def test_no_room_for_another_segment_refuses_and_leaves_no_file(folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    spill = opened(folder)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(SpillFullError):
        spill.append(b"x")
    assert not list(folder.glob(f"*{SUFFIX}"))
    monkeypatch.undo()
    assert spill.append(b"x").result() == 0
    spill.close()


def test_a_record_that_cannot_be_synced_is_not_acknowledged_and_the_next_one_is(folder):
    broken = threading.Event()

    def sync(handle):
        if broken.is_set():
            raise OSError(errno.EIO, "Input/output error")
        os.fdatasync(handle)

    spill = opened(folder, sync=sync)
    spill.append(b"first").result()
    broken.set()
    with pytest.raises(SpillError, match="cannot be synced"):
        spill.append(b"second").result()
    broken.clear()
    spill.append(b"third").result()
    read = everything(spill)
    assert read[0] == b"first"
    assert read[-1] == b"third"
    spill.close()


def test_several_that_wait_share_one_sync(folder):
    syncs, free, entered = [], threading.Event(), threading.Event()

    def sync(_):
        syncs.append(1)
        entered.set()
        free.wait()

    spill = opened(folder, sync=sync, segment=2**16)
    first = spill.append(b"0")
    entered.wait()
    others = [spill.append(b"%d" % number) for number in range(1, 20)]
    assert not any(one.done() for one in [first, *others])
    assert spill.read().payloads == (), "what is not acknowledged is not read"
    free.set()
    assert [one.result() for one in [first, *others]] == list(range(20))
    assert len(syncs) == 2
    spill.close()


def test_an_interval_acknowledges_what_is_written(folder):
    spill = opened(folder, durability=Durability.INTERVAL, sync=lambda _: pytest.fail("synced"), interval_s=3600.0)
    assert spill.append(b"x").done()
    assert spill.read().payloads == (b"x",)
    spill._sync = os.fdatasync
    spill.close()


def test_what_a_disk_changed_is_counted_and_what_follows_is_read(folder, caplog):
    spill = opened(folder)
    for number in range(60):
        spill.append(b"%03d" % number).result()
    second = sorted(folder.glob(f"*{SUFFIX}"))[1]
    first = int(second.stem)
    data = bytearray(second.read_bytes())
    data[HEAD.size] ^= 1
    second.write_bytes(data)
    third = int(sorted(folder.glob(f"*{SUFFIX}"))[2].stem)
    expected = [b"%03d" % number for number in range(60) if not first <= number < third]
    assert everything(spill) == expected
    assert spill.damaged == third - first
    spill.close()
    assert "cannot be read any more" in caplog.text


def test_a_file_of_zeros_holds_nothing():
    assert list(frames(bytes(4096), 0)) == []


PAYLOADS = st.lists(st.binary(min_size=1, max_size=60), max_size=12)
ENDINGS = st.sampled_from(["closed", "killed", "torn", "flipped", "truncated"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), PAYLOADS),
        st.tuples(st.just("read"), st.integers(1, 9)),
        st.tuples(st.just("crash"), ENDINGS, st.binary(min_size=1, max_size=60), st.integers(0, 10**6)),
    ),
    max_size=14,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, group=st.booleans())
def test_nothing_acknowledged_is_lost_and_nothing_comes_twice(steps, group):
    durability = Durability.GROUP if group else Durability.INTERVAL
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "0"
        spill = opened(folder, durability=durability)
        acknowledged, maybe, seen = [], set(), []
        for step in steps:
            if step[0] == "append":
                acknowledged += [(spill.append(payload).result(), payload) for payload in step[1]]
            elif step[0] == "read":
                batch = spill.read(step[1])
                seen += zip(range(batch.upto - len(batch.payloads), batch.upto), batch.payloads, strict=True)
                spill.trim(batch.upto)
            else:
                spill, lost = _crashed(spill, *step[1:])
                maybe |= lost
        batches = everything(spill, 5)
        upto = spill.committed
        seen += zip(range(upto - len(batches), upto), batches, strict=True)
        spill.close()
        numbers = [number for number, _ in seen]
        assert numbers == sorted(set(numbers)), "each once, in order"
        assert set(acknowledged) <= set(seen)
        assert set(seen) - set(acknowledged) <= maybe


def _crashed(spill, how, payload, place):
    """End the process that has a spill in a way; return what the next one finds, and what may be in it beside."""
    next_number, durability = spill._next, spill._durability
    good = spill._open.size if spill._open else 0
    file = spill._open.path.name if spill._open else f"{next_number:020d}{SUFFIX}"
    beside = spill.folder.with_name(str(len(list(spill.folder.parent.iterdir()))))
    shutil.copytree(spill.folder, beside)
    spill.close()
    if how == "closed":
        return opened(spill.folder, durability=durability), set()
    torn = frame(next_number, payload)
    if how != "killed":
        with (beside / file).open("r+b" if (beside / file).exists() else "w+b") as written:
            written.seek(good)
            written.write(torn)
            if how == "torn":
                written.truncate(good + place % (len(torn) + 1))
            elif how == "flipped":
                at = place % len(torn)
                written.seek(good + at)
                written.write(bytes([torn[at] ^ (1 + place % 255)]))
            elif how == "truncated":
                written.truncate(good)
    return opened(beside, durability=durability), {(next_number, payload)}


WRITER = """
import sys
from pathlib import Path
from mlstrata.services.recording.spill import Durability, Spill
spill = Spill(Path(sys.argv[1]), durability=Durability(sys.argv[2]), segment=4096, wait_s=0.0)
number = 0
while True:
    spill.append(b"%d" % number).result()
    print(number, flush=True)
    number += 1
"""


@pytest.mark.parametrize("durability", Durability)
def test_kill_9_loses_nothing_that_was_acknowledged(folder, durability):
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), durability.value], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    told = [int(child.stdout.readline()) for _ in range(300)]
    child.kill()
    told += [int(line) for line in child.stdout.read().splitlines()]
    child.wait()
    spill = opened(folder)
    found = [int(payload) for payload in everything(spill, 500)]
    spill.close()
    assert found[: len(told)] == told
    assert len(found) - len(told) <= 1, "one may be on disk that nobody was told of"
