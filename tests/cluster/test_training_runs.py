"""`mlstrata train` on a real API server and a server of Kubeflow's published API: one clock trains, not two."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlstrata.cli.main import main
from tests.support.cluster import Cluster, Json
from tests.support.kubeflow import kubeflow
from tests.support.rendered import ROOT, STAGES
from tests.support.workstation import Everything, kubectl

SYSTEM, SPACE = "mortgage-approval", "mlstrata-dev-lending"
NAME = f"training-{SYSTEM}"


@pytest.fixture
def pipelines() -> Iterator[str]:
    """Give the address of a Kubeflow and of a registry."""
    with kubeflow() as (url, _):
        yield url


@pytest.fixture
def workspace(cluster: Cluster, pipelines: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a workspace whose system is trained by the clock, on a cluster reached as its administrator."""
    text = (ROOT / "environments/dev.yaml").read_text(encoding="utf-8")
    text = text.replace("context: ml-dev", "context: test").replace(
        "      protected: [afam, single]\n", '      protected: [afam, single]\n      schedule: "0 3 * * 1"\n', 1
    )
    assert "schedule" in text
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/dev.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    port = int(pipelines.rpartition(":")[2])
    reached = ("mlstrata-dev/pod/mlflow-0:5000", "kubeflow/service/ml-pipeline:8888")
    kubectl(tmp_path / "bin", {f"test/{one}": (Everything(), port) for one in reached})
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "mlstrata")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "in-memory")
    return tmp_path


def test_a_training_runs_on_kubeflow_and_the_jobs_own_clock_stands_still(
    cluster: Cluster, stages: dict[str, list[Json]], workspace: Path, capsys: Any
):
    declared = next(one for one in stages[STAGES[-1]] if one["kind"] == "CronJob" and one["metadata"]["name"] == NAME)
    # As it is deployed where the file has a schedule.
    ticking = {**declared, "spec": {**declared["spec"], "schedule": "0 3 * * 1", "suspend": False}}
    cluster.must([ticking])
    assert main(["train", "dev", SYSTEM]) == 0
    said = "".join(capsys.readouterr())
    assert "trained by the clock from now on: 0 3 * * 1 (UTC)" in said
    for step in ("ingest", "train", "register"):
        assert f"✓ {step}" in said
    assert "auc 0.80 (0.75 to 0.85) · registered version 1" in said
    found = cluster.get("cronjob", NAME, SPACE)
    assert found["spec"]["suspend"] is True
    # What Pulumi sends from then on: all but the field that it ignores, and not by force.
    left = {key: value for key, value in ticking["spec"].items() if key != "suspend"}
    text = json.dumps({**ticking, "spec": left})
    done = cluster.kubectl("apply", "--server-side", "--field-manager=mlstrata", "-f", "-", stdin=text)
    assert done.code == 0, done.err
    assert cluster.get("cronjob", NAME, SPACE)["spec"]["suspend"] is True
    assert main(["train", "dev", SYSTEM, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["system"], again["version"]) == (SYSTEM, "2")
    cluster.must([declared])


def test_a_training_that_cannot_start_says_why(workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    monkeypatch.setenv("KUBECONFIG", str(workspace / "none"))
    assert main(["train", "dev", SYSTEM]) == 2
    assert "no context 'test'" in " ".join(capsys.readouterr().err.split())
