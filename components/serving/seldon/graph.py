"""The graph of a predictor: models and what stands around them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, Strict, model_validator

from mlstrata.components.serving.seldon.problems import refuse
from mlstrata.environments.redaction import shown
from mlstrata.environments.spec.base import Problem, Spec
from mlstrata.environments.spec.text import Flag, Number, Whole

_LABEL = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_IMAGE = re.compile(
    r"(?:[a-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9._/-]*[a-z0-9](?::(?P<tag>\w[\w.-]{0,127}))?(?P<digest>@sha256:[0-9a-f]{64})?"
)


def _label(value: str) -> str:
    if not _LABEL.fullmatch(value):
        raise ValueError(f"got {shown(value)}; allowed 1 to 63 of a-z, 0-9 and '-', starting with a letter")
    return value


def _pinned(value: str) -> str:
    found = _IMAGE.fullmatch(value)
    if not found or not (found["digest"] or found["tag"] not in {None, "latest"}):
        raise ValueError(
            f"got {shown(value)}; allowed an image with a tag other than latest, or a digest: "
            "one that moves cannot be rolled back"
        )
    return value


Label = Annotated[str, AfterValidator(_label)]
PinnedImage = Annotated[str, AfterValidator(_pinned)]


class UnitType(StrEnum):
    """Axis: what a unit does with a request."""

    MODEL = "MODEL"
    ROUTER = "ROUTER"
    COMBINER = "COMBINER"
    TRANSFORMER = "TRANSFORMER"
    OUTPUT_TRANSFORMER = "OUTPUT_TRANSFORMER"


class Server(StrEnum):
    """Axis: which prepackaged server loads the model."""

    MLFLOW = "MLFLOW_SERVER"
    SKLEARN = "SKLEARN_SERVER"
    XGBOOST = "XGBOOST_SERVER"
    TENSORFLOW = "TENSORFLOW_SERVER"
    TRITON = "TRITON_SERVER"
    HUGGINGFACE = "HUGGINGFACE_SERVER"
    TEMPO = "TEMPO_SERVER"


class BuiltIn(StrEnum):
    """Axis: which unit of Seldon's own, that needs no container, it is."""

    SIMPLE_MODEL = "SIMPLE_MODEL"
    SIMPLE_ROUTER = "SIMPLE_ROUTER"
    RANDOM_ABTEST = "RANDOM_ABTEST"
    AVERAGE_COMBINER = "AVERAGE_COMBINER"


class Protocol(StrEnum):
    """Axis: how requests and answers are written."""

    SELDON = "seldon"
    TENSORFLOW = "tensorflow"
    KFSERVING = "kfserving"
    V2 = "v2"


class Transport(StrEnum):
    """Axis: how they travel."""

    REST = "rest"
    GRPC = "grpc"


class LogMode(StrEnum):
    """Axis: which payloads are logged."""

    ALL = "all"
    REQUEST = "request"
    RESPONSE = "response"


class ExplainerType(StrEnum):
    """Axis: how Alibi explains."""

    ANCHOR_TABULAR = "AnchorTabular"
    ANCHOR_IMAGES = "AnchorImages"
    ANCHOR_TEXT = "AnchorText"
    COUNTERFACTUALS = "Counterfactuals"
    CONTRASTIVE = "Contrastive"
    KERNEL_SHAP = "KernelShap"
    INTEGRATED_GRADIENTS = "IntegratedGradients"
    ALE = "ALE"
    TREE_SHAP = "TreeShap"


BUILT_IN_TYPES = {
    BuiltIn.SIMPLE_MODEL: UnitType.MODEL,
    BuiltIn.SIMPLE_ROUTER: UnitType.ROUTER,
    BuiltIn.RANDOM_ABTEST: UnitType.ROUTER,
    BuiltIn.AVERAGE_COMBINER: UnitType.COMBINER,
}
NOT_TENSORFLOW = frozenset({Server.SKLEARN, Server.XGBOOST, Server.MLFLOW, Server.HUGGINGFACE})
WITHOUT_URI = frozenset({Server.HUGGINGFACE})
# Fewest and most children of each type; None: no limit.
_CHILDREN: dict[UnitType, tuple[int, int | None]] = {
    UnitType.MODEL: (0, 1),
    UnitType.TRANSFORMER: (0, 1),
    UnitType.OUTPUT_TRANSFORMER: (1, 1),
    UnitType.ROUTER: (2, None),
    UnitType.COMBINER: (2, None),
}


