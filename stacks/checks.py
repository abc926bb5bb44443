"""What is refused before anything is registered."""

from __future__ import annotations

from components.support import unbuilt
from environments import Capability, EnvironmentSpec


def problems(spec: EnvironmentSpec) -> list[str]:
    """Return every reason why an environment cannot be built as declared, each with its fix; empty when it can."""
    return [*_prohibited(spec), *unbuilt(spec.target.kind, spec.capabilities, asked(spec))]


def asked(spec: EnvironmentSpec) -> frozenset[Capability]:
    """Return the on-demand capabilities that the environment's file really uses."""
    modes = {system.serving.mode for system in spec.systems}
    uses = {
        Capability.SERVING: "realtime" in modes,
        Capability.BATCH: "batch" in modes,
        Capability.GPU_POOLS: bool(spec.gpu_pools),
    }
    return frozenset(capability for capability, used in uses.items() if used)


def _prohibited(spec: EnvironmentSpec) -> list[str]:
    """Article 5 of the AI Act leaves no way to deploy: no fix in the platform, no exemption."""
    return [
        f"systems[{at}].risk.tier: {system.name} is declared 'unacceptable', a practice that Article 5 of the AI Act "
        "prohibits; it cannot be deployed: remove the system"
        for at, system in enumerate(spec.systems)
        if system.risk.tier == "unacceptable"
    ]
