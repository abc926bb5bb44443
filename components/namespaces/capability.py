"""A closed namespace for each team and for each system without one, on a cluster."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration
from mlstrata.components.gpu.room import beyond_quotas
from mlstrata.environments.stages import Capability

DECLARATIONS = (
    Declaration(
        Capability.TEAMS,
        provides=(Capability.NETWORK_POLICY,),
        # Systems have a namespace whether or not there are teams.
        kubernetes=ClusterBuilder(
            "mlstrata.components.namespaces.of_systems:build", when=lambda *_: True, problems=beyond_quotas
        ),
    ),
)
