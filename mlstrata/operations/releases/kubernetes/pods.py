"""The pods of a system: whether those of a version answer yet."""

from __future__ import annotations

from typing import Any

from mlstrata import waiting
from mlstrata.clients.kubernetes import Cluster, Kind, Missing
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.operations.releases.kubernetes.served import Place
from mlstrata.services.serving.cluster import VERSION, deployment_of

DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")


def await_pods(cluster: Cluster, place: Place, version: str, *, timeout_s: float, poll_s: float) -> None:
    """Return once all pods of a system are of `version` and answer.

    Args:
        cluster: Asks the cluster.
        place: The system.
        version: The version.
        timeout_s: Longest wait.
        poll_s: Pause between two looks.

    Raises:
        ClusterError: the cluster does not answer, or may not be asked.
        RolloutError: they do not come in time, or Kubernetes gave up.
    """
    seen = ""

    def is_decided() -> bool:
        nonlocal seen
        seen = look(cluster, place, version)
        return not seen or seen.startswith(_GIVEN_UP)

    in_time = waiting.until(is_decided, timeout_s, poll_s)
    if seen:
        limit = "" if in_time else f" in {timeout_s:g} s"
        where = f"`kubectl logs -n {place.namespace} -l mlstrata.io/serves={place.system} -c fetch` says why"
        raise RolloutError(f"version {version} of {place.system} does not answer{limit}: {seen}; {where}")


_GIVEN_UP = "Kubernetes gave up"


def look(cluster: Cluster, place: Place, version: str | None) -> str:
    """Say what is missing until all pods of a system are of `version` and answer; nothing when they do.

    Raises:
        ClusterError: the cluster does not answer, or may not be asked.
    """
    try:
        found = cluster.get(DEPLOYMENT, deployment_of(place.system), place.namespace)
    except Missing:
        return "Seldon has made no Deployment for it; is its operator there?"
    return _missing(found, version)


def copies(cluster: Cluster, place: Place) -> tuple[int, int]:
    """Return how many pods of a system answer, and how many should.

    Raises:
        ClusterError: the cluster does not answer, or may not be asked.
    """
    try:
        found = cluster.get(DEPLOYMENT, deployment_of(place.system), place.namespace)
    except Missing:
        return 0, 0
    return int(found.get("status", {}).get("availableReplicas", 0)), int(found["spec"].get("replicas", 1))


def _missing(found: dict[str, Any], version: str | None) -> str:
    template = found["spec"]["template"].get("metadata", {}).get("annotations") or {}
    if template.get(VERSION) != version:
        return "Seldon's operator has not taken the new version over; is it there?"
    wanted, status = int(found["spec"].get("replicas", 1)), found.get("status", {})
    if int(status.get("observedGeneration", 0)) < int(found["metadata"]["generation"]):
        return "the Deployment's controller has not looked at it"
    for condition in status.get("conditions", ()):
        if condition.get("reason") == "ProgressDeadlineExceeded":
            return f"{_GIVEN_UP} ({condition.get('message', '')})"
    updated, available = int(status.get("updatedReplicas", 0)), int(status.get("availableReplicas", 0))
    if updated < wanted or available < wanted or int(status.get("replicas", 0)) > wanted:
        old = int(status.get("replicas", 0)) - updated
        return f"{updated} of {wanted} pods are of the version, {old} of the one before, {available} answer"
    return ""
