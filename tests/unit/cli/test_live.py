"""`mlstrata check --live`: what registry and rollout know becomes the facts that policies judge."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlstrata.cli.check import check
from mlstrata.cli.main import main
from mlstrata.clients.mlflow import Candidate, Check
from mlstrata.environments import days
from mlstrata.operations import live_facts as live
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError
from mlstrata.operations.releases import LocalBackend
from mlstrata.operations.reporting import SILENT
from mlstrata.policies.core.live import GateOutcome, LiveSystem
from mlstrata.services.serving.releases import HistoryEntry, Releases
from tests.support.command import copy_exemptions, first_systems

ROOT = Path(__file__).parents[3]
SYSTEM = "mortgage-approval"
MEASURED = datetime.now(tz=UTC) - timedelta(days=20)
GOOD = {"auc": 0.82, "parity_gap_afam": 0.1, "parity_gap_single": 0.04}


class Registry:
    metrics, found = GOOD, (Check("auc", True, "0.82"), Check("later", False, "not yet", warns=True))

    def __init__(self, uri):
        assert uri == "http://registry"

    def candidate(self, system, version):
        assert system == SYSTEM
        return Candidate(version, "", self.metrics, "run", MEASURED)

    def checks(self, run):
        return self.found


@pytest.fixture
def deployment(tmp_path, monkeypatch):
    (tmp_path / "environments").mkdir()
    text = first_systems((ROOT / "environments/local.yaml").read_text(), 1)
    # Where what a running platform shows warns, and blocks nothing.
    (tmp_path / "environments/local.yaml").write_text(text.replace("stage: mature", "stage: foundation"))
    copy_exemptions(tmp_path)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    deployment = Deployment.open("local")
    rollout = LocalBackend(
        home=deployment.home,
        tracking_uri="http://registry",
        serving_urls={SYSTEM: "http://127.0.0.1:1"},
        gateway_url="http://gateway",
        decider="me",
    )
    monkeypatch.setattr("mlstrata.operations.targets.local.Local.rollout", lambda *_: rollout)
    monkeypatch.setattr("mlstrata.operations.releases.backend.Registry", Registry)
    return deployment


def release(deployment, *versions):
    entries = []
    for before, version in zip((None, *versions), versions, strict=False):
        entries.append(
            HistoryEntry(kind="release", when=datetime.now(UTC), who="me", why="it", from_=before, to=version)
        )
    folder = deployment.home / "data/serving" / SYSTEM
    folder.mkdir(parents=True, exist_ok=True)
    text = Releases(champion=versions[-1], history=tuple(entries)).to_json()
    (folder / "releases.json").write_text(text)


def test_everything_known_of_the_champion_is_passed_in(deployment):
    release(deployment, "1", "2")
    assert live.gather(deployment, SILENT).of(SYSTEM) == LiveSystem(
        version="2",
        rollback_target="1",
        released=2,
        metrics=GOOD,
        gates=(GateOutcome("auc", True, "0.82"), GateOutcome("later", True, "not yet")),
        bias={"afam": 0.1, "single": 0.04},
        bias_measured=days.day_of(MEASURED),
    )


def test_nothing_released_and_nothing_measured(deployment, monkeypatch):
    assert live.gather(deployment, SILENT).of(SYSTEM) == LiveSystem()
    release(deployment, "1")
    monkeypatch.setattr(Registry, "found", None)
    monkeypatch.setattr(Registry, "metrics", {"auc": 0.8})
    found = live.gather(deployment, SILENT).of(SYSTEM)
    assert (found.gates, found.bias_measured, found.rollback_target, found.released) == (None, None, "", 1)


def run(capsys):
    check(["local"], as_of=None, output="json", manifests=None, live=True)
    return {one["policy"]: one["outcome"] for one in json.loads(capsys.readouterr().out)[0]["results"]}


def test_the_check_judges_them(deployment, capsys, monkeypatch):
    release(deployment, "1", "2")
    found = run(capsys)
    assert found["life-promotion-gate"] == found["life-rollback-target"] == found["data-bias-report-fresh"] == "pass"
    monkeypatch.setattr(Registry, "metrics", {"auc": 0.5})
    found = run(capsys)
    assert found["life-promotion-gate"] == found["data-bias-report-fresh"] == "fail"


def test_an_environment_that_is_not_up_and_a_folder_are_told(deployment, monkeypatch, tmp_path):
    with pytest.raises(UsageError, match="--live asks a running environment"):
        check([], as_of=None, output="json", manifests=str(tmp_path), live=True)
    monkeypatch.undo()
    copy_exemptions(tmp_path)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    with pytest.raises(UsageError, match="local is not up"):
        check(["local"], as_of=None, output="json", manifests=None, live=True)


def test_a_target_that_cannot_be_asked_is_told(monkeypatch, capsys):
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(ROOT))
    assert main(["check", "prod", "--live"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "got 'aws'; what runs there is reached on 'local' and 'kubernetes' so far" in said
