"""An AI system, in the sense of the EU AI Act."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from mlstrata.environments.redaction import shown
from mlstrata.environments.spec.base import Problem, Spec, immutable, refuse, suggestion
from mlstrata.environments.spec.data import READ, DatasetSpec
from mlstrata.environments.spec.governance import DocumentsSpec, OversightSpec, RetireSpec
from mlstrata.environments.spec.kpis import KpiSpec, SponsorSpec, misfit
from mlstrata.environments.spec.model import Modality, ModelSpec
from mlstrata.environments.spec.monitor import COMPARED, FairnessMetric, MonitorSpec
from mlstrata.environments.spec.recording import RecordingSpec
from mlstrata.environments.spec.retrain import RetrainSpec
from mlstrata.environments.spec.risk import RiskSpec
from mlstrata.environments.spec.rollout import RolloutSpec
from mlstrata.environments.spec.serving import ServingSpec
from mlstrata.environments.spec.settings import TRAINING
from mlstrata.environments.spec.tasks import Task
from mlstrata.environments.spec.text import Email, Name, Text, Unique, Word

_MEASURED_BY = "choose one of these, or name who measures it in `source`"


class SystemSpec(Spec):
    """An AI system: purpose, data, model, serving and owner."""

    name: Name = Field(
        description="Name of the system, 2 to 40 of a-z, 0-9 and '-'; part of its address, registry and records.",
        json_schema_extra=immutable("add a system with the new name, release a model there, then retire the old one"),
    )
    purpose: Text = Field(description="What it is for, in a sentence, as the AI Act means it; required.")
    risk: RiskSpec = Field(description="Its place in the AI Act.")
    model: ModelSpec = Field(description="What it is built on.")
    team: Name | None = Field(
        default=None, description="Team of this environment that runs it; none: the platform team."
    )
    owner: Email | None = Field(default=None, description="Owner of the system; none: the environment's owner.")
    cost_centre: Word | None = Field(
        default=None, description="Account its costs are booked to, in quotes; none: its team's, or the environment's."
    )
    labels: dict[Word, Text] = Field(
        default_factory=dict, description="Labels of your own, for your own policies to read; none by default."
    )
    sponsor: SponsorSpec | None = Field(default=None, description="Who wants it and approved it; none: not approved.")
    kpis: tuple[KpiSpec, ...] = Field(default=(), description="What it must achieve; none: nothing holds a model back.")
    constraints: Annotated[tuple[Text, ...], Unique] = Field(
        default=(), description="What it must respect, a sentence each, for the dossier; none by default."
    )
    data: tuple[DatasetSpec, ...] = Field(default=(), description="Data it uses; none: it is declared before its data.")
    serving: ServingSpec = Field(default=ServingSpec(), description="How it answers.")
    rollout: RolloutSpec = Field(default=RolloutSpec(), description="How a new version takes over.")
    monitor: MonitorSpec = Field(default=MonitorSpec(), description="What is watched while it runs.")
    recording: RecordingSpec = Field(default=RecordingSpec(), description="What is kept of each prediction.")
    retrain: RetrainSpec = Field(default=RetrainSpec(), description="When it learns again without anyone asking.")
    oversight: OversightSpec = Field(default=OversightSpec(), description="Human oversight.")
    documents: DocumentsSpec = Field(default=DocumentsSpec(), description="Where its documents are.")
    retire: RetireSpec = Field(default=RetireSpec(), description="When it is looked at again, and when it ends.")

    @property
    def training_data(self) -> DatasetSpec | None:
        """Return the dataset the model is trained on: the one it names, or the only one there is."""
        if self.model.data is not None:
            return next((dataset for dataset in self.data if dataset.name == self.model.data), None)
        return self.data[0] if len(self.data) == 1 else None

    @property
    def scored_data(self) -> DatasetSpec | None:
        """Return the dataset that a batch system scores: the one it names, or what its model is trained on."""
        named = self.serving.input
        return next((one for one in self.data if one.name == named), None) if named else self.training_data

    @property
    def output_range(self) -> tuple[float, float] | dict[str, tuple[float, float]] | None:
        """Return the lowest and highest plausible answer, of several by their names; None where none is declared."""
        if self.model.outputs:
            names = {one.name for one in self.model.outputs}
            return {name: ends for name, ends in self.monitor.range.items() if name in names} or None
        return self.monitor.range.get(self.model.task.output)

    @model_validator(mode="after")
    def _fits_its_task(self) -> SystemSpec:
        task, fairness = self.model.task, self.monitor.fairness
        found = [
            one
            for at, kpi in enumerate(self.kpis)
            if kpi.gates and (one := self._unmeasured(kpi.metric, ("kpis", at, "metric")))
        ]
        asked = [output.task.value for output in self.model.outputs] or [task.value]
        for kind in dict.fromkeys(asked):
            if fairness and fairness.metric and fairness.metric not in COMPARED.get(kind, tuple(FairnessMetric)):
                what = f"got {shown(fairness.metric.value)}, which a {kind} does not have"
                allowed = ", ".join(COMPARED[kind])
                found.append(
                    Problem(("monitor", "fairness", "metric"), f"{what}; allowed {allowed}", "choose one of these")
                )
        if task is Task.REGRESSION and Task.CLASSIFICATION.output in self.monitor.range:
            what = f"names the output of a classification, not of a {task}"
            found.append(Problem(("monitor", "range", Task.CLASSIFICATION.output), what, f"write {task.output}"))
        refuse(found)
        return self

    def _unmeasured(self, metric: str, where: tuple[str | int, ...]) -> Problem | None:
        """Return what is wrong with the figure of a KPI that training is to measure; None: nothing."""
        if not self.model.outputs:
            return misfit(metric, self.model.task, where, _MEASURED_BY, self.model.metrics)
        name, _, figure = metric.partition(".")
        known = {one.name: one for one in self.model.outputs}
        if name not in known or not figure:
            allowed = ", ".join(f"{one}.METRIC" for one in known)
            near = suggestion(name, known)
            what = f"got {shown(metric)}, which is no figure of one of the outputs; allowed {allowed}"
            return Problem(where, what, near or "name the output before the figure")
        return misfit(figure, known[name].task, where, _MEASURED_BY)

    def untrainable(self) -> str | None:
        """Return what is missing before the training pipeline can make the model; None where nothing is."""
        if self.model.source is not None:
            return "model.source names a model that is trained elsewhere"
        return self.unjudgeable()

    def unjudgeable(self) -> str | None:
        """Return what is missing before a model can be measured as declared; None where nothing is."""
        model, dataset = self.model, self.training_data
        location = dataset.location if dataset else None
        reasons = (
            (model.task is Task.GENERATION, "generative models are trained elsewhere; name one in model.source"),
            (
                model.modality not in {Modality.TABULAR, Modality.TEXT, Modality.IMAGE},
                f"the pipeline '{TRAINING}' makes models of tables, texts and images, not of {model.modality}",
            ),
            (
                model.modality is Modality.TEXT and not model.texts,
                "model.texts does not say which columns hold free text",
            ),
            (
                model.modality is Modality.IMAGE and not model.images,
                "model.images does not say which columns hold images",
            ),
            (dataset is None, "model.data does not say which dataset to train on; declare one in data and name it"),
            (dataset is not None and dataset.source is None, "its dataset has no source to read from"),
            (not model.targets, "model.target does not say which column to predict"),
            (
                model.features is not None,
                f"model.features: the training pipeline reads datasets, not feature views such as '{model.features}'",
            ),
            (
                location is not None and location.scheme == "s3" and not location.name.endswith(READ),
                f"the training pipeline reads objects that end in {', '.join(READ)}",
            ),
        )
        return next((reason for holds, reason in reasons if holds), None)
