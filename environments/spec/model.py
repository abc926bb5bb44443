"""The model a system is built on, and how it is trained."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from environments.spec.base import Problem, Spec, refuse, wrong
from environments.spec.quantities import Cron
from environments.spec.text import Column, Identifier, Name, Unique, Whole, Word


class Modality(StrEnum):
    """Axis: what goes into the model."""

    TABULAR = "tabular"
    TEXT = "text"
    IMAGE = "image"


class Task(StrEnum):
    """Axis: what comes out of the model."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class Algorithm(StrEnum):
    """Axis: how the training pipeline learns."""

    LOGISTIC_REGRESSION = "logistic_regression"
    RANDOM_FOREST = "random_forest"
    HIST_GRADIENT_BOOSTING = "hist_gradient_boosting"


Scalar = str | bool | int | float
_DEEPEST = 4


def _plain(value: object, depth: int = 0) -> Any:
    allowed = f"numbers, texts, true, false, null, and lists or mappings of them, up to {_DEEPEST} deep"
    if depth > _DEEPEST:
        raise wrong(allowed)
    if isinstance(value, float) and (value != value or value in {float("inf"), float("-inf")}):
        raise wrong("a finite number")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(item, depth + 1) for key, item in value.items()}
    raise wrong(allowed)


def _settings(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wrong("a mapping of setting to value, such as {max_iter: 200}")
    plain: dict[str, Any] = _plain(value)
    return plain


def _scalar(value: object) -> Scalar:
    if isinstance(value, str | bool | int) or (
        isinstance(value, float) and value == value and abs(value) != float("inf")
    ):
        return value
    raise wrong("a text, a number, true or false")


Settings = Annotated[dict[str, Any], PlainValidator(_settings), WithJsonSchema({"type": "object"})]
Value = Annotated[Scalar, PlainValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]


class ModelSpec(Spec):
    """What is learnt, from which columns, and how."""

    modality: Modality = Field(description="What goes in: tabular, text or image; required, as all else depends on it.")
    task: Task = Field(
        default=Task.CLASSIFICATION, description="What comes out; classification, as most decisions are yes or no."
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
        default=None, description="Value of the target that counts as 1; none: the target holds 0 and 1 already."
    )
    exclude: Annotated[tuple[Column, ...], Unique] = Field(
        default=(), description="Columns that are no features, such as row numbers; none by default."
    )
    protected: Annotated[tuple[Column, ...], Unique] = Field(
        default=(),
        description="Protected attributes: never features, kept apart to measure fairness by group; none by default.",
    )
    algorithm: Algorithm = Field(
        default=Algorithm.LOGISTIC_REGRESSION,
        description="How it learns; logistic_regression, the simplest that can be explained coefficient by coefficient.",
    )
    settings: Settings = Field(
        default_factory=dict, description="Settings of the algorithm by name; empty: scikit-learn's defaults."
    )
    seed: Annotated[Whole, Field(ge=0, le=2**32 - 1)] = Field(
        default=0, description="Seed of everything random; fixed at 0, so a training can be repeated."
    )
    pipeline: Name = Field(
        default="training", description="Pipeline that makes the model; training, the one that comes with mlstrata."
    )
    schedule: Cron | None = Field(
        default=None, description="Cron in UTC at which it is trained anew; none: when somebody asks."
    )
    source: Word | None = Field(
        default=None, description="Address of a model that was trained elsewhere; none: the pipeline trains it."
    )

    @model_validator(mode="after")
    def _columns_apart(self) -> ModelSpec:
        problems = [
            Problem((field,), f"names '{self.target}', which is the target", "remove it from there")
            for field in ("exclude", "protected")
            if self.target is not None and self.target in getattr(self, field)
        ]
        if self.positive is not None and self.target is None:
            problems.append(Problem(("positive",), "is given without a target", "name the column in target"))
        if self.source is not None and self.schedule is not None:
            problems.append(
                Problem(("schedule",), "is given for a model that is trained elsewhere", "remove schedule or source")
            )
        if self.positive is not None and self.task is Task.REGRESSION:
            problems.append(
                Problem(("positive",), "is given for a regression", "remove it, or set task: classification")
            )
        refuse(problems)
        return self
