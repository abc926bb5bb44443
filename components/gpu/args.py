"""What GPU pools are made from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pulumi

from mlstrata.components.cluster import Cluster
from mlstrata.components.gpu.room import is_for
from mlstrata.components.workload.pods import Placement
from mlstrata.environments.spec.teams import GpuPoolSpec

POOL = "mlstrata.io/pool"
ACCELERATOR = "mlstrata.io/accelerator"
GPU = "nvidia.com/gpu"


@dataclass(frozen=True)
class NodeClass:
    """What nodes are made from: an object of the cloud's own kind, beside Karpenter.

    Attributes:
        group: Its API group.
        kind: Its kind.
        name: Its name.
    """

    group: str = "karpenter.k8s.aws"
    kind: str = "EC2NodeClass"
    name: str = "mlstrata"

    @property
    def aws(self) -> bool:
        """Return whether its nodes are AWS's, whose kinds of machine have labels of their own."""
        return self.group == "karpenter.k8s.aws"


@dataclass(frozen=True)
class AwsNodes:
    """What nodes are made from on AWS.

    Attributes:
        cluster: The cluster's name.
        role: Name of the role that they have.
        image: Alias of their image with its version.
        subnets: Ids of the subnets that they are made in.
        security_groups: Ids of the security groups that they are in.
    """

    cluster: str
    role: str
    image: str
    subnets: Sequence[str]
    security_groups: Sequence[str]


@dataclass(frozen=True)
class GpuPoolsArgs:
    """Arguments of `GpuPools`.

    Attributes:
        cluster: Where.
        pools: The pools of the environment's file.
        namespace: Where the exporter of their accelerators' metrics runs.
        shared: The exporter is somebody else's.
        node_class: What their nodes are made from.
        nodes: Makes that on AWS, one for each pool; None: it is there already.
        kept: Pools whose smallest number of nodes something else keeps, beside those that come and go.
        after: What must be there before them.
    """

    cluster: Cluster
    pools: Sequence[GpuPoolSpec]
    namespace: str
    shared: bool = False
    node_class: NodeClass = NodeClass()
    nodes: AwsNodes | None = None
    kept: Collection[str] = ()
    after: Sequence[pulumi.Resource] = ()


def placement(pools: Sequence[GpuPoolSpec], pool: str | None, gpus: int, team: str | None) -> Placement | None:
    """Return where a pod with accelerators runs: in its pool, or in any that its team may use; None without them.

    Args:
        pools: The pools of the environment's file.
        pool: The one that it is to run in; None: any.
        gpus: Accelerators that it asks for.
        team: Whose it is; None: nobody's, so that pools of some teams are not for it.
    """
    if not gpus:
        return None
    return Placement(selector={POOL: pool} if pool else {}, tolerations=tolerations(pools, team))


def tolerations(pools: Sequence[GpuPoolSpec], team: str | None) -> tuple[Mapping[str, str], ...]:
    """Return the taints that a team's pods may run beside: those of all pools, or of the ones that it may use."""
    if all(is_for(one, team) for one in pools):
        return TOLERATIONS
    each = {"key": POOL, "operator": "Equal", "effect": "NoSchedule"}
    return (TOLERATIONS[0], *({**each, "value": one.name} for one in pools if is_for(one, team)))


def accelerator_of(pools: Sequence[GpuPoolSpec], pool: str | None, gpus: int) -> str:
    """Return the kind of a training's accelerators: its pool's, or the only one there is; empty where none is known."""
    found = {one.accelerator.value for one in pools if pool in {None, one.name}}
    return found.pop() if gpus and len(found) == 1 else ""


TOLERATIONS = (
    {"key": GPU, "operator": "Exists", "effect": "NoSchedule"},
    {"key": POOL, "operator": "Exists", "effect": "NoSchedule"},
)
"""Of what may run on nodes with accelerators; everything else would keep them from being given back."""
