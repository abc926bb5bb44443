"""What answers for a system on a cluster: a SeldonDeployment with our serving runtime, and what is around it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pulumi

from mlstrata.components.cluster import Cluster, ClusterComponent, Ownership
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.features.kubernetes import PORTS as FEATURE_PORTS
from mlstrata.components.features.kubernetes import servers_for
from mlstrata.components.gateway.outputs import Backend, owned_by
from mlstrata.components.governance.part import Part, PartArgs
from mlstrata.components.gpu.args import placement
from mlstrata.components.manifests import manifest as object_of
from mlstrata.components.manifests import rights
from mlstrata.components.monitoring.kubernetes import ServiceLevels, ServiceLevelsArgs
from mlstrata.components.namespaces.outputs import NamespacesOutputs
from mlstrata.components.naming.forms import level_of, part
from mlstrata.components.network_policies import Peer, incoming, outgoing, pods
from mlstrata.components.platform.kubernetes import priority
from mlstrata.components.recording.names import APPEND, APPEND_KEYS, RECORDS
from mlstrata.components.recording.names import NAME as RECORDER
from mlstrata.components.recording.names import PORT as RECORDER_PORT
from mlstrata.components.recording.outputs import RecordingOutputs
from mlstrata.components.registry.kubernetes import ACCESS_KEYS, USES_REGISTRY, client, registry_of
from mlstrata.components.registry.names import ACCESS
from mlstrata.components.registry.names import PORT as REGISTRY_PORT
from mlstrata.components.registry.outputs import ClusterRegistryOutputs
from mlstrata.components.registry.people import account as account_of
from mlstrata.components.registry.people import releasers
from mlstrata.components.serving.args import Observers
from mlstrata.components.serving.observers import Way, observers_of, settings_of
from mlstrata.components.serving.outputs import ClusterServingOutputs, serving_name
from mlstrata.components.serving.seldon import deployment
from mlstrata.components.storage.objects import ObjectStore
from mlstrata.components.workload.pods import Container, Placement, Resources, account, pod
from mlstrata.environments.spec.serving import ServingSpec
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.services.alerts.settings import ServiceLevel
from mlstrata.services.serving.cluster import DIGEST as DIGESTED
from mlstrata.services.serving.cluster import PREDICTOR, UNIT, deployment_of
from mlstrata.services.serving.cluster import VERSION as RELEASED
from mlstrata.services.serving.settings import (
    MODEL_FILE,
    MODULE,
    READY_PATH,
    SETTINGS_FILE,
    OutputRange,
    ServingSettings,
    environment,
    render_files,
)

HTTP, GRPC, METRICS = 9000, 9500, 6000
MODELS, CONFIG = "/mnt/models", "/etc/mlstrata/serving"
SPILL, SENDING = "/mnt/spill", "/etc/mlstrata/recorder"
DIGEST = "MLSTRATA_MODEL_DIGEST"
"""Variable with the digest of that version's files, from another; empty: a release recorded none."""
_OWN = 0o440
"""Permissions of mounted secrets: for the pod's own group."""
VERSION = "MLSTRATA_MODEL_VERSION"
"""Variable with the version that is served, from an annotation that a release sets; empty: the registry's champion."""


@dataclass(frozen=True)
class ServingArgs:
    """Arguments of `Serving`.

    Attributes:
        cluster: Where.
        namespace: The system's namespace.
        ownership: Whose it is.
        system: The system.
        serving: What its file says of copies, resources and service levels.
        operators: Namespace of Envoy Gateway, whose pods call it.
        registry: Address of the registry.
        store: Where models lie.
        output_range: Predictions outside of it are implausible and not given out; None: what the model says of itself.
        own_code: Whether its model may bring code of its own.
        disclosure: How people are told that they deal with AI; empty: nobody has to be.
        placement: Nodes for its accelerators.
        image: The system's own; None: ours.
        features: The feature store's pods, where its model takes features from it.
        observers: What looks at its predictions.
        recorder: Address of the recorder; empty: nothing is recorded.
        after: What must be there before it: Seldon, the namespace.
    """

    cluster: Cluster
    namespace: str
    ownership: Ownership
    system: str
    serving: ServingSpec
    operators: str
    registry: str
    store: ObjectStore
    output_range: OutputRange
    own_code: bool = False
    disclosure: str = ""
    placement: Placement | None = None
    image: str | None = None
    features: Sequence[Peer] = ()
    observers: Observers = field(default_factory=Observers)
    recorder: str = ""
    after: Sequence[pulumi.Resource] = ()


