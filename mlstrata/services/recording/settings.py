"""What the recorder's service is told. Components and service share it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from mlstrata.closed import Closed
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.quantities import Share
from mlstrata.environments.spec.risk import Tier
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.services.http import ServiceSettings

HOLD_SECONDS = 184 * 86_400.0
"""What records of a high-risk system are kept at least: six months (Art. 19(1) and 26(6) of the AI Act), as the longest
six of the calendar are."""


class Recorded(Closed):
    """A system whose predictions are recorded."""

    label_share: Share = Field(default=0.0, description="Share of answers put into the queue for labelling.")
    hold: float = Field(default=0.0, ge=0, description="Seconds that the law has a record kept; 0: none.")

    @classmethod
    def of(cls, system: SystemSpec) -> Recorded:
        """Return what an environment's file says of a system."""
        return cls(label_share=system.recording.label_share, hold=hold_of(system))


class Keeping(Closed):
    """What is kept, and how long."""

    predictions: float = Field(gt=0, description="Seconds that records are kept (retention.predictions).")
    systems: dict[str, Recorded] = Field(description="The systems whose predictions are recorded, by name.")

    @property
    def shares(self) -> dict[str, float]:
        """Return the share of its answers that a person labels, by system."""
        return {name: system.label_share for name, system in self.systems.items()}


class RecorderSettings(Keeping, ServiceSettings):
    """The service's settings file on one machine."""

    home: Path = Field(description="The environment's home folder.")


class ClusterRecorderSettings(Keeping):
    """The service's settings file on a cluster; what is secret comes in variables."""

    port: int = Field(ge=1, le=65535, description="Port of the pod.")
    database: str = Field(min_length=1, description="Database of the platform's Postgres that keeps what is recorded.")


def hold_of(system: SystemSpec) -> float:
    """Return the seconds that the law has a system's records kept; 0: none."""
    return HOLD_SECONDS if system.risk.tier is Tier.HIGH else 0.0


def recorded(spec: EnvironmentSpec) -> dict[str, Recorded]:
    """Return the systems of an environment whose predictions are recorded."""
    return {one.name: Recorded.of(one) for one in spec.systems}
