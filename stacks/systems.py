"""The AI systems of an environment on a cluster: a space of theirs, what trains them and what answers for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pydantic import BaseModel

from mlstrata.components.cluster import Cluster, Who
from mlstrata.components.features.kubernetes import APP as FEATURES
from mlstrata.components.gateway.system_route import Entrance, EntranceArgs
from mlstrata.components.governance.system import AISystem
from mlstrata.components.gpu.args import ACCELERATOR, placement
from mlstrata.components.monitoring.kubernetes import Promises, PromisesArgs
from mlstrata.components.namespaces.args import SpaceArgs, space_of
from mlstrata.components.namespaces.kubernetes import Space
from mlstrata.components.network_policies import Peer, pods
from mlstrata.components.platform.upstream import Upstream
from mlstrata.components.registry.job import FOLDER, Job, JobArgs
from mlstrata.components.serving.kubernetes import Serving, ServingArgs
from mlstrata.components.serving.outputs import serving_name
from mlstrata.components.site import UNOWNED
from mlstrata.components.storage.objects import ObjectStore
from mlstrata.components.upstream.bill import piece
from mlstrata.components.workload.pods import Resources
from mlstrata.environments import Capability, EnvironmentSpec
from mlstrata.environments.spec.risk import Tier
from mlstrata.environments.spec.serving import ServingMode
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.services.alerts.settings import Promise
from mlstrata.services.batch.jobs import scoring_job
from mlstrata.services.runner.requests import training_request
from mlstrata.services.serving.cluster import job_of

DISCLOSURE = "each answer names the model and version that gave it; consumers tell the people concerned"


@dataclass
class Base:
    """What is below the systems.

    Attributes:
        spec: The environment.
        cluster: Where.
        store: The bucket.
        opts: Of what stands at the top: the provider.
        upstream: Installs a piece of the bill once.
        urls: Address inside the cluster by what answers there.
        ready: What everything waits for.
        watched: What is scraped or alerted on waits for it.
        registered: What asks the registry waits for it.
        entered: What attaches to the gateway waits for it.
    """

    spec: EnvironmentSpec
    cluster: Cluster
    store: ObjectStore
    opts: pulumi.ResourceOptions
    upstream: Callable[[str], Upstream]
    urls: dict[str, str] = field(default_factory=dict)
    ready: Sequence[pulumi.Resource] = ()
    watched: Sequence[pulumi.Resource] = ()
    registered: Sequence[pulumi.Resource] = ()
    entered: Sequence[pulumi.Resource] = ()


class Systems:
    """Builds systems, one after the other.

    Args:
        base: What is below them.
        declared: Their components, by name.
    """

    def __init__(self, base: Base, declared: Mapping[str, AISystem]) -> None:
        self.base, self.declared = base, declared
        self.spaces: dict[str, Space] = {}

    def namespace(self, system: SystemSpec) -> str:
        """Return where a system is."""
        return space_of(self.base.cluster.namespace, system.team, system.name)

    def _who(self, system: SystemSpec) -> Who:
        team = next((one for one in self.base.spec.teams if one.name == system.team), None)
        owner = self.base.spec.owner_of(system) or (team and team.owner) or UNOWNED
        paid_by = system.cost_centre or (team and team.cost_centre) or self.base.cluster.who.cost_centre
        return Who(owner, paid_by, system.name)

    def _space(self, system: SystemSpec) -> Space:
        """Return the namespace of a system: its team's, made for the first of its systems, or one of its own."""
        namespace = self.namespace(system)
        if namespace not in self.spaces:
            team = next((one for one in self.base.spec.teams if one.name == system.team), None)
            who = Who(
                (team and team.owner) or self.base.spec.owner_of(system) or UNOWNED,
                (team and team.cost_centre) or self.base.cluster.who.cost_centre,
            )
            args = SpaceArgs(
                self.base.cluster, namespace, who, team.name if team else "", team.gpu_quota if team else 0
            )
            self.spaces[namespace] = Space(f"space-{system.team or system.name}", args, self.base.opts)
        return self.spaces[namespace]

    def add(self, system: SystemSpec) -> None:
        """Register what a system needs, in the order of what needs what."""
        after = [*self._space(system).ready, *self.base.ready]
        if Capability.TRAINING in self.base.spec.capabilities and system.untrainable() is None:
            self._training(system, after)
        if Capability.SERVING in self.base.spec.capabilities and system.serving.mode is ServingMode.REALTIME:
            self._serving(system, after)
        if Capability.BATCH in self.base.spec.capabilities and system.serving.mode is ServingMode.BATCH:
            self._scoring(system, after)

    def _training(self, system: SystemSpec, after: Sequence[pulumi.Resource]) -> None:
        uri = self.base.urls["mlflow"]
        request = training_request(
            self.base.spec.name, system, root=Path(FOLDER), home=Path(FOLDER), tracking_uri=uri, commit=None
        )
        gpus, pool = request.settings.gpus, system.serving.resources.pool
        accelerator = self._accelerator(pool, gpus)
        args = self._job(
            system,
            after,
            part="training",
            module="mlstrata.services.runner.job",
            settings=_json(request),
            schedule=system.model.schedule,
            trained=system.model.schedule is not None,
            resources=Resources(cpu="2", memory="4Gi", gpus=gpus),
            placement=placement(pool, gpus),
            labels={ACCELERATOR: accelerator} if accelerator else {},
        )
        Job(f"training-{system.name}", args, self.declared[system.name].child())

    def _scoring(self, system: SystemSpec, after: Sequence[pulumi.Resource]) -> None:
        """Score a batch system's dataset, at its times; the preconditions have seen that it can be read."""
        job = scoring_job(system, root=Path(FOLDER), home=Path(FOLDER))
        asked = system.serving.resources
        args = self._job(
            system,
            after,
            part="scoring",
            module="mlstrata.services.batch.cluster_job",
            settings=_json(job),
            schedule=system.serving.schedule,
            released=True,
            resources=Resources(cpu=f"{round(asked.cpu * 1000)}m", memory=asked.memory, gpus=asked.gpu),
            placement=placement(asked.pool, asked.gpu),
        )
        Job(job_of(system.name), args, self.declared[system.name].child())

    def _job(self, system: SystemSpec, after: Sequence[pulumi.Resource], **given: Any) -> JobArgs:
        return JobArgs(
            cluster=self.base.cluster,
            namespace=self.namespace(system),
            who=self._who(system),
            registry=self.base.urls["mlflow"],
            store=self.base.store,
            features=self._features(system),
            after=[*after, *self.base.registered],
            **given,
        )

    def _features(self, system: SystemSpec) -> Sequence[Peer]:
        """Return the feature store's pods, for a system whose model takes features from it."""
        if system.model.features is None or Capability.FEATURE_STORE not in self.base.spec.capabilities:
            return ()
        return (pods(namespace=piece("feast").namespace, labels=FEATURES),)

    def _accelerator(self, pool: str | None, gpus: int) -> str:
        """Return the kind of a training's accelerators: its pool's, or the only one there is."""
        found = {one.accelerator.value for one in self.base.spec.gpu_pools if pool in {None, one.name}}
        return found.pop() if gpus and len(found) == 1 else ""

    def _serving(self, system: SystemSpec, after: Sequence[pulumi.Resource]) -> None:
        seldon = self.base.upstream("seldon-core").ready
        within, who, beneath = self.namespace(system), self._who(system), self.declared[system.name].child()
        operators = piece("envoy-gateway").namespace
        serving = Serving(
            serving_name(system.name),
            ServingArgs(
                cluster=self.base.cluster,
                namespace=within,
                who=who,
                system=system.name,
                serving=system.serving,
                operators=operators,
                registry=self.base.urls["mlflow"],
                store=self.base.store,
                probability_range=system.monitor.probability_range,
                placement=placement(system.serving.resources.pool, system.serving.resources.gpu),
                features=self._features(system),
                disclosure=DISCLOSURE if system.risk.tier in {Tier.HIGH, Tier.LIMITED} else "",
                after=[*after, *seldon, *self.base.watched],
            ),
            beneath,
        )
        sla = system.serving.sla
        promise = Promise(
            system=system.name,
            owner=who.owner,
            p99_seconds=sla.p99.total_seconds(),
            availability=sla.availability,
        )
        if self.base.watched:
            Promises(
                f"promise-{system.name}",
                PromisesArgs(self.base.cluster, within, who, promise, [*after, *self.base.watched]),
                beneath,
            )
        Entrance(
            f"entrance-{system.name}",
            EntranceArgs(
                cluster=self.base.cluster,
                namespace=within,
                who=who,
                system=system.name,
                serving=system.serving,
                backends=serving.backends,
                stoppable=system.oversight.kill_switch,
                after=[*after, *self.base.entered],
            ),
            beneath,
        )


def _json(settings: BaseModel) -> str:
    return settings.model_dump_json(indent=2, exclude_none=True) + "\n"
