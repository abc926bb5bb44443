"""Whatever is killed meanwhile, each answer that somebody was given is recorded, once.

`MLSTRATA_TEST_ANSWERS=10000 pytest tests/local/test_recording.py` goes on for longer than the suite does.
"""

import os
import random
import re
import signal
import ssl
import threading
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mlstrata.services.alerts.rules import MISSING
from mlstrata.services.recording.completeness import PATIENCE_SECONDS
from mlstrata.services.recording.sqlite import open_store
from mlstrata.services.recording.upkeep import LOOKED
from tests.support.command import ROOT, Platform
from tests.support.patience import PATIENCE, eventually

pytestmark = pytest.mark.local

SYSTEM, CONSUMER = "mortgage-approval", "underwriter-desk"
SERVING = f"serving-{SYSTEM}"
KILLED = ("recorder", SERVING, "gateway")
ANSWERS = int(os.environ.get("MLSTRATA_TEST_ANSWERS", "1500"))
CALLERS = 3
ROUNDS = max(3, ANSWERS // 500)
"""How often each service is killed."""
BODY = (ROOT / "examples/application.json").read_bytes()


class Callers:
    """Ask as people outside do, on connections that break, and note each answer with status 200: (id, version)."""

    def __init__(self, platform: Platform) -> None:
        self.url = f"{platform.exports()['urls']['gateway']}/systems/{SYSTEM}/v1/predict"
        self.trust = ssl.create_default_context(cafile=str(platform.home / "config/gateway/ca.pem"))
        self.token = platform.run("token", "local", CONSUMER).out.strip()
        self.answered: list[tuple[str, str]] = []
        self.codes: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CALLERS)]
        self._end = threading.Event()

    def __enter__(self) -> "Callers":
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for one in self._threads:
            one.join()

    def _run(self) -> None:
        with httpx.Client(verify=self.trust, trust_env=False, timeout=PATIENCE) as client:
            headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
            while not self._end.is_set():
                try:
                    answer = client.post(self.url, content=BODY, headers=headers)
                except httpx.TransportError as error:
                    self.codes[type(error).__name__] += 1
                    self._end.wait(0.05)
                    continue
                self.codes[str(answer.status_code)] += 1
                if answer.status_code == httpx.codes.OK:
                    # One step: the list is as long as it says it is, whoever looks.
                    self.answered.append((answer.headers["x-request-id"], answer.json()["model"]["version"]))
                else:
                    self._end.wait(0.05)


def recording(text: str) -> str:
    """Return the first stage of the shipped environment with a recorder, and nothing that reads it."""
    return text.replace("systems:\n", "capabilities: {on: [recording]}\nsystems:\n", 1)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    made = Platform(tmp_path_factory.mktemp("recording"))
    text, changed = re.subn(r"rate: 50/s", "rate: 5000/s", made.declare())
    assert changed == 1
    made.workspace.environment_file("local").write_text(recording(text))
    try:
        up = made.run("up", "local", "--yes", "--train", seconds=2 * PATIENCE)
        assert up.code == 0, up.text
        yield made
    finally:
        made.end()


def kill(platform: Platform, service: str) -> None:
    """End a service as a failing machine would; the supervisor starts it again."""
    eventually(lambda: platform.client.info(service).state == "RUNNING")
    os.kill(platform.client.info(service).pid, signal.SIGKILL)


def figures(url: str) -> dict[tuple[str, str], float]:
    """Return what a service's metrics say, by name and system; nothing while it does not answer."""
    try:
        text = httpx.get(url, trust_env=False, timeout=PATIENCE).text
    except httpx.TransportError:
        return {}
    families = text_string_to_metric_families(text)
    return {(one.name, one.labels.get("system", "")): one.value for family in families for one in family.samples}


def test_every_answer_is_recorded_once_whatever_is_killed(platform: Platform) -> None:
    seed = random.randrange(2**32)  # noqa: S311 - when what is killed is no secret
    print(f"seed {seed}")
    chance = random.Random(seed)  # noqa: S311 - as above
    victims = [one for _ in range(ROUNDS) for one in chance.sample(KILLED, len(KILLED))]
    # At random moments of the first nine tenths; what comes after has all parts started again.
    moments = sorted(chance.randrange(ANSWERS * 9 // 10) for _ in victims)
    with Callers(platform) as callers:
        for moment, service in zip(moments, victims, strict=True):
            eventually(lambda moment=moment: len(callers.answered) >= moment, PATIENCE)
            kill(platform, service)
        eventually(lambda: len(callers.answered) >= ANSWERS, PATIENCE)
        # Under way as it ends: what was answered last is in a spill that nobody sends, to a recorder that is gone.
        kill(platform, "recorder")
        kill(platform, SERVING)
    answered = callers.answered
    print(f"{len(answered)} answers; by status: {dict(callers.codes)}; kills: {dict(Counter(victims))} and two")
    assert len(set(answered)) == len(answered) >= ANSWERS
    store = open_store(platform.home, read_only=True)
    try:
        eventually(lambda: not store.missing([request for request, _ in answered]))
        spill = f"http://127.0.0.1:{int(platform.exports()['ports'][SERVING]['metrics'])}/metrics"
        eventually(lambda: figures(spill).get(("mlstrata_spill_pending", SYSTEM)) == 0)
        rows = list(store.window(SYSTEM, since=0, until=2e9))
        # A request has one row here. Others are there, too: answers that broke off on their way, and the one of `up`.
        recorded = Counter(row.record.key for row in rows)
        assert {key: recorded[key] for key in answered if recorded[key] != 1} == {}
        versions = Counter(request for request, _ in recorded)
        assert {request: count for request, count in versions.items() if count != 1} == {}
        assert sum(one.recorded for one in store.counts()) >= len(recorded), "those that were refused have no rows"
        newest = max(one.newest for one in store.counts())
    finally:
        store.close()
    recorder = f"{platform.exports()['urls']['recorder']}/metrics"
    eventually(lambda: figures(recorder).get((LOOKED, ""), 0.0) > newest + PATIENCE_SECONDS + 1)
    assert figures(recorder)[MISSING, SYSTEM] == 0


def test_what_was_recorded_of_a_removed_system_is_held_and_nothing_else_of_it_stays(platform: Platform) -> None:
    store = open_store(platform.home, read_only=True)
    try:
        recorded = sum(one.recorded - one.removed for one in store.counts())
        platform.workspace.environment_file("local").write_text(recording(platform.declare(systems=0)))
        platform.up()
        done = platform.run("erase", "local", SYSTEM, "--reason", "the product ended", "--yes", "--json").json
        assert (done["recorded"], done["held"] >= recorded > 0) == (0, True), "the law has all of it kept"
        assert list(store.window(SYSTEM, since=0, until=2e9)) == []
    finally:
        store.close()
    assert [path for path in (platform.home / "data").glob(f"*/{SYSTEM}") if path.parent.name != "documents"] == []
    platform.assert_healthy()
