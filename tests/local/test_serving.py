"""The prediction process, for real: MLServer with our runtime, from no version to several."""

import codecs
import gzip
import json
import math
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest

from mlstrata.clients.mlflow import Registry
from mlstrata.files import write
from mlstrata.services.serving.releases import FILE
from mlstrata.services.serving.settings import answers_path
from tests.local.conftest import PROOF
from tests.support.own_model import Held
from tests.support.patience import PATIENCE, eventually

SYSTEM = "serving-test"
PREDICT = f"/systems/{SYSTEM}/v1/predict"
WAITING = 4


@pytest.fixture(scope="module")
def fresh(platforms, registered):
    """A process that was started with nothing released."""
    platform = platforms(SYSTEM, registered.uri, started=False)
    # So few wait that a test can make it full.
    # One at a time: a version with code of its own computes no more than one in its process.
    platform.serving = platform.serving.model_copy(update={"waiting": WAITING, "threads": 1})
    platform.start_serving()
    return platform


@pytest.fixture(scope="module")
def process(fresh, registered):
    """The same process, with versions 1, 2 and the broken 3 in memory; nothing is champion."""
    registry = Registry(registered.uri)
    answer = httpx.post(fresh.process_url + PREDICT, json={"instances": [{}]}, trust_env=False)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "no_version"
    for version in ("1", "2", "3"):
        registry.download(registry.candidate(SYSTEM, version), fresh.serving.directory / "models" / version)
        answer = fresh.versions("PUT", version)
        assert answer.status_code == 200, answer.text
    return fresh


def ask(process, body, **headers):
    named = {name.replace("_", "-"): value for name, value in ({"x_mlstrata_version": "1"} | headers).items()}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(process.process_url + PREDICT, content=content, headers=named, trust_env=False)


def test_it_is_ready_with_nothing_released_before_it_imports_what_a_model_needs(fresh):
    assert fresh.imported("pandas"), "MLServer itself needs it"
    assert not fresh.imported("sklearn")
    assert httpx.get(f"{fresh.process_url}/v2/health/ready", trust_env=False).status_code == 200


def test_each_version_answers_with_its_own_probability(process, application):
    answers = [ask(process, {"instances": [application] * 2}, x_mlstrata_version=version) for version in ("1", "2")]
    assert [answer.status_code for answer in answers] == [200, 200]
    bodies = [answer.json() for answer in answers]
    assert [body["model"] for body in bodies] == [
        {"system": SYSTEM, "version": "1"},
        {"system": SYSTEM, "version": "2"},
    ]
    assert [answer.headers["x-mlstrata-version"] for answer in answers] == ["1", "2"]
    first, second = (body["predictions"] for body in bodies)
    assert first[0] == first[1] != second[0]
    assert all(0 <= one["probability"] <= 1 and one["label"] == (one["probability"] >= 0.5) for one in first + second)


def test_without_a_header_and_a_champion_it_says_that_nothing_is_released(process, application):
    body = json.dumps({"instances": [application]})
    answer = httpx.post(process.process_url + PREDICT, content=body, trust_env=False)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "no_version"


def test_the_request_id_comes_back_in_body_and_header(process, application):
    answer = ask(process, {"instances": [application]}, x_request_id="abc-123")
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "abc-123"


