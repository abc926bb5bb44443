"""The whole of an environment file."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

from pydantic import Field, model_validator

from mlstrata.environments.days import ZONE
from mlstrata.environments.spec.base import Spec, immutable, refuse
from mlstrata.environments.spec.platform_wide import Enforce, LicencesSpec, RetentionSpec, Switches
from mlstrata.environments.spec.references import check_references
from mlstrata.environments.spec.sizing import Profile, SizesSpec
from mlstrata.environments.spec.storage import Storage, default_storage
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.environments.spec.target import Target
from mlstrata.environments.spec.teams import GpuPoolSpec, TeamSpec
from mlstrata.environments.spec.text import Email, Flag, Name, Text, Unique, Word, Zone
from mlstrata.environments.spec.upstream import ImagesSpec, MirrorSpec, PinSpec
from mlstrata.environments.stages import Capability, Stage, capabilities_of

FRAMEWORKS = ("eu-ai-act", "gdpr")


class EnvironmentSpec(Spec):
    """One environment of an ML platform, with the AI systems that run on it."""

    name: Name = Field(
        description="Name of the environment, which its file and its stack have too.",
        json_schema_extra=immutable("make a new environment, `mlstrata promote` its systems there, take this one down"),
    )
    target: Target = Field(description="Where it runs.")
    stage: Stage = Field(
        description="How far the organisation is: prerequisites, foundation, scale or mature; decides the capabilities."
    )
    switches: Switches = Field(
        default=Switches(), alias="capabilities", description="Capabilities on or off beyond the stage's own."
    )
    enforce: Enforce = Field(
        default=Enforce.BY_DATE,
        description="When duties of the AI Act block: by_date, on the day each applies; now, from today.",
    )
    timezone: Zone = Field(
        default=ZONE,
        description="Time zone whose days duties, exemptions and documents are judged by; that of most of the Union, "
        "whose Act's days begin at midnight there.",
    )
    frameworks: Annotated[tuple[Name, ...], Unique] = Field(
        default=FRAMEWORKS,
        description="Frameworks that reports count the duties of: eu-ai-act, gdpr, iso-42001, nist-ai-rmf, sr-26-2, "
        "colorado-sb-26-189, nyc-ll144, or a file of policies/frameworks; the Union's own two.",
    )
    production: Flag | None = Field(
        default=None,
        description="People depend on what it answers; not said: a cluster is operated as production, and papers that "
        "the AI Act asks for before production are due.",
    )
    owner: Email | None = Field(default=None, description="Owner of the environment; none: not named yet.")
    cost_centre: Word | None = Field(
        default=None, description="Account for costs that no system or team pays, in quotes; none: platform."
    )
    labels: dict[Word, Text] = Field(
        default_factory=dict, description="Labels of your own, for your own policies to read; none by default."
    )
    teams: tuple[TeamSpec, ...] = Field(default=(), description="Teams that share it; none: the platform team alone.")
    gpu_pools: tuple[GpuPoolSpec, ...] = Field(
        default=(), description="Pools of GPU nodes; none, as most models need none."
    )
    profile: Profile = Field(
        default=Profile.STANDARD,
        description="What the platform asks of a cluster: standard, two copies of what keeps data; small, one of each "
        "and a quarter of what systems declare, for one node of 8 GB and 4 cores. standard, as one copy can be lost.",
    )
    resources: SizesSpec = Field(
        default=SizesSpec(), description="What each service of the platform on a cluster gets; the profile's."
    )
    storage: Storage = Field(
        description="Where artifacts and data lie; not given: a folder on a local target, an S3 bucket on others."
    )
    retention: RetentionSpec = Field(default=RetentionSpec(), description="How long things are kept.")
    licences: LicencesSpec = Field(default=LicencesSpec(), description="Licences that software may have.")
    mirror: MirrorSpec | None = Field(
        default=None, description="Where an air-gapped site keeps its copies; none: upstream's own addresses."
    )
    images: ImagesSpec = Field(
        default=ImagesSpec(), description="Images of your own on a cluster; mlstrata's, which need no access."
    )
    upstream: tuple[PinSpec, ...] = Field(
        default=(), description="Upstream pieces taken as well, or at another version; none: the tested ones."
    )
    systems: tuple[SystemSpec, ...] = Field(
        default=(), description="AI systems that run on it; none: an empty platform."
    )

    @property
    def capabilities(self) -> frozenset[str]:
        """Return what the environment can do: the stage's own and what is declared or switched on, less what is off."""
        return self._capabilities

    @cached_property
    def _capabilities(self) -> frozenset[str]:
        declared: set[str] = {
            capability
            for capability, present in ((Capability.TEAMS, self.teams), (Capability.GPU_POOLS, self.gpu_pools))
            if present
        }
        return (capabilities_of(self.stage) | declared | set(self.switches.on)) - set(self.switches.off)

    def system(self, name: str) -> SystemSpec:
        """Return the system called `name`.

        Raises:
            KeyError: there is none; the message lists those there are.
        """
        for system in self.systems:
            if system.name == name:
                return system
        raise KeyError(
            f"no system '{name}' in {self.name}; allowed {', '.join(s.name for s in self.systems) or 'none'}"
        )

    def owner_of(self, system: SystemSpec) -> str | None:
        """Return who answers for `system`: its own owner, else the environment's."""
        return system.owner or self.owner

    @model_validator(mode="before")
    @classmethod
    def _default_storage(cls, data: object) -> object:
        if isinstance(data, dict) and "storage" not in data:
            target = data.get("target")
            kind = target.get("kind") if isinstance(target, dict) else getattr(target, "kind", None)
            return {**data, "storage": default_storage(kind)}
        return data

    @model_validator(mode="after")
    def _references_exist(self) -> EnvironmentSpec:
        refuse(check_references(self.model_dump(mode="json")))
        return self
