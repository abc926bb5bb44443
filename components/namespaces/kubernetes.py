"""A namespace with its walls: pod security, quota, limits, closed network, and what its people may do."""

from __future__ import annotations

from typing import Any

import pulumi

from mlstrata.components.cluster import ClusterComponent
from mlstrata.components.manifests import group, manifest, rights, service_account
from mlstrata.components.namespaces.args import OPERATORS, NamespaceArgs
from mlstrata.components.network_policies import default_deny, names

READ = ["get", "list", "watch"]
MOST_PODS, MOST_VOLUMES, MOST_JOBS = 200, 30, 500
"""Far above what a team needs, and far below what a loop that makes objects would."""


class ClosedNamespace(ClusterComponent):
    """A namespace.

    Attributes:
        ready: What anything in the namespace waits for.
    """

    def __init__(self, name: str, args: NamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("teams", name, args.cluster, opts, ownership=args.ownership)
        self.args, self.space = args, args.namespace
        namespace = self.add("namespace", self._namespace(), after=args.after, keep=args.keep)
        within = [namespace]
        deny = self.add("deny", default_deny(self.space), after=within, keep=args.keep)
        self.ready: list[pulumi.Resource] = [
            namespace,
            deny,
            self.add("names", names(self.space, dns=self.cluster.dns), after=within),
        ]
        if args.bounded:
            self.ready.append(self.add("quota", self._quota(), after=within))
            self.ready.append(self.add("limits", self._limits(), after=within))
        if args.team:
            self._people(within)
        self.register_outputs({})

    def _object(self, version: str, kind: str, name: str, **rest: Any) -> dict[str, Any]:
        return manifest(version, kind, name, self.space, **rest)

    def _namespace(self) -> dict[str, Any]:
        levels = {f"pod-security.kubernetes.io/{mode}": self.args.security for mode in ("enforce", "warn", "audit")}
        labels = {**levels, "pod-security.kubernetes.io/enforce-version": "latest"}
        if self.args.team:
            labels["mlstrata.io/team"] = self.args.team
        if not self.args.bounded:
            labels[OPERATORS] = "true"
        return manifest("v1", "Namespace", self.space, labels=labels)

    def _quota(self) -> dict[str, Any]:
        hard = {
            "pods": str(MOST_PODS),
            "persistentvolumeclaims": str(MOST_VOLUMES),
            "count/jobs.batch": str(MOST_JOBS),
            # The gateway is the only door: nobody opens another.
            "services.loadbalancers": "0",
            "services.nodeports": "0",
            "requests.nvidia.com/gpu": str(self.args.gpus),
        }
        return self._object("v1", "ResourceQuota", "quota", spec={"hard": hard})

    def _limits(self) -> dict[str, Any]:
        limit = {
            "type": "Container",
            "default": {"cpu": "1", "memory": "1Gi"},
            "defaultRequest": {"cpu": "100m", "memory": "256Mi"},
        }
        return self._object("v1", "LimitRange", "limits", spec={"limits": [limit]})

    def _people(self, within: list[pulumi.CustomResource]) -> None:
        """Let a team see what is its own and start jobs; secrets, roles and walls are not its own."""
        args = self.args
        account = self._object("v1", "ServiceAccount", "team")
        self.add("account", {**account, "automountServiceAccountToken": False}, after=within)
        rules = [
            _rule("", ["pods", "services", "events", "configmaps", "persistentvolumeclaims", "resourcequotas"], READ),
            _rule("", ["pods/log"], ["get"]),
            _rule("apps", ["deployments", "replicasets", "statefulsets"], READ),
            _rule("batch", ["cronjobs"], READ),
            _rule("batch", ["jobs"], [*READ, "create", "delete"]),
            _rule("machinelearning.seldon.io", ["seldondeployments"], READ),
            _rule("gateway.networking.k8s.io", ["httproutes"], READ),
            _rule("networking.k8s.io", ["networkpolicies"], READ),
        ]
        people = group(f"mlstrata:{self.cluster.environment}:{args.team}")
        role, binding = rights("team", self.space, rules, [people, service_account("team", self.space)])
        self.add("binding", binding, after=[self.add("role", role, after=within)])


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, list[str]]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}
