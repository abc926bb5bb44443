"""Objects of a cluster as components write them: their head, rights, and claims of volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlstrata.components.cluster import Cluster

Json = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"


def manifest(
    version: str, kind: str, name: str, namespace: str = "", *, labels: Mapping[str, str] | None = None, **rest: Any
) -> Json:
    """Return an object.

    Args:
        version: Its API's group and version, such as `apps/v1`.
        kind: Its kind.
        name: Its name.
        namespace: Where it is; empty: it is the whole cluster's.
        labels: Its labels.
        rest: What it has beside that: spec, data, rules.
    """
    space = {"namespace": namespace} if namespace else {}
    marked = {"labels": dict(labels)} if labels else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **space, **marked}, **rest}


def group(name: str) -> Json:
    """Return a group of people as a subject of rights."""
    return {"kind": "Group", "name": name, "apiGroup": RBAC}


def service_account(name: str, namespace: str) -> Json:
    """Return a service account as a subject of rights."""
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def rights(
    name: str, namespace: str, rules: Sequence[Mapping[str, Any]], subjects: Sequence[Mapping[str, Any]]
) -> tuple[Json, Json]:
    """Return a role and its binding, of the whole cluster where no namespace is given."""
    kind = "Role" if namespace else "ClusterRole"
    reference = {"apiGroup": RBAC, "kind": kind, "name": name}
    return (
        manifest(f"{RBAC}/v1", kind, name, namespace, rules=list(rules)),
        manifest(f"{RBAC}/v1", f"{kind}Binding", name, namespace, roleRef=reference, subjects=list(subjects)),
    )


def volume(cluster: Cluster, name: str, size: str) -> Json:
    """Return a volume of the environment's own namespace with what a service keeps for itself."""
    labels = {"mlstrata.io/data-classification": "internal"}
    spec = claim(cluster, size)
    return manifest("v1", "PersistentVolumeClaim", name, cluster.namespace, labels=labels, spec=spec)


def claim(cluster: Cluster, size: str) -> Json:
    """Return the specification of a volume that one pod at a time writes to, of the cluster's own class of storage."""
    storage: Json = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    return {**storage, "storageClassName": cluster.storage_class} if cluster.storage_class else storage
