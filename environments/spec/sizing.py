"""How much of its nodes a platform on a cluster asks for."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from mlstrata.environments.spec.base import Problem, Spec, refuse
from mlstrata.environments.spec.quantities import Memory, mebibytes
from mlstrata.environments.spec.text import Number


class Profile(StrEnum):
    """Axis: what the platform's services on a cluster ask for, and how many copies of them there are."""

    SMALL = "small"
    STANDARD = "standard"


Cores = Annotated[Number, Field(ge=0.01, le=256)]


class SizeSpec(Spec):
    """What each pod of a service of the platform gets; what is not given is the profile's."""

    cpu: Cores | None = Field(default=None, description="CPU cores asked for; none: the profile's.")
    cpu_limit: Cores | None = Field(default=None, description="Most CPU cores; none: the profile's, or cpu if larger.")
    memory: Memory | None = Field(default=None, description="Memory asked for, in Mi or Gi; none: the profile's.")
    memory_limit: Memory | None = Field(
        default=None, description="Most memory, in Mi or Gi; none: the profile's, or memory if larger."
    )

    @model_validator(mode="after")
    def _ordered(self) -> SizeSpec:
        refuse(self._problems())
        return self

    def _problems(self) -> list[Problem]:
        found: list[tuple[str, object, object]] = []
        if self.cpu is not None and self.cpu_limit is not None and self.cpu > self.cpu_limit:
            found.append(("cpu", self.cpu, self.cpu_limit))
        if self.memory and self.memory_limit and mebibytes(self.memory) > mebibytes(self.memory_limit):
            found.append(("memory", self.memory, self.memory_limit))
        return [
            Problem((name,), f"got {asked}, more than {name}_limit ({most})", f"lower {name} or raise {name}_limit")
            for name, asked, most in found
        ]


class SizesSpec(Spec):
    """What the platform's services and jobs on a cluster get; a system's own pods: `serving.resources`."""

    registry: SizeSpec = Field(default=SizeSpec(), description="MLflow.")
    catalog: SizeSpec = Field(default=SizeSpec(), description="The catalog.")
    recorder: SizeSpec = Field(default=SizeSpec(), description="The recorder of predictions, each copy.")
    monitor: SizeSpec = Field(default=SizeSpec(), description="The monitor of what is predicted.")
    object_store: SizeSpec = Field(default=SizeSpec(), description="The object store, where there is one of our own.")
    database: SizeSpec = Field(default=SizeSpec(), description="Postgres, each copy.")
    gateway: SizeSpec = Field(default=SizeSpec(), description="Envoy, each of two copies.")
    prometheus: SizeSpec = Field(default=SizeSpec(), description="Prometheus, each copy.")
    alertmanager: SizeSpec = Field(default=SizeSpec(), description="Alertmanager, each copy.")
    logs: SizeSpec = Field(default=SizeSpec(), description="The log store.")
    log_collector: SizeSpec = Field(default=SizeSpec(), description="What reads logs from the API server.")
    jobs: SizeSpec = Field(default=SizeSpec(), description="Backup, restore and the job that makes the bucket.")
    training: SizeSpec = Field(default=SizeSpec(), description="A training of a system.")
