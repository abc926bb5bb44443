"""A promotion between two environments on clusters: what was released stands on the API server, registries are real."""

import base64
import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from mlstrata.cli.main import main
from mlstrata.clients.mlflow import Registry
from mlstrata.clients.mlflow.access import header, of
from mlstrata.services.serving.cluster import RECORD
from mlstrata.services.serving.releases import HistoryEntry, Releases
from tests.support.cluster import Cluster
from tests.support.registered import PYTHON
from tests.support.registry import PASSWORD, serving
from tests.support.rendered import ROOT
from tests.support.workstation import Everything, Rights, kubectl

SYSTEM = "mortgage-approval"
WHY = ("--reason", "agreed by the owners", "--decider", "ana", "--yes")
# Each environment in a namespace of the test's own, beside those that other tests have.
SPACES = {"dev": "promote-dev", "staging": "promote-staging"}


@pytest.fixture(scope="module")
def registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Registry]]:
    """Give a real MLflow for each environment."""
    with ExitStack() as held:
        yield {
            name: Registry(
                held.enter_context(serving(tmp_path_factory.mktemp(name), python=PYTHON)),
                header(of(PASSWORD)),
            )
            for name in SPACES
        }


def registered(side: Registry, auc: float, *, passed: bool = True) -> str:
    """Register a version as the training pipeline does: model and reports lie with its run."""
    run = side.post("runs/create", experiment_id=side.experiment(SYSTEM), start_time=int(time.time() * 1000))["run"][
        "info"
    ]
    check = {"name": "fairness", "passed": passed, "detail": "afam 0.1, at most 0.15 allowed", "warns": False}
    side.write(run["artifact_uri"], "gates.json", json.dumps({"checks": [check]}).encode())
    side.write(run["artifact_uri"], "model/MLmodel", b"flavors: {}\n")
    figures = [
        {"key": name, "value": value, "timestamp": 1, "step": 0} for name, value in (("auc", auc), ("brier", 0.09))
    ]
    side.post("runs/log-batch", run_id=run["run_id"], metrics=figures, params=[{"key": "seed", "value": "0"}])
    side.post("runs/update", run_id=run["run_id"], status="FINISHED")
    side.model(SYSTEM)
    source = f"{run['artifact_uri']}/model"
    made = side.post("model-versions/create", name=SYSTEM, source=source, run_id=run["run_id"])
    return str(made["model_version"]["version"])


@pytest.fixture(scope="module")
def spaces(cluster: Cluster) -> Iterator[None]:
    """Take the namespaces away after all tests: what is being taken away cannot be made anew meanwhile."""
    yield
    for space in (*SPACES.values(), f"{SPACES['dev']}-lending"):
        cluster.kubectl("delete", "namespace", space, "--wait=false", "--ignore-not-found")


@pytest.fixture
def promoted(
    cluster: Cluster, spaces: None, registries: dict[str, Registry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Registry]:
    """Give both environments, as their files declare them, on the API server; dev released its newest version."""
    (tmp_path / "environments").mkdir()
    reached: dict[str, tuple[Rights, int]] = {}
    for name, space in SPACES.items():
        text = (ROOT / f"environments/{name}.yaml").read_text()
        target = f"target: {{kind: kubernetes, context: ml-{name}, namespace: {space}, region: eu-central-1"
        text, found = re.subn(r"(?m)^target: \{kind: kubernetes, [^}]*?(?=, storage_class|\})", target, text)
        assert found == 1
        (tmp_path / f"environments/{name}.yaml").write_text(text)
        password = base64.b64encode(PASSWORD.encode()).decode()
        made = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mlflow-access", "namespace": space}}
        cluster.must(
            [
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}},
                {**made, "data": {"password": password}},
            ]
        )
        monkeypatch.delenv(f"MLSTRATA_REGISTRY_URL_{name.upper()}", raising=False)
        port = int(registries[name].address.rpartition(":")[2])
        reached[f"ml-{name}/{space}/pod/mlflow-0:5000"] = (Everything(), port)
    config = yaml.safe_load((cluster.home / "kubeconfig").read_text())
    (one,) = config["contexts"]
    config["contexts"] = [{**one, "name": name} for name in ("ml-dev", "ml-staging")]
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    (tmp_path / "kubeconfig").chmod(0o600)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    kubectl(tmp_path / "bin", reached)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.delenv("MLSTRATA_REGISTRY_URL", raising=False)
    return registries


def released(cluster: Cluster, version: str) -> None:
    """Have dev's record say that a version was released."""
    entry = HistoryEntry(
        kind="release", when=datetime.now(UTC), who="ben", why="better", **{"from": None}, to=version, metrics={}
    )
    record = Releases(champion=version, loaded=(version,), history=(entry,))
    space = f"{SPACES['dev']}-lending"
    metadata = {"name": SYSTEM, "namespace": space, "annotations": {RECORD: record.to_json()}}
    predictor = {"name": "default", "graph": {"name": "model", "type": "MODEL"}}
    deployment = {"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment", "metadata": metadata}
    cluster.must(
        [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}},
            {**deployment, "spec": {"name": SYSTEM, "predictors": [predictor]}},
        ]
    )


def test_a_version_goes_from_cluster_to_cluster_with_who_released_it(cluster, promoted, capsys):
    version = registered(promoted["dev"], 0.82)
    released(cluster, version)
    assert main(["promote", "dev", SYSTEM, "--to", "staging", *WHY, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (approval,) = told["evidence"]["approvals"]
    assert (approval["who"], approval["reason"], told["created"]) == ("ben", "better", True)
    (there,) = promoted["staging"].versions(SYSTEM)
    assert {tag["key"]: tag["value"] for tag in there["tags"]}["promoted_from"] == f"dev/{version}"
    assert main(["promote", "dev", SYSTEM, "--to", "staging", *WHY, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["created"] is False


@pytest.mark.parametrize(
    ("found", "said"), [((0.5, True), "its auc is 0.5"), ((0.9, False), "did not pass 'fairness'")]
)
def test_what_may_not_go_on_stays(cluster, promoted, capsys, found, said):
    before = promoted["staging"].versions(SYSTEM)
    released(cluster, registered(promoted["dev"], found[0], passed=found[1]))
    assert main(["promote", "dev", SYSTEM, "--to", "staging", *WHY]) == 1
    assert said in capsys.readouterr().err
    assert promoted["staging"].versions(SYSTEM) == before


def test_a_registry_whose_password_may_not_be_read_is_said(cluster, promoted, capsys):
    version = registered(promoted["dev"], 0.82)
    released(cluster, version)
    cluster.kubectl("delete", "secret", "mlflow-access", "-n", SPACES["staging"])
    assert main(["promote", "dev", SYSTEM, "--to", "staging", *WHY]) == 2
    assert "no password for the registry" in capsys.readouterr().err
