"""How a system answers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from mlstrata.environments.redaction import shown
from mlstrata.environments.spec.base import Problem, Spec, refuse
from mlstrata.environments.spec.quantities import (
    Count,
    Cron,
    Day,
    Duration,
    Memory,
    Percent,
    RequestRate,
    Share,
    parse_duration,
)
from mlstrata.environments.spec.text import ApiVersion, Name, Number, Unique, Whole

_LARGEST_BODY = 100 * 2**20


class ServingMode(StrEnum):
    """Axis: who waits for the answer."""

    REALTIME = "realtime"
    BATCH = "batch"


class FallbackTo(StrEnum):
    """Axis: who decides when the model is unsure."""

    HUMAN_REVIEW = "human_review"
    REFUSE = "refuse"


class ExplainMethod(StrEnum):
    """Axis: how a prediction is explained."""

    SHAP = "shap"
    LIME = "lime"
    INTEGRATED_GRADIENTS = "integrated_gradients"


class Replicas(Spec):
    """How many copies answer."""

    min: Annotated[Whole, Field(ge=1, le=1000)] = Field(
        default=1, description="Copies at rest, behind one address; 1, enough until a policy asks for more."
    )
    max: Annotated[Whole, Field(ge=1, le=1000)] = Field(
        default=1,
        description="Copies under load, on a cluster; 1, so nothing scales undeclared. One machine always runs `min`.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Replicas:
        refuse(
            [Problem(("min",), f"got {self.min}, more than max ({self.max})", "lower min or raise max")]
            if self.min > self.max
            else []
        )
        return self


class SlaSpec(Spec):
    """What callers may rely on; service alerts measure it from the first stage."""

    p99: Duration = Field(
        default=parse_duration("500ms"),
        description="Time within which 99 of 100 requests are answered; 500ms, what a person hardly waits for.",
    )
    availability: Percent = Field(
        default=99.0,
        description="Percentage of requests answered without a server error; 99, what one copy can hold.",
    )


class ConsumerSpec(Spec):
    """A program that may call, with its own token."""

    name: Name = Field(description="Name in the consumer's token, 2 to 40 of a-z, 0-9 and '-'.")
    rate: RequestRate = Field(description="Requests it may send, such as 50/s; required, as only its owner knows.")
    quota: RequestRate | None = Field(
        default=None,
        description="Requests it may send over a long time, such as 100000/d, beside the rate; none: no such limit.",
    )


class DeprecationSpec(Spec):
    """A version of the API on its way out; its answers say so."""

    api: ApiVersion = Field(description="The version, one of api_versions; required.")
    since: Day = Field(description="Day from which it is deprecated; required.")
    sunset: Day | None = Field(default=None, description="Day from which it may be gone; none: not decided yet.")

    @model_validator(mode="after")
    def _ordered(self) -> DeprecationSpec:
        late = self.sunset is not None and self.sunset < self.since
        what = f"got {self.sunset}, before since ({self.since})"
        refuse([Problem(("sunset",), what, "give a later day, or none")] if late else [])
        return self


class LimitsSpec(Spec):
    """What one request may take."""

    body_bytes: Annotated[Whole, Field(ge=1, le=_LARGEST_BODY)] = Field(
        default=2**20, description="Largest request in bytes; 1 MiB, thousands of rows of a table."
    )
    timeout: Duration = Field(
        default=parse_duration("5s"), description="A request that takes longer is ended; 5s, ten times the default p99."
    )


class FallbackSpec(Spec):
    """What happens when the model is unsure."""

    below_confidence: Share = Field(description="Below this confidence, 0 to 1, the answer is not used; required.")
    to: FallbackTo = Field(
        default=FallbackTo.HUMAN_REVIEW, description="Who decides then; human_review, so a person does."
    )


class ExplainSpec(Spec):
    """An explanation beside each prediction."""

    method: ExplainMethod = Field(
        default=ExplainMethod.SHAP, description="How; shap, since its parts add up to the prediction."
    )
    within: Duration = Field(
        default=parse_duration("100ms"), description="Time it may add to a request; 100ms, a fifth of the default p99."
    )


class ResourcesSpec(Spec):
    """What each copy gets."""

    cpu: Annotated[Number, Field(gt=0, le=256)] = Field(
        default=1.0, description="CPU cores; 1, as models answer one at a time."
    )
    memory: Memory = Field(default="1Gi", description="Memory, in Mi or Gi; 1Gi, four times what a small model takes.")
    gpu: Count = Field(default=0, description="GPUs; 0, as tables need none.")
    pool: Name | None = Field(default=None, description="GPU pool to take them from; none: any that fits.")


class ServingSpec(Spec):
    """How a system answers, to whom, and how fast."""

    mode: ServingMode = Field(
        default=ServingMode.REALTIME,
        description="realtime: an API; batch: a scheduled job. realtime, as most ask for it.",
    )
    replicas: Replicas = Field(default=Replicas(), description="How many copies answer.")
    resources: ResourcesSpec = Field(default=ResourcesSpec(), description="What each copy gets.")
    sla: SlaSpec = Field(default=SlaSpec(), description="What callers may rely on.")
    api_versions: Annotated[tuple[ApiVersion, ...], Unique] = Field(
        default=("v1",), min_length=1, description="Versions of the API that are routed; v1, the first."
    )
    deprecations: tuple[DeprecationSpec, ...] = Field(
        default=(), description="Versions of the API on their way out; none: all are current."
    )
    consumers: tuple[ConsumerSpec, ...] = Field(
        default=(), description="Programs that may call; none by default, so an endpoint is never open by omission."
    )
    limits: LimitsSpec = Field(default=LimitsSpec(), description="What one request may take.")
    fallback: FallbackSpec | None = Field(
        default=None, description="What happens when the model is unsure; none: its answer stands."
    )
    explain: ExplainSpec | None = Field(default=None, description="Explain each prediction; none: on request only.")
    schedule: Cron | None = Field(default=None, description="batch only: cron in UTC; none: on request.")
    input: Name | None = Field(default=None, description="batch only: dataset to score; none: the model's own.")

    @model_validator(mode="after")
    def _fits_the_mode(self) -> ServingSpec:
        problems = []
        if self.mode is ServingMode.BATCH:
            if self.consumers:
                fix = "remove the consumers, or set mode: realtime"
                problems.append(Problem(("consumers",), "are given, but a batch system has no API", fix))
        else:
            problems = [
                Problem((field,), "is given, but a realtime system has none", f"remove {field}, or set mode: batch")
                for field in ("schedule", "input")
                if getattr(self, field) is not None
            ]
        seen: set[str] = set()
        for index, consumer in enumerate(self.consumers):
            if consumer.name in seen:
                what = f"got {shown(consumer.name)}, which another consumer has already"
                problems.append(Problem(("consumers", index, "name"), what, "give each consumer a name of its own"))
            seen.add(consumer.name)
        outgoing: set[str] = set()
        for index, one in enumerate(self.deprecations):
            if one.api not in self.api_versions or one.api in outgoing:
                what = f"got {shown(one.api)}, " + ("which is there twice" if one.api in outgoing else "not served")
                allowed = f"allowed {', '.join(self.api_versions)}, each once"
                problems.append(Problem(("deprecations", index, "api"), what, allowed))
            outgoing.add(one.api)
        if self.limits.timeout < self.sla.p99:
            what = "is shorter than sla.p99, so the promise could not be kept"
            problems.append(Problem(("limits", "timeout"), what, "raise limits.timeout or lower sla.p99"))
        refuse(problems)
        return self
