"""Spark's pods: the driver and the executors of an application, in the words of its operator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlstrata.policies.core.values import Value, dig, listed

_ROLES = ("driver", "executor", "server")
_MEMORY = "1g"
"""What Spark takes where nothing is said; it limits each pod to its memory."""


def pods(spec: Value) -> Iterator[tuple[str, Value]]:
    """Yield the pods of an application, or of one that runs by a schedule, each with its path."""
    for path, application in (("spec", spec), ("spec.template", dig(spec, "template", {}))):
        roles = [role for role in _ROLES if role in application]
        if not roles and "image" in application:
            roles = list(_ROLES[:2])
        for role in roles:
            given = dig(application, role, {})
            yield f"{path}.{role}", _pod(application, role, given)
            if (template := dig(given, "template.spec")) is not None:
                yield f"{path}.{role}.template.spec", template


def _pod(application: Mapping[str, Value], role: str, given: Mapping[str, Value]) -> Value:
    return {
        **{name: given[name] for name in ("hostNetwork", "hostPID", "hostIPC") if name in given},
        "securityContext": given.get("podSecurityContext"),
        "volumes": _volumes(application, given),
        "initContainers": listed(given, "initContainers"),
        "containers": [_container(application, role, given), *listed(given, "sidecars")],
    }


def _container(application: Mapping[str, Value], role: str, given: Mapping[str, Value]) -> Value:
    limits = {"memory": given.get("memory", _MEMORY), "cpu": given.get("coreLimit")}
    if gpu := dig(given, "gpu"):
        limits[str(dig(gpu, "name", ""))] = dig(gpu, "quantity", 0)
    return {
        "name": role,
        "image": given.get("image", application.get("image", "")),
        "securityContext": given.get("securityContext"),
        "env": listed(given, "env"),
        "ports": listed(given, "ports"),
        "lifecycle": given.get("lifecycle"),
        "resources": {"limits": limits},
    }


def _volumes(application: Mapping[str, Value], given: Mapping[str, Value]) -> list[Value]:
    """Return the volumes of the application that a role mounts."""
    mounted = {dig(one, "name") for one in listed(given, "volumeMounts")}
    return [one for one in listed(application, "volumes") if dig(one, "name") in mounted]
