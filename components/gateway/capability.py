"""The gateway: the one way in, where callers are known and bounded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from mlstrata.components.capability import ClusterBuilder, Declaration, LocalBuilder
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.stages import Capability
from mlstrata.environments.usage import used_capabilities

LARGEST_TIMEOUT = timedelta(seconds=600)
SMALLEST_BODY = 1024
"""In bytes."""
MOST_CONSUMERS = 16
"""Rules that Envoy Gateway takes for the rates of a route."""


def _local_problems(spec: EnvironmentSpec) -> Iterator[str]:
    for at, system in enumerate(spec.systems):
        limits, path = system.serving.limits, f"systems[{at}].serving.limits"
        if limits.timeout > LARGEST_TIMEOUT:
            yield f"{path}.timeout: got {limits.timeout}; the gateway waits at most 600s"
        if limits.body_bytes < SMALLEST_BODY:
            yield f"{path}.body_bytes: got {limits.body_bytes}; the gateway needs at least {SMALLEST_BODY}"


def _cluster_problems(spec: EnvironmentSpec) -> Iterator[str]:
    for at, system in enumerate(spec.systems):
        consumers, path = system.serving.consumers, f"systems[{at}].serving.consumers"
        for index, consumer in enumerate(consumers):
            if consumer.quota is not None:
                yield (
                    f"{path}[{index}].quota: got {consumer.quota}; on a cluster each Envoy counts by itself, so a "
                    "limit over a long time cannot be held; remove it, or lower the rate"
                )
        if len(consumers) > MOST_CONSUMERS:
            yield (
                f"{path}: got {len(consumers)}; Envoy Gateway counts for {MOST_CONSUMERS} at most; let some of them "
                "share a name"
            )


DECLARATIONS = (
    Declaration(
        Capability.GATEWAY,
        local=LocalBuilder(
            "mlstrata.components.gateway.local:build",
            # Its routes name the ports of what answers behind it.
            after=(Capability.SERVING,),
            problems=_local_problems,
            ports={"gateway": ("gateway", "gateway_admin")},
            programs=("envoy",),
        ),
        kubernetes=ClusterBuilder(
            "mlstrata.components.gateway.kubernetes:build", after=(Capability.ALERTS,), problems=_cluster_problems
        ),
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
