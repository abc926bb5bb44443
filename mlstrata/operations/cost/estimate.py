"""The estimate of an environment: every planned resource measured, priced, and divided among its owners."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from mlstrata.components.gpu.args import GPU
from mlstrata.environments import EnvironmentSpec
from mlstrata.operations.cost import aws, cluster, pools
from mlstrata.operations.cost.measured import FREE, Measured, Meter, Outcome, unknown
from mlstrata.operations.cost.model import Estimate, Line, NotPriced, Owner, Range, split
from mlstrata.operations.cost.owners import Owners
from mlstrata.operations.cost.pods import Pods, pods_of, scaled
from mlstrata.operations.cost.prices import Price, PriceTable, Unit
from mlstrata.policies.core.graph import Graph, Record, Resource
from mlstrata.policies.core.values import UnknownValueError

_NO_RESOURCE = ("pulumi:", "mlstrata:")
_LOCAL = "pulumi-python:"
_GROUP, _BUDGET = "aws:eks/nodeGroup:", "aws:budgets/budget:"
_ON_MACHINES = ("aws:", "kubernetes:karpenter.k8s.aws/")
Weights = Mapping[Owner, Decimal]


def estimate(records: Iterable[Record], spec: EnvironmentSpec, table: PriceTable) -> Estimate:
    """Estimate what planned resources cost a month; their order has no part in it.

    Args:
        records: The resources of all layers.
        spec: The environment that they are of.
        table: The prices.

    Raises:
        UsageError: a price is of another unit than what it is used for.
    """
    return _Sheet(Graph(records), spec, table).filled()


@dataclass
class _Sheet:
    """What an estimate is written on."""

    graph: Graph
    spec: EnvironmentSpec
    table: PriceTable
    lines: list[Line] = field(default_factory=list)
    missing: set[NotPriced] = field(default_factory=set)
    assumed: set[str] = field(default_factory=set)
    counts: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))

    def __post_init__(self) -> None:
        self.region = getattr(self.spec.target, "region", None) or ""
        self.owners = Owners(self.spec, self.graph)
        self.rented = any(one.type.startswith(_ON_MACHINES) for one in self.graph.resources)
        self.by = scaled(self.graph)
        self.pods: list[tuple[Owner, Pods]] = []
        self.pools = {pool.name: pool for pool in self.spec.gpu_pools}
        self.kept: dict[str, int] = {}
        bounded = [*self.graph.of("kubernetes:karpenter.sh/v1:NodePool"), *self.graph.of(_GROUP)]
        self.planned_pools = frozenset(map(pools.pool_of, bounded)) & self.pools.keys()

    def filled(self) -> Estimate:
        resources = [one for one in self.graph.resources if not one.type.startswith(_NO_RESOURCE)]
        for resource in resources:
            self._survey(resource)
        for resource in resources:
            self._enter(resource)
        if self.rented and self.pods and not self.graph.of(_GROUP):
            self._without_machines()
        return Estimate(
            environment=self.spec.name,
            region=self.region,
            currency=self.table.currency,
            prices=f"{self.table.file}, read {' to '.join(map(str, dict.fromkeys(self.table.days)))}",
            lines=tuple(sorted(self.lines)),
            not_priced=tuple(sorted(self.missing)),
            free=self.counts[Outcome.FREE],
            included=self.counts[Outcome.INCLUDED],
            assumed=tuple(sorted(self.assumed)),
            budget=self._budget(),
        )

    def _budget(self) -> Decimal | None:
        """Return the smallest monthly budget of the plan that is in the currency of the prices."""
        found = []
        for one in self.graph.of(_BUDGET):
            try:
                if (one.get("timeUnit"), one.get("limitUnit")) == ("MONTHLY", self.table.currency):
                    found.append(Decimal(str(one.get("limitAmount"))))
            except UnknownValueError as error:
                self._untold(one, error)
        return min(found, default=None)

    def _survey(self, resource: Resource) -> None:
        """Note what other resources are measured by: pods that always run, and nodes that a group keeps."""
        try:
            if resource.type.startswith(_GROUP) and (name := pools.pool_of(resource)):
                self.kept[name] = self.kept.get(name, 0) + int(resource.get("scalingConfig.minSize", 0))
            elif resource.type.startswith("kubernetes:"):
                self.pods += [(self.owners.of(resource), one) for one in pods_of(resource, self.by)]
        except UnknownValueError as error:
            self._untold(resource, error)

    def _enter(self, resource: Resource) -> None:
        try:
            found = self._measured(resource)
            self.counts[found.outcome] += 1
            if found.why:
                self.missing.add(NotPriced(resource.name, resource.type, found.why))
            for meter in found.meters:
                if meter.low is None:
                    self._by_use(resource, meter)
            amount, what = self._sum(resource, found)
            if amount is not None:
                self._divide(resource, what, amount.rounded())
        except UnknownValueError as error:
            self._untold(resource, error)

    def _untold(self, resource: Resource, error: UnknownValueError) -> None:
        self.missing.add(NotPriced(resource.name, resource.type, error.reason))

    def _measured(self, resource: Resource) -> Measured:
        if resource.type.startswith("aws:"):
            return aws.measured(resource, self.table, self.region)
        if resource.kind == "NodePool":
            pool = self._pool(resource)
            if pool is None:
                return unknown(f"it is no pool of the file with a limit of {GPU}: nothing bounds what it costs")
            return pools.measured(resource, pool, self.table, self.region, self.graph, rented=self.rented)
        if resource.type.startswith(_LOCAL):
            return FREE
        if not resource.type.startswith("kubernetes:"):
            return unknown("no measure is known for its kind")
        return cluster.measured(resource, self.by, self.planned_pools, rented=self.rented)

    def _pool(self, resource: Resource) -> pools.Pool | None:
        spec = self.pools.get(pools.pool_of(resource))
        most = pools.most(resource, spec) if spec else None
        if spec is None or most is None:
            return None
        # Without the layer of the account the file tells what its group of nodes keeps.
        kept = self.kept.get(spec.name, 0 if not self.rented or self.graph.of(_GROUP) else spec.nodes.min)
        return pools.Pool(spec, pools.held_in(spec, self.planned_pools, self.pods), kept, most)

    def _sum(self, resource: Resource, found: Measured) -> tuple[Range | None, str]:
        """Return what the meters of a resource come to whose amounts a plan tells, with the words for it."""
        total: Range | None = None
        words = []
        for meter in found.meters:
            if meter.low is None:
                continue
            price = self.table.price(meter.price, self.region, meter.unit)
            if price is None:
                self._no_price(resource, meter)
                continue
            self._standing(price)
            month = Range(self.table.month(price, meter.low), self.table.month(price, meter.high))
            total = month if total is None else total + month
            words += [meter.what] if meter.what else []
        return total, ", ".join(words)

    def _by_use(self, resource: Resource, meter: Meter) -> None:
        price = self.table.price(meter.price, self.region, meter.unit)
        if price is None:
            self._no_price(resource, meter)
            return
        used = self.table.used.get(meter.price)
        if used is None:
            each = f"{price.amount:f} {self.table.currency} per {meter.unit}"
            why = f"{meter.what}: paid by use, {each}; say how much under `assumed`, as {meter.price}"
            self.missing.add(NotPriced(resource.name, resource.type, why))
            return
        self._standing(price)
        amount = price.amount * used.quantity
        self.assumed.add(f"{meter.price}: {used.quantity:f} {meter.unit} a month each; {used.why}")
        what = f"{used.quantity:f} {meter.unit} of {meter.what}, assumed"
        self._divide(resource, what, Range(amount, amount).rounded())

    def _standing(self, price: Price) -> None:
        if self.region in price.also:
            self.assumed.add(f"prices of {price.region} stand for those of {self.region} that no source has")

    def _no_price(self, resource: Resource, meter: Meter) -> None:
        where = f" in {self.region}" if self.region else ""
        why = f"{meter.what or meter.price}: no price {meter.price}{where}"
        self.missing.add(NotPriced(resource.name, resource.type, why))

    def _divide(self, resource: Resource, what: str, month: Range) -> None:
        """Write the lines of a resource: one, or one for each of those who share its machines."""
        own = self.owners.of(resource)
        low, high = self._sharing(resource, own, high=False), self._sharing(resource, own, high=True)
        lows, highs = split(month.low, low), split(month.high, high)
        shared = {
            owner: Range(lows.get(owner, Decimal(0)), highs.get(owner, Decimal(0)))
            for owner in sorted(lows.keys() | highs.keys())
        }
        paying = {owner: part for owner, part in shared.items() if part != Range()}
        self.lines += [
            Line(resource.name, resource.type, what, owner, part) for owner, part in (paying or {own: Range()}).items()
        ]

    def _sharing(self, resource: Resource, own: Owner, *, high: bool) -> Weights:
        """Return by what a resource is divided; what nobody shares is its owner's alone."""
        found: Weights = {}
        if resource.kind == "NodePool" and (pool := self._pool(resource)) is not None:
            found = pool.weights(self.owners.quotas(own.component, pool.spec), high=high)
        elif resource.type.startswith(_GROUP):
            found = self._of_group(resource, own, high=high)
        # By whom it is used is theirs; what it is of the platform stays what it is.
        shared: dict[Owner, Decimal] = {}
        for owner, weight in found.items():
            whose = Owner(own.component, owner.system, owner.team, owner.cost_centre)
            shared[whose] = shared.get(whose, Decimal(0)) + weight
        return shared or {own: Decimal(1)}

    def _of_group(self, resource: Resource, own: Owner, *, high: bool) -> Weights:
        """Return by what a group of nodes is divided: one of a pool as that, another by what its pods ask for."""
        spec = self.pools.get(pools.pool_of(resource))
        if spec is not None:
            held = pools.held_in(spec, self.planned_pools, self.pods)
            pool = pools.Pool(spec, held, self.kept.get(spec.name, 0))
            return pool.weights(self.owners.quotas(own.component, spec), high=high)
        found: dict[Owner, Decimal] = {}
        for owner, pods in self.pods:
            if not pods.gpus:
                count = pods.high if high else pods.low
                found[owner] = found.get(owner, Decimal(0)) + count * self._weight(pods)
        return {owner: weight for owner, weight in found.items() if weight > 0}

    def _weight(self, pods: Pods) -> Decimal:
        """Return what a pod counts: its CPU and memory, at what they cost beside each other."""
        cpu = self.table.price(cluster.CPU, self.region, Unit.CPU_HOUR)
        memory = self.table.price(cluster.MEMORY, self.region, Unit.GIB_HOUR)
        if cpu is None or memory is None:
            return pods.cpu + pods.memory
        return pods.cpu * cpu.amount + pods.memory * memory.amount

    def _without_machines(self) -> None:
        """Say what the pods ask for whose machines the plan does not have."""
        cpu = sum((one.cpu * one.low for _, one in self.pods), Decimal(0))
        memory = sum((one.memory * one.low for _, one in self.pods), Decimal(0))
        asked = f"{float(cpu):.3g} CPU and {float(memory):.3g} GiB"
        why = f"the plan has no group of nodes; its pods ask for {asked} at least"
        self.missing.add(NotPriced("machines", _GROUP.rstrip(":"), why))