class Parameter(Spec):
    """A parameter of a unit; its type is its value's."""

    name: str = Field(min_length=1, description="Its name, as the unit's constructor has it.")
    value: Flag | Whole | Number | Annotated[str, Strict()] = Field(description="Its value.")


class Logger(Spec):
    """Sends payloads as CloudEvents."""

    mode: LogMode = Field(description="Which payloads; required, as the webhook asks for it.")
    url: str | None = Field(
        default=None, pattern=r"^https?://[^\s]+$", description="Where to; none: the operator's default broker."
    )


class Container(Spec):
    """A container of a unit, under Pod Security `restricted`."""

    image: PinnedImage = Field(description="Image with a tag other than latest, or a digest.")
    command: tuple[str, ...] = Field(default=(), description="Program; none: the image's own.")
    args: tuple[str, ...] = Field(default=(), description="Its arguments; none: the image's own.")
    env: dict[str, str] = Field(default_factory=dict, description="Variables; no secrets.")
    secrets: tuple[str, ...] = Field(default=(), description="Secrets whose keys become variables.")
    cpu: str = Field(default="500m", description="Processors asked for; half a core, enough for a small model.")
    memory: str = Field(default="512Mi", description="Memory, asked for and allowed; 512Mi, twice a small model.")
    gpu: int = Field(default=0, ge=0, strict=True, description="GPUs; 0, as tables need none.")


class Unit(Spec):
    """A node of the graph."""

    name: Label = Field(description="Its name, and its container's.")
    type: UnitType = Field(default=UnitType.MODEL, description="What it does; MODEL, as most are.")
    server: Server | None = Field(default=None, description="Prepackaged server; none: a container of its own.")
    built_in: BuiltIn | None = Field(default=None, description="Unit of Seldon's own; none: a server or a container.")
    model_uri: str | None = Field(default=None, min_length=1, description="Where a server loads the model from.")
    container: Container | None = Field(default=None, description="Its container, or what a server's is changed to.")
    parameters: tuple[Parameter, ...] = Field(default=(), description="Parameters.")
    logger: Logger | None = Field(default=None, description="Logs payloads; none: nothing is logged.")
    env_secret: str | None = Field(default=None, description="Secret with the store's credentials; none: none needed.")
    children: tuple[Unit, ...] = Field(default=(), description="What stands behind it.")

    def walk(self) -> Iterator[tuple[tuple[str | int, ...], Unit]]:
        """Yield every unit of the graph from here, with its path."""
        yield (), self
        for at, child in enumerate(self.children):
            for path, unit in child.walk():
                yield ("children", at, *path), unit

    @model_validator(mode="after")
    def _whole(self) -> Unit:
        refuse([*self._made_of(), *self._children(), *self._parameters()])
        return self

    def _made_of(self) -> Iterator[Problem]:
        if self.server and self.built_in:
            fix = "remove one of them"
            yield Problem(("built_in",), f"got {self.built_in} beside the server {self.server}", fix)
        if self.server and self.server not in WITHOUT_URI and self.model_uri is None:
            yield Problem(("model_uri",), f"is missing; {self.server} loads its model from there", "name the model")
        if self.server and self.type is not UnitType.MODEL:
            yield Problem(("type",), f"got {self.type}; a prepackaged server is a MODEL", "write MODEL")
        if self.built_in and self.type is not (wanted := BUILT_IN_TYPES[self.built_in]):
            yield Problem(("type",), f"got {self.type}; {self.built_in} is a {wanted}", f"write {wanted}")
        if self.built_in and self.container:
            yield Problem(("container",), f"is given, but {self.built_in} runs inside Seldon's own", "remove it")

    def _children(self) -> Iterator[Problem]:
        fewest, most = _CHILDREN[self.type]
        if self.built_in is BuiltIn.RANDOM_ABTEST:
            most = 2
        count = len(self.children)
        if count < fewest:
            yield Problem(("children",), f"got {count}; {self.type} needs at least {fewest}", "add what stands behind")
        if most is not None and count > most:
            what = f"got {count}; {self.built_in or self.type} has at most {most}"
            yield Problem(("children",), what, "put a COMBINER or a ROUTER before several")

    def _parameters(self) -> Iterator[Problem]:
        names = [one.name for one in self.parameters]
        for at, name in enumerate(names):
            if name in names[:at]:
                yield Problem(("parameters", at, "name"), f"got {shown(name)} twice", "remove one of them")
        if self.built_in is BuiltIn.RANDOM_ABTEST and names != ["ratioA"]:
            yield Problem(("parameters",), f"got {names}; RANDOM_ABTEST takes exactly ratioA", "give ratioA, 0 to 1")
