"""Secrets from the organisation's own store, on a cluster."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration
from mlstrata.environments.stages import Capability

DECLARATIONS = (
    Declaration(
        Capability.SECRETS,
        kubernetes=ClusterBuilder(
            # Every other component says first which secrets it needs.
            "mlstrata.components.secrets.kubernetes:build",
            last=True,
            upstream="external-secrets",
        ),
    ),
)
