"""Scoring of whole datasets: by command or by the clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mlstrata.components.capability import ClusterBuilder, Declaration, LocalBuilder
from mlstrata.components.storage.data import unreadable
from mlstrata.environments import EnvironmentSpec, Workspace
from mlstrata.environments.spec.serving import ServingMode
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.environments.stages import Capability


def _scheduled(spec: EnvironmentSpec, _: Workspace) -> bool:
    return Capability.BATCH in spec.capabilities and any(system.serving.schedule for system in spec.systems)


def _local_problems(spec: EnvironmentSpec) -> Iterator[str]:
    """Make each batch system's job once, so that a dataset that cannot be read here is refused now."""
    from mlstrata.services.batch.jobs import NotScorable, scoring_job

    for at, system in _batch(spec):
        try:
            scoring_job(system, root=Path("/"), home=Path("/"))
        except NotScorable as error:
            yield f"systems[{at}]: {error}"


def _cluster_problems(spec: EnvironmentSpec) -> Iterator[str]:
    for at, system in _batch(spec):
        data = system.scored_data
        if data is None or data.location is None:
            why = f"{system.name} names no dataset with a source to score; declare one in data and name it"
            yield f"systems[{at}].serving.input: {why}"
            continue
        where = f"systems[{at}].data[{system.data.index(data)}]"
        if data.location.scheme == "file" and (untrained := system.untrainable()):
            what = "a file of the workspace, which `mlstrata train` hands over on a cluster, and it trains none here"
            yield f"{where}.source: got '{data.source}', {what} ({untrained}); put it into a bucket: s3://BUCKET/KEY"
        elif why := unreadable(data, spec):
            yield f"{where}.{why}"


def _batch(spec: EnvironmentSpec) -> Iterator[tuple[int, SystemSpec]]:
    return ((at, one) for at, one in enumerate(spec.systems) if one.serving.mode is ServingMode.BATCH)


DECLARATIONS = (
    Declaration(
        Capability.BATCH,
        local=LocalBuilder(
            "mlstrata.components.batch.local:build",
            when=_scheduled,
            problems=_local_problems,
            ports={"batch": ("batch",)},
            programs=("python",),
        ),
        kubernetes=ClusterBuilder(
            "mlstrata.components.batch.kubernetes:build",
            after=(Capability.REGISTRY, Capability.TEAMS),
            problems=_cluster_problems,
        ),
    ),
)
