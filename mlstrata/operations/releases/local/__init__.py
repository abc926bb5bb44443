"""Releases on this machine."""

from mlstrata.operations.releases.local.backend import STEPS, LocalBackend
from mlstrata.operations.releases.local.overview import SystemStatus, status

__all__ = ["STEPS", "LocalBackend", "SystemStatus", "status"]