class Serving(ClusterComponent):
    """The prediction service of a system.

    Attributes:
        backends: What the gateway sends requests to.
    """

    def __init__(self, name: str, args: ServingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        # Told on the component too: whoever looks for how people are told finds it on what serves.
        told = {"mlstrata.io/ai-disclosure": args.disclosure} if args.disclosure else {}
        super().__init__("serving", name, args.cluster, opts, ownership=args.ownership, labels=told)
        self.args, self.space, self.system = args, args.namespace, args.system
        self.app = {"mlstrata.io/serves": args.system}
        self.needs(self.space, ACCESS, ACCESS_KEYS, "the registry that released models come from")
        if args.recorder:
            self.needs(self.space, APPEND, APPEND_KEYS, "the recorder that takes what it predicts")
        if args.observers.explain is not None:
            Part(f"explainer-{args.system}", PartArgs("explainer", name, args.system), self.child())
        after = list(args.after)
        before = [
            self.add(
                "account",
                account(self._object("v1", "ServiceAccount"), args.store.identity(), self.pulls(self.space)),
                after=after,
            ),
            self.add("settings", {**self._object("v1", "ConfigMap"), "data": self._settings()}, after=after),
            *(self.add(role, policy, after=after) for role, policy in self._openings().items()),
        ]
        # What a release sets is declared nowhere here, so no deployment of the environment contends for it.
        made = self.add("", self._deployment(), part="serving", after=before)
        self.add("budget", self._budget(), after=before)
        self.watch(self._monitor(), after=after)
        self._releasers(after)
        self.backends = (Backend(f"{self.system}-{PREDICTOR}-{UNIT}", HTTP),)
        self.ready: list[pulumi.Resource] = [made]
        self.register_outputs({})

    def _object(self, version: str, kind: str, spec: dict[str, Any] | None = None, name: str = "") -> dict[str, Any]:
        return object_of(version, kind, name or self.name, self.space, **({"spec": spec} if spec else {}))

    def _releasers(self, after: Sequence[pulumi.Resource]) -> None:
        """Let whoever releases the system's versions set them and see them answer, and nothing else.

        People are in the group of that name; a pipeline that releases is the account.
        """
        named = account_of(self.system)
        rules = [
            {
                "apiGroups": ["machinelearning.seldon.io"],
                "resources": ["seldondeployments"],
                "resourceNames": [self.system],
                "verbs": ["get", "patch"],
            },
            {
                "apiGroups": ["apps"],
                "resources": ["deployments"],
                "resourceNames": [deployment_of(self.system)],
                "verbs": ["get"],
            },
        ]
        account = {**self._object("v1", "ServiceAccount", name=named), "automountServiceAccountToken": False}
        itself = self.add("releaser", account, after=after)
        role, binding = rights(named, self.space, rules, releasers(self.cluster.environment, self.system, self.space))
        self.add("releasers", binding, after=[self.add("releases", role, after=after), itself])

    def _settings(self) -> dict[str, str]:
        settings = ServingSettings(
            system=self.system,
            directory=Path(MODELS),
            http_port=HTTP,
            grpc_port=GRPC,
            metrics_port=METRICS,
            sla_p99_s=self.args.serving.sla.p99.total_seconds(),
            output_range=self.args.output_range,
            **settings_of(self.args.observers, self._way()),
        )
        self.variables = environment(settings)
        files = render_files(settings)
        # A pod is its own machine: what reaches it is for the network policies to say.
        server = {**json.loads(files[SETTINGS_FILE]), "host": "0.0.0.0"}  # noqa: S104 - in a pod
        return {SETTINGS_FILE: json.dumps(server, indent=2, sort_keys=True) + "\n", MODEL_FILE: files[MODEL_FILE]}

    def _way(self) -> Way | None:
        """Return the way of its pods to the recorder."""
        folder = Path(SENDING)
        return Way(Path(SPILL), self.args.recorder, *map(folder.joinpath, APPEND_KEYS)) if self.args.recorder else None

    def _openings(self) -> dict[str, dict[str, Any]]:
        args, space, name = self.args, self.space, self.name
        registry = registry_of(args.cluster.namespace)
        envoys = pods(namespace=args.operators, labels=owned_by(args.cluster.namespace))
        monitor = pods(namespace=args.cluster.monitoring)
        openings = {
            "callers": incoming(part(name, "callers"), space, to=self.app, ports=[HTTP], peers=[envoys]),
            "scrapes": incoming(part(name, "scrapes"), space, to=self.app, ports=[METRICS], peers=[monitor]),
            "registry": outgoing(part(name, "registry"), space, of=self.app, ports=[REGISTRY_PORT], peers=[registry]),
            "store": outgoing(part(name, "store"), space, of=self.app, ports=[args.store.port], peers=args.store.peers),
        }
        if args.recorder:
            recorder = pods(namespace=args.cluster.namespace, labels={"app.kubernetes.io/name": RECORDER})
            openings["recorder"] = outgoing(
                part(name, "recorder"), space, of=self.app, ports=[RECORDER_PORT], peers=[recorder]
            )
        if args.features:
            way = outgoing(part(name, "features"), space, of=self.app, ports=FEATURE_PORTS, peers=args.features)
            openings["features"] = way
        return openings

    def _resources(self) -> Resources:
        serving = self.args.serving
        scaled = serving.replicas.max > serving.replicas.min
        return self.cluster.sizes.serving(serving.resources, scaled=scaled)

    def _pod(self) -> dict[str, Any]:
        plain, secret = client(self.args.registry)
        limits = self.args.output_range
        declared = [] if limits is None else ["--ranges", json.dumps(limits, sort_keys=True)]
        if isinstance(limits, tuple):
            declared = ["--range", f"{limits[0]:g}", f"{limits[1]:g}"]
        own = ["--own-code"] if self.args.own_code else []
        image = self.args.image or self.cluster.image("serving")
        folders = {"models": MODELS, "tmp": "/tmp"}  # noqa: S108 - a folder of the container's own
        fetch = Container(
            name="fetch",
            image=image,
            command=["python", "-m", "mlstrata.services.serving.fetch"],
            args=[f"--system={self.system}", f"--directory={MODELS}", *declared, *own],
            env={**plain, **self.args.store.variables()},
            fields={VERSION: f"metadata.annotations['{RELEASED}']", DIGEST: f"metadata.annotations['{DIGESTED}']"},
            secrets=secret,
            mounts=folders,
            # It loads the model to try it, so it needs the room that the model does.
            resources=replace(self._resources(), cpu="100m", cpu_limit="1", gpus=0),
        )
        # A container that ends leaves its spill to the one after it in the pod; with the pod it goes.
        sends = {"spill": SPILL, "recorder": SENDING} if self.args.recorder else {}
        unit = Container(
            name=UNIT,
            image=image,
            command=["python", "-m", MODULE],
            args=[CONFIG],
            env=self.variables,
            ports={"http": HTTP, "grpc": GRPC, "metrics": METRICS},
            ready=READY_PATH,
            alive="/v2/health/live",
            mounts={"settings": CONFIG, **sends, **folders},
            resources=self._resources(),
        )
        volumes: dict[str, dict[str, Any]] = {
            "models": {"emptyDir": {}},
            "settings": {"configMap": {"name": self.name}},
            "tmp": {"emptyDir": {}},
        }
        if sends:
            volumes["spill"] = {"emptyDir": {}}
            volumes["recorder"] = {"secret": {"secretName": APPEND, "defaultMode": _OWN}}
        return pod(
            [unit],
            account=self.name,
            first=[fetch],
            volumes=volumes,
            priority=priority(self.cluster, "serving"),
            placement=self.args.placement,
        )

    def _deployment(self) -> dict[str, Any]:
        labels = self.labelled(self._object("v1", "Pod"), "serving")["metadata"]["labels"]
        return deployment(
            self.system,
            self.space,
            self._pod(),
            self.args.serving.replicas,
            labels={**labels, **self.app, **USES_REGISTRY, **(RECORDS if self.args.recorder else {})},
            annotations={"mlstrata.io/ai-disclosure": self.args.disclosure} if self.args.disclosure else {},
        )

    def _budget(self) -> dict[str, Any]:
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": self.app}}
        return self._object("policy/v1", "PodDisruptionBudget", spec)

    def _monitor(self) -> dict[str, Any]:
        endpoint = {"port": "metrics", "path": "/metrics", "interval": "15s"}
        spec = {"podMetricsEndpoints": [endpoint], "selector": {"matchLabels": self.app}}
        return self._object("monitoring.coreos.com/v1", "PodMonitor", spec)


def build(site: ClusterSite) -> ClusterServingOutputs:
    """Build what answers for every system that answers requests."""
    return ClusterServingOutputs({system.name: _serving(site, system) for system in site.realtime})


def _serving(site: ClusterSite, system: SystemSpec) -> Sequence[Backend]:
    namespace, ownership = site.namespace_of(system), site.ownership_of(system)
    beneath, serving = site.systems[system.name].child(), system.serving
    recording = site.find(RecordingOutputs)
    after = [*site.require(NamespacesOutputs).by_name[namespace].ready, *site.ready]
    after += recording.ready if recording else ()
    args = ServingArgs(
        cluster=site.cluster,
        namespace=namespace,
        ownership=ownership,
        system=system.name,
        serving=serving,
        operators=site.namespace_of_piece("envoy-gateway"),
        registry=site.require(ClusterRegistryOutputs).uri,
        store=site.inputs.store,
        output_range=system.output_range,
        own_code=system.model.brings_code,
        placement=placement(site.spec.gpu_pools, serving.resources.pool, serving.resources.gpu, system.team),
        image=system.model.image,
        features=servers_for(site, system),
        disclosure=system.risk.disclosure or "",
        observers=observers_of(site.spec, system),
        recorder=str(recording.url) if recording else "",
        after=[*after, *site.upstream("seldon-core").ready, *site.watched],
    )
    component = Serving(serving_name(system.name), args, beneath)
    if site.watched:
        service_level = ServiceLevel(
            system=system.name,
            owner=ownership.owner,
            p99_seconds=serving.sla.p99.total_seconds(),
            availability=serving.sla.availability,
        )
        levels = ServiceLevelsArgs(site.cluster, namespace, ownership, service_level, [*after, *site.watched])
        ServiceLevels(level_of(system.name), levels, beneath)
    return component.backends
