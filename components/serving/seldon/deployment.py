"""A SeldonDeployment: its predictors, their traffic, scaling and explanation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from mlstrata.components.serving.seldon.graph import (
    NOT_TENSORFLOW,
    Container,
    ExplainerType,
    Label,
    Protocol,
    Transport,
    Unit,
)
from mlstrata.components.serving.seldon.problems import refuse
from mlstrata.environments.redaction import shown
from mlstrata.environments.spec.base import Problem, Spec

LONGEST = 63
"""Characters of a Kubernetes name; a longer one the operator replaces by a hash, which no route could name."""
_ALL = 100

Share = Annotated[int, Field(ge=0, le=_ALL, strict=True)]
Copies = Annotated[int, Field(ge=0, le=1000, strict=True)]


class Hpa(Spec):
    """Scales on what the pods use."""

    max: Annotated[int, Field(ge=1, le=1000, strict=True)] = Field(description="Most copies; required.")
    min: Annotated[int, Field(ge=1, le=1000, strict=True)] = Field(default=1, description="Fewest; 1.")
    cpu: Annotated[int, Field(ge=1, le=_ALL, strict=True)] = Field(
        default=70, description="Percent of the processors asked for, above which a copy is added; 70 leaves room."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Hpa:
        refuse(_ordered(self.min, self.max))
        return self


class Trigger(Spec):
    """What KEDA scales on."""

    type: str = Field(min_length=1, description="Its kind, such as prometheus.")
    metadata: dict[str, str] = Field(description="What that kind asks for.")


class Keda(Spec):
    """Scales on what KEDA watches, down to nothing where that is wanted."""

    triggers: tuple[Trigger, ...] = Field(min_length=1, description="What it scales on; at least one.")
    max: Annotated[int, Field(ge=1, le=1000, strict=True)] = Field(description="Most copies; required.")
    min: Copies = Field(default=1, description="Fewest; 1, since a first request that waits for a pod is a slow one.")

    @model_validator(mode="after")
    def _ordered(self) -> Keda:
        refuse(_ordered(self.min, self.max))
        return self


class Disruption(Spec):
    """How many copies a planned disruption may take."""

    max_unavailable: Annotated[int, Field(ge=1, le=1000, strict=True)] = Field(
        default=1, description="Most copies away at once; 1."
    )


class Explainer(Spec):
    """Explains a predictor's answers, beside it."""

    type: ExplainerType = Field(description="How; required.")
    model_uri: str | None = Field(default=None, min_length=1, description="Where a trained explainer lies; none: none.")
    container: Container | None = Field(default=None, description="Its container; none: the operator's default.")
    config: dict[str, str] = Field(default_factory=dict, description="Its settings.")
    env_secret: str | None = Field(default=None, description="Secret with the store's credentials; none: none needed.")


class Predictor(Spec):
    """A graph with its copies and its share of the traffic."""

    name: Label = Field(description="Its name; `<deployment>-<name>` is its Service.")
    graph: Unit = Field(description="What answers.")
    traffic: Share | None = Field(default=None, description="Percent of the traffic; none: all of a single one.")
    shadow: bool = Field(default=False, strict=True, description="Gets copies of requests; its answers go nowhere.")
    replicas: Copies | None = Field(default=None, description="Copies; none: the autoscaler's, or 1.")
    pod: Mapping[str, Any] = Field(
        default_factory=dict, description="Pod to put the units' containers into, with containers of its own."
    )
    labels: Mapping[str, str] = Field(default_factory=dict, description="Labels of its pods.")
    explainer: Explainer | None = Field(default=None, description="Explains its answers; none: no explainer.")
    hpa: Hpa | None = Field(default=None, description="Scales it by use; none: it is not scaled so.")
    keda: Keda | None = Field(default=None, description="Scales it by a trigger; none: it is not scaled so.")
    disruption: Disruption | None = Field(default=None, description="Its disruption budget; none: there is none.")
    engine: bool = Field(default=True, strict=True, description="Seldon's executor stands before the graph.")

    def containers(self) -> list[str]:
        """Return the names of the containers that stand in its pod: those of the pod given, then the units'."""
        return [
            *(str(one["name"]) for one in self.pod.get("containers", ())),
            *(unit.name for _, unit in self.graph.walk() if unit.container),
        ]

    @model_validator(mode="after")
    def _whole(self) -> Predictor:
        refuse([*self._names(), *self._scaling()])
        return self

    def _names(self) -> Iterator[Problem]:
        units: set[str] = set()
        for path, unit in self.graph.walk():
            if unit.name in units:
                yield Problem(("graph", *path, "name"), f"got {shown(unit.name)} twice", "give each unit its own")
            units.add(unit.name)
            if not (unit.server or unit.built_in or unit.name in self.containers()):
                what = f"{shown(unit.name)} has no implementation: no server, nothing built in and no container"
                yield Problem(("graph", *path), what, f"give it one, or the pod a container called {shown(unit.name)}")
        standing = self.containers()
        for name in sorted({one for one in standing if standing.count(one) > 1}):
            yield Problem(("pod", "containers"), f"got {shown(name)} twice", "keep the unit's or the pod's")
        if not self.engine and len(units) > 1:
            what = f"got false, but the graph has {len(units)} units"
            yield Problem(("engine",), what, "only a graph of one unit runs without Seldon's executor")

    def _scaling(self) -> Iterator[Problem]:
        if self.hpa and self.keda:
            yield Problem(("keda",), "is given beside hpa; two autoscalers would fight", "remove one of them")
        for role in ("hpa", "keda"):
            if getattr(self, role) and self.replicas is not None:
                yield Problem(("replicas",), f"is given beside {role}, which sets it", "remove replicas")


