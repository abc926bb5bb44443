"""What the process decides stands in the audit log once."""

from mlstrata.audit import read, verify
from mlstrata.operations.learning.audit import record
from mlstrata.services.retraining.journal import Journal
from mlstrata.services.retraining.trigger import Outcome, Trigger


def test_each_decision_once_also_after_a_crash_between_the_two(tmp_path, monkeypatch):
    path, journal = tmp_path / "data/audit/audit.jsonl", Journal(tmp_path / "journal.db")
    drift = Trigger("a", "credit", "input_drift", "InputDrift", "pirat drifted")
    journal.accept([drift], 1e9)
    training = journal.begin("credit", [drift], "InputDrift\npassword: hunter2", 1e9)
    with monkeypatch.context() as dying:
        dying.setattr(journal, "audited", lambda _decision: None)
        record(journal, path, "learning process", {"credit": "3"}.get)
    journal.end(training, Outcome.ROLLED_BACK, "errors", 2e9)
    record(journal, path, "learning process", {"credit": "3"}.get)
    found = [one.entry for one in read(path)]
    assert [(one["action"], one["outcome"], one["version_from"]) for one in found] == [
        ("learning-started", "done", "3"),
        ("learning-rolled-back", "failed", "3"),
    ]
    assert "hunter2" not in found[0]["reason"]
    assert verify(path).ok
    assert journal.to_audit() == []
    journal.close()