def test_a_schema_break_is_422_with_every_break_named(process, application):
    body = {"instances": [application, application | {"pirat": "0.2", "chist": 1.5, "unempl": 3} | {"hschool": None}]}
    answer = ask(process, body, x_request_id="r")
    assert answer.status_code == 422
    details = {one["path"]: one for one in answer.json()["error"]["details"]}
    assert set(details) == {f"instances[1].{name}" for name in ("pirat", "chist", "unempl", "hschool")}
    assert details["instances[1].pirat"] == {
        "path": "instances[1].pirat",
        "got": '"0.2"',
        "expected": "a number",
        "fix": "send a number",
    }
    assert "unemp" in details["instances[1].unempl"]["fix"]
    assert answer.json()["request_id"] == "r"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"instances": [' + b"[" * 5000], ids=range(4))
def test_what_is_not_json_is_400(process, body):
    assert ask(process, body).status_code == 400


def test_a_compressed_body_is_refused_before_it_grows(process):
    answer = ask(process, gzip.compress(b" " * 50_000_000), content_encoding="gzip")
    assert answer.status_code == 415


def test_numbers_that_are_no_probabilities_are_withheld_and_counted(process, application):
    answer = ask(process, {"instances": [application]}, x_mlstrata_version="3")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "implausible"
    assert "0.0 to 1.0" in answer.json()["error"]["message"]
    sample = f'mlstrata_predict_implausible_total{{reason="range",system="{SYSTEM}",version="3"}}'
    assert _metric(process, sample) >= 1


def test_metrics_tell_requests_by_code_and_latency_with_the_promise_as_a_bucket(process, application):
    sample = f'mlstrata_predict_requests_total{{code="200",system="{SYSTEM}",version="2"}}'
    before = _metric(process, sample)
    ask(process, {"instances": [application]}, x_mlstrata_version="2")
    assert _metric(process, sample) == before + 1
    assert _metric(process, f'mlstrata_predict_seconds_bucket{{le="0.15",system="{SYSTEM}",version="2"}}') >= 1


def test_versions_load_once_and_unload(process):
    first = process.versions("PUT", "2").json()["loaded_at"]
    assert process.versions("PUT", "2").json()["loaded_at"] == first
    listed = process.versions("GET").json()
    assert [one["version"] for one in listed["versions"]][:2] == ["1", "2"]
    assert process.versions("DELETE", "2").json()["unloaded"] is True
    assert process.versions("DELETE", "2").json()["unloaded"] is False
    assert process.versions("PUT", "2").status_code == 200


@pytest.mark.parametrize("version", ["9", "0", "..", "%2e%2e%2f1", "1.tmp", "latest"])
def test_a_version_that_is_not_there_is_not_loaded(process, version):
    assert process.versions("PUT", version).status_code in (404, 405)


def test_a_version_that_cannot_be_used_is_refused_and_named(process):
    folder = process.serving.directory / "models" / "7"
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: {}\n")
    answer = process.versions("PUT", "7")
    assert answer.status_code == 422
    assert "version 7" in answer.json()["error"]["message"]
    assert "7" in process.versions("GET").json()["failed"]


def test_v2_answers_and_refuses_the_same(process, application):
    inputs = [
        {"name": name, "shape": [1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}
        for name, value in application.items()
    ]
    _release(process, "1")
    try:
        url = f"{process.process_url}/v2/models/{SYSTEM}/infer"
        answer = httpx.post(url, json={"inputs": inputs}, trust_env=False)
        assert answer.status_code == 200, answer.text
        (value,) = answer.json()["outputs"][0]["data"]
        ours = ask(process, {"instances": [application]}).json()["predictions"][0]["probability"]
        assert math.isclose(value, ours)
        assert httpx.post(url, json={"inputs": inputs[1:]}, trust_env=False).status_code == 422
    finally:
        _release(process, None)


def test_it_goes_on_answering_while_another_version_loads(process, application):
    process.versions("DELETE", "2")
    loading = threading.Thread(target=process.versions, args=("PUT", "2"))
    loading.start()
    while loading.is_alive():
        assert ask(process, {"instances": [application]}).status_code == 200


def test_it_goes_on_answering_however_long_another_version_takes_to_load(process, application):
    folder = process.serving.directory / "models/8"
    folder.mkdir()
    pipe = folder / "MLmodel"
    os.mkfifo(pipe)
    opened = []

    def is_read():
        with suppress(OSError):  # nobody reads it yet
            opened.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return opened

    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(process.versions, "PUT", "8")
        eventually(is_read)
        try:
            assert ask(process, {"instances": [application]}).status_code == 200
            assert not loading.done()
        finally:
            # That is no model, and the end of it.
            pipe.unlink()
            pipe.touch()
            os.close(opened[0])
        assert loading.result().status_code == 422


@pytest.fixture
def held(process):
    """Version 11, which computes until it is free, and has begun."""
    made = Held(process.serving.directory, "11")
    assert process.versions("PUT", "11").status_code == 200
    with ThreadPoolExecutor(process.serving.threads) as pool:
        computing = [pool.submit(ask_held, process) for _ in range(process.serving.threads)]
        try:
            eventually(lambda: made.computed() == process.serving.threads)
            yield made
        finally:
            made.free()
        assert [one.result().status_code for one in computing] == [200] * process.serving.threads
    assert process.versions("DELETE", "11").status_code == 200


def ask_held(process, **headers):
    headers = {"x-mlstrata-version": "11", "x-request-id": "held"} | headers
    return httpx.post(
        process.process_url + PREDICT, content=Held.body, headers=headers, trust_env=False, timeout=PATIENCE
    )


def waiting(process):
    return _metric(process, f'mlstrata_predict_waiting{{system="{SYSTEM}"}}')


def refused(process, reason):
    return _metric(process, f'mlstrata_predict_refused_total{{reason="{reason}",system="{SYSTEM}"}}')


def test_beyond_its_line_a_request_is_refused_before_it_is_computed_and_all_else_answers(process, held, application):
    threads, counted = (
        process.serving.threads,
        f'mlstrata_predict_requests_total{{code="503",system="{SYSTEM}",version="11"}}',
    )
    with ThreadPoolExecutor(3 * WAITING) as pool:
        asked = [pool.submit(ask_held, process) for _ in range(3 * WAITING)]
        # Whoever comes to a full line is refused, or who waited in it for long: as many in any case.
        eventually(lambda: sum(one.done() for one in asked) >= 2 * WAITING)
        for answer in (one.result() for one in asked if one.done()):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert answer.json()["error"]["code"] == "overloaded"
            assert answer.json()["request_id"] == "held"
            assert answer.headers["x-mlstrata-overloaded"] == "1", "by which the gateway tells it from an ill process"
            assert "x-mlstrata-untouched" not in answer.headers, "so it is asked of no other process"
        assert held.computed() == threads
        assert process.versions("GET").status_code == 200
        for path in ("/v2/health/ready", "/v2/health/live", answers_path(SYSTEM)):
            assert httpx.get(process.process_url + path, trust_env=False, timeout=PATIENCE).status_code == 200
        held.free()
        eventually(lambda: all(one.done() for one in asked))
    assert ask(process, {"instances": [application]}).status_code == 200, "it is itself again with the first one"
    assert _metric(process, counted) == 0, "no version is said to have failed"
    assert refused(process, "full") + refused(process, "waited") >= 2 * WAITING


def test_what_waited_past_its_deadline_is_never_computed(process, held):
    before = refused(process, "late")
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(ask_held, process, **{"x-envoy-expected-rq-timeout-ms": "10"})
        eventually(lambda: waiting(process) == 1 or late.done())
        time.sleep(0.02)
        held.free()
        assert late.result().status_code == 503
    assert refused(process, "late") == before + 1
    assert held.computed() == process.serving.threads


def test_nothing_is_computed_for_a_caller_who_has_gone(process, held):
    before = refused(process, "gone")
    head = f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\nx-mlstrata-version: 11\r\ncontent-length: {len(Held.body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", process.serving.http_port)) as caller:
        caller.sendall(head.encode() + Held.body)
        eventually(lambda: waiting(process) == 1)
    # Who asks on a connection of its own is answered after the process has seen that one end.
    assert httpx.get(f"{process.process_url}/v2/health/live", trust_env=False).status_code == 200
    held.free()
    eventually(lambda: refused(process, "gone") == before + 1)
    assert held.computed() == process.serving.threads


CLOSED = {
    ("POST", f"/v2/repository/models/{SYSTEM}/unload"),
    ("POST", f"/v2/repository/models/{SYSTEM}/load"),
    ("POST", "/v2/repository/index"),
    ("GET", "/v2"),
    ("GET", "/v2/docs"),
    ("GET", "/openapi.json"),
    ("GET", f"/v2/models/{SYSTEM}"),
    ("POST", f"/v2/models/{SYSTEM}/generate"),
    ("GET", "/metrics"),
    ("GET", "/"),
}


@pytest.mark.parametrize(("method", "path"), sorted(CLOSED))
def test_what_is_not_the_platforms_is_answered_in_its_own_words_and_does_nothing(process, application, method, path):
    answer = httpx.request(method, process.process_url + path, json={}, trust_env=False)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "unknown_path"
    assert ask(process, {"instances": [application]}).status_code == 200


def test_no_model_is_unloaded_over_grpc_either(process, application):
    target = f"127.0.0.1:{process.serving.grpc_port}"
    for service in ("inference.GRPCInferenceService", "inference.model_repository.ModelRepositoryService"):
        done = unload_over_grpc(process, target, service)
        assert done.returncode == 0, done.stderr
        assert "NOT_FOUND" in done.stdout, done.stdout
    assert ask(process, {"instances": [application]}).status_code == 200


@pytest.mark.parametrize("secret", ["", "of-another", "of-a-releas"])
@pytest.mark.parametrize(("method", "version"), [("GET", ""), ("PUT", "2"), ("DELETE", "2"), ("DELETE", "..")])
def test_versions_are_for_who_has_the_secret(process, application, method, version, secret):
    assert process.versions(method, version, secret).status_code in (401, 404)
    assert ask(process, {"instances": [application]}, x_mlstrata_version="2").status_code == 200


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_case_of_the_secrets_scheme_says_nothing(process, scheme):
    allowed = {"authorization": f"{scheme} {PROOF}"}
    assert httpx.get(f"{process.process_url}/versions", headers=allowed, trust_env=False).status_code == 200


def test_a_body_may_begin_with_a_mark(process, application):
    assert ask(process, codecs.BOM_UTF8 + json.dumps({"instances": [application]}).encode()).status_code == 200


def test_whoever_looks_has_the_released_version_predict(process, application):
    url = f"{process.process_url}{answers_path(SYSTEM)}"
    assert httpx.get(url, trust_env=False).json()["version"] is None, "nothing is released, and nothing is wrong"
    try:
        _release(process, "2")
        assert httpx.get(url, trust_env=False).json()["version"] == "2"
        counted = f'mlstrata_predict_requests_total{{code="200",system="{SYSTEM}",version="2"}}'
        before = _metric(process, counted)
        assert httpx.get(url, trust_env=False).status_code == 200
        assert _metric(process, counted) == before, "nobody's request"
        # It is in memory, and gives what is no probability.
        _release(process, "3")
        assert httpx.get(f"{process.process_url}/v2/health/ready", trust_env=False).status_code == 200
        assert httpx.get(url, trust_env=False).json()["error"]["code"] == "implausible"
        # It is not in memory, and cannot be.
        _release(process, "6")
        assert httpx.get(url, trust_env=False).status_code == 503
    finally:
        _release(process, None)


def test_killed_and_started_again_it_serves_the_champion_and_survives_a_bad_version(process, application):
    """The last test of the module: it takes the process down."""
    _release(process, "2", loaded=["1", "2", "7"])
    process.kill_serving()
    process.start_serving()
    body = json.dumps({"instances": [application]})
    answer = httpx.post(process.process_url + PREDICT, content=body, trust_env=False)
    assert answer.json()["model"]["version"] == "2"
    assert process.versions("DELETE", "2").status_code == 409
    # The champion itself unusable: alive, and honest about it.
    _release(process, "7", loaded=["7"])
    assert httpx.get(f"{process.process_url}/v2/health/ready", trust_env=False).status_code != 200
    answer = httpx.post(process.process_url + PREDICT, content=body, trust_env=False)
    assert answer.status_code == 503
    assert str(process.home) not in answer.text
    (process.serving.directory / FILE).write_text("{")
    assert httpx.post(process.process_url + PREDICT, content=body, trust_env=False).status_code == 503


def unload_over_grpc(process, target, service):
    """Ask in a process of its own: MLServer's messages and Pulumi's cannot be in one."""
    kind = "model_repository" if "model_repository" in service else "dataplane"
    script = f"""
import grpc
from mlserver.grpc import {kind}_pb2 as messages
channel = grpc.insecure_channel("{target}")
call = channel.unary_unary(
    "/{service}/RepositoryModelUnload",
    request_serializer=messages.RepositoryModelUnloadRequest.SerializeToString,
    response_deserializer=messages.RepositoryModelUnloadResponse.FromString,
)
try:
    print(call(messages.RepositoryModelUnloadRequest(model_name="{SYSTEM}"), timeout=60))
except grpc.RpcError as error:
    print(error.code())
"""
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


def _release(process, version, loaded=("1", "2")):
    content = {"champion": version, "loaded": list(loaded)}
    write(process.serving.directory / FILE, json.dumps(content))


def _metric(process, sample):
    lines = httpx.get(process.metrics_url, trust_env=False).text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(sample)), 0.0)
