"""Parts of the compliant world: labels, containers and workloads that every policy likes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from policies.live import GateOutcome, Live, LiveSystem

HIGH_RISK, LIMITED = "mortgage-approval", "ticket-routing"
DIGEST = "sha256:" + "5e" * 32
IMAGE = f"ghcr.io/mlstrata/mlflow@{DIGEST}"


def labels(system: str = "", part: str = "", **more: str) -> dict[str, str]:
    """Return the labels of a resource: the system it belongs to, the part it plays, and others."""
    own = {"mlstrata.io/system": system, "mlstrata.io/part": part, "mlstrata.io/owner": "lending@example.com"}
    return {key: value for key, value in {**own, "mlstrata.io/cost-centre": "4711", **more}.items() if value}


def container(name: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return a container that every policy likes."""
    return {
        "name": name,
        "image": IMAGE,
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
        "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **more,
    }


def workload(name: str, part: str = "", *, system: str = "", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return a Deployment's inputs."""
    return {
        "metadata": {"name": name, "namespace": "lending", "labels": labels(system, part)},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [container(name, **more)]}}},
    }


def running(system: str = HIGH_RISK, **fields: Any) -> Live:  # noqa: ANN401
    """Return a running platform on which both systems do well, but for `fields` of `system`."""
    well = LiveSystem(
        version="7",
        way_back="6",
        released=7,
        metrics={"auc": 0.85, "f1": 0.9},
        gates=(GateOutcome("auc", passed=True), GateOutcome("plausible", passed=True)),
        bias={"single": 0.05},
        bias_measured=date(2026, 10, 1),
    )
    return Live({HIGH_RISK: well, LIMITED: well} | {system: replace(well, **fields)})
