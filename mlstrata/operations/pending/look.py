"""Looks at a cluster once: what of an environment waits there now."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from mlstrata.clients.kubernetes import Cluster, Forbidden, Kind, Missing
from mlstrata.operations.pending.claims import of_claims
from mlstrata.operations.pending.pods import of_pods
from mlstrata.operations.pending.refused import lacks_pods, of_refused
from mlstrata.operations.pending.seen import Json, Seen, Wait

if TYPE_CHECKING:
    import pulumi_embedded

PODS, EVENTS = Kind("", "v1", "Pod", "pods"), Kind("", "v1", "Event", "events")
CLAIMS = Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
NODES = Kind("", "v1", "Node", "nodes", namespaced=False)
CLASSES = Kind("storage.k8s.io", "v1", "StorageClass", "storageclasses", namespaced=False)
CONTROLLERS = {
    "ReplicaSet": Kind("apps", "v1", "ReplicaSet", "replicasets"),
    "StatefulSet": Kind("apps", "v1", "StatefulSet", "statefulsets"),
    "DaemonSet": Kind("apps", "v1", "DaemonSet", "daemonsets"),
    "Job": Kind("batch", "v1", "Job", "jobs"),
}
_PROVIDER = "pulumi:providers:kubernetes"
_ANSWER_S = 5.0


@dataclass(frozen=True)
class Look:
    """Asks a cluster about an environment's namespaces.

    Attributes:
        cluster: What is asked; it must not be patient, as the next look asks again.
        namespaces: Where the environment has objects; others' pods are none of its business.
    """

    cluster: Cluster
    namespaces: tuple[str, ...]

    def __call__(self) -> tuple[Wait, ...]:
        """Return what waits now.

        Raises:
            Forbidden: pods, claims or events of a namespace may not be listed.
            ClusterError: the cluster does not answer.
        """
        pods = self._of_all(PODS)
        claims = self._of_all(CLAIMS)
        events = self._of_all(EVENTS, {"type": "Warning"})
        pending = any(one.get("status", {}).get("phase") == "Pending" for one in claims)
        seen = Seen(
            pods=pods,
            claims=claims,
            events=events,
            classes=self._allowed(CLASSES) if pending else (),
            nodes=cache(lambda: self._allowed(NODES) or ()),
            placed=cache(lambda: self._allowed(PODS) or ()),
            short=self._short,
        )
        return (*of_pods(seen), *of_claims(seen), *of_refused(seen))

    def _of_all(self, kind: Kind, fields: Mapping[str, str] | None = None) -> list[Json]:
        return [one for space in self.namespaces for one in self.cluster.list(kind, space, fields)]

    def _allowed(self, kind: Kind) -> Sequence[Json] | None:
        """Return the objects of a kind in the whole cluster; None: whoever asks may not list them."""
        try:
            return self.cluster.list(kind)
        except Forbidden:
            return None

    def _short(self, event: Json) -> bool:
        about = event["involvedObject"]
        try:
            found = self.cluster.get(CONTROLLERS[about["kind"]], about["name"], about.get("namespace", ""))
        except Missing:
            return False
        except Forbidden:
            return True
        return lacks_pods(about["kind"], found)


def look_of(planned: Sequence[pulumi_embedded.GraphResource], kubeconfig: str = "") -> Look | None:
    """Return what looks at a plan's cluster, with the credentials of whoever deploys; None: it has none.

    Args:
        planned: The plan's resources.
        kubeconfig: Of the cluster, as JSON; empty: the user's own has the context that the plan names.
    """
    provider = next((one for one in planned if one.type == _PROVIDER), None)
    context = json.loads(kubeconfig)["current-context"] if kubeconfig else provider and provider.inputs.get("context")
    if provider is None or not isinstance(context, str):
        return None
    cluster = Cluster(context, request_timeout_s=_ANSWER_S, patience_s=0.0, kubeconfig=kubeconfig)
    return Look(cluster, _namespaces(planned))


def _namespaces(planned: Sequence[pulumi_embedded.GraphResource]) -> tuple[str, ...]:
    found: set[str] = set()
    for one in planned:
        if not one.type.startswith("kubernetes:"):
            continue
        metadata = one.inputs.get("metadata")
        named: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else {}
        own = named.get("name") if one.type == "kubernetes:core/v1:Namespace" else named.get("namespace")
        found.update(name for name in (own, one.inputs.get("namespace")) if isinstance(name, str) and name)
    return tuple(sorted(found))


Looking = Callable[[], Sequence[Wait]]
"""What looks once."""
