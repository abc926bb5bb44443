"""From an environment's file to what the runner is asked to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlstrata.clients.mlflow.data import WORKSPACE
from mlstrata.environments import SystemSpec, Workspace
from mlstrata.environments.guests import code_version, metric_versions
from mlstrata.environments.spec.data import DatasetSpec
from mlstrata.environments.spec.outputs import OWN_SETTINGS, OutputSpec
from mlstrata.environments.spec.settings import JUDGING
from mlstrata.environments.spec.tasks import Task
from mlstrata.services.problems import plain
from mlstrata.services.runner.contract import Kpi, Origin, TrainingRequest, TrainingSettings
from mlstrata_steps.several import OUTPUTS

WORKDIR = "data/runner"
"""Folder of the runs, from the environment's home; beneath it each system has one of its own, by its name: what one
has read, tried or cached is nothing that another's run could take."""


class NotTrainable(Exception):
    """The training pipeline cannot make this system's model; the message says what is missing."""


def training_request(
    environment: str,
    system: SystemSpec,
    *,
    root: Path,
    home: Path,
    tracking_uri: str,
    commit: str | None = None,
    elsewhere: bool = False,
    origin: Origin | None = None,
) -> TrainingRequest:
    """Build the request that trains a system's model as declared.

    Args:
        environment: The environment's name.
        system: One of its systems.
        root: The workspace, which a dataset's relative path starts from.
        home: The environment's home folder; a system's runs keep their data in its `data/runner/<system>`.
        tracking_uri: Address of MLflow.
        commit: Commit of the repository; None: the one the running code is from.
        elsewhere: Where it runs there is no workspace: a file of it is read from the registry.
        origin: A model that was trained elsewhere, to be judged in place of a training.

    Raises:
        NotTrainable: The system is `SystemSpec.untrainable`, or one of its settings is none of the training pipeline's.
    """
    if reason := system.unjudgeable() if origin else system.untrainable():
        raise NotTrainable(f"{system.name}: {reason}")
    model, data = system.model, system.training_data
    if data is None or data.source is None or not model.targets:
        raise AssertionError("`SystemSpec.untrainable` refuses these")  # what a type checker cannot know
    source = source_of(data, None if elsewhere else root)
    try:
        return TrainingRequest(
            system=system.name,
            environment=environment,
            source=source,
            named=data.source if elsewhere and source != data.source else "",
            endpoint=data.endpoint,
            format=data.written(),
            target=model.target or "",
            task=(Task.CLASSIFICATION if model.outputs else model.task).value,
            outputs={one.name: _roles(one) for one in model.outputs},
            positive=model.positive_text,
            threshold=model.threshold,
            quantile=model.quantile,
            interval=model.interval,
            protected=model.protected,
            exclude=model.exclude,
            texts=model.texts,
            text_length=model.text_length,
            images=model.images,
            image_bytes=model.image_bytes,
            metrics=_metrics(system, root, elsewhere=elsewhere),
            personal=data.personal,
            special={column: category.value for column, category in data.special_fields.items()},
            kpis=tuple(
                Kpi(metric=kpi.metric, at_least=kpi.at_least, at_most=kpi.at_most, source=kpi.source)
                for kpi in system.kpis
            ),
            pipeline=JUDGING if origin else model.pipeline,
            origin=origin,
            # In a pod the code is that of the image.
            own_code=(model.image or "")[-12:] if elsewhere else code_version(model, Workspace(root)),
            algorithm=f"train:{model.train}" if model.train else model.algorithm,
            requirements=root / model.requirements if model.requirements and not elsewhere else None,
            settings=_judging(_settings(system)) if origin else _settings(system),
            tracking_uri=tracking_uri,
            workdir=home / WORKDIR / system.name,
            commit=commit,
        )
    except ValidationError as error:
        raise NotTrainable(f"{system.name}: {plain(error)}") from error


def _roles(output: OutputSpec) -> dict[str, Any]:
    """Give the roles of one of several answers as the steps take them."""
    positive = {} if output.positive is None else {"positive": str(output.positive)}
    threshold = {} if output.threshold is None else {"threshold": output.threshold}
    roles = {"target": output.target, "task": output.task.value, "quantile": output.quantile}
    interval = {} if output.interval is None else {"interval": output.interval}
    return {**roles, **positive, **threshold, **interval, "algorithm": output.learns.value}


def _metrics(system: SystemSpec, root: Path, *, elsewhere: bool) -> dict[str, dict[str, str]]:
    """Name each figure of the workspace's own with the version of its code, and which way a KPI wants it."""
    model = system.model
    lower = {kpi.metric for kpi in system.kpis if kpi.at_most is not None}
    image = dict.fromkeys(model.metrics, (model.image or "")[-12:])
    versions = image if elsewhere else metric_versions(model, Workspace(root))
    return {
        name: {"function": f"{reference}@{versions[name]}", "better": "lower" if name in lower else "higher"}
        for name, reference in model.metrics.items()
    }


def source_of(data: DatasetSpec, root: Path | None) -> str:
    """Return where a job reads a dataset.

    Args:
        data: The dataset, with a source.
        root: The workspace; None: where the job runs there is none.
    """
    if data.location is None or data.location.scheme != "file":
        return str(data.source)
    return f"{WORKSPACE}{data.name}" if root is None else str(root / str(data.source))


def _judging(settings: TrainingSettings) -> TrainingSettings:
    """Leave out what needs training rows: no model of shuffled labels is trained beside one from elsewhere."""
    return settings.model_copy(update={"signal": {**settings.signal, "permutations": 0}, "workers": 1})


def _settings(system: SystemSpec) -> TrainingSettings:
    """Take the model's settings, and what is watched as rules where it gives none: plausible ranges, fairness."""
    settings: dict[str, Any] = dict(system.model.settings)
    outputs = system.model.outputs
    answers = {one.name for one in outputs} or {system.model.task.output}
    for step in OWN_SETTINGS:
        if own := {one.name: one.settings[step] for one in outputs if step in one.settings}:
            settings[step] = {**dict(settings.get(step) or {}), OUTPUTS: own}
    quality = dict(settings.get("quality") or {})
    columns: dict[str, dict[str, Any]] = {
        name: {"at_least": low, "at_most": high}
        for name, (low, high) in system.monitor.range.items()
        if name not in answers  # the others are columns
    }
    for name, rule in dict(quality.get("columns") or {}).items():
        columns[name] = {**columns.get(name, {}), **rule}
    if columns:
        quality["columns"] = columns
    fairness = dict(settings.get("fairness") or {})
    if system.monitor.fairness is not None:
        fairness = {**system.monitor.fairness.model_dump(mode="json", exclude_none=True), **fairness}
    return TrainingSettings.model_validate({**settings, "quality": quality, "fairness": fairness})
