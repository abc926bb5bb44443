"""The prediction process records for real: each answer is in its spill, over REST and V2, and comes to the recorder."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mlstrata.files import write
from mlstrata.services.recording.record import Record
from mlstrata.services.serving.observing import ExplainSettings, FallbackSettings, RecordingSettings
from mlstrata.services.serving.releases import FILE
from tests.local.conftest import Platform
from tests.support.own_model import write_model
from tests.support.patience import eventually

SYSTEM = "recorded"
MODEL = """\
class Model:
    def predict(self, frame):
        return [min(1.0, max(0.0, one)) if one > -1 else float("nan") for one in frame["x"]]


def _load_pyfunc(path):
    return Model()
"""


class Recorder:
    """Takes records, as the service does."""

    def __init__(self):
        self.records, self.well = [], True
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                lines = self.rfile.read(int(self.headers["content-length"])).splitlines()
                if recorder.well:
                    recorder.records += [Record.from_bytes(line) for line in lines]
                self.send_response(200 if recorder.well else 503)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, request):
        """Return what was recorded under a request's id, once it is here."""
        eventually(lambda: any(one.id == request for one in self.records))
        return next(one for one in self.records if one.id == request)


@pytest.fixture(scope="module")
def recorder():
    one = Recorder()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture(scope="module")
def process(tmp_path_factory, recorder):
    home = tmp_path_factory.mktemp(SYSTEM)
    platform = Platform(home, SYSTEM, "")
    write(home / "key", "the-key-of-an-environment")
    write(home / "token", "the-token-of-a-recorder")
    recording = RecordingSettings(
        spill=home / "spill",
        recorder=f"http://127.0.0.1:{recorder.server.server_port}",
        token_file=home / "token",
        key_file=home / "key",
        durability="group",
        required=True,
    )
    platform.serving = platform.serving.model_copy(
        update={
            "recording": recording,
            "explain": ExplainSettings(within_s=1.0),
            "fallback": FallbackSettings(below_confidence=0.6, to="human_review"),
        }
    )
    write_model(platform.serving.directory, "1", MODEL)
    write(platform.serving.directory / FILE, json.dumps({"champion": "1", "loaded": ["1"]}))
    try:
        platform.start_serving()
        yield platform
    finally:
        platform.kill_serving()


def ask(process, body, request, **headers):
    url = f"{process.process_url}/systems/{SYSTEM}/v1/predict"
    named = {"x-request-id": request, "x-mlstrata-consumer": "desk"} | headers
    return httpx.post(url, json=body, headers=named, trust_env=False)


def instances(*values):
    return {"instances": [{"x": value} for value in values]}


def test_an_answer_is_recorded_with_who_asked_and_of_whom(process, recorder):
    answer = ask(process, instances(0.9, 0.5), "r-1", **{"x-mlstrata-subject": "person 7"})
    assert answer.status_code == 200, answer.text
    sure, unsure = answer.json()["predictions"]
    assert (sure["probability"], sure["source"], sure["explanation"]) == (0.9, "model", None)
    assert unsure == {"source": "human_review", "reasons": ["confidence"]}
    one = recorder.of("r-1")
    assert (one.system, one.version, one.status, one.consumer, one.api) == (SYSTEM, "1", 200, "desk", "v1")
    assert len(one.subject) == 32
    assert [row.inputs for row in one.instances] == [{"x": 0.9}, {"x": 0.5}]
    assert [row.source for row in one.instances] == ["model", "human_review"]


def test_the_v2_protocol_comes_the_same_way(process, recorder):
    url = f"{process.process_url}/v2/models/{SYSTEM}/infer"
    body = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [0.9]}]}
    answer = httpx.post(url, json=body, headers={"x-request-id": "r-2"}, trust_env=False)
    assert answer.status_code == 200, answer.text
    assert answer.json()["outputs"][0]["data"] == [0.9]
    one = recorder.of("r-2")
    assert one.instances[0].output == {"probability": 0.9, "label": 1}
    assert one.api == "v2-protocol"


def test_a_request_that_is_refused_is_recorded_without_what_did_not_parse(process, recorder):
    assert ask(process, {"instances": [{"x": "much"}]}, "r-3").status_code == 422
    one = recorder.of("r-3")
    assert (one.status, one.problem, one.version, one.instances) == (422, "schema", "1", ())


def test_an_implausible_answer_is_a_persons_to_give(process, recorder):
    assert ask(process, instances(-5.0), "r-4").json()["predictions"][0]["reasons"] == ["implausible"]
    (row,) = recorder.of("r-4").instances
    assert (row.source, row.output, row.flags) == ("human_review", None, ("implausible",))


def test_what_was_answered_before_kill_9_is_at_the_recorder_after_the_next_start(process, recorder):
    recorder.well = False
    names = [f"killed-{number}" for number in range(50)]
    assert all(ask(process, instances(0.9), name).status_code == 200 for name in names)
    process.kill_serving()
    assert not any(one.id in names for one in recorder.records)
    recorder.well = True
    process.start_serving()
    for name in names:
        assert recorder.of(name).status == 200


def test_metrics_tell_what_is_recorded_and_that_nothing_is_missing(process, recorder):
    ask(process, instances(0.9), "r-5")
    recorder.of("r-5")
    text = httpx.get(process.metrics_url, trust_env=False).text
    found = {
        (sample.name, sample.labels.get("observer", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["mlstrata_predict_recorded_total", ""] >= 1
    assert found["mlstrata_observer_dropped_total", "recorder"] == 0


def test_the_document_says_what_may_come(process):
    url = f"{process.process_url}/systems/{SYSTEM}/v1/openapi.json"
    prediction = httpx.get(url, trust_env=False).json()["components"]["schemas"]["Answer"]["properties"]["predictions"]
    told, handed = prediction["items"]["oneOf"]
    assert "explanation" in told["properties"]
    assert handed["properties"]["source"] == {"const": "human_review"}
