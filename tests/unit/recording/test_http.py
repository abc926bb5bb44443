"""The recorder's HTTP interface: what is answered with 200 is kept, and what cannot be used changes nothing."""

import json
import time

import pytest
from starlette.testclient import TestClient

from mlstrata.services.recording.app import BATCH_BYTES, build
from mlstrata.services.recording.settings import Recorded, RecorderSettings
from mlstrata.services.recording.sqlite import open_store
from tests.support.recording import record

TOKEN = "a-token-of-the-tests"
SHARES = {"credit": 1.0}


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path, shares=SHARES)
    yield opened
    opened.close()


@pytest.fixture
def client(store, tmp_path):
    settings = RecorderSettings(
        port=0,
        token_file=tmp_path / "token",
        home=tmp_path,
        predictions=1e6,
        systems={"credit": Recorded(label_share=1.0, hold=1000.0), "fraud": Recorded()},
    )
    app = build(settings, store, TOKEN, lambda: {"credit": 2})
    return TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"})


def lines(*documents):
    return b"".join(one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n" for one in documents)


def send(client, *records):
    return client.post("/records", content=b"\n".join(one.to_bytes() for one in records))


CALLS = [
    "POST /records", "POST /feedback", "GET /predictions/x", "GET /queue/review/credit", "POST /queue/review/credit",
    "POST /erasures",
]  # fmt: skip


@pytest.mark.parametrize("token", ["", "Bearer wrong-token-here", f"Basic {TOKEN}"])
@pytest.mark.parametrize("call", CALLS)
def test_no_token_no_answer(client, call, token):
    method, path = call.split()
    assert client.request(method, path, headers={"Authorization": token}).status_code == 401


def test_records_are_kept_once_and_said_back(client):
    batch = [record("r-1", rows=2), record("r-2", "none", status=503, problem="unavailable", instances=())]
    assert send(client, *batch).json() == {"new": 2}
    assert send(client, *batch, record("r-3")).json() == {"new": 1}
    found = client.get("/predictions/r-1").json()
    assert [one["version"] for one in found["records"]] == ["1"]
    assert found["records"][0]["instances"][1]["explanation"] == {"income": 0.25}
    assert client.get("/predictions/r-2").json()["records"][0]["problem"] == "unavailable"
    assert client.get("/predictions/r-9").status_code == 404
    said = client.get("/metrics", headers={"Authorization": ""}).text
    assert 'mlstrata_recorder_records_total{system="credit",version="1"} 2.0' in said
    assert 'mlstrata_recorder_received_total{what="duplicate"} 2.0' in said
    assert 'mlstrata_recorder_missing{system="credit"} 2.0' in said
    assert 'mlstrata_recorder_queue_rows{queue="labelling",system="credit"} 3.0' in said


def test_one_bad_line_keeps_nothing_of_its_batch(client, store):
    answer = client.post("/records", content=lines(record("r-1").to_bytes() + b"\n", {"id": "r-2"}))
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith("line 2: at: Field required")
    assert store.find("r-1") == []


FUTURE = time.time() + 1e6
BAD = [
    ({"id": "r-1"}, "says nothing; give one of truth, reward and groups"),
    ({"id": "r-1", "reviewer": "anna"}, "says nothing"),
    ({"truth": "1"}, "id: Field required"),
    ({"id": "r-1", "truth": "1", "at": FUTURE}, "which is to come"),
    ({"id": "r-1", "reward": 1, "sampled": 0}, "sampled: Input should be greater than 0"),
    ({"id": "r-1", "truth": "1", "spelled": "wrong"}, "spelled: Extra inputs are not permitted"),
    (b'{"id": "r-1", "reward": NaN}', "reward: Input should be a finite number"),
    (b"no json\n", "line 2: body: Invalid JSON"),
]


@pytest.mark.parametrize(("line", "says"), BAD)
def test_feedback_that_cannot_be_used_is_refused(client, store, line, says):
    answer = client.post("/feedback", content=lines({"id": "r-2", "reward": 1}, line))
    assert answer.status_code == 422
    assert says in answer.json()["error"]["message"]
    assert store.joined() == {}


def test_feedback_is_kept_apart_and_said_back_without_groups(client, store):
    send(client, record("r-1"))
    told = lines({"id": "r-1", "truth": 1.0, "groups": {"sex": "f"}}, {"id": "r-1", "reward": 2.5, "at": 7})
    assert client.post("/feedback", content=told).json() == {"changed": 1}
    (said,) = client.get("/predictions/r-1").json()["feedback"]
    assert (said["truth"], said["reward"], said.get("groups")) == ("1", 2.5, None)
    (row,) = store.window("credit", since=0.0, until=1e9, groups=True)
    assert row.feedback.groups == {"sex": "f"}


def test_a_person_decides_what_waits(client, store):
    send(client, record("r-1", rows=2), record("r-2", at=50.0, shadow=True))
    listed = client.get("/queue/labelling/credit?limit=1").json()
    assert listed["waiting"] == 2
    assert [(one["id"], one["instance"], one["version"]) for one in listed["rows"]] == [("r-1", 0, "1")]
    assert listed["rows"][0]["output"] == {"approved": True}
    decided = {"id": "r-1", "instance": 1, "truth": False, "reviewer": "anna"}
    assert client.post("/queue/labelling/credit", json=decided).json() == {"changed": 1}
    assert [one["instance"] for one in client.get("/queue/labelling/credit").json()["rows"]] == [0]
    known = [one.feedback for one in store.window("credit", since=0.0, until=1e9)]
    assert [(one.truth, one.reviewer) if one else None for one in known] == [None, ("False", "anna")]


def test_a_label_keeps_the_probability_with_which_its_row_was_chosen(client, tmp_path, store):
    store._shares["credit"] = 0.999
    send(client, record("r-1"))
    for truth in ("yes", "no"):
        client.post("/queue/labelling/credit", json={"id": "r-1", "truth": truth, "reviewer": "anna"})
    (row,) = store.window("credit", since=0.0, until=1e9)
    assert (row.feedback.truth, row.feedback.sampled) == ("no", 0.999)


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/queue/guessing/credit", {}, "there is no queue 'guessing'; allowed labelling, review"),
        ("/queue/review/other", {}, "system 'other' is not recorded; known: credit, fraud"),
        ("/queue/review/fraud", {"id": "r-1"}, "fraud: no row 0 is recorded under 'r-1'"),
        ("/queue/review/credit", {"id": "r-1", "instance": 1}, "credit: no row 1 is recorded under 'r-1'"),
    ],
)
def test_nothing_is_decided_of_what_is_not_there(client, path, body, says):
    send(client, record("r-1"))
    answer = client.post(path, json={"truth": "1", "reviewer": "anna", **body})
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, says)


