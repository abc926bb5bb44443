"""A record of each request is on disk before its answer goes out, without what is not to be stored."""

import asyncio
import errno
import os

import pytest
from prometheus_client import REGISTRY

from mlstrata.services.alerts.rules import DAMAGED
from mlstrata.services.recording.record import Record
from mlstrata.services.recording.segments import frames
from mlstrata.services.recording.spill_folder import Durability
from mlstrata.services.recording.subject import subject_hash
from mlstrata.services.serving.observing import RecordingSettings
from mlstrata.services.serving.prediction import V2, Asked, Explanation, Prediction, Row
from mlstrata.services.serving.problem import OverloadProblem, ProblemError
from mlstrata.services.serving.recorder import Recorder

KEY = "the-key-of-an-environment"
HEADERS = {
    "x-request-id": "r-1",
    "x-mlstrata-consumer": "desk",
    "x-mlstrata-subject": "person 7",
    "x-mlstrata-version": "3",
}
ROW = Row(
    {"income": 3.5, "name": "Ada", "town": "Ulm", "gap": None},
    {"probability": 0.4, "label": 0},
    flags=("range:income",),
    explanation=Explanation(0.1, {"income": 0.2, "name": 0.1, "town": 0.3}, "log_odds", "exact"),
)


class Version:
    version = "3"


@pytest.fixture
def recorder(tmp_path, request):
    made = []
    (tmp_path / "key").write_text(KEY)

    def one(**more):
        given = {
            "spill": tmp_path / "spill",
            "recorder": "http://127.0.0.1:9",
            "token_file": tmp_path / "token",
            "key_file": tmp_path / "key",
        }
        made.append(Recorder(request.node.name, RecordingSettings(**(given | more))))
        made[-1].start()
        return made[-1]

    yield one
    for each in made:
        each.stop(0.0)
        if each._spill:
            each._spill.close()


def records(tmp_path):
    files = sorted((tmp_path / "spill").glob("*.segment"))
    return [Record.from_bytes(payload) for file in files for payload, _ in frames(file.read_bytes(), int(file.stem))]


def answered(recorder, row=ROW, api="v1", **headers):
    asyncio.run(recorder.answered(Asked.of(HEADERS | headers, api), Prediction(Version(), None, (row,))))


def dropped(request):
    labels = {"system": request.node.name, "observer": "recorder"}
    return REGISTRY.get_sample_value("mlstrata_observer_dropped_total", labels)


@pytest.mark.parametrize("durability", Durability)
def test_a_record_is_on_disk_when_the_answer_may_go_out(recorder, tmp_path, durability):
    answered(recorder(durability=durability))
    (one,) = records(tmp_path)
    assert (one.id, one.version, one.status, one.consumer, one.api) == ("r-1", "3", 200, "desk", "v1")
    assert one.instances[0].inputs == dict(ROW.inputs)
    assert one.instances[0].output == ROW.output
    assert one.instances[0].flags == ("range:income",)
    assert one.ms > 0


def test_the_person_concerned_is_known_by_a_hash_alone(recorder, tmp_path):
    answered(recorder())
    (one,) = records(tmp_path)
    assert one.subject == subject_hash(KEY, "person 7")
    assert b"person 7" not in b"".join(file.read_bytes() for file in (tmp_path / "spill").iterdir())


def test_what_is_not_to_be_stored_is_nowhere_on_disk(recorder, tmp_path):
    kept = recorder(exclude=("name",), pseudonymise=("town", "gap"))
    answered(kept)
    answered(kept, **{"x-request-id": "r-2"})
    first, second = (one.instances[0] for one in records(tmp_path))
    assert set(first.inputs) == {"income", "town", "gap"}
    assert first.inputs["town"] == second.inputs["town"] != "Ulm"
    assert first.inputs["gap"] is None
    assert first.explanation == {"income": 0.2}, "what a column adds would tell its value"
    data = b"".join(file.read_bytes() for file in (tmp_path / "spill").iterdir())
    assert b"Ada" not in data
    assert b"Ulm" not in data


def test_a_refused_request_is_recorded_with_its_code_and_what_could_be_read(recorder, tmp_path):
    kept = recorder()
    problem = ProblemError(500, "model_failed", "no")
    problem.version, problem.rows = "3", (Row({"income": 1.0}),)
    asyncio.run(kept.refused(Asked.of(HEADERS, V2), problem))
    asyncio.run(kept.refused(Asked.of({}, "v1"), ProblemError(422, "schema", "no")))
    asyncio.run(kept.refused(Asked.of({}, "v1"), OverloadProblem()))
    failed, refused = records(tmp_path)
    assert (failed.status, failed.problem, failed.version, failed.api) == (500, "model_failed", "3", V2)
    assert failed.instances[0].output is None
    assert (refused.status, refused.problem, refused.version, refused.instances) == (422, "schema", "none", ())


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("required", [True, False])
def test_an_answer_that_cannot_be_recorded_is_refused_where_a_record_is_required(
    recorder, monkeypatch, request, required
):
    kept = recorder(required=required)
    monkeypatch.setattr(os, "pwrite", full)
    if required:
        with pytest.raises(ProblemError) as raised:
            answered(kept)
        assert (raised.value.status, raised.value.code, raised.value.version) == (503, "unrecorded", "3")
    else:
        answered(kept)
    assert dropped(request) == 1
    monkeypatch.undo()
    answered(kept)
    assert dropped(request) == 1


def test_without_the_key_nobody_is_recorded_by_name(recorder, tmp_path, request):
    (tmp_path / "key").unlink()
    kept = recorder(required=True)
    with pytest.raises(ProblemError, match="cannot be recorded"):
        answered(kept)
    answered(kept, **{"x-mlstrata-subject": ""})
    assert len(records(tmp_path)) == 1
    assert dropped(request) == 1


def test_a_spill_that_another_process_has_is_tried_again(recorder, tmp_path, monkeypatch):
    monkeypatch.setattr("mlstrata.services.serving.recorder._AGAIN_S", 0.0)
    monkeypatch.setattr("mlstrata.services.serving.recorder._HANDOVER_S", 0.0)
    first = recorder()
    second = recorder(required=True)
    with pytest.raises(ProblemError):
        answered(second)
    first.stop(0.0)
    first._spill.close()
    answered(second)
    assert len(records(tmp_path)) == 1


def test_records_that_a_disk_changed_are_counted(recorder, request):
    made = recorder()
    answered(made)
    labels = {"system": request.node.name}
    assert REGISTRY.get_sample_value(DAMAGED, labels) == 0
    made._spill.damaged = 2
    assert REGISTRY.get_sample_value(DAMAGED, labels) == 2
