"""Looks at the cluster of an environment for everything that ails it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlstrata.clients.kubernetes import EVERYWHERE, Cluster, Forbidden, Kind, Missing
from mlstrata.operations.pending.look import NODES, Look, look_of
from mlstrata.operations.secrets.expected import expected
from mlstrata.operations.troubles import objects
from mlstrata.operations.troubles.secrets import Lacking, lacking
from mlstrata.operations.troubles.told import Trouble, of_waits

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.operations.deployment import Deployment

CERTIFICATES = Kind("cert-manager.io", "v1", "Certificate", "certificates")
QUOTAS = Kind("", "v1", "ResourceQuota", "resourcequotas")
DEPLOYMENTS = Kind("apps", "v1", "Deployment", "deployments")


@dataclass(frozen=True)
class Ailing:
    """What ails an environment.

    Attributes:
        troubles: What was found, the widest first.
        unseen: What could not be looked at, and why; empty: nothing.
    """

    troubles: tuple[Trouble, ...] = ()
    unseen: str = ""


def ailing(deployment: Deployment, cluster: Cluster) -> Ailing:
    """Look at everything at once, by the environment's offline plan.

    Raises:
        ClusterError: the cluster does not answer.
    """
    import pulumi_embedded

    try:
        planned = deployment.target.objects()
    except pulumi_embedded.EngineError as error:
        return Ailing(unseen=f"what else ails it is not looked at, as it cannot be planned: {error}")
    look, lack = look_of(planned.graph), secrets_lacking(deployment, planned, cluster)
    if look is None:
        return Ailing(lack.troubles)
    found = (*_conditions(look.namespaces, cluster), *lack.troubles, *_waits(look, deployment.name, cluster))
    unseen = f"you may not look for the secrets of {', '.join(lack.closed)}" if lack.closed else ""
    return Ailing(found, unseen)


def secrets_lacking(deployment: Deployment, planned: pulumi_embedded.Result, cluster: Cluster) -> Lacking:
    """Return which secrets a plan's environment lacks.

    Raises:
        ClusterError: the cluster does not answer.
    """
    return lacking(cluster, expected(deployment.spec, planned.outputs))


def _conditions(namespaces: Sequence[str], cluster: Cluster) -> Iterator[Trouble]:
    yield from objects.of_nodes(_allowed(cluster, NODES))
    for space in namespaces:
        yield from objects.of_certificates(_allowed(cluster, CERTIFICATES, space), datetime.now(UTC))
        yield from objects.of_quotas(_allowed(cluster, QUOTAS, space))


def _waits(look: Look, environment: str, cluster: Cluster) -> Iterator[Trouble]:
    try:
        waits = list(of_waits(replace(look, cluster=cluster)(), environment))
    except Forbidden:
        waits = []
    yield from waits
    told = {(one.namespace, one.name) for one in waits}
    for space in look.namespaces:
        refused = objects.of_controllers(_allowed(cluster, DEPLOYMENTS, space))
        yield from (one for one in refused if (one.namespace, one.name) not in told)


def _allowed(cluster: Cluster, kind: Kind, namespace: str = EVERYWHERE) -> Sequence[dict[str, Any]]:
    """Return the objects of a kind; none where they may not be listed, or the cluster has no such kind."""
    try:
        return cluster.list(kind, namespace)
    except (Forbidden, Missing):
        return ()
