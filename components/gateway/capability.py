"""The gateway: the one way in, where callers are known and bounded."""

from __future__ import annotations

from mlstrata.components.capability import ClusterBuilder, Declaration, LocalBuilder
from mlstrata.environments.stages import Capability
from mlstrata.environments.usage import used_capabilities

DECLARATIONS = (
    Declaration(
        Capability.GATEWAY,
        local=LocalBuilder(
            "mlstrata.components.gateway.local:build",
            # Its routes name the ports of what answers behind it.
            after=(Capability.SERVING,),
            ports={"gateway": ("gateway", "gateway_admin")},
            programs=("envoy",),
        ),
        kubernetes=ClusterBuilder("mlstrata.components.gateway.kubernetes:build", after=(Capability.ALERTS,)),
    ),
    Declaration(
        "routes",
        kubernetes=ClusterBuilder(
            "mlstrata.components.gateway.system_route:build",
            after=(Capability.GATEWAY, Capability.SERVING, Capability.TEAMS),
            when=lambda spec, _: Capability.SERVING in used_capabilities(spec),
        ),
    ),
)
