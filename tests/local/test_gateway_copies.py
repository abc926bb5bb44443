"""Several processes of one system behind the gateway: who is asked, and what happens when one is ill, slow or gone."""

import threading
from collections import Counter

import httpx
import pytest

from tests.support.gateway import LOANS, Edge, StandIn
from tests.support.patience import eventually


@pytest.fixture(scope="module")
def copies():
    made = [StandIn(), StandIn(), StandIn()]
    yield made
    for one in made:
        one.stop()


@pytest.fixture(scope="module")
def edge(tmp_path_factory, copies):
    made = Edge(tmp_path_factory.mktemp("copies"), *(one.port for one in copies))
    yield made
    made.process.kill()


def hosts(edge):
    """How many copies the gateway would ask now."""
    text = httpx.get(f"{edge.admin}/stats/prometheus", trust_env=False).text
    name = 'envoy_cluster_membership_healthy{envoy_cluster_name="serving-loans"}'
    return int(next(line for line in text.splitlines() if line.startswith(name)).rpartition(" ")[2])


@pytest.fixture(autouse=True)
def all_well(edge, copies):
    for one in copies:
        one.well, one.lacks, one.failing, one.leaving, one.overloaded = True, False, False, False, False
    eventually(lambda: hosts(edge) == 3)


def ask(edge, count, body=b"{}"):
    """Return who answered `count` requests, one after the other on one connection, and with what status."""
    allowed = {"authorization": f"Bearer {edge.token()}"}
    with httpx.Client(verify=edge.trust, trust_env=False, headers=allowed) as client:
        answers = [client.post(edge.url + LOANS, content=body) for _ in range(count)]
    codes = Counter(one.status_code for one in answers)
    return codes, Counter(one.json().get("by") for one in answers if one.status_code == 200)


class Traffic:
    """Three callers, while the block runs."""

    def __init__(self, edge):
        self.codes, self._end = Counter(), threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(edge,), daemon=True) for _ in range(3)]

    def _run(self, edge):
        while not self._end.is_set():
            self.codes += ask(edge, 20)[0]

    def __enter__(self):
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for one in self._threads:
            one.join()


def test_all_copies_answer_in_turn(edge, copies):
    codes, by = ask(edge, 60)
    assert codes == {200: 60}
    assert set(by) == {one.port for one in copies}
    assert min(by.values()) >= 15


def test_a_copy_that_is_not_well_is_not_asked(edge, copies):
    ill = copies[1]
    ill.well = False
    eventually(lambda: hosts(edge) == 2)
    codes, by = ask(edge, 30)
    assert codes == {200: 30}
    assert ill.port not in by


def test_when_none_seems_well_all_are_asked(edge, copies):
    """The look may be what is wrong."""
    for one in copies:
        one.well = False
    eventually(lambda: hosts(edge) == 0)
    codes, _ = ask(edge, 10)
    assert codes == {200: 10}


def test_a_copy_that_has_not_the_version_costs_nobody_an_answer(edge, copies):
    copies[0].lacks = True
    before = sum(copies[0].seen.values())
    codes, by = ask(edge, 30)
    assert codes == {200: 30}
    assert copies[0].port not in by
    assert sum(copies[0].seen.values()) == before


def test_no_caller_learns_what_copies_tell_the_gateway(edge, copies):
    copies[0].leaving = True
    answers = [edge.ask() for _ in range(6)]
    assert {one.status_code for one in answers} == {200}
    told = {name for one in answers for name in one.headers}
    assert not {name for name in told if name.startswith(("x-envoy", "x-mlstrata-untouched"))}


def test_a_copy_that_is_leaving_is_let_go_with_its_first_answer(edge, copies):
    copies[2].leaving = True
    eventually(lambda: ask(edge, 4)[0] == {200: 4} and hosts(edge) == 2)
    # It says that it is well all along in this test, so it is back; a process that leaves says otherwise.
    copies[2].leaving = False
    eventually(lambda: hosts(edge) == 3)


def test_a_copy_that_fails_again_and_again_is_left_out_and_comes_back(edge, copies):
    """It says that it is well, so only its answers tell."""
    copies[0].failing = True
    first, _ = ask(edge, 30)
    assert first[500] >= 5

    # It is let in again now and then, for five bad answers each time; while it is left out it costs nobody one.
    def left_out():
        return hosts(edge) == 2 and ask(edge, 20)[0] == {200: 20}

    eventually(left_out)
    copies[0].failing = False
    eventually(lambda: hosts(edge) == 3)


def test_a_copy_with_too_much_to_do_is_asked_once_each_time_and_goes_on_being_asked(edge, copies):
    """Elsewhere its requests would add to what the others have; left out, it would leave them all of its own."""
    copies[0].overloaded = True
    before = {one.port: one.seen[LOANS] for one in copies}
    codes, by = ask(edge, 60)
    asked = {one.port: one.seen[LOANS] - before[one.port] for one in copies}
    assert sum(asked.values()) == 60, "nothing is asked again"
    assert codes == {503: asked[copies[0].port], 200: by.total()}
    assert asked[copies[0].port] >= 15
    assert hosts(edge) == 3
    refused = next(answer for _ in range(30) if (answer := edge.ask()).status_code == 503)
    assert refused.headers["retry-after"] == "1"
    assert "x-mlstrata-overloaded" not in refused.headers


def test_a_bad_request_does_not_take_every_copy_out(edge, copies):
    """A request on which every copy fails must not be a way to switch a system off."""
    codes, _ = ask(edge, 60, b'{"status": 500}')
    assert set(codes) == {500}
    codes, by = ask(edge, 10)
    assert codes == {200: 10}
    assert by


def test_what_a_copy_may_have_begun_is_asked_of_no_other(edge, copies):
    before = sum(one.seen[LOANS] for one in copies)
    codes, _ = ask(edge, 1, b'{"hang_up": true}')
    assert codes == {503: 1}
    codes, _ = ask(edge, 1, b'{"status": 500}')
    assert codes == {500: 1}
    assert sum(one.seen[LOANS] for one in copies) == before + 2


def test_a_copy_that_is_gone_and_back_costs_nobody_who_comes_later_an_answer(edge, copies):
    gone = copies[0]
    gone.stop()
    with Traffic(edge) as traffic:
        eventually(lambda: hosts(edge) == 2)
        gone.start()
        eventually(lambda: hosts(edge) == 3)
        wanted = traffic.codes.total() + 60
        eventually(lambda: traffic.codes.total() >= wanted)
    assert set(traffic.codes) == {200}
    assert gone.port in ask(edge, 30)[1]
