"""The runner's HTTP interface and the life of a run, with a job that only pretends to train."""

import codecs
from pathlib import Path

import pytest

from mlstrata.services.runner.store import Store
from tests.support.patience import eventually


def create(client, request):
    status, body = client("POST", "/runs", {"system": request["system"], "settings": request})
    assert status == 202, body
    return body["id"]


@pytest.mark.parametrize("token", [None, "", "wrong", "a-token-of-the-test", "a-token-of-the-tests2"])
@pytest.mark.parametrize("call", ["POST /runs", "GET /runs", "GET /runs/x", "DELETE /runs/x", "GET /runs/x/log"])
def test_no_token_no_answer(serve, token, call):
    method, path = call.split()
    assert serve()(method, path, {} if method == "POST" else None, token=token)[0] == 401


def test_health_and_metrics_are_open(serve):
    client = serve()
    assert client("GET", "/healthz", token=None) == (200, {"status": "ok"})
    assert client("GET", "/metrics", token=None)[0] == 200


def test_bad_requests(serve, make_request):
    client = serve(requests=[make_request("known-fine")])
    for body, status, says in [
        (b"{", 400, "JSON"),
        (b"[]", 422, "object"),
        (codecs.BOM_UTF8 + b"[]", 422, "object"),
        ({"system": "x-fine", "speed": 1}, 422, "speed"),
        ({"system": "x-fine"}, 422, "known: known-fine"),
        ({"system": "x-fine", "settings": make_request("y-fine")}, 422, "settings.system"),
        ({"system": "x-fine", "settings": {**make_request("x-fine"), "algorithm": "svm"}}, 422, "settings.algorithm"),
        (b" " * 1_048_577, 413, "larger"),
    ]:
        got, answer = client("POST", "/runs", body)
        assert (got, answer["error"]["code"]) == (status, status)
        assert says in answer["error"]["message"]
    assert client("GET", "/runs/none")[0] == 404
    assert client("GET", "/runs?limit=0")[0] == 422
    assert client("PUT", "/runs")[0] == 405
    assert client("GET", "/runs")[1] == {"runs": []}


def test_a_run_from_request_to_result(serve, make_request):
    client = serve()
    run = create(client, make_request("system-fine"))
    done = client.wait(run)
    assert (done["state"], done["result"], done["error"], done["trigger"]) == (
        "succeeded",
        {"version": "1"},
        None,
        "request",
    )
    assert [(step["name"], step["state"], step["cached"]) for step in done["steps"]] == [
        ("ingest", "succeeded", True),
        ("train", "succeeded", False),
    ]
    assert done["steps"][0]["outputs"] == {"rows": 3}
    assert done["steps"][0]["artifacts"][0]["uri"] == "/store/x"
    assert done["created"] <= done["started"] <= done["ended"]
    assert "noise in the log" in client("GET", f"/runs/{run}/log")[1]
    assert [found["id"] for found in client("GET", "/runs?system=system-fine")[1]["runs"]] == [run]
    assert client("GET", "/runs?system=other")[1] == {"runs": []}
    assert client("DELETE", f"/runs/{run}")[0] == 409


def test_the_request_of_the_settings_is_the_default(serve, make_request):
    client = serve(requests=[make_request("known-fine")])
    status, body = client("POST", "/runs", {"system": "known-fine"})
    assert status == 202
    assert client.wait(body["id"])["state"] == "succeeded"


def test_failures_say_why(serve, make_request):
    client = serve()
    bad, dies, chatty = (create(client, make_request(f"system-{kind}")) for kind in ("bad", "dies", "chatty"))
    found = client.wait(bad)
    assert (found["state"], found["error"]) == ("failed", "train: too few rows")
    assert found["steps"][1]["error"] == "too few rows"
    found = client.wait(dies)
    assert found["state"] == "failed"
    assert "exited with code 9" in found["error"]
    assert found["steps"][1]["state"] == "failed"
    assert len(client.wait(chatty)["result"]["text"]) == 200_000


