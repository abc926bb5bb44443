"""Releases and rollbacks on a cluster: one patch of what a system's pods are told to serve."""

from services.rollout.cluster.context import ClusterContext
from services.rollout.cluster.errors import ClusterError, Forbidden, Missing
from services.rollout.cluster.kubectl import Kubectl
from services.rollout.cluster.overview import ClusterStatus, status
from services.rollout.cluster.rollout import release, rollback

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
