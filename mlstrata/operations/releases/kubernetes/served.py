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

from mlstrata.clients.kubernetes import Cluster, Kind
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.services.serving.cluster import DIGEST, RECORD, VERSION, job_of
from mlstrata.services.serving.releases import Releases

SELDON = Kind("machinelearning.seldon.io", "v1", "SeldonDeployment", "seldondeployments")
CRON_JOB = Kind("batch", "v1", "CronJob", "cronjobs")
LONGEST_HISTORY = 100
"""Decisions that are kept on the cluster: its objects have room for some hundred kilobytes; the audit log has all."""


@dataclass(frozen=True)
class Place:
    """Where the record of a system is.

    Attributes:
        system: The system.
        namespace: Its namespace.
        scores: Whether it scores by a CronJob, and has no pods that answer.
    """

    system: str
    namespace: str
    scores: bool = False

    @property
    def kind(self) -> Kind:
        """What keeps the record."""
        return CRON_JOB if self.scores else SELDON

    @property
    def name(self) -> str:
        """The name of the object that keeps the record."""
        return job_of(self.system) if self.scores else self.system


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


def read(cluster: Cluster, place: Place) -> Served:
    """Return what the cluster has of a system.

    Raises:
        ClusterError: it is not there, may not be read, or the cluster does not answer.
        RolloutError: its record is not what a release writes.
    """
    return _served(cluster.get(place.kind, place.name, place.namespace))


def write(cluster: Cluster, place: Place, releases: Releases, mark: str) -> Served:
    """Have the pods of a system serve its champion, and record the decision, in one patch.

    Args:
        cluster: Asks the cluster.
        place: The system.
        releases: The decisions; with no champion the pods serve what the registry calls so.
        mark: The `resourceVersion` that was read.

    Raises:
        Outdated: somebody else changed the object since.
        ClusterError: the cluster refuses or does not answer.
    """
    # Always with a mark: without one, an object that is gone would come into being with nothing in it.
    metadata: dict[str, Any] = {"name": place.name, "namespace": place.namespace, "resourceVersion": mark}
    # A pod has one version: the one to go back to is fetched again, which the registry keeps.
    loaded = (releases.champion,) if releases.champion else ()
    kept = releases.model_copy(update={"history": releases.history[-LONGEST_HISTORY:], "loaded": loaded})
    metadata["annotations"] = {RECORD: kept.model_dump_json(by_alias=True)}
    manifest: dict[str, Any] = {"metadata": metadata}
    if releases.champion is not None and not place.scores:
        digest = next((one.digest for one in reversed(releases.history) if one.to == releases.champion), "")
        manifest["spec"] = {"annotations": {VERSION: releases.champion, DIGEST: digest}}
    return _served(cluster.apply(place.kind, manifest))


def _served(found: dict[str, Any]) -> Served:
    metadata = found["metadata"]
    text = (metadata.get("annotations") or {}).get(RECORD)
    try:
        releases = Releases.model_validate_json(text) if text else Releases()
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        where = f"{metadata['namespace']}/{metadata['name']}: annotation {RECORD}"
        raise RolloutError(f"{where}: not what a release writes ({reason}); correct or remove it") from error
    return Served(
        releases,
        ((found.get("spec") or {}).get("annotations") or {}).get(VERSION),
        (found.get("status") or {}).get("state", "unknown"),
        metadata["resourceVersion"],
    )
