"""A service of ours on a cluster: what its pods need around them, declared once for all of them."""

from __future__ import annotations

from typing import Any

import pulumi

from mlstrata.components.cluster import ClusterComponent
from mlstrata.components.manifests import manifest
from mlstrata.components.network_policies import incoming, outgoing
from mlstrata.components.workload.args import WorkloadArgs
from mlstrata.components.workload.pods import account, pod


class Workload(ClusterComponent):
    """A deployment with its account, service, disruption budget, network openings and scraping.

    Attributes:
        url: Where it answers inside the cluster.
    """

    def __init__(self, name: str, args: WorkloadArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("workload", name, args.cluster, opts, ownership=args.ownership)
        self.args = args
        self.app = {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": args.cluster.environment}
        itself = self.add("account", self._account(), after=args.after)
        openings = self._openings()
        self.deployment = self.add("", self._deployment(), part=args.part, after=[itself, *openings])
        port = next(iter(args.containers[0].ports.values()), None)
        self.url = f"http://{name}.{args.namespace}.svc:{port}" if port else ""
        if port:
            self.add("service", self._service(), after=args.after)
        self.add("budget", self._budget(), after=args.after)
        if args.metrics:
            self.watch(self._monitor(), after=args.after)
        self.register_outputs({})

    def _object(self, version: str, kind: str, spec: dict[str, Any] | None = None) -> dict[str, Any]:
        rest = {"spec": spec} if spec else {}
        return manifest(version, kind, self.name, self.args.namespace, labels=self.app, **rest)

    def _account(self) -> dict[str, Any]:
        args, ours = self.args, self.cluster.images.get("runtime")
        runs = any(one.image == ours for one in (*args.first, *args.containers))
        pulls = self.pulls(args.namespace) if runs else ()
        return account(self._object("v1", "ServiceAccount"), args.identity, pulls)

    def _deployment(self) -> dict[str, Any]:
        args = self.args
        spec = pod(
            args.containers,
            account=self.name,
            first=args.first,
            volumes=args.volumes,
            priority=args.priority,
            placement=args.placement,
            token=args.token,
        )
        spec["topologySpreadConstraints"] = [
            {
                "labelSelector": {"matchLabels": self.app},
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
            }
        ]
        kind = "StatefulSet" if args.named else "Deployment"
        # Parallel: a pod that never got ready does not keep its successor from coming.
        follows = (
            {"serviceName": self.name, "podManagementPolicy": "Parallel", "updateStrategy": {"type": "RollingUpdate"}}
            if args.named
            else {"strategy": {"type": args.strategy}}
        )
        labels = self.labelled(self._object("apps/v1", kind), args.part)["metadata"]["labels"]
        made = self._object(
            "apps/v1",
            kind,
            {
                "replicas": args.replicas,
                "revisionHistoryLimit": 5,
                "selector": {"matchLabels": self.app},
                **follows,
                "template": {"metadata": {"labels": {**labels, **args.labels}}, "spec": spec},
            },
        )
        if args.annotations:
            made["metadata"] = {**made["metadata"], "annotations": dict(args.annotations)}
        return made

    def _service(self) -> dict[str, Any]:
        ports = [
            {"name": name, "port": number, "targetPort": name, "protocol": "TCP"}
            for container in self.args.containers
            for name, number in container.ports.items()
        ]
        return self._object("v1", "Service", {"ports": ports, "selector": self.app, "type": "ClusterIP"})

    def _budget(self) -> dict[str, Any]:
        # At most one copy goes at a time: with one copy a node can still be drained, with more some stay.
        return self._object(
            "policy/v1", "PodDisruptionBudget", {"maxUnavailable": 1, "selector": {"matchLabels": self.app}}
        )

    def _monitor(self) -> dict[str, Any]:
        container = self.args.containers[0]
        port = "metrics" if "metrics" in container.ports else next(iter(container.ports))
        endpoint = {"port": port, "path": self.args.metrics, "interval": "30s"}
        spec = {"endpoints": [endpoint], "selector": {"matchLabels": self.app}}
        return self._object("monitoring.coreos.com/v1", "ServiceMonitor", spec)

    def _openings(self) -> list[pulumi.CustomResource]:
        args, space = self.args, self.args.namespace
        ports = [port for container in args.containers for port in container.ports.values()]
        made = []
        if args.callers and ports:
            policy = incoming(f"{self.name}-callers", space, to=self.app, ports=ports, peers=args.callers)
            made.append(self.add("callers", policy, after=args.after))
        for what, (peers, numbers) in args.calls.items():
            policy = outgoing(f"{self.name}-{what}", space, of=self.app, ports=numbers, peers=peers)
            made.append(self.add(what, policy, after=args.after))
        return made
