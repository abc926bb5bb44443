"""Releases on a cluster."""

from mlstrata.operations.releases.kubernetes.backend import KubernetesBackend
from mlstrata.operations.releases.kubernetes.overview import ClusterStatus, status

__all__ = ["ClusterStatus", "KubernetesBackend", "status"]
