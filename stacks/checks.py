"""What is refused before anything is registered."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from components.support import unbuilt
from environments import Capability, EnvironmentSpec
from environments.spec.risk import Tier
from environments.spec.serving import ServingMode
from environments.spec.storage import S3Storage
from environments.spec.system import SystemSpec
from environments.stages import capabilities_of
from services.runner.requests import NotTrainable, training_request, untrainable

LARGEST_TIMEOUT = timedelta(seconds=600)
SMALLEST_BODY = 1024


def problems(spec: EnvironmentSpec) -> list[str]:
    """Return every reason why an environment cannot be built as declared, each with its fix; empty when it can."""
    found = [*_prohibited(spec), *unbuilt(spec.target.kind, spec.capabilities, asked(spec))]
    return found + (_local(spec) if spec.target.kind == "local" else [])


def asked(spec: EnvironmentSpec) -> frozenset[Capability]:
    """Return the on-demand capabilities that the environment's file really uses."""
    modes = {system.serving.mode for system in spec.systems}
    uses = {Capability.SERVING: ServingMode.REALTIME in modes, Capability.BATCH: ServingMode.BATCH in modes}
    by_stage = capabilities_of(spec.stage)
    used = {capability for capability, using in uses.items() if using}
    return frozenset(used | (spec.capabilities - by_stage))


def probability_range(system: SystemSpec) -> tuple[float, float]:
    """Return the lowest and highest plausible probability of a system."""
    return system.monitor.range.get("probability", (0.0, 1.0))


def _prohibited(spec: EnvironmentSpec) -> list[str]:
    """Article 5 of the AI Act leaves no way to deploy: no exemption, no lower stage."""
    return [
        f"systems[{at}].risk.tier: {system.name} is declared 'unacceptable', a practice that Article 5 of the AI Act "
        "prohibits; it cannot be deployed: remove the system"
        for at, system in enumerate(spec.systems)
        if system.risk.tier is Tier.UNACCEPTABLE
    ]


def _local(spec: EnvironmentSpec) -> list[str]:
    """What a valid file may ask for and this machine's services cannot do."""
    found = []
    storage = spec.storage
    if isinstance(storage, S3Storage):
        named = {"bucket": storage.bucket, "credentials": storage.credentials}
        found += [
            f"storage.{field}: got nothing; an endpoint of your own needs it (without storage.endpoint the environment "
            "brings its own store, with its own keys)"
            for field, value in named.items()
            if storage.endpoint and not value
        ]
    for at, system in enumerate(spec.systems):
        limits, (low, high) = system.serving.limits, probability_range(system)
        if limits.timeout > LARGEST_TIMEOUT:
            found.append(f"systems[{at}].serving.limits.timeout: got {limits.timeout}; the gateway waits at most 600s")
        if limits.body_bytes < SMALLEST_BODY:
            found.append(
                f"systems[{at}].serving.limits.body_bytes: got {limits.body_bytes}; the gateway needs at least 1024"
            )
        if not 0 <= low < high <= 1:
            found.append(f"systems[{at}].monitor.range.probability: got [{low}, {high}]; allowed: within [0, 1]")
        found += [f"systems[{at}].model: {reason}" for reason in _training(spec, system)]
    return found


def _training(spec: EnvironmentSpec, system: SystemSpec) -> list[str]:
    """Build a trainable system's request once, so that a setting the pipeline does not take is told now."""
    if untrainable(system):
        return []
    try:
        training_request(spec.name, system, root=Path("/"), home=Path("/"), tracking_uri="http://127.0.0.1")
    except NotTrainable as error:
        return [str(error)]
    return []
