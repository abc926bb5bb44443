"""Commands on a cluster by their own port-forward, with no address set and with the rights of the documented Role."""

import base64
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pulumi
import pytest

from mlstrata.cli.main import main
from mlstrata.clients.mlflow import Registry
from mlstrata.clients.mlflow.access import header, of
from mlstrata.components.upstream.bill import piece
from mlstrata.environments import Workspace, load
from mlstrata.operations.cluster_access import PIPELINES_URL, port_forward
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError
from mlstrata.operations.live_facts import gather
from mlstrata.operations.reporting import SILENT
from mlstrata.operations.targets.kubernetes import Kubernetes
from mlstrata.stacks.program import plan
from tests.support.recorded import Graph, record
from tests.support.registry import PASSWORD, serving
from tests.support.workstation import MemoryCluster, Rights, kubectl

ROOT = Path(__file__).parents[3]
SYSTEM = "mortgage-approval"
SYSTEMS = {
    SYSTEM: ("seldondeployments", "lending"),
    "mortgage-forest": ("cronjobs", "lending"),
    "ticket-routing": ("seldondeployments", "service-desk"),
}
"""What keeps the record of each, and its team."""
SPACES = {"dev": "mlstrata-dev", "staging": "mlstrata"}
KUBEFLOW = piece("kubeflow-pipelines").namespace
FIGURES = {"auc": 0.82, "brier": 0.09}
WHY = ("--reason", "better", "--json", "--yes")


def graph_of(environment: str) -> Graph:
    def program() -> None:
        for name, value in plan(load(ROOT / f"environments/{environment}.yaml"), Workspace(ROOT)).items():
            pulumi.export(name, value)

    return record(program, stack=environment)


@pytest.fixture(scope="module")
def graphs() -> dict[str, Graph]:
    return {name: graph_of(name) for name in SPACES}


@pytest.fixture(scope="module")
def registries(tmp_path_factory) -> Iterator[dict[str, str]]:
    """A registry for each environment, as a pod has it: asked by its own names, and by whatever port is forwarded."""
    with serving(tmp_path_factory.mktemp("dev")) as one, serving(tmp_path_factory.mktemp("staging")) as other:
        for _ in range(2):
            registered(Registry(one, header(of(PASSWORD))))
        yield {"dev": one, "staging": other}


def registered(registry: Registry) -> None:
    """Register a version as the training pipeline does: model and reports lie with its run."""
    made = registry.post(
        "runs/create", experiment_id=registry.experiment(SYSTEM), start_time=int(time.time() * 1000)
    )["run"]["info"]  # fmt: skip
    check = {"name": "auc", "passed": True, "detail": "0.8", "warns": False}
    registry.write(made["artifact_uri"], "gates.json", json.dumps({"checks": [check]}).encode())
    registry.write(made["artifact_uri"], "model/MLmodel", b"flavors: {}\n")
    figures = [{"key": name, "value": value, "timestamp": 1, "step": 0} for name, value in FIGURES.items()]
    registry.post("runs/log-batch", run_id=made["run_id"], metrics=figures, params=[])
    registry.post("runs/update", run_id=made["run_id"], status="FINISHED")
    registry.model(SYSTEM)
    source = f"{made['artifact_uri']}/model"
    registry.post("model-versions/create", name=SYSTEM, source=source, run_id=made["run_id"])


def manifests(graph: Graph) -> list[dict]:
    return [dict(one.inputs) for kind in ("Role", "RoleBinding") for one in graph.all(kind)]


@pytest.fixture
def clusters(graphs, registries, tmp_path, monkeypatch) -> dict[str, MemoryCluster]:
    """Both environments on clusters, a registry in each, and on this machine nothing but kubectl."""
    made: dict[str, MemoryCluster] = {}
    reached = {}
    (tmp_path / "environments").mkdir()
    for name, space in SPACES.items():
        shutil.copy(ROOT / f"environments/{name}.yaml", tmp_path / "environments")
        # Somebody who releases each of them: what runs is checked as a whole.
        groups = [f"mlstrata:{name}:{one}:release" for one in SYSTEMS]
        rights = Rights(manifests(graphs[name]), *groups)
        made[name] = MemoryCluster(f"ml-{name}", rights)
        password = {"password": base64.b64encode(PASSWORD.encode()).decode()}
        made[name].put("secrets", {"metadata": {"name": "mlflow-access", "namespace": space}, "data": password})
        for system, (kind, team) in SYSTEMS.items():
            place = {"name": system if kind != "cronjobs" else f"scoring-{system}", "namespace": f"{space}-{team}"}
            made[name].put(kind, {"metadata": place, "spec": {}})
        port = int(registries[name].rpartition(":")[2])
        reached[f"ml-{name}/{space}/pod/mlflow-0:5000"] = (rights, port)
        # A server that answers stands for Kubeflow's too: what is asked here is whether it is reached.
        reached[f"ml-{name}/{KUBEFLOW}/service/ml-pipeline:8888"] = (rights, port)
    kubectl(tmp_path / "bin", reached)
    monkeypatch.setattr(Kubernetes, "cluster", property(lambda target: made[target.target.context.removeprefix("ml-")]))
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    for name in ("MLSTRATA_REGISTRY_URL", "MLSTRATA_REGISTRY_URL_DEV", "MLSTRATA_REGISTRY_URL_STAGING", *of("any")):
        # Set first: what a command itself sets there is then gone after the test.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return made


def test_released_checked_documented_and_promoted_with_the_role_alone(clusters, tmp_path, capsys):
    assert main(["release", "dev", SYSTEM, "--version", "1", *WHY]) == 0, capsys.readouterr().err
    assert json.loads(capsys.readouterr().out)["version"] == "1"
    live = gather(Deployment.open("dev"), SILENT).of(SYSTEM)
    assert (live.version, live.metrics) == ("1", FIGURES)
    assert main(["dossier", "dev", SYSTEM, "-o", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unreadable"] == []
    assert main(["promote", "dev", SYSTEM, "--to", "staging", *WHY]) == 0
    assert json.loads(capsys.readouterr().out)["created"] is True
    asked = [json.loads(line) for line in (tmp_path / "bin/asked").read_text().splitlines()]
    assert {one[4] for one in asked} == {"pod/mlflow-0"}, "one pod, by its name"


def test_training_reaches_both_of_its_servers(clusters):
    cluster = clusters["dev"]
    with port_forward(cluster, KUBEFLOW, "service/ml-pipeline", 8888, PIPELINES_URL) as url:
        assert url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("to", "port"), [("pod/database-1", 5432), ("pod/object-store-0", 8333), ("service/mlflow", 5000)]
)
def test_nothing_else_of_the_platform_is_forwarded(clusters, to, port):
    forwarding = port_forward(clusters["dev"], SPACES["dev"], to, port, "MLSTRATA_REGISTRY_URL")
    with pytest.raises(UsageError, match="Forbidden"), forwarding:
        pass


def test_the_role_names_one_pod_and_one_secret(clusters):
    for name, space in SPACES.items():
        rules = {
            resource: (tuple(rule.get("resourceNames", ())), set(rule["verbs"]))
            for where, rule in clusters[name].rights.rules
            for resource in rule["resources"]
            if where == space
        }
        assert rules == {
            "pods": (("mlflow-0",), {"get"}),
            "pods/portforward": (("mlflow-0",), {"create", "get"}),
            "secrets": (("mlflow-access",), {"get"}),
        }
