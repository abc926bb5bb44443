"""What a workload is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from mlstrata.components.cluster import Cluster, Ownership
from mlstrata.components.network_policies import Peer
from mlstrata.components.workload.pods import Container, Placement


@dataclass(frozen=True)
class WorkloadArgs:
    """Arguments of `Workload`: a service of ours that runs all the time.

    Attributes:
        cluster: Where.
        namespace: Its namespace.
        containers: Its containers; the first one's first port is the service's.
        part: The part that it plays, as policies know them.
        ownership: Whose it is; None: the platform's.
        first: Containers that run before.
        replicas: Copies.
        volumes: Name to source.
        callers: Who may reach its ports.
        calls: Name of an opening to the peers and ports that it may reach.
        metrics: Path of its metrics on the port `metrics`, else on the first; empty: it has none.
        priority: Its priority class.
        placement: Which nodes it may run on.
        labels: More labels of its pods.
        annotations: More annotations of the object.
        identity: Annotations of its account: who it is to a cloud.
        token: Its pods may speak with the API server.
        strategy: How a new version takes over: RollingUpdate, or Recreate where two copies cannot run at once.
        named: Its one pod is always called NAME-0, so that a right can name it; two never run at once.
        after: What must be there before it.
    """

    cluster: Cluster
    namespace: str
    containers: Sequence[Container]
    part: str = ""
    ownership: Ownership | None = None
    first: Sequence[Container] = ()
    replicas: int = 1
    volumes: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    callers: Sequence[Peer] = ()
    calls: Mapping[str, tuple[Sequence[Peer], Sequence[int]]] = field(default_factory=dict)
    metrics: str = ""
    priority: str = ""
    placement: Placement | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)
    token: bool = False
    strategy: str = "RollingUpdate"
    named: bool = False
    after: Sequence[pulumi.Resource] = ()
