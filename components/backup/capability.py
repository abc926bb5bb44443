"""Copies of what cannot be made again, on a cluster."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration
from mlstrata.environments.stages import Capability

NAME = "backup"
"""Of what makes the copies."""

DECLARATIONS = (
    Declaration(
        Capability.BACKUP,
        kubernetes=ClusterBuilder("mlstrata.components.backup.kubernetes:build", after=("database", "storage")),
    ),
)
