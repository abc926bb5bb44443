"""What the audit log gets to know of a decision, and what happens when it cannot take it."""

from datetime import UTC, datetime

import pytest

from mlstrata.audit import AuditLog, read, verify
from mlstrata.clients.mlflow import Candidate
from mlstrata.operations.releases import RolloutError
from mlstrata.operations.releases.journal import Journal
from mlstrata.services.serving.releases import HistoryEntry, Releases


def decided(kind, version, before=None, minute=0, **metrics):
    return HistoryEntry(
        kind=kind,
        when=datetime(2026, 11, 21, 6, minute, tzinfo=UTC),
        who="ana",
        why="because",
        from_=before,
        to=version,
        metrics=metrics,
    )


HISTORY = (decided("release", "1", auc=0.7), decided("release", "2", "1", minute=1, auc=0.8))
RELEASES = Releases(champion="2", loaded=("1", "2"), history=HISTORY)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit" / "audit.jsonl"


@pytest.fixture
def broken(path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(AuditLog, "append", full)
    monkeypatch.setattr(AuditLog, "ready", full)
    return path


def test_an_entry_has_who_why_and_the_metrics_of_both(path):
    told = Journal(path, "loans", "release").took_effect(RELEASES)
    (record,) = read(path)
    assert told == f"1:{record.hash}"
    assert record.entry == {
        "id": "release/loans/2026-11-21T06:01:00+00:00",
        "when": "2026-11-21T06:01:00Z",
        "who": "ana",
        "action": "release",
        "system": "loans",
        "version_from": "1",
        "version_to": "2",
        "reason": "because",
        "metrics": {"candidate": {"auc": 0.8}, "champion": {"auc": 0.7}},
        "outcome": "done",
        "problem": None,
    }
    assert Journal(path, "loans", "rollback").took_effect(RELEASES) == told
    assert len(read(path)) == 1


def test_a_failure_is_told_with_its_problem_in_one_line(path):
    error = RolloutError("it fails\nin two lines " + "x" * 600)
    Journal(path, "loans", "release").failed(RELEASES, Candidate("3", "", {"auc": 0.9}), "why", "ben", error)
    entry = read(path)[0].entry
    assert (entry["outcome"], entry["who"], entry["version_from"], entry["version_to"]) == ("failed", "ben", "2", "3")
    assert entry["problem"].startswith("it fails in two lines x")
    assert len(entry["problem"]) == 500
    assert entry["metrics"] == {"candidate": {"auc": 0.9}, "champion": {"auc": 0.8}}


def test_what_was_abandoned_is_told_once_and_only_when_it_was(path):
    journal = Journal(path, "loans", "release")
    journal.abandoned(RELEASES)
    assert read(path) == []
    unsettled = RELEASES.model_copy(update={"settled": False})
    journal.abandoned(unsettled)
    journal.abandoned(unsettled)
    assert [record.entry["outcome"] for record in read(path)] == ["interrupted"]


def test_a_release_that_cannot_be_recorded_is_refused(broken):
    journal = Journal(broken, "loans", "release")
    with pytest.raises(RolloutError, match=r"cannot be written: .*No space left.*; make it writable"):
        journal.ready("why", "ana")
    with pytest.raises(RolloutError, match="No space left"):
        journal.took_effect(RELEASES)


def test_a_rollback_that_cannot_be_recorded_is_done_and_late(broken):
    journal = Journal(broken, "loans", "rollback")
    journal.ready("why", "ana")
    assert journal.took_effect(RELEASES) is None
    assert "roll back once more" in journal.late[0]


@pytest.mark.parametrize("kind", ["release", "rollback"])
def test_a_reason_that_cannot_be_kept_is_refused_first(path, kind):
    with pytest.raises(RolloutError, match="reason: got what looks like a password"):
        Journal(path, "loans", kind).ready("password: hunter2", "ana")
    assert not path.exists()


def test_a_log_that_was_tampered_with_is_said(path):
    Journal(path, "loans", "release").took_effect(Releases(champion="1", loaded=("1",), history=HISTORY[:1]))
    path.write_bytes(path.read_bytes().replace(b'"who":"ana"', b'"who":"eve"'))
    journal = Journal(path, "loans", "release")
    journal.took_effect(RELEASES)
    assert "not the one that was written last" in journal.warnings[0]
    assert "entry 1" in verify(path).problems[0]
