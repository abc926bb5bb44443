"""Releases and rollbacks of model versions: registry, prediction process and gateway, moved together."""

from services.rollout.context import RolloutContext
from services.rollout.errors import RolloutError
from services.rollout.overview import SystemStatus, status
from services.rollout.rollout import Release, release, rollback

__all__ = ["Release", "RolloutContext", "RolloutError", "SystemStatus", "release", "rollback", "status"]
