"""What people ask of recorded predictions by commands, with a recorder that answers in this process."""

import json
from types import SimpleNamespace

import httpx
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from mlstrata.cli.application import app
from mlstrata.operations import feedback_file, recorded
from mlstrata.operations.errors import UsageError
from mlstrata.operations.targets.records import local_recorder, local_records
from mlstrata.operations.targets.records import secret as read_secret
from mlstrata.services.recording.app import build
from mlstrata.services.recording.names import KEY_FILE
from mlstrata.services.recording.settings import Recorded, RecorderSettings
from mlstrata.services.recording.sqlite import open_store
from mlstrata.services.recording.store import Feedback
from mlstrata.services.recording.subject import subject_hash
from tests.support.recording import record

TOKEN, KEY = "a-token-of-the-tests", "a-key-of-the-environment"
NOW = 1_800_000_000.0


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path, shares={"credit": 1.0})
    yield opened
    opened.close()


@pytest.fixture
def deployment(store, tmp_path, monkeypatch):
    for name, secret in (("token", TOKEN), ("subject-key", KEY)):
        path = tmp_path / "config/recorder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{secret}\n")
    settings = RecorderSettings(
        port=0,
        token_file=tmp_path / "config/recorder/token",
        home=tmp_path,
        predictions=1e6,
        systems={"credit": Recorded(label_share=1.0, hold=184 * 86400.0)},
    )
    client = TestClient(build(settings, store, TOKEN), base_url="http://recorder")

    def request(method, url, *, content, headers, timeout, trust_env):
        return client.request(method, url, content=content, headers=headers)

    monkeypatch.setattr(httpx, "request", request)
    target = SimpleNamespace(urls={"recorder": "http://recorder"}, audit_file=tmp_path / "audit.jsonl")
    found = SimpleNamespace(name="test", file="test.yaml", home=tmp_path, target=target, system=lambda _: None)
    target.here = lambda _: target
    target.recorder = lambda: local_recorder(found)
    target.subject_key = lambda: read_secret(found, KEY_FILE)
    target.records = lambda: local_records(found)
    return found


def test_feedback_of_a_table_joins_what_is_recorded(deployment, store, tmp_path):
    store.add([record(f"r-{number}", rows=2) for number in range(3)])
    table = tmp_path / "truth.csv"
    table.write_text("id,instance,truth,reward,group.sex\nr-0,,yes,,f\nr-0,1,no,1.5,\nr-9,,yes,,\n")
    assert recorded.tell(deployment, "credit", feedback_file.read(str(table))) == recorded.Told(3, 3)
    assert recorded.tell(deployment, "credit", iter([])) == recorded.Told(0, 0)
    rows = [one.feedback for one in store.window("credit", since=0, until=1e12, groups=True) if one.feedback]
    told = [(one.id, one.instance, one.truth, one.reward, dict(one.groups)) for one in rows]
    assert told == [("r-0", 0, "yes", None, {"sex": "f"}), ("r-0", 1, "no", 1.5, {})]


def test_json_lines_say_the_same(tmp_path):
    lines = tmp_path / "truth.jsonl"
    lines.write_text('\n{"id": "r-1", "truth": 1}\n\n{"id": "r-2", "groups": {"sex": "f"}}\n')
    assert list(feedback_file.read(str(lines))) == [{"id": "r-1", "truth": 1}, {"id": "r-2", "groups": {"sex": "f"}}]


BAD = [
    ("id,trooth\nr-1,1\n", "got column 'trooth'; allowed id, instance, truth"),
    ("truth\n1\n", "has no column 'id'"),
    ("id,reward\nr-1,much\n", ":2: reward: got 'much'; a number is needed"),
    ("id,reward\nr-1\n", ":2: has another number of values"),
    ('{"id": "r-1"}\n[1\n', ":2: no JSON object"),
]