def test_a_run_whose_end_cannot_be_recorded_ends_no_other(serve, make_request, monkeypatch):
    broken, end = [], Store.end

    def failing(self, run, *arguments, **more):
        if run in broken:
            raise ModuleNotFoundError("a library is missing")
        return end(self, run, *arguments, **more)

    monkeypatch.setattr(Store, "end", failing)
    client = serve(concurrency=1, requests=[])
    monkeypatch.setattr(Store, "add", noting(broken, Store.add))
    first = create(client, make_request("first-fine"))
    second = create(client, make_request("second-fine"))
    assert client.wait(second)["state"] == "succeeded"
    assert broken == [first]
    broken.clear()


def noting(names, add):
    def wrapped(self, run, *arguments):
        if not names:
            names.append(run)
        return add(self, run, *arguments)

    return wrapped


def test_progress_shows_while_a_run_runs_and_a_cancel_ends_all_of_it(serve, make_request, gone, tmp_path):
    client = serve()
    for kind in ("slow", "stubborn"):
        run = create(client, make_request(f"system-{kind}"))
        pids = tmp_path / "logs" / f"{run}.log.pids"
        eventually(lambda pids=pids: pids.exists() and pids.read_text())
        # What the job said before it wrote that file may still be on its way.
        eventually(lambda run=run: client("GET", f"/runs/{run}")[1]["steps"][-1]["state"] != "queued")
        found = client("GET", f"/runs/{run}")[1]
        assert found["state"] == "running"
        assert [step["state"] for step in found["steps"]] == ["succeeded", "running"]
        started = [int(pid) for pid in pids.read_text().split()]
        status, ended = client("DELETE", f"/runs/{run}")
        assert (status, ended["state"], ended["error"]) == (200, "cancelled", "cancelled on request")
        assert ended["steps"][1]["state"] == "cancelled"
        assert gone(started)
        assert client("DELETE", f"/runs/{run}")[0] == 409


def test_no_more_runs_at_once_than_allowed(serve, make_request):
    client = serve(concurrency=1)
    slow = create(client, make_request("system-slow"))
    waits, dropped = create(client, make_request("system-fine")), create(client, make_request("system-fine"))
    client.wait(slow, until=("running",))
    assert client("GET", f"/runs/{waits}")[1]["state"] == "queued"
    assert client("DELETE", f"/runs/{dropped}")[1]["state"] == "cancelled"
    client("DELETE", f"/runs/{slow}")
    assert client.wait(waits)["state"] == "succeeded"
    assert client("GET", f"/runs/{dropped}")[1]["started"] is None


def test_a_stop_ends_what_runs_and_keeps_what_waits(serve, make_request, gone, tmp_path):
    client = serve(concurrency=1)
    slow = create(client, make_request("system-slow"))
    waits = create(client, make_request("system-fine"))
    pids = Path(tmp_path / "logs" / f"{slow}.log.pids")
    eventually(lambda: pids.exists() and pids.read_text())
    client.stop()
    assert gone([int(pid) for pid in pids.read_text().split()])
    again = serve(concurrency=1)
    found = again("GET", f"/runs/{slow}")[1]
    assert found["state"] == "failed"
    assert found["error"].startswith("interrupted")
    assert again.wait(waits)["state"] == "succeeded"


def test_metrics_outlive_a_restart(serve, make_request):
    client = serve()
    client.wait(create(client, make_request("system-fine")))
    client.wait(create(client, make_request("system-bad")))
    line = 'mlstrata_runner_runs_total{state="succeeded",system="system-fine"} 1.0'
    assert line in client("GET", "/metrics", token=None)[1]
    client.stop()
    text = serve()("GET", "/metrics", token=None)[1]
    assert line in text
    assert 'mlstrata_runner_runs_total{state="failed",system="system-bad"} 1.0' in text
    assert 'mlstrata_runner_last_run_timestamp_seconds{state="succeeded",system="system-fine"}' in text


def test_a_run_of_a_chosen_identity_is_asked_for_twice_and_runs_once(serve, make_request):
    client = serve()
    body = {
        "system": "system-fine",
        "settings": make_request("system-fine"),
        "id": "0123456789ab",
        "trigger": "retraining",
    }
    for _ in range(2):
        assert client("POST", "/runs", body)[:2] == (202, {"id": "0123456789ab"})
    assert client.wait("0123456789ab")["trigger"] == "retraining"
    assert len(client("GET", "/runs")[1]["runs"]) == 1
    assert client("POST", "/runs", {**body, "id": "../../etc"})[0] == 422
