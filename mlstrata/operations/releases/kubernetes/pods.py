"""The pods of a system: whether those of a version answer yet."""

from __future__ import annotations

import time
from typing import Any

from mlstrata.clients.errors import RolloutError
from mlstrata.clients.kubectl_errors import Missing
from mlstrata.operations.releases.kubernetes.context import ClusterContext
from mlstrata.services.serving.cluster import VERSION, deployment_of

_DEPLOYMENT = "deployments.apps"


def await_pods(context: ClusterContext, system: str, version: str) -> None:
    """Return once all pods of `system` are of `version` and answer.

    Raises:
        ClusterError: the cluster does not answer, or may not be asked.
        RolloutError: they do not come within the context's timeout, or Kubernetes gave up.
    """
    end = time.monotonic() + context.ready_timeout_s
    while True:
        seen = look(context, system, version)
        if not seen:
            return
        given_up = seen.startswith(_GIVEN_UP)
        if given_up or time.monotonic() > end:
            limit = "" if given_up else f" in {context.ready_timeout_s:g} s"
            where = f"`kubectl logs -n {context.namespace(system)} -l mlstrata.io/serves={system} -c fetch` says why"
            raise RolloutError(f"version {version} of {system} does not answer{limit}: {seen}; {where}")
        time.sleep(context.poll_s)


_GIVEN_UP = "Kubernetes gave up"


def look(context: ClusterContext, system: str, version: str | None) -> str:
    """Say what is missing until all pods of `system` are of `version` and answer; nothing when they do.

    Raises:
        ClusterError: the cluster does not answer, or may not be asked.
    """
    try:
        found = context.kubectl.get(_DEPLOYMENT, deployment_of(system), context.namespace(system))
    except Missing:
        return "Seldon has made no Deployment for it; is its operator there?"
    return _missing(found, version)


def copies(context: ClusterContext, system: str) -> tuple[int, int]:
    """Return how many pods of `system` answer, and how many should.

    Raises:
        ClusterError: the cluster does not answer, or may not be asked.
    """
    try:
        found = context.kubectl.get(_DEPLOYMENT, deployment_of(system), context.namespace(system))
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
