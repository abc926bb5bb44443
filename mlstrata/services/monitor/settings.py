"""What the monitor's service is told: where it listens, what is deployed, how often it looks."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from mlstrata.closed import Closed
from mlstrata.services.http import ServiceSettings

EVERY_SECONDS = 10.0


class Watching(Closed):
    """What is watched, and how often."""

    home: Path = Field(description="The environment's home folder; in a pod, the folder that stays.")
    declared: Path = Field(description="File of the catalog's `Declared`; read again whenever it changes.")
    every_seconds: float = Field(
        default=EVERY_SECONDS,
        gt=0,
        le=86400,
        description="Seconds between two rounds; 10, twice what Prometheus takes to see it. More looks at a window ask "
        "for more certainty of each.",
    )


class MonitorSettings(Watching, ServiceSettings):
    """The service's settings file on one machine."""


class ClusterMonitorSettings(Watching):
    """The service's settings file on a cluster; what is secret comes in variables."""

    port: int = Field(ge=1, le=65535, description="Port of the pod.")
    database: str = Field(min_length=1, description="Database of the platform's Postgres that keeps what is recorded.")
    registry: str = Field(pattern=r"^http", description="Address of MLflow, which says what is released.")
