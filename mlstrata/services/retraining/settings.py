"""Settings of the learning process."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from mlstrata.services.http import ServiceSettings


class LearningSettings(ServiceSettings):
    """The learning process's settings file."""

    environment: str = Field(min_length=1, description="The environment whose systems learn.")
    workspace: Path = Field(description="The folder that holds environments/.")
    journal: Path = Field(description="The SQLite file of causes, trainings and decisions.")
    seconds: float = Field(
        default=5.0, gt=0, le=3600, description="Between two looks while nothing is under way; 5, as a scrape's."
    )
    busy_seconds: float = Field(
        default=1.0, gt=0, le=3600, description="Between two looks while a training or rollout is; 1, so none is late."
    )
