"""Small pods for tests of a node."""

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def namespace(name: str, labels: Mapping[str, str] | None = None) -> Json:
    """Return a namespace whose pods must meet `restricted`."""
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {**enforced, **(labels or {})}},
    }


def pod(name: str, space: str, *command: str, image: str = "localhost/shell:1", **more: Any) -> Json:
    """Return a pod that meets `restricted`; it sleeps where no command is given.

    Args:
        name: Its name, which it has as its label `app` too.
        space: Its namespace.
        command: What it runs.
        image: What it runs from.
        more: Further fields: `labels`, `volumes`, and of its container `mounts`, `probe`.
    """
    container: Json = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "securityContext": RESTRICTED,
        "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}, "limits": {"memory": "256Mi"}},
        "volumeMounts": more.get("mounts", []),
    }
    if command:
        container["command"] = list(command)
    if "probe" in more:
        container["readinessProbe"] = {"periodSeconds": 1, **more["probe"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": space, "labels": {"app": name, **more.get("labels", {})}},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "runAsGroup": 10001,
                "fsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": more.get("volumes", []),
        },
    }
