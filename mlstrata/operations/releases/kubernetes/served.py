"""What a system's SeldonDeployment, or the CronJob of one that scores, says of releases: read, and set by one patch.

Two annotations are the release's own, and declared by nobody else. `spec.annotations` go to the pods, whose first
container takes the version from there: another version is another pod, and old pods answer until new ones do. The
record of decisions stands in `metadata.annotations`; a CronJob has that alone, its next run takes what the registry
calls the champion. No field of a list is touched: lists belong to one manager as a
whole, and a deployment of the environment would contend for them, or put back what was released.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlstrata.clients.errors import RolloutError
from mlstrata.operations.releases.kubernetes.context import ClusterContext
from mlstrata.services.serving.cluster import RECORD, VERSION, job_of
from mlstrata.services.serving.releases import Releases

_SELDON = ("machinelearning.seldon.io/v1", "SeldonDeployment", "seldondeployments.machinelearning.seldon.io")
_CRON = ("batch/v1", "CronJob", "cronjobs.batch")
LONGEST_HISTORY = 100
"""Decisions that are kept on the cluster: its objects have room for some hundred kilobytes; the audit log has all."""


@dataclass(frozen=True)
class Served:
    """A system as its SeldonDeployment or CronJob says.

    Attributes:
        releases: The decisions; none recorded is nothing released.
        version: The version its pods are told to serve; None: the registry's champion.
        state: What Seldon says of it; unknown of a CronJob.
        mark: The object's `resourceVersion`: a patch of what was read is refused once it is another.
    """

    releases: Releases
    version: str | None
    state: str
    mark: str


def read(context: ClusterContext, system: str) -> Served:
    """Return what the cluster has of `system`.

    Raises:
        RolloutError: it is not there, may not be read, or its record is not what a release writes.
    """
    _, _, resource, name = _place(context, system)
    return _served(context.kubectl.get(resource, name, context.namespace(system)))


def write(context: ClusterContext, system: str, releases: Releases, mark: str | None) -> Served:
    """Have the pods of `system` serve its champion, and record the decision, in one patch.

    Args:
        context: The cluster.
        system: The system.
        releases: The decisions; with no champion the pods serve what the registry calls so.
        mark: The `resourceVersion` that was read; None: whatever it is now, which only putting back may ask.

    Raises:
        Outdated: somebody else changed the object since.
        ClusterError: the cluster refuses or does not answer.
    """
    namespace = context.namespace(system)
    if mark is None:
        mark = read(context, system).mark
    # Always with a mark: without one, an object that is gone would come into being with nothing in it.
    version, kind, _, name = _place(context, system)
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "resourceVersion": mark}
    kept = releases.model_copy(update={"history": releases.history[-LONGEST_HISTORY:]})
    metadata["annotations"] = {RECORD: kept.model_dump_json(by_alias=True)}
    manifest: dict[str, Any] = {"apiVersion": version, "kind": kind, "metadata": metadata}
    if releases.champion is not None and system not in context.batch_jobs:
        manifest["spec"] = {"annotations": {VERSION: releases.champion}}
    return _served(context.kubectl.apply(manifest))


def _place(context: ClusterContext, system: str) -> tuple[str, str, str, str]:
    """Return version, kind, resource and name of the object that keeps the record of `system`."""
    return (*_CRON, job_of(system)) if system in context.batch_jobs else (*_SELDON, system)


def _served(found: dict[str, Any]) -> Served:
    metadata = found["metadata"]
    text = (metadata.get("annotations") or {}).get(RECORD)
    try:
        releases = Releases.model_validate_json(text) if text else Releases()
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        where = f"{metadata['namespace']}/{metadata['name']}: annotation {RECORD}"
        raise RolloutError(f"{where}: not what a release writes ({reason}); mend or remove it") from error
    return Served(
        releases,
        ((found.get("spec") or {}).get("annotations") or {}).get(VERSION),
        (found.get("status") or {}).get("state", "unknown"),
        metadata["resourceVersion"],
    )
