"""Releases and rollbacks of model versions: registry, prediction process and gateway, moved together."""

from mlstrata.clients.errors import RolloutError
from mlstrata.operations.releases.comparison import Comparison, Figure, compare
from mlstrata.operations.releases.context import AUDIT_FILE, RolloutContext
from mlstrata.operations.releases.decision import Release
from mlstrata.operations.releases.overview import SystemStatus, status
from mlstrata.operations.releases.rollout import release, rollback

__all__ = [
    "AUDIT_FILE",
    "Comparison",
    "Figure",
    "Release",
    "RolloutContext",
    "RolloutError",
    "SystemStatus",
    "compare",
    "release",
    "rollback",
    "status",
]