def test_erasure_says_what_the_law_holds(client, store):
    now = time.time()
    send(client, *(record(f"r-{age}", at=now - age, subject="anna") for age in (10.0, 500.0, 2000.0)))
    done = client.post("/erasures", json={"system": "credit", "subject": "anna"}).json()
    assert (done["erased"], done["held"]) == (1, 2)
    assert done["until"] == pytest.approx(now - 10.0 + 1000.0)
    assert list(store.window("credit", since=0.0, until=1e12)) == []
    assert client.get("/predictions/r-10.0").status_code == 200
    assert client.post("/erasures", json={"system": "other", "subject": "anna"}).status_code == 404


def test_a_full_disk_is_said_and_nothing_is_lost(client, store):
    pages = store._db._writer.execute("PRAGMA page_count").fetchone()[0]
    store._db._writer.execute(f"PRAGMA max_page_count={pages + 2}")
    batch = [record(f"r-{number}", rows=20) for number in range(50)]
    answer = send(client, *batch)
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, 507)
    assert store.counts() == []
    store._db._writer.execute("PRAGMA max_page_count=1000000")
    assert send(client, *batch).json() == {"new": 50}


def test_a_body_has_a_size(client):
    assert client.post("/records", content=b" " * (BATCH_BYTES + 1)).status_code == 413
