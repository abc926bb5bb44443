"""What the catalog's service is told: where it listens and what is deployed. Components and service share it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from mlstrata.closed import Closed
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.services.http import ServiceSettings

LOOPBACK_NAMES = ("127.0.0.1", "localhost")


class Declares(Protocol):
    """What the catalog needs to know of an environment's declaration; an `EnvironmentSpec` is one."""

    @property
    def name(self) -> str:
        """Return the environment's name."""

    @property
    def stage(self) -> str | None:
        """Return its stage; None where that is not told."""

    @property
    def systems(self) -> Sequence[SystemSpec]:
        """Return its systems."""

    def owner_of(self, system: SystemSpec) -> str | None:
        """Return who answers for a system."""


class Declared(Closed):
    """What is deployed, as far as the catalog shows it.

    The stage is not in it: a move to another stage creates what that stage adds and touches nothing else.
    """

    name: str = Field(description="The environment.")
    owner: str | None = Field(default=None, description="Its owner; none: not named.")
    systems: tuple[SystemSpec, ...] = Field(description="Its systems, as declared.")

    @property
    def stage(self) -> str | None:
        """Return nothing: the stage is not told."""
        return None

    def owner_of(self, system: SystemSpec) -> str | None:
        """Return who answers for a system: its own owner, else the environment's."""
        return system.owner or self.owner

    @classmethod
    def of(cls, spec: EnvironmentSpec) -> Declared:
        """Take from an environment what the catalog shows."""
        return cls(name=spec.name, owner=spec.owner, systems=spec.systems)

    def text(self) -> str:
        """Write it as the JSON that `Declared` reads again."""
        return self.model_dump_json(by_alias=True, exclude_none=True, indent=1) + "\n"


class CatalogSettings(ServiceSettings):
    """The service's settings file."""

    home: Path = Field(description="The environment's home folder.")
    declared: Path = Field(description="File of `Declared`; read again whenever it changes.")
    registry: str = Field(pattern=r"^https?://", description="Address of MLflow.")
    operator_file: Path | None = Field(
        default=None,
        description="File, mode 0600, that holds the token of those who may change something; None: nobody may here.",
    )
    events: Path = Field(description="File to which lineage events from elsewhere are appended.")
    hosts: tuple[str, ...] = Field(
        default=LOOPBACK_NAMES,
        description="Names under which it answers; this machine's, so that a page elsewhere whose name was bent to it "
        "gets nothing.",
    )
    releases: Literal["folder", "registry"] = Field(
        default="folder",
        description="Where it is known what is released: in the serving folders, or in the registry's aliases, as on "
        "a cluster.",
    )
