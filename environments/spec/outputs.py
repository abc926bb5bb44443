"""Several answers of one system, each by its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, model_validator

from mlstrata.environments.redaction import shown
from mlstrata.environments.spec.base import Problem, Spec, refuse
from mlstrata.environments.spec.monitor import COMPARED, FairnessMetric
from mlstrata.environments.spec.settings import Settings, Value, check_training
from mlstrata.environments.spec.tasks import OTHERS, USUAL, Algorithm, Task
from mlstrata.environments.spec.text import Column, Identifier, Number

FEWEST = 2
RESERVED = frozenset({"explanation", "key", "reason", "reasons", "row", "source", "status", "version"})
"""What an answer or a line of scores has beside its outputs."""
OWN_SETTINGS = ("parameters", "leakage", "signal", "fairness", "plausibility", "mitigation", "comparison")
"""Settings that may be of one answer alone; the others are about rows, which all answers share."""


class Answer(StrEnum):
    """Axis: what one of several answers is."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class OutputSpec(Spec):
    """One of several answers."""

    name: Identifier = Field(description="Its name in an answer, in scores and in figures, as NAME.FIGURE; required.")
    target: Column = Field(description="Column that it predicts; no output's model sees it. Required.")
    task: Answer = Field(
        default=Answer.CLASSIFICATION,
        description="classification, the default, as most decisions are yes or no; regression: a number.",
    )
    positive: Value | None = Field(
        default=None, description="As `model.positive`: the target's value that counts as 1; none: 0 and 1, or classes."
    )
    threshold: Annotated[Number, Field(gt=0, lt=1)] | None = Field(
        default=None, description="As `model.threshold`: probability from which its label is 1; none: 0.5."
    )
    quantile: Annotated[Number, Field(gt=0, lt=1)] = Field(
        default=0.5, description="As `model.quantile`: what a regression predicts; 0.5, the median."
    )
    interval: Annotated[Number, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="As `model.interval`: share of cases that the interval around a number holds; none: it has none.",
    )
    algorithm: Algorithm | None = Field(
        default=None,
        description="How it learns; none: logistic_regression or linear_regression, the simplest of its task.",
    )
    settings: Settings = Field(
        default_factory=dict,
        description="Its own parameters and rules of gates (parameters, leakage, signal, fairness, plausibility, "
        "mitigation, comparison), over those of `model.settings`; empty: these alone.",
    )

    @property
    def learns(self) -> Algorithm:
        """Return how it learns."""
        return self.algorithm or USUAL[Task(self.task)]

    @model_validator(mode="after")
    def _is_consistent(self) -> OutputSpec:
        problems = list(check_training(self.settings))
        problems += [
            Problem(
                ("settings", key),
                "is about rows, which all outputs share",
                f"write it in model.settings; an output has {', '.join(OWN_SETTINGS)}",
            )
            for key in self.settings
            if key not in OWN_SETTINGS and not any(one.at == ("settings", key) for one in problems)
        ]
        if self.name in RESERVED:
            what = f"got {shown(self.name)}, which an answer has beside its outputs"
            problems.append(Problem(("name",), what, "choose another"))
        if self.task is Answer.REGRESSION:
            problems += [
                Problem((field,), "is given for a regression", "remove it, or set task: classification")
                for field in ("positive", "threshold")
                if getattr(self, field) is not None
            ]
        if self.interval is not None and self.task is not Answer.REGRESSION:
            problems.append(Problem(("interval",), f"is given for a {self.task}", "remove it, or set task: regression"))
        if self.algorithm is not None and self.algorithm is OTHERS[Task(self.task)]:
            what = f"got {shown(self.algorithm)}, which learns no {self.task}"
            problems.append(Problem(("algorithm",), what, f"write {USUAL[Task(self.task)]}, or remove it"))
        named = _rule(self.settings, "fairness", "metric")
        if named in set(FairnessMetric) - set(COMPARED[self.task]):
            what = f"got {shown(named)}, which a {self.task} does not have; allowed {', '.join(COMPARED[self.task])}"
            problems.append(Problem(("settings", "fairness", "metric"), what, "choose one of these"))
        refuse(problems)
        return self


def of_outputs(model: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what does not go together with several answers, or asks for them without naming any.

    Args:
        model: The fields of a `ModelSpec`, which imports this module.
    """
    outputs: tuple[OutputSpec, ...] = model["outputs"]
    if not outputs:
        if model["task"] is Task.SEVERAL:
            yield Problem(("task",), "got 'several' without outputs", "declare outputs, each with its name and target")
        return
    if model["task"] is not Task.SEVERAL:
        yield Problem(("task",), "is given beside outputs, each of which has its own", "remove it")
    if len(outputs) < FEWEST:
        yield Problem(("outputs",), "names one output", "write its target, task and settings in model itself")
    yield from _told_apart(outputs, model)
    yield from _of_one(model)


def _told_apart(outputs: tuple[OutputSpec, ...], model: Mapping[str, Any]) -> Iterator[Problem]:
    names, targets = set[str](), set[str]()
    for at, one in enumerate(outputs):
        if one.name in names:
            yield Problem(
                ("outputs", at, "name"), f"got {shown(one.name)}, which another one has already", "give it another name"
            )
        if one.target in targets:
            what = f"got {shown(one.target)}, which another one predicts already"
            yield Problem(("outputs", at, "target"), what, "name a column of its own")
        names.add(one.name)
        targets.add(one.target)
        for field in ("exclude", "protected"):
            if one.target in model[field]:
                yield Problem((field,), f"names {shown(one.target)}, which is a target", "remove it from there")


def _of_one(model: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is said of one answer, where there are several."""
    own = "write it at each output that it is of"
    fixes = {
        "target": "remove it; each output has its own",
        **dict.fromkeys(("positive", "threshold", "interval"), own),
        "train": "remove it; outputs are learnt by the shipped algorithms",
        "source": "remove it; a model from elsewhere has one answer here",
        "metrics": "remove it; a figure of your own is of one answer",
    }
    given = [field for field in fixes if model[field] not in (None, {})]
    if model["quantile"] != OutputSpec.model_fields["quantile"].default:
        given.append("quantile")
    if model["algorithm"] != Algorithm.LOGISTIC_REGRESSION:
        given.append("algorithm")
    for field in given:
        yield Problem((field,), "is given beside outputs", fixes.get(field, own))
    settings = model["settings"]
    rules = {
        ("parameters",): bool(settings.get("parameters")),
        ("search", "trials"): bool(_rule(settings, "search", "trials")),
        ("plausibility", "monotonic"): bool(_rule(settings, "plausibility", "monotonic")),
        ("fairness", "metric"): bool(_rule(settings, "fairness", "metric")),
        ("comparison", "metric"): bool(_rule(settings, "comparison", "metric")),
        ("workers",): settings.get("workers", 1) != 1,
    }
    for at, wrong in rules.items():
        if wrong:
            fix = "remove it" if at[0] in {"search", "workers"} else "write it in the settings of an output"
            yield Problem(("settings", *at), "is given beside outputs, and is of one answer", fix)


def _rule(settings: Mapping[str, Any], step: str, rule: str) -> object:
    rules = settings.get(step)
    return rules.get(rule) if isinstance(rules, Mapping) else None
