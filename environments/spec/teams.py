"""Who shares the platform, and the accelerators they share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from environments.spec.base import Problem, Spec, immutable, refuse
from environments.spec.quantities import Count, Duration, parse_duration
from environments.spec.text import Email, Flag, Name, Unique, Whole, Word


class Accelerator(StrEnum):
    """Kind of GPU, by the product name that its device plugin labels nodes with."""

    T4 = "nvidia-t4"
    V100 = "nvidia-v100"
    A10G = "nvidia-a10g"
    L4 = "nvidia-l4"
    L40S = "nvidia-l40s"
    A100 = "nvidia-a100"
    H100 = "nvidia-h100"
    H200 = "nvidia-h200"


class TeamSpec(Spec):
    """A team with its share of the platform."""

    name: Name = Field(
        description="Name of the team, 2 to 40 of a-z, 0-9 and '-'; its namespace and its label on every cost.",
        json_schema_extra=immutable("add the team under its new name, move its systems, then remove the old one"),
    )
    owner: Email | None = Field(default=None, description="Who answers for the team; none: the environment's owner.")
    gpu_quota: Count = Field(
        default=0, description="GPUs the team may hold at once; 0, since accelerators are dear and asked for."
    )
    cost_centre: Word | None = Field(
        default=None, description="Account its costs are booked to, in quotes; none: the environment's."
    )


class Nodes(Spec):
    """How many nodes a pool may have."""

    min: Count = Field(default=0, description="Nodes kept when nothing runs; 0, so an idle pool costs nothing.")
    max: Annotated[Whole, Field(ge=1, le=10_000)] = Field(
        default=1, description="Most nodes at once; 1, so a runaway job costs one node."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Nodes:
        refuse(
            [Problem(("min",), f"got {self.min}, more than max ({self.max})", "lower min or raise max")]
            if self.min > self.max
            else []
        )
        return self


class GpuPoolSpec(Spec):
    """Nodes of one kind of GPU that come and go with the work."""

    name: Name = Field(
        description="Name of the pool, 2 to 40 of a-z, 0-9 and '-'; label and taint of its nodes.",
        json_schema_extra=immutable("add a pool under the new name, move the work there, then remove the old one"),
    )
    accelerator: Accelerator = Field(
        description="Kind of GPU; on a local target what the machine has is used.",
        json_schema_extra=immutable("add a second pool with the new accelerator, then remove this one"),
    )
    gpus_per_node: Annotated[Whole, Field(ge=1, le=16)] = Field(
        default=1, description="GPUs a node has; 1, the smallest machine that can be had."
    )
    nodes: Nodes = Field(default=Nodes(), description="How many nodes the pool may have.")
    spot: Flag = Field(
        default=False, description="Take spare capacity that may be withdrawn; off, since it interrupts what runs."
    )
    idle_after: Duration = Field(
        default=parse_duration("10m"),
        description="An unused node is given back after this time; 10m, longer than the pause between two steps.",
    )
    teams: Annotated[tuple[Name, ...], Unique] = Field(
        default=(), description="Teams that may use the pool; none named: all of them."
    )
