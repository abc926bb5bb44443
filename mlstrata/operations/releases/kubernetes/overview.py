"""What serves on a cluster, what should, and where the two differ."""

from __future__ import annotations

from dataclasses import dataclass

from mlstrata.clients.kubernetes import ClusterError
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.operations.releases.kubernetes.backend import KubernetesBackend
from mlstrata.operations.releases.kubernetes.pods import copies, look
from mlstrata.operations.releases.kubernetes.served import read
from mlstrata.services.serving.releases import Releases

_UNSETTLED = "the last release or rollback did not end; run it once more"


@dataclass(frozen=True)
class ClusterStatus:
    """One system on a cluster.

    Attributes:
        system: the system.
        namespace: where it is.
        releases: what was decided.
        state: what Seldon says of it.
        answering: pods that answer.
        wanted: pods that should.
        differences: what is not as it should be, a sentence each; empty when all is well.
        batch: whether it scores by a job and has no pods that answer.
    """

    system: str
    namespace: str
    releases: Releases
    state: str
    answering: int
    wanted: int
    differences: tuple[str, ...]
    batch: bool = False


def status(backend: KubernetesBackend, system: str) -> ClusterStatus:
    """Ask the cluster what it has of `system`; what cannot be asked is a difference, not an error.

    Raises:
        RolloutError: there is no such system in this environment.
    """
    place = backend.place(system)
    namespace, batch = place.namespace, place.scores
    try:
        seen = read(backend.cluster, place)
        if batch:
            differences = () if seen.releases.settled else (_UNSETTLED,)
            return ClusterStatus(system, namespace, seen.releases, seen.state, 0, 0, differences, batch)
        answering, wanted = copies(backend.cluster, place)
        missing = look(backend.cluster, place, seen.version)
    except (ClusterError, RolloutError) as error:
        return ClusterStatus(system, namespace, Releases(), "unknown", 0, 0, (str(error),), batch)
    found = [missing] if missing else []
    if seen.version != seen.releases.champion:
        told, decided = seen.version or "the registry's champion", seen.releases.champion or "none"
        found.append(f"its pods are told to serve {told}, released is {decided}")
    if not seen.releases.settled:
        found.append(_UNSETTLED)
    return ClusterStatus(system, namespace, seen.releases, seen.state, answering, wanted, tuple(found))
