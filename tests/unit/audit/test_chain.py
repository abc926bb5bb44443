"""The chain of the audit log: whatever is changed, removed or moved in it is found, and a crash is no tampering."""

import contextlib
import json
import multiprocessing
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mlstrata.audit import AuditLog, Entry, Metrics, read, verify
from mlstrata.audit.log import HEAD, canonical, parse

COUNT = 5
words = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")).filter(str.isprintable), max_size=40)
figures = st.dictionaries(
    st.sampled_from(["auc", "brier", "log_loss"]), st.floats(allow_nan=False, allow_infinity=False)
)


def entry(number: int = 1, **changes) -> Entry:
    given = {
        "id": f"release/loans/{number}",
        "when": datetime(2026, 11, 21, 6, number % 60, tzinfo=UTC),
        "who": "ana",
        "action": "release",
        "system": "loans",
        "version_from": str(number - 1) if number > 1 else None,
        "version_to": str(number),
        "reason": "better auc",
        "metrics": Metrics(candidate={"auc": 0.8}),
        "outcome": "done",
    }
    return Entry(**(given | changes))


def written(folder: Path, count: int = COUNT) -> Path:
    path = folder / "audit.jsonl"
    for number in range(1, count + 1):
        AuditLog(path).append(entry(number))
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return written(tmp_path)


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> tuple[bytes, bytes]:
    """The bytes of a log, and of its anchor, to be changed in copies."""
    path = written(tmp_path_factory.mktemp("log"))
    return path.read_bytes(), path.with_name(HEAD).read_bytes()


@contextlib.contextmanager
def log_of(data: bytes, head: bytes | None):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "audit.jsonl"
        path.write_bytes(data)
        if head is not None:
            path.with_name(HEAD).write_bytes(head)
        yield path


def test_a_log_is_whole_and_says_what_was_written(log):
    found = verify(log)
    assert (found.ok, found.entries, found.problems, found.notes) == (True, COUNT, (), ())
    records = read(log)
    assert [record.number for record in records] == list(range(1, COUNT + 1))
    assert [Entry(**record.entry) for record in records] == [entry(number) for number in range(1, COUNT + 1)]
    assert found.head == records[-1].hash
    assert log.stat().st_mode & 0o777 == log.with_name(HEAD).stat().st_mode & 0o777 == 0o600


def test_no_log_is_an_empty_one(tmp_path):
    assert verify(tmp_path / "none" / "audit.jsonl").ok
    assert read(tmp_path / "none" / "audit.jsonl") == []
    assert not (tmp_path / "none").exists()


@given(reason=words, who=words, candidate=figures, champion=figures)
def test_whatever_an_entry_says_comes_back_and_verifies(reason, who, candidate, champion):
    said = entry(reason=reason, who=who, metrics=Metrics(candidate=candidate, champion=champion))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "audit.jsonl"
        AuditLog(path).append(said)
        assert verify(path).ok
        assert [Entry(**record.entry) for record in read(path)] == [said]


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_any_changed_byte_is_found(originals, data):
    which = data.draw(st.sampled_from([0, 0, 0, 1]))
    position = data.draw(st.integers(0, len(originals[which]) - 1))
    byte = data.draw(st.integers(0, 255))
    assume(originals[which][position] != byte)
    changed = list(originals)
    changed[which] = originals[which][:position] + bytes([byte]) + originals[which][position + 1 :]
    with log_of(*changed) as path:
        found = verify(path)
    assert not found.ok
    if which == 0:
        line = originals[0][:position].count(b"\n") + 1
        # A changed number calls the entry by another one; its line tells it all the same.
        named = (f"entry {line}", f"(line {line})")
        assert any(name in problem for problem in found.problems for name in named), found.problems


@given(position=st.integers(0), size=st.integers(1, 300))
def test_any_removed_bytes_are_found(originals, position, size):
    position %= len(originals[0])
    with log_of(originals[0][:position] + originals[0][position + size :], originals[1]) as path:
        assert not verify(path).ok


@given(position=st.integers(0), more=st.binary(min_size=1, max_size=60))
def test_anything_put_in_is_found(originals, position, more):
    position %= len(originals[0])
    assume(not (originals[0][:position] + more + originals[0][position:]).startswith(originals[0]))
    with log_of(originals[0][:position] + more + originals[0][position:], originals[1]) as path:
        assert not verify(path).ok


