"""What is kept how long: the settings file that the Pulumi program writes, and the command reads the same way."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field

from mlstrata.closed import Closed
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.risk import Tier

DOCUMENTS = "data/documents"
"""Folder of what an erased system's documents are kept in, from the environment's home; a folder a system."""
KEPT = "kept.json"
"""In the folder of a system: what was kept, why, and until when."""


def kept_until(folder: Path) -> float:
    """Return until when a system's documents are kept, in seconds since 1970.

    Raises:
        OSError: Nothing says.
        ValueError, KeyError, TypeError: What says it is damaged.
    """
    return float(json.loads((folder / KEPT).read_text(encoding="utf-8"))["until"])


class RetentionSettings(Closed):
    """What is kept how long. Times in seconds."""

    home: Path = Field(description="The environment's home folder.")
    tracking_uri: str = Field(description="Address of MLflow, which knows what each version was made of; empty: none.")
    runs: float = Field(gt=0, description="What runs leave that no released version needs.")
    caches: float = Field(gt=0, description="What is made again when it is needed, after its last use.")
    logs: float = Field(gt=0, description="Logs of runs and of the gateway.")
    predictions: float = Field(gt=0, description="Scores that batch jobs wrote.")
    documents: float = Field(gt=0, description="Evidence of released versions, and of all of a high-risk system.")
    systems: dict[str, bool] = Field(description="The declared systems, and whether each is of high risk.")

    @classmethod
    def of(cls, spec: EnvironmentSpec, home: Path, tracking_uri: str) -> RetentionSettings:
        """Return what an environment's file says."""
        kept = spec.retention
        return cls(
            home=home,
            tracking_uri=tracking_uri,
            **{
                name: getattr(kept, name).total_seconds()
                for name in ("runs", "caches", "logs", "predictions", "documents")
            },
            systems={one.name: one.risk.tier is Tier.HIGH for one in spec.systems},
        )
