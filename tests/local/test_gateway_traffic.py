"""Shares, shadows and the kill switch in a real Envoy, before a process that counts what it is asked."""

import json
import threading
from collections import Counter
from datetime import UTC, datetime

import httpx
import pytest
from scipy.stats import binomtest

from mlstrata.services.serving.releases import Releases
from mlstrata.services.serving.running import Running, Stopped
from tests.support.gateway import LOANS, Edge, StandIn
from tests.support.patience import eventually

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def rolling(strategy, share):
    running = Running(strategy=strategy, candidate="2", share=share, begun=NOW, since=NOW, who="ana", why="better")
    shadow = "2" if strategy == "shadow" else None
    return Releases(champion="1", challenger="2", shadow=shadow, loaded=("1", "2"), rollout=running)


@pytest.fixture(scope="module")
def process():
    stand_in = StandIn()
    yield stand_in
    stand_in.stop()


@pytest.fixture(scope="module")
def edge(process, tmp_path_factory):
    one = Edge(tmp_path_factory.mktemp("edge"), process.port)
    yield one
    one.process.kill()


@pytest.fixture(autouse=True)
def counted_anew(process):
    process.versions.clear()
    process.slow.clear()


@pytest.fixture
def caller(edge):
    allowed = {"authorization": f"Bearer {edge.token()}"}
    with httpx.Client(verify=edge.trust, trust_env=False, headers=allowed, base_url=edge.url, timeout=60) as client:
        yield client


def ask(caller, count, **headers):
    """Return how often each version answered."""
    answers = [caller.post(LOANS, content=b"{}", headers=headers) for _ in range(count)]
    assert {one.status_code for one in answers} == {200}
    return Counter(one.headers["x-mlstrata-version"] for one in answers)


@pytest.mark.parametrize(("strategy", "share"), [("canary", 10), ("ab", 50), ("bandit", 73)])
def test_the_shares_are_those_that_were_decided(edge, caller, process, strategy, share):
    edge.route({"loans": rolling(strategy, share)})
    count = 800
    by = ask(caller, count)
    assert by == process.versions
    # One of a million such runs would fail by chance.
    assert binomtest(by["2"], count, share / 100).pvalue > 1e-6, by
    assert binomtest(by["2"], count, (share + 15) / 100).pvalue < 1e-6, "a share fifteen points off would be noticed"


def test_one_person_sees_one_version_of_an_ab_test(edge, caller):
    edge.route({"loans": rolling("ab", 50)})
    people = Counter()
    for person in range(60):
        (version,) = ask(caller, 5, **{"x-subject-id": f"person-{person}"})
        people[version] += 1
    assert binomtest(people["2"], 60, 0.5).pvalue > 1e-6, people


def test_whom_a_request_is_about_is_passed_on_where_it_is_said(edge, caller, process):
    edge.route({"loans": rolling("canary", 50)})
    ask(caller, 1, **{"x-subject-id": "person-7", "x-mlstrata-subject": "forged"})
    assert process.headers["x-mlstrata-subject"] == "person-7"
    ask(caller, 1)
    assert "x-mlstrata-subject" not in process.headers


def test_a_shift_under_load_loses_no_request_and_ends_at_the_new_version(edge, process):
    statuses, done = Counter(), threading.Event()

    def load():
        allowed = {"authorization": f"Bearer {edge.token()}"}
        with httpx.Client(verify=edge.trust, trust_env=False, headers=allowed, timeout=60) as client:
            while not done.is_set():
                try:
                    statuses[client.post(edge.url + LOANS, content=b"{}").status_code] += 1
                except httpx.TransportError as error:
                    statuses[type(error).__name__] += 1

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for share in (1, 10, 50, 90, 100):
            edge.route({"loans": rolling("canary", share)})
            wanted = statuses.total() + 50
            eventually(lambda wanted=wanted: statuses.total() >= wanted)
        edge.route({"loans": Releases(champion="2", loaded=("1", "2"))})
        process.versions.clear()
        eventually(lambda: process.versions["2"] > 50)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert set(statuses) == {200}
    assert process.versions["1"] <= len(threads), "at most what was under way at the flip"


def test_a_shadow_gets_a_copy_that_says_so_and_its_answer_is_dropped(edge, caller, process):
    edge.route({"loans": rolling("shadow", 0)})
    assert ask(caller, 50) == {"1": 50}
    eventually(lambda: process.versions["shadow:2"] == 50)
    assert process.versions == {"1": 50, "shadow:2": 50}


def test_a_shadow_that_never_answers_holds_up_nobody(edge, caller, process):
    """Every copy takes longer than the whole test; none of the answers to people waits for one."""
    edge.route({"loans": rolling("shadow", 0)})
    process.slow["2"] = 3
    assert ask(caller, 100) == {"1": 100}
    assert process.versions["shadow:2"] < 100, "beyond its bound copies are dropped"


def test_the_log_names_the_version_that_answered(edge, caller):
    edge.route({"loans": rolling("canary", 50)})
    answer = caller.post(LOANS, content=b"{}")
    line = eventually_logged(edge, answer.headers["x-request-id"])
    assert line["version"] == answer.headers["x-mlstrata-version"]


def eventually_logged(edge, request):
    found = []

    def look():
        lines = map(json.loads, edge.settings.access_log.read_text().splitlines())
        found[:] = [one for one in lines if one["request_id"] == request]
        return bool(found)

    eventually(look)
    return found[0]


def test_a_stopped_system_says_so_and_its_process_is_asked_nothing(edge, caller, process):
    stopped = rolling("canary", 50).model_copy(update={"stopped": Stopped(when=NOW, who="ana", why="harm")})
    edge.route({"loans": stopped})
    answer = caller.post(LOANS, content=b"{}")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "stopped"
    assert "harm" not in answer.text, "why is for those who run it"
    assert process.versions == {}
    assert eventually_logged(edge, answer.json()["request_id"])["status"] == 503
    # Who may not call learns nothing of it.
    assert caller.post(LOANS, content=b"{}", headers={"authorization": "Bearer no"}).status_code == 401
    edge.route({"loans": rolling("canary", 50)})
    assert ask(caller, 1).total() == 1