@given(order=st.lists(st.integers(0, COUNT - 1), max_size=COUNT + 2))
def test_any_other_choice_or_order_of_entries_is_found(originals, order):
    lines = originals[0].splitlines(keepends=True)
    with log_of(b"".join(lines[one] for one in order), originals[1]) as path:
        assert verify(path).ok == (order == list(range(COUNT)))


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ({0}, "entry 2 (line 1): entry 1 is missing before it"),
        ({1}, "entry 3 (line 2): entry 2 is missing before it"),
        ({1, 2}, "entry 4 (line 2): entries from 2 on are missing before it"),
        ({4}, "entry 5: missing at the end; audit.head names entry 5 as the last"),
        ({3, 4}, "entry 4: missing at the end; audit.head names entry 5 as the last"),
        ({0, 1, 2, 3, 4}, "entry 1: missing at the end; audit.head names entry 5 as the last"),
    ],
)
def test_a_removed_entry_is_named(log, gone, message):
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(line for number, line in enumerate(lines) if number not in gone))
    assert verify(log).problems == (message,)


def test_an_edited_entry_with_a_hash_of_its_own_is_found(log):
    lines = log.read_bytes().splitlines()
    document = json.loads(lines[2])
    document["entry"]["who"] = "somebody else"
    forged = parse(canonical(document))
    lines[2] = type(forged).of(forged.number, forged.previous, forged.found, forged.entry).line()
    log.write_bytes(b"\n".join(lines) + b"\n")
    assert verify(log).problems == (
        "entry 4 (line 4): does not follow entry 3 as that is now; one of the two was replaced",
    )


def test_only_the_anchor_knows_of_a_removed_end(log):
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:3]))
    log.with_name(HEAD).unlink()
    assert verify(log).problems == ("audit.head is missing: entries may be missing after entry 3",)
    # What no check of these files alone can find: both replaced by what they were earlier.
    with TemporaryDirectory() as folder:
        earlier = written(Path(folder), 3)
        log.with_name(HEAD).write_bytes(earlier.with_name(HEAD).read_bytes())
    assert verify(log).ok


@pytest.mark.parametrize("spoil", ["remove the last", "change the last", "remove the anchor", "change the anchor"])
def test_an_append_after_tampering_keeps_the_evidence(log, spoil):
    data, head = log.read_bytes(), log.with_name(HEAD)
    if spoil == "remove the last":
        log.write_bytes(b"".join(data.splitlines(keepends=True)[:-1]))
    elif spoil == "change the last":
        log.write_bytes(data.replace(b'"version_to":"5"', b'"version_to":"6"'))
    elif spoil == "remove the anchor":
        head.unlink()
    else:
        head.write_text("{}")
    before = verify(log)
    assert not before.ok
    for number in (6, 7):
        done = AuditLog(log).append(entry(number))
        assert bool(done.warnings) == (number == 6)
    after = verify(log)
    assert not after.ok
    assert len(read(log)) == after.entries >= COUNT + 1


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(1), data=st.data())
def test_an_unfinished_last_line_is_removed_and_told(originals, cut, data):
    *kept, last = originals[0].splitlines(keepends=True)
    torn = last[: cut % (len(last) - 1) + 1] if cut % len(last) else last[:-1]
    torn = torn.rstrip(b"\n")
    anchor = parse(kept[-1].rstrip(b"\n"))
    head = canonical({"number": anchor.number, "hash": anchor.hash}) + b"\n"
    with log_of(b"".join(kept) + torn, head) as path:
        found = verify(path)
        assert found.ok
        assert found.notes == (f"the last {len(torn)} bytes are an unfinished entry, which the next one replaces",)
        done = AuditLog(path).append(entry(data.draw(st.sampled_from([COUNT, 9]))))
        assert done.warnings == (
            f"the audit log ended with an unfinished entry of {len(torn)} bytes, which was removed",
        )
        assert done.record.found == {"unfinished_bytes": len(torn)}
        assert path.read_bytes().startswith(b"".join(kept))
        found = verify(path)
        assert (found.ok, found.notes, found.entries) == (True, (), COUNT)


