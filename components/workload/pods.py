"""Pods that meet the Pod Security standard `restricted`: containers, volumes, and where they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

USER = 10001
"""User and group of our images; not root, and no user of a node either."""


@dataclass(frozen=True)
class Resources:
    """What a container asks for, and the most that it gets.

    Attributes:
        cpu: Cores asked for, in Kubernetes' notation.
        memory: Memory asked for.
        cpu_limit: Most cores; the same as asked for by default.
        gpus: Accelerators.
        memory_limit: Most memory; the same as asked for by default.
    """

    cpu: str = "100m"
    memory: str = "256Mi"
    cpu_limit: str = ""
    gpus: int = 0
    memory_limit: str = ""

    def manifest(self) -> Json:
        """Return it as a container has it."""
        gpu = {"nvidia.com/gpu": str(self.gpus)} if self.gpus else {}
        return {
            "requests": {"cpu": self.cpu, "memory": self.memory, **gpu},
            "limits": {"cpu": self.cpu_limit or self.cpu, "memory": self.memory_limit or self.memory, **gpu},
        }


@dataclass(frozen=True)
class Container:
    """A container.

    Attributes:
        name: Its name.
        image: Its image.
        args: What follows the image's entry point.
        command: Replaces the entry point; empty: the image's own.
        env: Variable to its value, which is no secret.
        secrets: Variable to the secret's name and the key in it.
        fields: Variable to the field of its own pod that it has the value of.
        ports: Name to number.
        ready: Probe of its readiness; an HTTP path on the first port, or a command.
        alive: Probe of its life; the readiness's by default.
        starts_s: Seconds that it has before its first answer; only then its life is watched.
        mounts: Volume to path.
        resources: What it gets.
        read_only: Its own file system cannot be written.
    """

    name: str
    image: str
    args: Sequence[str] = ()
    command: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    ready: str | Sequence[str] = ()
    alive: str | Sequence[str] = ()
    starts_s: int = 600
    mounts: Mapping[str, str] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)
    read_only: bool = True

    def manifest(self) -> Json:
        """Return it as a pod has it, in a stable order."""
        made: Json = {"name": self.name, "image": self.image, "imagePullPolicy": "IfNotPresent"}
        if self.command:
            made["command"] = list(self.command)
        if self.args:
            made["args"] = list(self.args)
        if env := [*self._plain(), *self._secret(), *self._own()]:
            made["env"] = env
        if self.ports:
            made["ports"] = [{"name": name, "containerPort": port} for name, port in self.ports.items()]
        if self.ready:
            made["readinessProbe"] = {**self._probe(self.ready), "periodSeconds": 10}
            alive = self._probe(self.alive or self.ready)
            made["startupProbe"] = {**alive, "periodSeconds": 5, "failureThreshold": self.starts_s // 5}
            made["livenessProbe"] = {
                **alive,
                "periodSeconds": 20,
                "failureThreshold": 6,
            }
        if self.mounts:
            made["volumeMounts"] = [{"name": name, "mountPath": path} for name, path in self.mounts.items()]
        made["resources"] = self.resources.manifest()
        made["securityContext"] = {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": self.read_only,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        return made

    def _plain(self) -> list[Json]:
        return [{"name": name, "value": value} for name, value in sorted(self.env.items())]

    def _secret(self) -> list[Json]:
        return [
            {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
            for name, (secret, key) in sorted(self.secrets.items())
        ]

    def _own(self) -> list[Json]:
        return [
            # With the version that the API server would add: a render then is what the cluster has.
            {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
            for name, path in sorted(self.fields.items())
        ]

    def _probe(self, probe: str | Sequence[str]) -> Json:
        if isinstance(probe, str):
            return {"httpGet": {"path": probe, "port": next(iter(self.ports))}, "timeoutSeconds": 5}
        return {"exec": {"command": list(probe)}, "timeoutSeconds": 10}


@dataclass(frozen=True)
class Placement:
    """Which nodes a pod may run on.

    Attributes:
        selector: Labels of the nodes.
        tolerations: Taints that it may run beside.
    """

    selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, str]] = ()


def account(manifest: Mapping[str, Any], identity: Mapping[str, str], pulls: Sequence[str] = ()) -> Json:
    """Return a service account whose pods get no token of the API server.

    Args:
        manifest: Its kind and name.
        identity: Annotations that say who it is to a cloud; empty: nobody.
        pulls: Names of the secrets with which its pods pull their images.
    """
    metadata = {**manifest["metadata"], **({"annotations": dict(identity)} if identity else {})}
    made = {**manifest, "metadata": metadata, "automountServiceAccountToken": False}
    if pulls:
        made["imagePullSecrets"] = [{"name": one} for one in pulls]
    return made


def pod(
    containers: Sequence[Container],
    *,
    account: str,
    first: Sequence[Container] = (),
    volumes: Mapping[str, Json] | None = None,
    priority: str = "",
    placement: Placement | None = None,
    token: bool = False,
    restart: str = "",
    user: int = USER,
) -> Json:
    """Return a pod's specification.

    Args:
        containers: What runs.
        account: Its service account.
        first: What runs before, one after the other.
        volumes: Name to source; `{}` under `emptyDir` for a folder of its own.
        priority: Its priority class.
        placement: Where; any node by default.
        token: It may speak with the API server.
        restart: Never or OnFailure for a job.
        user: Whom it runs as.
    """
    made: Json = {
        "serviceAccountName": account,
        "automountServiceAccountToken": token,
        "enableServiceLinks": False,
        "securityContext": {
            "fsGroup": user,
            "runAsGroup": user,
            "runAsNonRoot": True,
            "runAsUser": user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if priority:
        made["priorityClassName"] = priority
    if placement and placement.selector:
        made["nodeSelector"] = dict(placement.selector)
    if placement and placement.tolerations:
        made["tolerations"] = [dict(one) for one in placement.tolerations]
    if restart:
        made["restartPolicy"] = restart
    if first:
        made["initContainers"] = [container.manifest() for container in first]
    made["containers"] = [container.manifest() for container in containers]
    if volumes:
        made["volumes"] = [{"name": name, **source} for name, source in volumes.items()]
    return made