class Deployment(Spec):
    """What answers for a system."""

    name: Label = Field(description="Its name.")
    namespace: Label = Field(description="Its namespace.")
    predictors: tuple[Predictor, ...] = Field(min_length=1, description="At least one.")
    protocol: Protocol = Field(default=Protocol.V2, description="How requests are written; v2, the open protocol.")
    transport: Transport = Field(default=Transport.REST, description="How they travel; rest, as most callers speak it.")
    labels: Mapping[str, str] = Field(default_factory=dict, description="Labels of the object.")
    annotations: Mapping[str, str] = Field(default_factory=dict, description="Annotations of the object.")

    @model_validator(mode="after")
    def _whole(self) -> Deployment:
        refuse([*self._names(), *self._traffic(), *self._protocol()])
        return self

    def _names(self) -> Iterator[Problem]:
        seen: set[str] = set()
        for at, one in enumerate(self.predictors):
            if one.name in seen:
                yield Problem(("predictors", at, "name"), f"got {shown(one.name)} twice", "give each its own")
            seen.add(one.name)
            made = [f"{self.name}-{one.name}"] + [f"{self.name}-{one.name}-{unit.name}" for _, unit in one.graph.walk()]
            for name in made:
                if len(name) > LONGEST:
                    what = f"makes the Service {shown(name)} of {len(name)} characters; allowed {LONGEST}"
                    yield Problem(("predictors", at, "name"), what, "shorten the names it is made of")

    def _traffic(self) -> Iterator[Problem]:
        live = [(at, one) for at, one in enumerate(self.predictors) if not one.shadow]
        shadows = [at for at, one in enumerate(self.predictors) if one.shadow]
        for at in shadows[1:]:
            yield Problem(("predictors", at, "shadow"), "is the second shadow; allowed one", "remove one of them")
        if shadows and not live:
            yield Problem(("predictors", 0, "shadow"), "stands alone; one predictor must answer", "add a predictor")
        total = sum(one.traffic or 0 for _, one in live)
        if len(live) > 1 and total != _ALL:
            what = f"add up to {total}; the traffic of predictors that are no shadow adds up to {_ALL}"
            yield Problem(("predictors",), what, "change the traffic of one of them")
        if len(live) == 1 and live[0][1].traffic not in {None, _ALL}:
            at, only = live[0]
            what = f"got {only.traffic}; a single predictor that answers gets {_ALL}"
            yield Problem(("predictors", at, "traffic"), what, "remove it")

    def _protocol(self) -> Iterator[Problem]:
        if self.protocol is not Protocol.TENSORFLOW:
            return
        for at, one in enumerate(self.predictors):
            for path, unit in one.graph.walk():
                if unit.server in NOT_TENSORFLOW:
                    what = f"got {unit.server}, which does not speak the protocol tensorflow"
                    yield Problem(("predictors", at, "graph", *path, "server"), what, "set protocol: v2")


def _ordered(fewest: int, most: int) -> list[Problem]:
    what = f"got {fewest}, more than max ({most})"
    return [Problem(("min",), what, "lower min or raise max")] if fewest > most else []
