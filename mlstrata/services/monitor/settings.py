"""What the monitor's service is told: where it listens, what is deployed, how often it looks."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from mlstrata.services.http import ServiceSettings

EVERY_SECONDS = 10.0


class MonitorSettings(ServiceSettings):
    """The service's settings file."""

    home: Path = Field(description="The environment's home folder.")
    declared: Path = Field(description="File of the catalog's `Declared`; read again whenever it changes.")
    every_seconds: float = Field(
        default=EVERY_SECONDS,
        gt=0,
        le=86400,
        description="Seconds between two rounds; 10, twice what Prometheus takes to see it. More looks at a window ask "
        "for more certainty of each.",
    )
