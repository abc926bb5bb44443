"""What serves on a cluster, what should, and where the two differ."""

from __future__ import annotations

from dataclasses import dataclass

from services.rollout.cluster.context import ClusterContext
from services.rollout.cluster.pods import copies, look
from services.rollout.cluster.served import read
from services.rollout.errors import RolloutError
from services.serving.releases import Releases


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
    """

    system: str
    namespace: str
    releases: Releases
    state: str
    answering: int
    wanted: int
    differences: tuple[str, ...]


def status(context: ClusterContext, system: str) -> ClusterStatus:
    """Ask the cluster what it has of `system`; what cannot be asked is a difference, not an error.

    Raises:
        RolloutError: there is no such system in this environment.
    """
    namespace = context.namespace(system)
    try:
        seen = read(context, system)
        answering, wanted = copies(context, system)
        missing = look(context, system, seen.version)
    except RolloutError as error:
        return ClusterStatus(system, namespace, Releases(), "unknown", 0, 0, (str(error),))
    differences = [missing] if missing else []
    if seen.version != seen.releases.champion:
        told, decided = seen.version or "the registry's champion", seen.releases.champion or "none"
        differences.append(f"its pods are told to serve {told}, released is {decided}")
    if not seen.releases.settled:
        differences.append("the last release or rollback did not end; run it once more")
    return ClusterStatus(system, namespace, seen.releases, seen.state, answering, wanted, tuple(differences))
