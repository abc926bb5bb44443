"""The training pipeline as a cluster takes it: our image in every step, and what lets steps into the registry."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from mlstrata.clients.mlflow.access import PATIENT, SEAL, USER
from mlstrata.services.kubeflow.contract import Reading
from mlstrata_steps.seal import KEY

Json = dict[str, Any]
READS, REGISTERS = "exec-ingest", "exec-register"
"""What the compiler calls the step that reads the data, and the one that registers and seals a version."""


@dataclass(frozen=True)
class Package:
    """A pipeline to upload.

    Attributes:
        version: Its version's name: the same pipeline has the same.
        text: Two YAML documents: the pipeline, and what its steps need of Kubernetes.
        steps: Names of its steps.
    """

    version: str
    text: bytes
    steps: tuple[str, ...]


def packaged(
    ir: Json, image: str, secret: str, labels: dict[str, str], data: Reading | None = None, *, pull_secret: str = ""
) -> Package:
    """Return a compiled pipeline for a cluster.

    Args:
        ir: What the compiler wrote.
        image: Image of every step.
        secret: Secret with the registry's password, in the namespace of the steps.
        labels: Labels of the steps' pods: which of them may reach the registry.
        data: How the step that reads the data reaches its bucket; None: it lies in none.
        pull_secret: Secret with which the steps' pods pull that image; empty: none.
    """
    import yaml

    executors = {
        name: {**one, "container": {**one["container"], "image": image}}
        for name, one in ir["deploymentSpec"]["executors"].items()
    }
    pipeline = {**ir, "deploymentSpec": {**ir["deploymentSpec"], "executors": executors}}
    registry = {"MLFLOW_TRACKING_PASSWORD": (secret, "password")}
    needs = {}
    for name, one in executors.items():
        reads = data if data and name == READS else Reading()
        told = {"MLFLOW_TRACKING_USERNAME": USER, **PATIENT, **reads.variables}
        given = [{"name": name, "value": value} for name, value in told.items()]
        one["container"]["env"] = [*one["container"].get("env", ()), *given]
        needs[name] = {
            "secretAsEnv": [
                *(_variable(one, *where) for one, where in {**registry, **reads.secrets}.items()),
                *([{**_variable(KEY, secret, SEAL), "optional": True}] if name == REGISTERS else []),
            ],
            "podMetadata": {"labels": labels, "annotations": {"karpenter.sh/do-not-disrupt": "true"}},
        }
        if pull_secret:
            named = {"runtimeValue": {"constant": pull_secret}}
            needs[name]["imagePullSecret"] = [{"secretName": pull_secret, "secretNameParameter": named}]
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": needs}}}}
    text = yaml.dump_all([pipeline, platform], Dumper=_plain(), sort_keys=True).encode()
    digest = hashlib.sha256(text).hexdigest()[:12]
    return Package(f"{ir['pipelineInfo']['name']}-{digest}", text, tuple(ir["root"]["dag"]["tasks"]))


def _variable(name: str, secret: str, key: str) -> Json:
    return {
        "keyToEnv": [{"secretKey": key, "envVar": name}],
        "optional": False,
        "secretName": secret,
        "secretNameParameter": {"runtimeValue": {"constant": secret}},
    }


def _plain() -> type:
    """Return a writer without references: the reader at the other end may not follow them."""
    import yaml

    # Of a kind that a type checker cannot see into: yaml has no types here.
    return type("Plain", (yaml.SafeDumper,), {"ignore_aliases": lambda _self, _data: True})
