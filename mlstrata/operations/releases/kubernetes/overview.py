"""What serves on a cluster, what should, and where the two differ."""

from __future__ import annotations

from dataclasses import dataclass

from mlstrata.clients.errors import RolloutError
from mlstrata.clients.mlflow_registry import Registry
from mlstrata.operations.releases.kubernetes.context import ClusterContext
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


def answers(context: ClusterContext, system: str) -> str | None:
    """Return the version that answers or scores, whoever saw to that: the one that pods are told, else the champion.

    Raises:
        RolloutError: neither cluster nor registry says.
    """
    return read(context, system).version or Registry(context.tracking_uri).champion(system)


def status(context: ClusterContext, system: str) -> ClusterStatus:
    """Ask the cluster what it has of `system`; what cannot be asked is a difference, not an error.

    Raises:
        RolloutError: there is no such system in this environment.
    """
    namespace, batch = context.namespace(system), system in context.batch_jobs
    try:
        seen = read(context, system)
        if batch:
            differences = () if seen.releases.settled else (_UNSETTLED,)
            return ClusterStatus(system, namespace, seen.releases, seen.state, 0, 0, differences, batch)
        answering, wanted = copies(context, system)
        missing = look(context, system, seen.version)
    except RolloutError as error:
        return ClusterStatus(system, namespace, Releases(), "unknown", 0, 0, (str(error),), batch)
    found = [missing] if missing else []
    if seen.version != seen.releases.champion:
        told, decided = seen.version or "the registry's champion", seen.releases.champion or "none"
        found.append(f"its pods are told to serve {told}, released is {decided}")
    if not seen.releases.settled:
        found.append(_UNSETTLED)
    return ClusterStatus(system, namespace, seen.releases, seen.state, answering, wanted, tuple(found))
