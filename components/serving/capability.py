"""Serving: what answers requests for predictions."""

from __future__ import annotations

from collections.abc import Mapping

from mlstrata.components.capability import ClusterBuilder, Declaration, LocalBuilder
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.serving import ServingMode
from mlstrata.environments.stages import Capability


def _ports(spec: EnvironmentSpec) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    from mlstrata.components.serving.outputs import copies, serving_name

    return {
        system.name: {serving_name(system.name, number): ("http", "grpc", "metrics") for number in copies(system)}
        for system in spec.systems
        if system.serving.mode is ServingMode.REALTIME
    }


DECLARATIONS = (
    Declaration(
        Capability.SERVING,
        provides=(Capability.PLAUSIBILITY,),
        local=LocalBuilder(
            "mlstrata.components.serving.local:build",
            after=(Capability.REGISTRY,),
            programs=("mlserver",),
            system_ports=_ports,
        ),
        kubernetes=ClusterBuilder(
            "mlstrata.components.serving.kubernetes:build",
            after=(Capability.ALERTS, Capability.REGISTRY, Capability.GATEWAY, Capability.TEAMS),
        ),
    ),
)