@pytest.mark.parametrize(("text", "says"), BAD)
def test_a_file_that_cannot_be_used_is_refused(tmp_path, text, says):
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(UsageError, match=says.replace("[", r"\[")):
        list(feedback_file.read(str(path)))


def test_a_refused_line_says_what_is_kept(deployment, store, monkeypatch):
    monkeypatch.setattr(recorded, "BATCH", 2)
    lines = [{"id": f"r-{number}", "truth": "1"} for number in range(4)] + [{"id": "r-5"}]
    with pytest.raises(UsageError, match=r"says nothing; .*; of the lines, the first 4 are kept"):
        recorded.tell(deployment, "credit", iter(lines))
    assert store.joined() == {"": 4}


def test_a_request_is_explained(deployment, store):
    store.add([record("r-1"), record("r-1", "2", shadow=True), record("r-2", system="fraud")])
    store.tell([Feedback("r-1", 1.0, truth="yes", groups={"sex": "f"})])
    found = recorded.prediction(deployment, "credit", "r-1")
    assert [one["version"] for one in found["records"]] == ["1", "2"]
    assert [(one["truth"], "groups" in one) for one in found["feedback"]] == [("yes", False)]
    with pytest.raises(UsageError, match="nothing of credit is recorded under 'r-2'"):
        recorded.prediction(deployment, "credit", "r-2")


def test_an_export_holds_every_row_of_its_time(deployment, store, tmp_path):
    from datetime import UTC, datetime

    store.add([record(f"r-{number}", at=NOW + number, rows=2) for number in range(5)])
    store.tell([Feedback("r-2", 1.0, instance=1, truth="yes", groups={"sex": "f"})])
    begin, end = (datetime.fromtimestamp(NOW + shift, UTC) for shift in (1, 4))
    path = tmp_path / "rows.parquet"
    assert recorded.export(deployment, "credit", path, since=begin, until=end) == 6
    rows = pq.read_table(path).to_pylist()
    assert [(one["id"], one["instance"]) for one in rows] == [(f"r-{n}", row) for n in (1, 2, 3) for row in (0, 1)]
    assert [one["truth"] for one in rows] == [None, None, None, "yes", None, None]
    assert json.loads(rows[0]["explanation"]) == {"income": 0.25}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_queue_is_listed_and_decided(deployment, store):
    store.add([record("r-1")])
    assert recorded.waiting(deployment, "credit", "labelling", 5)["waiting"] == 1
    decision = {"id": "r-1", "instance": 0, "truth": "yes", "reviewer": "anna"}
    assert recorded.decide(deployment, "credit", "labelling", decision) is True
    assert recorded.waiting(deployment, "credit", "labelling", 5) == {"waiting": 0, "rows": []}


def test_a_person_is_erased_and_the_audit_log_does_not_say_who(deployment, store):
    store.add([record("r-1", at=1.0, subject=subject_hash(KEY, "C-17")), record("r-2", at=1.0)])
    with pytest.raises(UsageError, match="--reason: names the person"):
        recorded.erase_person(deployment, "credit", "C-17", "C-17 asked")
    done = recorded.erase_person(deployment, "credit", " C-17 ", "asked by letter")
    assert (done.erased, done.held, done.until, done.record) == (1, 0, None, 1)
    assert store.missing(["r-1", "r-2"]) == {"r-1"}
    log = (deployment.home / "audit.jsonl").read_text()
    assert "1 records erased, 0 held" in log
    assert "C-17" not in log
    assert subject_hash(KEY, "C-17") not in log


def test_without_a_recorder_the_fix_is_said(deployment):
    deployment.target.urls = {}
    with pytest.raises(UsageError, match=r"records nothing yet; its capability 'recording' comes with stage scale"):
        recorded.waiting(deployment, "credit", "review", 5)


def test_the_commands_are_there():
    groups = [one.typer_instance.registered_commands for one in app.registered_groups]
    assert {one.callback.__name__ for group in groups for one in group} >= {"predictions", "feedback", "queue"}
