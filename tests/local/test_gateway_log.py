"""The access log of a real Envoy is archived while it is used: every request is found exactly once."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest

from mlstrata.services.gateway.logarchive import Archiver, reopen
from mlstrata.services.gateway.logfiles import archives, closing, lines
from mlstrata.services.gateway.usage import read_usage
from tests.support.gateway import LOANS, Edge, StandIn
from tests.support.patience import PATIENCE, eventually

ROOT = Path(__file__).parents[2]
LIMIT = 4000
"""Bytes: some ten requests."""
ENDLESS = """
import sys, time
from datetime import timedelta
from functools import partial
from pathlib import Path
from mlstrata.services.gateway.logarchive import Archiver, NotReopenedError, reopen
log, port, limit = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
archiver = Archiver(log, timedelta(days=200), partial(reopen, port), limit=limit, quiet=0.0)
while True:
    try:
        archiver.round()
    except NotReopenedError:
        time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def process():
    made = StandIn()
    yield made
    made.stop()


@pytest.fixture
def edge(tmp_path, process):
    made = Edge(tmp_path, process.port)
    yield made
    made.process.kill()


@contextmanager
def load(edge, answered, threads=3):
    """Ask without a pause; `answered` takes the id of each request that got an answer."""
    ended = threading.Event()

    def ask():
        headers = {"authorization": f"Bearer {edge.token()}"}
        with httpx.Client(verify=edge.trust, trust_env=False, headers=headers) as client:
            while not ended.is_set():
                try:
                    answered.append(client.post(edge.url + LOANS, content=b"{}").headers["x-request-id"])
                except httpx.TransportError:
                    time.sleep(0.02)

    asking = [threading.Thread(target=ask) for _ in range(threads)]
    for one in asking:
        one.start()
    try:
        yield
    finally:
        ended.set()
        for one in asking:
            one.join()


def logged(edge):
    return Counter(json.loads(line)["request_id"] for line in lines(edge.settings.access_log))


def found_once(edge, answered):
    """Wait until Envoy wrote everything; each request of `answered` must be there, and none twice."""
    # Those of now: more are answered meanwhile.
    wanted = set(answered)
    eventually(lambda: wanted <= set(logged(edge)), pause=0.1)
    found = logged(edge)
    assert max(found.values(), default=1) == 1


def started(edge, limit=LIMIT):
    command = [sys.executable, "-c", ENDLESS, str(edge.settings.access_log), str(edge.settings.admin_port), str(limit)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE)


def test_no_request_is_lost_or_doubled_however_the_archiver_ends(edge):
    answered, dice, kills = [], random.Random(7), 0  # noqa: S311 - when it is killed
    with load(edge, answered):
        while kills < 6 or len(answered) <= 300:
            known, running = len(archives(edge.settings.access_log)), started(edge)

            def archiving(known=known, running=running):
                assert running.poll() is None, running.stderr.read().decode()
                return len(archives(edge.settings.access_log)) > known

            # In the midst of its work, wherever that is.
            eventually(archiving, pause=0.01)
            time.sleep(dice.uniform(0.0, 0.5))
            running.kill()
            running.wait()
            running.stderr.close()
            kills += 1
            # Read while there is load, from what a killed archiver left; Envoy is half a second behind.
            found_once(edge, answered[: -len(answered) // 2])
    found_once(edge, answered)
    log = edge.settings.access_log
    admin = partial(reopen, edge.settings.admin_port)
    Archiver(log, timedelta(days=200), admin, limit=LIMIT, patience=PATIENCE).round()
    found_once(edge, answered)
    assert not closing(log).exists()
    assert not [path for path in log.parent.iterdir() if path.name.endswith(".part")]
    assert len(archives(log)) >= 5
    assert all(archive.packed.exists() and not archive.plain.exists() for archive in archives(log))
    (one,) = [one for one in read_usage(lines(log)) if one.consumer == "desk"]
    assert one.requests == len(answered)


def test_an_envoy_that_dies_or_starts_anew_meanwhile_loses_nothing_that_was_written(edge):
    log, answered = edge.settings.access_log, []
    running = started(edge)
    try:
        with load(edge, answered):
            eventually(lambda: len(answered) > 100 and archives(log))
        # Written every half a second; what a killed Envoy had not written is gone with it, archived or not.
        found_once(edge, answered)
        edge.process.kill()
        # For the archiver to do what it must not; it has nothing to do that could be waited for.
        time.sleep(1)
        found_once(edge, answered)
        again = Edge(log.parents[1], edge.settings.systems[0].upstream_port)
        try:
            # The archiver knows the old port: whoever is there does not answer, so nothing may be closed.
            more = []
            with load(again, more):
                eventually(lambda: len(more) > 100)
            found_once(again, [*answered, *more])
        finally:
            again.process.kill()
        assert running.poll() is None, running.stderr.read().decode()
    finally:
        running.kill()
        running.wait()
        running.stderr.close()


def test_an_idle_envoy_lets_go_too(edge):
    log = edge.settings.access_log
    answered = [edge.ask().headers["x-request-id"]]
    found_once(edge, answered)
    Archiver(
        log, timedelta(days=200), partial(reopen, edge.settings.admin_port), limit=1, quiet=0.1, patience=PATIENCE
    ).round()
    assert len(archives(log)) == 1
    assert not closing(log).exists()
    answered.append(edge.ask().headers["x-request-id"])
    found_once(edge, answered)
    assert answered[1] in log.read_text()
