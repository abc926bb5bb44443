"""`dev` on the cluster of the tests, in namespaces of its own, with a real registry and versions in it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlstrata.clients.mlflow.access import of
from tests.support.cluster import Cluster, Json
from tests.support.registry import PASSWORD, serving
from tests.support.rendered import ROOT, rendered
from tests.support.workstation import Everything, kubectl

PYTHON = str(ROOT / ".venv/bin/python")
SPACE, TEAM = "beside-dev", "beside-dev-lending"
APPROVAL, FOREST = "mortgage-approval", "mortgage-forest"
_KINDS = ("Namespace", "ServiceAccount", "ConfigMap", "Role", "RoleBinding", "CronJob", "SeldonDeployment")
_PASSED, _FAILED = ({"name": "auc", "passed": one, "detail": "of the test", "warns": False} for one in (True, False))
GOOD = {"auc": 0.82, "parity_gap_afam": 0.1, "parity_gap_single": 0.04}
VERSIONS = (
    {"system": APPROVAL, "metrics": GOOD, "checks": [_PASSED]},
    {"system": APPROVAL, "metrics": {"auc": 0.5}, "checks": [_FAILED]},
    {"system": FOREST, "metrics": {"auc": 0.80}, "checks": [_PASSED]},
    {"system": FOREST, "metrics": {"auc": 0.84}, "checks": [_PASSED]},
    {"system": FOREST, "metrics": {"auc": 0.90}, "checks": [_FAILED]},
    {"system": FOREST, "metrics": {"auc": 0.86}, "checks": [_PASSED], "example": False},
)
"""Versions 1 and 2 of one system, 1 to 4 of the other."""
_REGISTER = """
import json, sys
import mlflow, pandas
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
data = pandas.DataFrame({"pirat": [0.1, 0.2, 0.8, 0.9], "lvrat": [0.3, 0.5, 0.9, 1.2]})
model = LogisticRegression().fit(data, [0, 0, 1, 1])
for one in json.load(sys.stdin):
    mlflow.set_experiment(one["system"])
    with mlflow.start_run():
        mlflow.log_metrics(one["metrics"])
        mlflow.log_dict({"checks": one["checks"]}, "gates.json")
        mlflow.sklearn.log_model(
            model, name="model", registered_model_name=one["system"], pyfunc_predict_fn="predict_proba",
            signature=infer_signature(data, model.predict_proba(data)), serialization_format="skops",
            skops_trusted_types=["numpy.dtype"],
            input_example=data.head(1) if one.get("example", True) else None, pip_requirements=["scikit-learn"])
"""


@dataclass(frozen=True)
class Beside:
    """What the tests have.

    Attributes:
        cluster: The control plane.
        workspace: A workspace with `environments/dev.yaml`; a test must not write there.
        objects: What was rendered of it and applied.
        registry: The registry's address.
    """

    cluster: Cluster
    workspace: Path
    objects: list[Json]
    registry: str

    def use(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        """Have commands find the environment in a folder of the test's own, the cluster as its administrator."""
        (folder / "environments").mkdir()
        text = (self.workspace / "environments/dev.yaml").read_text(encoding="utf-8")
        (folder / "environments/dev.yaml").write_text(text, encoding="utf-8")
        config = yaml.safe_load((self.cluster.home / "kubeconfig").read_text(encoding="utf-8"))
        config["contexts"] = [{**config["contexts"][0], "name": "ml-dev"}]
        (folder / "kubeconfig").write_text(yaml.safe_dump(config), encoding="utf-8")
        (folder / "kubeconfig").chmod(0o600)
        patch.setenv("KUBECONFIG", str(folder / "kubeconfig"))
        patch.setenv("MLSTRATA_WORKSPACE", str(folder))
        # Nothing says where the registry is: commands forward a port, as they do from any workstation.
        patch.delenv("MLSTRATA_REGISTRY_URL", raising=False)
        port = int(self.registry.rpartition(":")[2])
        kubectl(folder / "bin", {f"ml-dev/{SPACE}/pod/mlflow-0:5000": (Everything(), port)})
        patch.setenv("PATH", f"{folder}/bin:/usr/bin:/bin")
        for name in of(PASSWORD):
            # Set first: what a command itself sets there is then gone after the test.
            patch.setenv(name, "")
            patch.delenv(name)

    def python(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run something in the environment that has models' libraries, as a pod that may ask the registry."""
        return _python(self.registry, arguments, stdin)


def _python(registry: str, arguments: tuple[str, ...], stdin: str) -> subprocess.CompletedProcess[str]:
    told: Mapping[str, str] = {**os.environ, **of(PASSWORD), "MLFLOW_TRACKING_URI": registry}
    command = [PYTHON, *arguments]
    return subprocess.run(command, input=stdin, env=told, cwd=ROOT, capture_output=True, text=True, check=False)


def beside(cluster: Cluster, folder: Path) -> Iterator[Beside]:
    """Apply what releases touch, start a registry and register versions; take all of it away afterwards."""
    found = rendered("dev", "foundation", folder, _elsewhere)
    objects = [one for one in found if one["kind"] in _KINDS and _space(one) in {SPACE, TEAM, f"{SPACE}-service-desk"}]
    secret: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mlflow-access"}}
    secret["metadata"]["namespace"] = SPACE
    secret["data"] = {"password": base64.b64encode(PASSWORD.encode()).decode()}
    (folder / "mlflow").mkdir()
    try:
        cluster.must([*objects, secret])
        with serving(folder / "mlflow", python=PYTHON) as registry:
            made = _python(registry, ("-c", _REGISTER), json.dumps(VERSIONS))
            assert made.returncode == 0, made.stderr
            yield Beside(cluster, folder, objects, registry)
    finally:
        for one in objects:
            if one["kind"] == "Namespace":
                cluster.kubectl("delete", "namespace", one["metadata"]["name"], "--wait=false")


def _elsewhere(text: str) -> str:
    assert text.count("namespace: mlstrata-dev") == 1
    return text.replace("namespace: mlstrata-dev", f"namespace: {SPACE}")


def _space(one: Json) -> str:
    metadata = one["metadata"]
    return str(metadata["name"] if one["kind"] == "Namespace" else metadata.get("namespace", ""))
