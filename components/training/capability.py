"""Training by a job, with tests before it: by command on this machine, by a CronJob on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mlstrata.components.capability import ClusterBuilder, Declaration, LocalBuilder
from mlstrata.components.storage.data import unreadable
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.data import READ
from mlstrata.environments.spec.model import Modality
from mlstrata.environments.spec.settings import TRAINING
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.environments.spec.tasks import Task
from mlstrata.environments.stages import Capability

_MADE = (Modality.TABULAR, Modality.TEXT, Modality.IMAGE)
ELSEWHERE = "or say in model.source where it is trained instead"


def _problems(spec: EnvironmentSpec, *, local: bool) -> Iterator[str]:
    """Yield what is declared to be trained and no target of this kind can train."""
    for at, system in enumerate(spec.systems):
        if system.model.source is None:
            found = [*_task(system), *_data(spec, system, local=local), *_settings(spec, system)]
            yield from (f"systems[{at}].{one}" for one in found)


def _task(system: SystemSpec) -> Iterator[str]:
    model, made = system.model, f"the pipeline '{TRAINING}' makes models of tables, texts and images"
    if model.modality not in _MADE and model.task is not Task.GENERATION:
        yield f"model.modality: got '{model.modality}', but {made}; allowed {', '.join(_MADE)}; {ELSEWHERE}"


def _data(spec: EnvironmentSpec, system: SystemSpec, *, local: bool) -> Iterator[str]:
    dataset = system.training_data
    location = dataset.location if dataset else None
    if dataset is None or location is None:
        return
    field = f"data[{system.data.index(dataset)}]"
    if location.scheme == "s3" and not location.name.endswith(READ):
        yield f"{field}.source: got '{dataset.source}'; training reads objects that end in {', '.join(READ)}"
    if not local and (why := unreadable(dataset, spec)):
        yield f"{field}.{why}"


def _settings(spec: EnvironmentSpec, system: SystemSpec) -> Iterator[str]:
    """Make a trainable system's request once, so that a setting the pipeline does not take is refused now."""
    from mlstrata.services.runner.requests import NotTrainable, training_request

    if system.untrainable():
        return
    try:
        training_request(spec.name, system, root=Path("/"), home=Path("/"), tracking_uri="http://127.0.0.1")
    except NotTrainable as error:
        yield f"model: {error}"


DECLARATIONS = (
    Declaration(
        Capability.TRAINING,
        provides=(Capability.TESTS,),
        # `mlstrata train` starts a process that ends with it.
        local=LocalBuilder(problems=partial(_problems, local=True)),
        kubernetes=ClusterBuilder(
            "mlstrata.components.training.kubernetes:build",
            after=(Capability.REGISTRY, Capability.TEAMS),
            problems=partial(_problems, local=False),
        ),
    ),
)
