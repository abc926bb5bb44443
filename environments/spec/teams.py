"""Who shares the platform, and the accelerators they share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from mlstrata.environments.spec.base import Problem, Spec, immutable, refuse
from mlstrata.environments.spec.quantities import Count, Duration, parse_duration
from mlstrata.environments.spec.text import Email, Flag, MigProfile, Name, Unique, Whole, Word


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
    owner: Email | None = Field(default=None, description="Owner of the team; none: the environment's owner.")
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


class SharingSpec(Spec):
    """How one GPU serves several pods; one of the two."""

    time_slices: Annotated[Whole, Field(ge=2, le=48)] | None = Field(
        default=None, description="Pods that take turns on a GPU, with no walls between their memory; none: no turns."
    )
    mig: MigProfile | None = Field(
        default=None,
        description="Profile of the parts that each GPU is cut into, such as 1g.10gb, with walls between them; A100, "
        "H100 and H200 only; none: it stays whole.",
    )

    @model_validator(mode="after")
    def _one(self) -> SharingSpec:
        given = (self.time_slices is None) + (self.mig is None)
        fix = "give time_slices or mig"
        refuse(
            [] if given == 1 else [Problem((), "got both of time_slices and mig" if not given else "got neither", fix)]
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
    sharing: SharingSpec | None = Field(
        default=None,
        description="Let several pods share a GPU; none: each has its own, so that no job slows another.",
        json_schema_extra=immutable("add a second pool that shares, move the work there, then remove this one"),
    )
    teams: Annotated[tuple[Name, ...], Unique] = Field(
        default=(), description="Teams that may use the pool; none named: all of them."
    )

    @property
    def gpus_offered(self) -> int:
        """Return how many GPUs pods may ask a node for: with sharing more than it has."""
        each = self.sharing.time_slices or parts_of(self.sharing.mig or "") if self.sharing else 1
        return self.gpus_per_node * each

    @model_validator(mode="after")
    def _can_be_cut(self) -> GpuPoolSpec:
        cut = self.sharing is not None and self.sharing.mig is not None
        what = f"got a profile, but {self.accelerator} cannot be cut; allowed {', '.join(sorted(_CUT))}"
        refuse([Problem(("sharing", "mig"), what, "use time_slices")] if cut and self.accelerator not in _CUT else [])
        return self


_CUT = frozenset({Accelerator.A100, Accelerator.H100, Accelerator.H200})
_SLICES = 7
"""Parts of compute that a GPU which can be cut has; a profile's first figure says how many of them it takes."""


def parts_of(profile: str) -> int:
    """Return how many parts of a profile a GPU is cut into."""
    return _SLICES // int(profile[0]) if profile else 1
