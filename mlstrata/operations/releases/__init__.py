"""Releases and rollbacks of model versions: registry, prediction processes and gateway, moved together."""

from mlstrata.operations.releases.backend import AUDIT_FILE, Backend
from mlstrata.operations.releases.comparison import Comparison, Figure, compare
from mlstrata.operations.releases.decision import Release
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.operations.releases.local import LocalBackend, SystemStatus, status
from mlstrata.operations.releases.rollout import release, rollback

__all__ = [
    "AUDIT_FILE",
    "Backend",
    "Comparison",
    "Figure",
    "LocalBackend",
    "Release",
    "RolloutError",
    "SystemStatus",
    "compare",
    "release",
    "rollback",
    "status",
]
