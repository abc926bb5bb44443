"""Pools of GPU nodes: what each costs from the nodes that it cannot give back to all that it may have."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from mlstrata.components.gpu.args import GPU, POOL
from mlstrata.environments.spec.teams import GpuPoolSpec
from mlstrata.operations.cost.cluster import ANY_GPU
from mlstrata.operations.cost.measured import Measured, Meter, count, fixed, metered, unknown
from mlstrata.operations.cost.model import Owner
from mlstrata.operations.cost.pods import Pods
from mlstrata.operations.cost.prices import PriceTable, Unit
from mlstrata.operations.pending.room import quantity
from mlstrata.policies.core.graph import Graph, Resource
from mlstrata.policies.core.values import dig

DISK = "ebs/gp3"
SPOT = "/spot"


@dataclass(frozen=True)
class Held:
    """The GPUs of a pool that pods hold as long as they run.

    Attributes:
        owner: Whose pods they are.
        low: GPUs at the least number of pods.
        high: GPUs at the most.
    """

    owner: Owner
    low: Decimal
    high: Decimal


@dataclass(frozen=True)
class Pool:
    """A pool with what is known of it from file and plan.

    Attributes:
        spec: What the file says.
        held: The GPUs that pods hold.
        kept: Nodes of it that another resource keeps and pays.
        most: Nodes that come and go at most.
    """

    spec: GpuPoolSpec
    held: Sequence[Held]
    kept: int
    most: int = 0

    @property
    def least(self) -> int:
        """Return how many of the nodes that come and go stay: those that pods hold beyond the kept ones."""
        asked = sum((one.low for one in self.held), Decimal(0)) / self.spec.gpus_offered
        return min(max(0, int(asked.to_integral_value(ROUND_CEILING)) - self.kept), self.most)

    def weights(self, quotas: Mapping[Owner, int], *, high: bool) -> dict[Owner, Decimal]:
        """Return whose the pool is: the GPUs that pods hold, and the rest by the teams' quotas.

        Args:
            quotas: Owner to the GPUs that its team may hold; with 0, who has what nobody may hold.
            high: Count the most of nodes and pods.
        """
        found: dict[Owner, Decimal] = {}
        for one in self.held:
            found[one.owner] = found.get(one.owner, Decimal(0)) + (one.high if high else one.low)
        nodes = self.kept + (self.most if high else self.least)
        left = Decimal(nodes * self.spec.gpus_offered) - sum(found.values())
        allowed = Decimal(sum(quotas.values()))
        if left > 0:
            for owner, quota in quotas.items():
                share = left * quota / allowed if allowed else left / len(quotas)
                found[owner] = found.get(owner, Decimal(0)) + share
        return {owner: weight for owner, weight in found.items() if weight > 0}


def pool_of(resource: Resource) -> str:
    """Return the name of the pool that a NodePool or a group of nodes is of; empty: of none."""
    for path in ("spec.template.metadata.labels", "labels"):
        if name := dig(resource.inputs, path, {}).get(POOL):
            return str(name)
    return ""


def most(resource: Resource, spec: GpuPoolSpec) -> int | None:
    """Return how many nodes a NodePool may have; None: nothing bounds it.

    Raises:
        UnknownValueError: its limit is known only after the deployment.
    """
    limit = resource.get("spec.limits", {}).get(GPU)
    return None if limit is None else int(quantity(limit) / spec.gpus_offered)


def held_in(pool: GpuPoolSpec, pools: Collection[str], pods: Sequence[tuple[Owner, Pods]]) -> list[Held]:
    """Return the GPUs of a pool that pods hold; those that name no pool are in the only one there is of `pools`."""
    return [
        Held(owner, one.gpus * one.low, one.gpus * one.high)
        for owner, one in pods
        if one.gpus and one.pool in {pool.name, ""} and one.in_pool(pools)
    ]


def measured(resource: Resource, pool: Pool, table: PriceTable, region: str, graph: Graph, *, rented: bool) -> Measured:
    """Return what a NodePool is measured by.

    Args:
        resource: The NodePool.
        pool: Its pool.
        table: The prices, which say what machines there are.
        region: Where it is.
        graph: The plan, with the disks of its nodes.
        rented: Its nodes are a cloud's machines; otherwise its GPUs are paid, since their nodes are there anyway.

    Raises:
        UnknownValueError: something that counts is known only after the deployment.
    """
    spec = pool.spec
    low, high = Decimal(pool.least), Decimal(pool.most)
    if not rented:
        return metered(_by_gpu(spec, table, region, low, high))
    machines = table.machines(spec.accelerator, spec.gpus_per_node, region)
    if not machines:
        return unknown(f"no machine with {spec.gpus_per_node} x {spec.accelerator} has a price in {region}")
    machine = machines[0].name
    cheap = table.price(machine + SPOT, region, Unit.HOUR) if spec.spot else None
    what = f"{count(low, high)} x {machine}" + (", spot to on demand" if cheap else "")
    meters = [Meter(machine, Unit.HOUR, low, high, what)]
    if cheap:
        # What is interrupted comes back on demand: the most is what all cost then.
        meters = [Meter(cheap.name, Unit.HOUR, low, Decimal(0), what), Meter(machine, Unit.HOUR, Decimal(0), high, "")]
    if size := _disk(resource, graph):
        meters.append(fixed(DISK, Unit.GIB_MONTH, f"{size:f} GiB of disk each", size * low, size * high))
    return metered(*meters, beside="" if cheap or not spec.spot else f"no spot price of {machine} in {region}")


def _by_gpu(spec: GpuPoolSpec, table: PriceTable, region: str, low: Decimal, high: Decimal) -> Meter:
    own = f"{ANY_GPU}/{spec.accelerator}"
    name = own if table.price(own, region, Unit.GPU_HOUR) else ANY_GPU
    each = Decimal(spec.gpus_per_node)
    return fixed(name, Unit.GPU_HOUR, f"{count(low * each, high * each)} x {spec.accelerator}", low * each, high * each)


def _disk(resource: Resource, graph: Graph) -> Decimal:
    """Return the GiB of disk that each node of a pool gets."""
    name = resource.get("spec.template.spec.nodeClassRef.name")
    for one in graph.resources:
        if one.kind == "EC2NodeClass" and one.get("metadata.name") == name:
            sizes = (dig(mapping, "ebs.volumeSize") for mapping in one.all("spec.blockDeviceMappings"))
            return sum((quantity(size) for size in sizes if size), Decimal(0)) / 1024**3
    return Decimal(0)
