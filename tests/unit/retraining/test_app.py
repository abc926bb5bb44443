"""The learning process over HTTP: what is answered with 202 is on the disk, and nobody waits for a training."""

import json

import pytest
from starlette.testclient import TestClient

from mlstrata.environments.spec.retrain import RetrainSpec
from mlstrata.services.retraining import names
from mlstrata.services.retraining.app import build
from mlstrata.services.retraining.journal import Journal
from mlstrata.services.retraining.orders import OrderRefused
from mlstrata.services.retraining.trigger import Outcome

TOKEN = "of-the-learning-process"
HEADERS = {"authorization": f"Bearer {TOKEN}"}
ENVELOPE = RetrainSpec(on=("input_drift",), give_up_after=1)
NOTIFICATION = {
    "version": "4",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "InputDrift", "system": "credit", "cause": "input_drift"},
            "annotations": {"summary": "pirat drifted"},
            "startsAt": "2026-11-30T10:00:00Z",
            "fingerprint": "aa",
        }
    ],
}


class Served:
    def __init__(self, path) -> None:
        self.journal, self.path, self.woken = Journal(path), path, 0
        app = build(self.journal, TOKEN, envelopes=lambda: {"credit": ENVELOPE}, clock=lambda: 1e9, rounds=self)
        self.client = TestClient(app)

    def wake(self) -> None:
        self.woken += 1

    def exposition(self) -> str:
        return f"{names.ROUND} 1e9\n"


@pytest.fixture
def served(tmp_path):
    made = Served(tmp_path / "journal.db")
    yield made
    made.journal.close()


def test_an_alert_is_kept_before_it_is_answered_and_wakes_the_process_once(served):
    answers = [served.client.post("/alerts", json=NOTIFICATION, headers=HEADERS) for _ in range(2)]
    assert [(one.status_code, one.json()) for one in answers] == [
        (202, {"causes": 1, "new": 1}),
        (202, {"causes": 1, "new": 0}),
    ]
    assert served.woken == 1
    other = Journal(served.path)
    assert [one.text for one, _ in other.waiting("credit")] == ["InputDrift: pirat drifted"]
    other.close()


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/alerts"), ("GET", "/systems/credit"), ("POST", "/systems/credit/retrain")]
)
def test_without_its_token_nothing_is_told_or_taken(served, method, path):
    assert served.client.request(method, path, content=json.dumps(NOTIFICATION)).status_code == 401
    assert served.journal.systems() == []


def test_what_is_no_notification_is_refused(served):
    answer = served.client.post("/alerts", content=b"{}", headers=HEADERS)
    assert (answer.status_code, served.woken) == (400, 0)
    assert answer.json()["error"]["message"].startswith("version: got None")


def test_a_person_asks_once(served):
    body = {"id": "0" * 12, "who": "ann", "reason": "new rules"}
    for new in (1, 0):
        answer = served.client.post("/systems/credit/retrain", json=body, headers=HEADERS)
        assert (answer.status_code, answer.json()["new"]) == (202, new)
    shown = served.client.get("/systems/credit", headers=HEADERS).json()
    assert [(one["cause"], one["name"], one["reason"]) for one in shown["waiting"]] == [("request", "ann", "new rules")]


@pytest.mark.parametrize(
    "body", [{}, {"id": "x", "who": "a", "reason": "b"}, {"id": "0" * 12, "who": "a", "reason": ""}]
)
def test_a_wish_without_who_and_why_is_refused(served, body):
    assert served.client.post("/systems/credit/retrain", json=body, headers=HEADERS).status_code == 422


def test_a_wish_is_followed_to_its_training(served):
    body = {"id": "0" * 12, "who": "ann", "reason": "new rules"}
    path = "/systems/credit/retrain"
    assert served.client.get(f"{path}/{body['id']}", headers=HEADERS).status_code == 404
    served.client.post(path, json=body, headers=HEADERS)
    assert served.client.get(f"{path}/{body['id']}", headers=HEADERS).json() == {"training": ""}
    training = served.journal.begin("credit", [one for one, _ in served.journal.waiting("credit")], "x", 1e9)
    assert served.client.get(f"{path}/{body['id']}", headers=HEADERS).json() == {"training": training.id}


def test_an_unknown_system_is_named_with_those_there_are(served):
    answer = served.client.get("/systems/debit", headers=HEADERS)
    assert answer.status_code == 404
    assert "known: credit" in answer.json()["error"]["message"]


def test_it_shows_and_counts_what_became_of_a_training(served):
    served.client.post("/alerts", json=NOTIFICATION, headers=HEADERS)
    training = served.journal.begin("credit", [one for one, _ in served.journal.waiting("credit")], "drift", 1e9)
    served.journal.end(training, Outcome.FAILED, "gate auc", 1e9)
    shown = served.client.get("/systems/credit?limit=1", headers=HEADERS).json()
    assert (shown["stopped"], shown["waiting"]) == (True, [])
    assert [(one["outcome"], one["why"]) for one in shown["trainings"]] == [("failed", "gate auc")]
    assert [one["kind"] for one in shown["decisions"]] == ["failed"]
    text = served.client.get("/metrics").text
    assert f'{names.STOPPED}{{system="credit"}} 1.0' in text
    assert f"{names.ROUND} 1e9" in text
    assert f'{names.UNRELEASED}{{outcome="failed",system="credit"}} 1.0' in text
    assert f'{names.TRAININGS}_total{{outcome="failed",system="credit"}} 1.0' in text


def test_it_is_healthy(served):
    assert served.client.get("/healthz").json() == {"status": "ok"}


def test_an_order_is_carried_out_once_it_is_whole_and_refused_with_its_reason(served):
    given = []

    def orders(system, ordered):
        given.append((system, ordered.order, ordered.who, ordered.reason))
        if ordered.order == "abort":
            raise OrderRefused("there is no rollout")
        return "stopped"

    app = build(served.journal, TOKEN, envelopes=dict, clock=lambda: 1e9, rounds=served, orders=orders)
    client, order = TestClient(app), {"order": "stop", "reason": "it harms", "who": "ada"}
    assert client.post("/systems/credit/orders", json=order).status_code == 401
    for wrong in ({"order": "explode"}, {"reason": ""}, {"who": ""}):
        assert client.post("/systems/credit/orders", json=order | wrong, headers=HEADERS).status_code == 422
    assert given == []
    done = client.post("/systems/credit/orders", json=order, headers=HEADERS)
    assert (done.status_code, done.json()) == (200, {"told": "stopped"})
    refused = client.post("/systems/credit/orders", json=order | {"order": "abort"}, headers=HEADERS)
    assert (refused.status_code, refused.json()["error"]["message"]) == (409, "there is no rollout")
    assert given[0] == ("credit", "stop", "ada", "it harms")
    assert served.woken == 1


def test_where_nobody_carries_out_orders_none_is_taken(served):
    order = {"order": "stop", "reason": "it harms", "who": "ada"}
    assert served.client.post("/systems/credit/orders", json=order, headers=HEADERS).status_code == 404
