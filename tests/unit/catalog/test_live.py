"""What the pages about this moment read, piece by piece: no more than is shown, and no more often than it changes."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata.audit import Entry
from mlstrata.audit.log import FIRST
from mlstrata.audit.log import Record as Chained
from mlstrata.services.catalog.build import build
from mlstrata.services.catalog.live import alerts as alerts_module
from mlstrata.services.catalog.live import board as board_module
from mlstrata.services.catalog.live import decisions as decisions_module
from mlstrata.services.catalog.live import records, series
from mlstrata.services.catalog.live.alerts import Alerts
from mlstrata.services.catalog.live.board import Board
from mlstrata.services.catalog.live.decisions import Decisions
from mlstrata.services.catalog.live.records import Records, Row
from mlstrata.services.catalog.live.system import Group, trained_groups
from mlstrata.services.catalog.pages import Asked, Pages
from mlstrata.services.catalog.settings import CatalogSettings, Declared
from mlstrata.services.catalog.sources import Sources
from mlstrata.services.monitor.names import VALUES
from mlstrata.services.monitor.verdict import Watch
from mlstrata.services.recording.record import Instance, Record
from mlstrata.services.recording.sqlite import open_store
from mlstrata.services.recording.store import Feedback, Known, Queue
from mlstrata.services.serving.folders import releases_folder
from mlstrata_steps.reference import FILE, Reference
from tests.support.catalog import SPEC, SYSTEM, lived_in
from tests.support.portal import GROUP, ORIGIN, busy, recorded, verdict
from tests.support.portal import record as a_record

SECRET = "nobody may see this"
CATALOG = build(SPEC, Sources())
HIDDEN = frozenset({GROUP, ORIGIN})
columns = st.sampled_from(["pirat", "lvrat", GROUP, ORIGIN])


def board(home: Path) -> Board:
    files = {"declared": home / "declared.json", "token_file": home / "token", "events": home / "lineage.jsonl"}
    return Board(CatalogSettings(port=0, home=home, registry="http://127.0.0.1:9", **files))


def pages(home: Path) -> Pages:
    return Pages(home, board(home))


def told(name: str) -> object:
    return SECRET if name in HIDDEN else "seen"


instances = st.builds(
    lambda inputs, explained, flags: Instance(
        inputs={name: told(name) for name in inputs},
        output={"probability": 0.5},
        explanation=None if explained is None else dict.fromkeys(explained, 0.25),
        flags=tuple(f"range:{name}" for name in flags),
    ),
    st.sets(columns),
    st.none() | st.sets(columns),
    st.lists(columns, max_size=3),
)


def request_of(rows: list[Instance]) -> Record:
    return a_record("one").model_copy(update={"instances": tuple(rows)})


@given(st.lists(instances, min_size=1, max_size=4))
def test_nothing_that_is_protected_is_anywhere_in_a_row(rows):
    said = Feedback("one", 1.0, truth="yes", groups={ORIGIN: SECRET})
    for at, given_ in enumerate(rows):
        row = Row.of(Known(request_of(rows), at, said), HIDDEN)
        assert not [word for word in (SECRET, GROUP, ORIGIN) if word in repr(row)]
        assert set(row.given.inputs) == set(given_.inputs) - HIDDEN
        assert (row.rows, row.instance, row.feedback.truth) == (len(rows), at, "yes")


def test_of_a_request_with_many_rows_each_is_cleaned_once(monkeypatch):
    cleaned: list[Instance] = []
    real = records._shown
    monkeypatch.setattr(records, "_shown", lambda given, hidden: cleaned.append(given) or real(given, hidden))
    many = request_of([Instance(inputs={"number": number, GROUP: SECRET}, output=None) for number in range(40)])
    rows = [Row.of(Known(many, at, None), HIDDEN) for at in range(40)]
    assert [row.given.inputs for row in rows] == [{"number": number} for number in range(40)]
    assert len(cleaned) == 40


def test_what_waits_is_read_at_once_however_many_rows_of_a_request_wait(tmp_path):
    recorded(tmp_path)
    several = [Instance(inputs={"number": number}, output=None, source="human_review") for number in range(5)]
    store = open_store(tmp_path, shares={SYSTEM: 0.0})
    store.add([request_of(several)])
    read = Records(tmp_path)
    asked: list[set[str]] = []
    real = store.given
    store.given = lambda system, rows: asked.append({request for request, _ in rows}) or real(system, rows)
    read._open = store
    found = read.waiting(Queue.REVIEW, SYSTEM, HIDDEN)
    store.close()
    assert asked == [{"one", "wait-0001", "wait-0002", "wait-0003"}]
    assert [row.given.inputs["number"] for row in found.rows if row.record.id == "one"] == [0, 1, 2, 3, 4]
    assert found.length == len(found.rows) == 8


def test_the_page_of_queues_reads_nothing_else(tmp_path):
    recorded(tmp_path)
    # Whatever else would be read is a folder here, which cannot be.
    for other in ("logs/alerts.jsonl", f"data/monitor/{SYSTEM}/verdict.json", f"data/serving/{SYSTEM}/releases.json"):
        (tmp_path / other).mkdir(parents=True)
    lengths, missing = board(tmp_path).lengths()
    assert lengths == {(Queue.REVIEW, SYSTEM): 3}
    assert missing == ()
    page = pages(tmp_path).page(Asked(CATALOG, Declared.of(SPEC), "queues"))
    assert "3 wait" in page
    assert "0 wait" in page
    assert "Not everything could be read" not in page


def test_a_system_that_is_declared_no_more_has_no_page_though_the_catalog_still_names_it(tmp_path):
    declared = Declared.of(SPEC)
    shown = pages(tmp_path)
    assert SYSTEM in shown.page(Asked(CATALOG, declared, f"systems/{SYSTEM}"))
    without = declared.model_copy(update={"systems": ()})
    assert shown.page(Asked(CATALOG, without, f"systems/{SYSTEM}")) is None


def test_what_is_drawn_over_time_is_asked_for_and_nothing_else(tmp_path, monkeypatch):
    lived_in(tmp_path)
    busy(tmp_path)
    asked: list[str] = []
    monkeypatch.setattr(series, "by_label", lambda url, metric, *_, **__: asked.append(metric) or {})
    sought: list[Path] = []
    monkeypatch.setattr(board_module, "prometheus", lambda home: sought.append(home) or "http://127.0.0.1:9")
    read: list[str] = []
    real = board_module.read_verdict
    monkeypatch.setattr(board_module, "read_verdict", lambda home, name: read.append(name) or real(home, name))
    found = board(tmp_path).system(SPEC.systems[0], "1", {})
    assert read == [SYSTEM]
    assert {figure.key: figure.has_course for figure in found.figures} == {
        "drift": True,
        "answer-drift": True,
        "fairness": True,
        "quality": False,
    }
    assert asked == [VALUES[Watch.INPUT_DRIFT], VALUES[Watch.OUTPUT_DRIFT], VALUES[Watch.FAIRNESS]]
    assert sought == [tmp_path]
    assert found.row.verdict.findings == verdict().findings
    assert [label for label, _ in found.links] == ["MLflow", "Prometheus"]


def notice(name: str, status: str = "firing", minute: int = 0) -> str:
    at = f"2026-11-30T10:{minute:02}:00+00:00"
    labels = {"alertname": name, "service": "runner"}
    told = {"fingerprint": name, "status": status, "labels": labels, "startsAt": at, "received": at}
    return json.dumps(told) + "\n"


def test_alerts_are_parsed_again_only_once_their_log_changed(tmp_path, monkeypatch):
    parsed: list[bytes] = []
    real = alerts_module._read
    monkeypatch.setattr(alerts_module, "_read", lambda line: parsed.append(line) or real(line))
    log = tmp_path / "logs/alerts.jsonl"
    log.parent.mkdir()
    alerts = Alerts(tmp_path)
    assert alerts.read() == ()
    log.write_text(notice("Down"))
    first = alerts.read()
    assert [(one.name, one.firing) for one in first] == [("Down", True)]
    parsed.clear()
    assert alerts.read() == first
    assert parsed == []
    with log.open("a") as stream:
        stream.write(notice("Down", "resolved", 1))
    assert [(one.name, one.firing) for one in alerts.read()] == [("Down", False)]
    log.replace(log.with_name("alerts.jsonl.1"))
    log.write_text(notice("Slow", minute=2))
    assert [one.name for one in alerts.read()] == ["Slow", "Down"]
    log.unlink()
    assert [one.name for one in alerts.read()] == ["Down"]


@pytest.mark.parametrize(
    ("lines", "shown"), [(3, ["C", "B", "A"]), (2.5, ["C", "B"]), (1.5, ["C"]), (1, ["C"]), (0.5, [])]
)
def test_of_the_log_put_aside_only_what_room_is_left_for_is_read(tmp_path, monkeypatch, lines, shown):
    monkeypatch.setattr(alerts_module, "SEARCHED", int(lines * len(notice("A"))))
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "alerts.jsonl.1").write_text(notice("A") + notice("B", minute=1))
    (folder / "alerts.jsonl").write_text(notice("C", minute=2))
    assert [one.name for one in Alerts(tmp_path).read()] == shown


def test_a_system_about_which_much_is_decided_hides_no_decision_about_another(tmp_path):
    path = tmp_path / decisions_module.LOG
    path.parent.mkdir(parents=True)
    written: list[bytes] = []

    def decide(system: str, reason: str) -> None:
        fields = {"id": reason, "when": datetime(2026, 11, 30, tzinfo=UTC), "who": "ada", "action": "release"}
        more = {"system": system, "version_from": None, "version_to": "1", "reason": reason, "outcome": "done"}
        entry = Entry.model_validate({**fields, **more}).model_dump(mode="json")
        written.append(Chained.of(len(written) + 1, FIRST, {}, entry).line() + b"\n")

    decide("quiet", "once")
    for number in range(600):
        decide("busy", f"number {number}")
    path.write_bytes(b"".join(written) + written[0][:-20])
    decisions = Decisions(tmp_path)
    assert [one.reason for one in decisions.newest("quiet")] == ["once"]
    assert [one.reason for one in decisions.newest("busy")] == [f"number {number}" for number in range(599, 579, -1)]
    assert decisions.newest("unknown") == ()
    with path.open("ab") as stream:
        stream.write(written[0][-20:])
    assert len(decisions.newest("quiet")) == 2, "the line that was being written is whole now"


REFERENCE = Reference(
    task="binary",
    output={},
    measured_on="test",
    rows=90,
    inputs=(),
    answers=(),
    groups={ORIGIN: {"yes": {"rows": 40, "auc": 0.75, "note": "no figure"}, "no": {"rows": 50}}},
)


def models(home: Path) -> Path:
    made = releases_folder(home, SYSTEM) / "models/1"
    made.mkdir(parents=True)
    return made / FILE


def test_groups_are_those_that_training_measured(tmp_path):
    assert trained_groups(tmp_path, SYSTEM, None) == trained_groups(tmp_path, SYSTEM, "1") == ()
    models(tmp_path).write_text(REFERENCE.text())
    assert trained_groups(tmp_path, SYSTEM, "1") == (
        Group(ORIGIN, "yes", {"rows": 40.0, "auc": 0.75}),
        Group(ORIGIN, "no", {"rows": 50.0}),
    )


@pytest.mark.parametrize(
    "text",
    [
        "{damaged",
        "[]",
        '{"format": 0, "groups": {}}',
        replace(REFERENCE, groups={ORIGIN: {"yes": 3}}).text(),
        json.dumps(json.loads(REFERENCE.text()) | {"groups": ["none"]}),
    ],
)
def test_a_reference_that_cannot_be_read_is_named_and_ends_no_page(tmp_path, text):
    lived_in(tmp_path)
    (releases_folder(tmp_path, SYSTEM) / "models/1" / FILE).write_text(text)
    found = board(tmp_path).system(SPEC.systems[0], "1", {})
    assert found.groups == ()
    assert [one for one in found.missing if one.startswith("groups: ")]
