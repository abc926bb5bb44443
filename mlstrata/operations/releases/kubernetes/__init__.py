"""Releases and rollbacks on a cluster: one patch of what a system's pods are told to serve."""

from mlstrata.clients.kubectl import Kubectl
from mlstrata.clients.kubectl_errors import ClusterError, Forbidden, Missing
from mlstrata.operations.releases.kubernetes.context import ClusterContext
from mlstrata.operations.releases.kubernetes.overview import ClusterStatus, status
from mlstrata.operations.releases.kubernetes.rollout import release, rollback

__all__ = [
    "ClusterContext",
    "ClusterError",
    "ClusterStatus",
    "Forbidden",
    "Kubectl",
    "Missing",
    "release",
    "rollback",
    "status",
]
