"""Pools of GPU nodes that come and go with the work: Karpenter makes them, taints keep everything else away."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pulumi

from mlstrata.components.cluster import ClusterComponent
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.gpu.args import ACCELERATOR, GPU, POOL, TOLERATIONS, GpuPoolsArgs
from mlstrata.components.gpu.nodes import node_class
from mlstrata.components.gpu.rules import POOL_LABEL, groups
from mlstrata.components.gpu.sharing import PLUGIN_CONFIG, config_of
from mlstrata.components.manifests import manifest
from mlstrata.components.naming.forms import part
from mlstrata.components.site import UNOWNED
from mlstrata.environments.spec.teams import GpuPoolSpec
from mlstrata.services.alerts.rules import Subject
from mlstrata.services.alerts.settings import PLATFORM

_SECOND = timedelta(seconds=1)
# DCGM's figures say no pool; the node that the exporter runs on does, by its label.
_OF_POOL = {
    "sourceLabels": [f"__meta_kubernetes_node_label_{re.sub('[^a-zA-Z0-9]', '_', POOL)}"],
    "targetLabel": POOL_LABEL,
}
_ON_POOLS = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": ACCELERATOR, "operator": "Exists"}]}]
        }
    }
}
VALUES: dict[str, dict[str, Any]] = {
    "nvidia-device-plugin": {"affinity": _ON_POOLS, "tolerations": list(TOLERATIONS)},
    "dcgm-exporter": {
        "affinity": _ON_POOLS,
        # Its own tolerations do not cover the taints of our pools: on them it would never start.
        "tolerations": list(TOLERATIONS),
        "serviceMonitor": {"enabled": False},
        "service": {"labels": {"app.kubernetes.io/name": "dcgm-exporter"}},
    },
}


class GpuPools(ClusterComponent):
    """The pools of an environment, and the scraping of their accelerators."""

    def __init__(self, name: str, args: GpuPoolsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu", name, args.cluster, opts)
        self.args = args
        for pool in args.pools:
            after = list(args.after)
            if args.nodes is not None:
                after.append(
                    self.add(f"{pool.name}-nodes", node_class(args.nodes, self._class(pool), pool), after=after)
                )
            if self._most(pool):
                self.add(pool.name, self._pool(pool), after=after)
        name = f"{self.cluster.namespace}-dcgm"
        selector = {"matchLabels": {"app.kubernetes.io/name": "dcgm-exporter"}}
        endpoint = {"port": "metrics", "interval": "30s", "relabelings": [_OF_POOL]}
        spec: dict[str, Any] = {"attachMetadata": {"node": True}, "endpoints": [endpoint], "selector": selector}
        if args.shared:
            # Prometheus reads what is in the environment's own namespaces.
            spec["namespaceSelector"] = {"matchNames": [args.namespace]}
        where = self.cluster.namespace if args.shared else args.namespace
        monitor = manifest("monitoring.coreos.com/v1", "ServiceMonitor", name, where, spec=spec)
        self.watch(monitor, after=args.after)
        if args.pools and self.cluster.watched:
            told = groups(args.pools, Subject(PLATFORM, self.cluster.ownership.owner or UNOWNED))
            rules = manifest("monitoring.coreos.com/v1", "PrometheusRule", name, where, spec={"groups": told})
            self.add("rules", rules, after=args.after)
        self.register_outputs({})

    def _class(self, pool: GpuPoolSpec) -> str:
        """Return the name of what a pool's nodes are made from."""
        return self.args.node_class.name if self.args.nodes is None else part(self.cluster.namespace, pool.name)

    def _most(self, pool: GpuPoolSpec) -> int:
        """Return how many nodes of a pool come and go at most."""
        return pool.nodes.max - (pool.nodes.min if pool.name in self.args.kept else 0)

    def _pool(self, pool: GpuPoolSpec) -> dict[str, Any]:
        reference, labels = self.args.node_class, {POOL: pool.name, ACCELERATOR: pool.accelerator.value}
        if pool.sharing is not None:
            labels |= {PLUGIN_CONFIG: config_of(pool)}
        capacity = ["spot", "on-demand"] if pool.spot else ["on-demand"]
        requirements: list[dict[str, Any]] = [
            {"key": "karpenter.sh/capacity-type", "operator": "In", "values": capacity},
            {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]},
            {"key": ACCELERATOR, "operator": "In", "values": [pool.accelerator.value]},
        ]
        if reference.aws:
            machine = pool.accelerator.value.removeprefix("nvidia-")
            requirements += [
                {"key": "karpenter.k8s.aws/instance-gpu-name", "operator": "In", "values": [machine]},
                {"key": "karpenter.k8s.aws/instance-gpu-count", "operator": "In", "values": [str(pool.gpus_per_node)]},
            ]
        template = {
            "metadata": {"labels": labels},
            "spec": {
                "nodeClassRef": {"group": reference.group, "kind": reference.kind, "name": self._class(pool)},
                "requirements": requirements,
                "taints": [
                    {"key": GPU, "value": "present", "effect": "NoSchedule"},
                    {"key": POOL, "value": pool.name, "effect": "NoSchedule"},
                ],
                # A node is made anew after a month, with what was mended since.
                "expireAfter": "720h",
            },
        }
        return {
            "apiVersion": "karpenter.sh/v1",
            "kind": "NodePool",
            "metadata": {"name": part(self.cluster.namespace, pool.name)},
            "spec": {
                "template": template,
                "limits": {GPU: str(self._most(pool) * pool.gpus_offered)},
                "disruption": {
                    # Only what is empty goes: consolidating would end a training to save some minutes of a node.
                    "consolidationPolicy": "WhenEmpty",
                    "consolidateAfter": f"{pool.idle_after // _SECOND}s",
                    "budgets": [{"nodes": "1"}],
                },
            },
        }


def build(site: ClusterSite) -> None:
    """Build the pools of the environment's file."""
    exporter, _ = site.upstream("dcgm-exporter"), site.upstream("nvidia-device-plugin")
    after = [*site.ready, *exporter.ready, *site.watched]
    if site.inputs.nodes is not None:
        after += site.upstream("karpenter").ready
    args = GpuPoolsArgs(
        site.cluster,
        site.spec.gpu_pools,
        exporter.package.namespace,
        shared=exporter.package.exists,
        nodes=site.inputs.nodes,
        kept=site.inputs.kept,
        after=after,
    )
    GpuPools("gpu", args, site.opts)
