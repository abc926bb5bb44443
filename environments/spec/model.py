"""The model a system is built on, and how it is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, model_validator

from mlstrata.environments.redaction import is_public, shown
from mlstrata.environments.spec.base import Problem, Spec, refuse
from mlstrata.environments.spec.door import Door
from mlstrata.environments.spec.kpis import EvaluationMetric, misfit
from mlstrata.environments.spec.monitor import COMPARED, FairnessMetric
from mlstrata.environments.spec.outputs import OutputSpec, of_outputs
from mlstrata.environments.spec.quantities import Cron
from mlstrata.environments.spec.settings import TRAINING, Settings, Value, check_training
from mlstrata.environments.spec.tasks import OTHERS, USUAL, Algorithm, Task
from mlstrata.environments.spec.text import (
    Column,
    Digest,
    Identifier,
    Name,
    Number,
    PinnedImage,
    Reference,
    Unique,
    Whole,
    Word,
)


class Modality(StrEnum):
    """Axis: what goes into the model."""

    TABULAR = "tabular"
    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"


PIPELINES = Door("pipeline", "pipelines", "mlstrata.pipelines", (TRAINING,))
LEARNERS = Door("algorithm", "learners", "mlstrata.learners", tuple(one.value for one in Algorithm), dotted=True)
TRAINERS = Door("train", ".", "mlstrata.trainers", (), packages=True)
MEASURES = Door("metrics", ".", "mlstrata.metrics", (), packages=True)
DOORS = (PIPELINES, LEARNERS)


_MADE = (("test_rows", "baseline_", "against_", "parity_gap_"), ("_low", "_high"))
"""How the names of figures begin or end that training derives from others."""


class ModelSpec(Spec):
    """What is learnt, from which columns, and how."""

    modality: Modality = Field(description="What goes in: tabular, text, image, audio or video; required.")
    task: Task = Field(
        default=Task.CLASSIFICATION,
        description="What comes out: classification, the default, as most decisions are yes or no, or one of several "
        "classes where the target holds more than two values and none is `positive`; regression: a number; several: "
        "what each of `outputs` says by itself; generation: text, images, sound or video, which nothing here trains "
        "(risk.generates says what).",
    )
    data: Name | None = Field(
        default=None, description="Dataset of this system to train on; none: its only one, where there is just one."
    )
    features: Identifier | None = Field(
        default=None, description="Feature view of the feature store; none: the dataset's own columns."
    )
    target: Column | None = Field(
        default=None, description="Column to predict; none: it cannot be trained here until one is named."
    )
    positive: Value | None = Field(
        default=None,
        description="Value of the target that counts as 1; none: it holds 0 and 1 already, or several classes.",
    )
    threshold: Annotated[Number, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="Probability from which a label of two classes is 1, in training's gates, batch and API alike, as "
        "the model carries it; none: 0.5, which weighs both errors alike.",
    )
    quantile: Annotated[Number, Field(gt=0, lt=1)] = Field(
        default=0.5, description="Quantile that a regression predicts, for its `pinball`; 0.5, the median."
    )
    interval: Annotated[Number, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="Share of cases, such as 0.9, whose true number lies in the interval that a regression's answer "
        "comes with: found on one half of the test rows and held to on the other; none: it comes with none.",
    )
    outputs: tuple[OutputSpec, ...] = Field(
        default=(),
        description="Several answers in place of `target`, each by its name: a prediction holds all of them, each is "
        "judged by every gate, and the worst decides; none: there is one answer.",
    )
    exclude: Annotated[tuple[Column, ...], Unique] = Field(
        default=(), description="Columns that are no features, such as row numbers; none by default."
    )
    protected: Annotated[tuple[Column, ...], Unique] = Field(
        default=(),
        description="Protected attributes: never features, kept apart to measure fairness by group; none by default.",
    )
    texts: Annotated[tuple[Column, ...], Unique] = Field(
        default=(),
        description="Columns of free text of a `modality: text`, whose words are learnt; the texts of other columns "
        "are categories; none by default.",
    )
    text_length: Annotated[Whole, Field(ge=1, le=1_000_000)] | None = Field(
        default=None,
        description="Characters that a text of `texts` may have, in training and in a request, which is refused above "
        "it; none: 5000, two pages, so that a request of many stays small.",
    )
    images: Annotated[tuple[Column, ...], Unique] = Field(
        default=(),
        description="Columns of images of a `modality: image`, each a PNG or JPEG file in base64, as `mlstrata data "
        "images` writes a folder of them; none by default.",
    )
    image_bytes: Annotated[Whole, Field(ge=1, le=16_777_216)] | None = Field(
        default=None,
        description="Bytes that an image of `images` may have, in training and in a request, which is refused above "
        "it; none: 262144, a photo of 1,000 pixels a side.",
    )
    algorithm: Reference = Field(
        default=Algorithm.LOGISTIC_REGRESSION.value,
        description="How it learns: logistic_regression, the simplest, explained by its coefficients, random_forest, "
        "hist_gradient_boosting, a learner that an installed package brings, MODULE:NAME of the workspace's folder "
        "learners/, or an installed estimator by its path, such as sklearn.ensemble:GradientBoostingClassifier.",
        json_schema_extra={"examples": [one.value for one in Algorithm]},
    )
    train: Reference | None = Field(
        default=None,
        description="Training function of the workspace's own, PACKAGE.MODULE:FUNCTION, in place of an algorithm; its "
        "package travels with the model; none: `algorithm` says how it learns.",
    )
    metrics: dict[Identifier, Reference] = Field(
        default_factory=dict,
        description="Figures of the workspace's own by name, each PACKAGE.MODULE:FUNCTION of what happened, what the "
        "model says and the rows, such as {minutes_saved: churn.value:minutes_saved}; larger is better unless a KPI "
        "says at_most; empty: none beside those that evaluation measures by itself.",
    )
    requirements: Word | None = Field(
        default=None,
        description="Hashed lock of the workspace, such as locks/fraud.txt, of what the model needs beyond mlstrata: "
        "it is trained and served in an environment of its own; none: in mlstrata's.",
    )
    image: PinnedImage | None = Field(
        default=None,
        description="Image for this system's training, scoring and serving on a cluster, by digest: made from "
        "mlstrata's, with the workspace's own code and requirements; none: mlstrata's.",
    )
    settings: Settings = Field(
        default_factory=dict,
        description="Settings of the pipeline; empty: its defaults. training takes `parameters` (of the algorithm, by "
        "scikit-learn's names), the rules of its gates (`privacy`, `quality`, `leakage`, `signal`, `fairness`, "
        "`plausibility`, such as {monotonic: {income: down}}), `search` (such as {trials: 12}), `mitigation` of "
        "differences between groups (such as {method: reweigh}), `comparison` with the champion (such as {enforce: "
        "true}), `seed` (0), `test_fraction` (0.25), `workers` (1), `gpus` (0).",
    )
    pipeline: Reference = Field(
        default=TRAINING,
        description="Pipeline that makes the model: training, the one that comes with mlstrata, a name that an "
        "installed package brings, or MODULE:NAME of the workspace's folder pipelines/.",
    )
    schedule: Cron | None = Field(default=None, description="Cron in UTC of retraining; none: on request.")
    source: Word | None = Field(
        default=None,
        description="Address of a model that was trained elsewhere, which `mlstrata judge` fetches: "
        "models:/NAME/VERSION of the environment's registry, mlflow+https://HOST/NAME/VERSION of another, "
        "s3://BUCKET/FOLDER, a folder of the workspace, or an ONNX file (NAME.onnx) of a bucket or the workspace; "
        "none: the pipeline trains it.",
    )
    digest: Digest | None = Field(
        default=None,
        description="What the files of `source` must come to, sha256:…, of an ONNX file as sha256sum has it; none: "
        "what they came to when first fetched.",
    )

    @property
    def positive_text(self) -> str:
        """Return the target's value that counts as 1, as text; empty where none is declared."""
        return "" if self.positive is None else str(self.positive)

    @model_validator(mode="before")
    @classmethod
    def _learns_its_task(cls, data: object) -> object:
        """Take the simplest algorithm of the task where none is named."""
        if isinstance(data, dict) and data.get("task") == Task.REGRESSION and "algorithm" not in data:
            return {**data, "algorithm": Algorithm.LINEAR_REGRESSION.value}
        if isinstance(data, dict) and data.get("outputs") and "task" not in data:
            return {**data, "task": Task.SEVERAL.value}
        return data

    @property
    def targets(self) -> tuple[str, ...]:
        """Return every column that is predicted; none where none is declared."""
        return tuple(one.target for one in self.outputs) or ((self.target,) if self.target else ())

    @property
    def brings_code(self) -> bool:
        """Whether the model may bring code of the workspace's own to where it is served."""
        return bool(self.train or LEARNERS.reference(self.algorithm))

    @model_validator(mode="after")
    def _columns_apart(self) -> ModelSpec:
        problems = [
            Problem((field,), f"names {shown(self.target)}, which is the target", "remove it from there")
            for field in ("exclude", "protected")
            if self.target is not None and self.target in getattr(self, field)
        ]
        if self.positive is not None and self.target is None:
            problems.append(Problem(("positive",), "is given without a target", "name the column in target"))
        if self.source is not None and self.schedule is not None:
            problems.append(
                Problem(("schedule",), "is given for a model that is trained elsewhere", "remove schedule or source")
            )
        if self.digest is not None and self.source is None:
            problems.append(Problem(("digest",), "is given without a source", "remove it, or name the model in source"))
        problems += self._of_another_task()
        if self.train is not None:
            problems += self._trained_by_own_code()
        problems += [*self._own_metrics(), *self._of_texts(), *of_outputs(dict(self))]
        if self.algorithm == OTHERS.get(self.task):
            what = f"got {shown(self.algorithm)}, which learns no {self.task}"
            problems.append(Problem(("algorithm",), what, f"write {USUAL[self.task]}, or remove it"))
        problems += [one for door in DOORS if (one := door.unknown_name(getattr(self, door.field)))]
        if self.pipeline == TRAINING or ":" in self.pipeline:
            problems += check_training(self.settings)
            problems += self._misfits()
            workers = self.settings.get("workers", 1)
            if workers != 1 and self.algorithm != Algorithm.LOGISTIC_REGRESSION:
                learner = self.algorithm if is_public(self.algorithm) else "the algorithm"
                what = f"got {shown(workers)}, but {learner} is trained in one process"
                fix = f"remove it, or set algorithm: {Algorithm.LOGISTIC_REGRESSION}"
                problems.append(Problem(("settings", "workers"), what, fix))
        refuse(problems)
        return self

    def _of_another_task(self) -> Iterator[Problem]:
        for field in ("positive", "threshold"):
            if getattr(self, field) is not None and self.task is Task.REGRESSION:
                yield Problem((field,), "is given for a regression", "remove it, or set task: classification")
        if self.interval is not None and self.task not in {Task.REGRESSION, Task.SEVERAL}:
            yield Problem(("interval",), f"is given for a {self.task}", "remove it, or set task: regression")

    def _trained_by_own_code(self) -> Iterator[Problem]:
        if ":" not in (self.train or ""):
            yield Problem(("train",), f"got {shown(self.train)}; allowed PACKAGE.MODULE:FUNCTION", "name a function")
        if self.algorithm != USUAL.get(self.task):
            yield Problem(("algorithm",), "is given beside train, which says how it learns", "remove one of them")
        if self.source is not None:
            yield Problem(("train",), "is given for a model that is trained elsewhere", "remove train or source")
        if self.settings.get("workers", 1) != 1:
            what = "is given, but a training function runs in one process"
            yield Problem(("settings", "workers"), what, "remove it; the function may start its own")

    def _of_texts(self) -> Iterator[Problem]:
        if self.texts and self.modality is not Modality.TEXT:
            yield Problem(("texts",), f"is given for a model of {self.modality}", "write modality: text, or remove it")
        if self.text_length is not None and not self.texts:
            yield Problem(("text_length",), "is given without texts", "name the columns of free text in texts")
        if self.images and self.modality is not Modality.IMAGE:
            yield Problem(
                ("images",), f"is given for a model of {self.modality}", "write modality: image, or remove it"
            )
        if self.image_bytes is not None and not self.images:
            yield Problem(("image_bytes",), "is given without images", "name the columns of images in images")
        hidden = {*self.targets, *self.exclude, *self.protected}
        for role in ("texts", "images"):
            for at, name in enumerate(getattr(self, role)):
                if name in hidden:
                    what = f"names {shown(name)}, which is the target, excluded or protected"
                    yield Problem((role, at), what, "remove it from one of them")
        if (self.texts or self.images) and self.settings.get("workers", 1) != 1:
            of = "free text" if self.texts else "images"
            yield Problem(("settings", "workers"), f"is given for {of}, which one process learns", "remove it")

    def _own_metrics(self) -> Iterator[Problem]:
        for name, reference in self.metrics.items():
            at = ("metrics", name)
            if ":" not in reference:
                yield Problem(at, f"got {shown(reference)}; allowed PACKAGE.MODULE:FUNCTION", "name a function")
            if name in set(EvaluationMetric) or name.startswith(_MADE[0]) or name.endswith(_MADE[1]):
                what = "has a name that evaluation gives to figures of its own"
                yield Problem(at, what, "choose another name, such as minutes_saved")

    def _misfits(self) -> Iterator[Problem]:
        """Yield the rules of steps that another task than this one has."""
        for step in ("search", "comparison"):
            named, at = _rule(self.settings, step), ("settings", step, "metric")
            # One that no task has, the rules refuse.
            if named in set(EvaluationMetric) and (one := misfit(str(named), self.task, at, "choose one of these")):
                yield one
        named, allowed = _rule(self.settings, "fairness"), COMPARED.get(self.task, tuple(FairnessMetric))
        if named in set(FairnessMetric) - set(allowed):
            what = f"got {shown(named)}, which a {self.task} does not have; allowed {', '.join(allowed)}"
            yield Problem(("settings", "fairness", "metric"), what, "choose one of these")


def _rule(settings: Mapping[str, Any], step: str) -> object:
    rules = settings.get(step)
    return rules.get("metric") if isinstance(rules, Mapping) else None
