"""Releases and rollbacks of model versions: registry, prediction process and gateway, moved together."""

from services.rollout.comparison import Comparison, Figure, compare
from services.rollout.context import AUDIT_FILE, RolloutContext
from services.rollout.decision import Release
from services.rollout.errors import RolloutError
from services.rollout.overview import SystemStatus, status
from services.rollout.rollout import release, rollback

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