def test_an_anchor_one_entry_behind_is_a_note_and_is_mended(log):
    fourth = read(log)[3]
    log.with_name(HEAD).write_bytes(canonical({"number": 4, "hash": fourth.hash}) + b"\n")
    found = verify(log)
    assert (found.ok, found.notes) == (True, ("audit.head is one entry behind; the next one brings it up to date",))
    AuditLog(log).append(entry(COUNT))
    assert (verify(log).ok, verify(log).notes, verify(log).entries) == (True, (), COUNT)


def test_a_decision_is_recorded_once(log):
    before = log.read_bytes()
    again = AuditLog(log).append(entry(2, reason="told in other words"))
    assert (again.record.number, again.record.entry["reason"]) == (2, "better auc")
    assert log.read_bytes() == before


def test_a_log_that_cannot_be_written_stays_as_it_was(log, monkeypatch):
    before = log.read_bytes()
    real = os.write

    def half_then_full(handle, data):
        monkeypatch.setattr(os, "write", full)
        return real(handle, data[: len(data) // 2])

    def full(handle, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", half_then_full)
    with pytest.raises(OSError, match="No space left"):
        AuditLog(log).append(entry(6))
    assert log.read_bytes() == before


def append_many(path: str, writer: int, count: int) -> None:
    for number in range(count):
        AuditLog(Path(path)).append(entry(id=f"{writer}/{number}", who=f"writer {writer}"))


def test_writers_in_several_processes_keep_one_chain(tmp_path):
    path = tmp_path / "audit" / "audit.jsonl"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=append_many, args=(str(path), writer, 15)) for writer in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    found = verify(path)
    assert (found.ok, found.entries, found.notes) == (True, 60, ())
    assert {record.entry["id"] for record in read(path)} == {f"{w}/{n}" for w in range(4) for n in range(15)}


def test_killed_at_any_moment_the_next_append_makes_a_whole_chain(tmp_path):
    path = tmp_path / "audit.jsonl"
    context = multiprocessing.get_context("fork")
    sizes = set()
    for round_ in range(25):
        writer = context.Process(target=append_many, args=(str(path), round_, 10_000))
        writer.start()
        time.sleep(0.01 + round_ * 0.0013)
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        assert verify(path).ok
        AuditLog(path).append(entry(id=f"after/{round_}"))
        found = verify(path)
        assert (found.problems, found.notes) == ((), ())
        sizes.add(found.entries)
    ids = [record.entry["id"] for record in read(path)]
    assert len(ids) == len(set(ids)) == max(sizes)
    assert len(sizes) == 25


@pytest.mark.parametrize("at", ["fsync", "replace", "write"])
def test_killed_between_any_two_of_its_system_calls(log, at):
    """Each call in turn is the last one of the process."""
    for nth in range(1, 6):
        before = len(read(log))
        child = os.fork()
        if child == 0:
            _die_at(at, nth)
            with contextlib.suppress(BaseException):
                AuditLog(log).append(entry(id=f"{at}/{nth}"))
            os._exit(0)
        os.waitpid(child, 0)
        assert verify(log).ok
        AuditLog(log).append(entry(id=f"{at}/{nth}"))
        found = verify(log)
        assert (found.problems, found.notes, found.entries) == ((), (), before + 1)


def _die_at(call: str, nth: int) -> None:
    where = Path if call == "replace" else os
    real, count = getattr(where, call), iter(range(1, 100))

    def dying(*arguments):
        if next(count) == nth:
            if call == "write":
                real(arguments[0], arguments[1][: len(arguments[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)

    setattr(where, call, dying)


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJkZXNrIn0.c2ln", "looks like a token"),
        ("see password=hunter2", "looks like a password"),
        ("-----BEGIN EC PRIVATE KEY-----", "looks like a private key"),
        ("two\nlines", "a line break"),
        ("x" * 1001, "1001 characters; at most 1000"),
    ],
)
def test_what_must_not_be_kept_is_refused(reason, message):
    with pytest.raises(ValidationError, match=message):
        entry(reason=reason)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_figure_that_is_no_number_is_refused(value):
    with pytest.raises(ValidationError, match="finite"):
        Metrics(candidate={"auc": value})


def test_an_entry_takes_nothing_else(tmp_path):
    with pytest.raises(ValidationError, match="Extra inputs"):
        entry(applicant="a person")
