"""Settings of the monitoring: what is scraped, and the objectives of its service levels."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from mlstrata.closed import Closed

HOST = "127.0.0.1"
PLATFORM = "platform"
"""The `system` label of alerts about what belongs to no single AI system."""

Severity = Literal["critical", "warning"]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,79}[a-z0-9])?$")]
Port = Annotated[int, Field(ge=1, le=65535)]


class Target(Closed):
    """One scraped process."""

    service: Name = Field(description="The service; also its `job` label.")
    port: Port = Field(description="Loopback port that gives the metrics.")
    path: str = Field(default="/metrics", pattern=r"^/", description="Path of the metrics; /metrics by custom.")
    system: str = Field(default=PLATFORM, description="The AI system it serves, `platform` when it serves all.")


class Watched(Closed):
    """A service with whom to tell about it."""

    service: Name = Field(description="The service's name.")
    owner: str = Field(min_length=1, description="The recipient: the system's owner, else the environment's.")
    system: str = Field(default=PLATFORM, description="The AI system it serves, `platform` when it serves all.")
    memory_ratio: float = Field(
        default=0.5, gt=0, le=1, description="Share of the machine's memory it may hold: above half, it starves others."
    )


class ServiceLevel(Closed):
    """The objectives of a system's service level."""

    system: Name = Field(description="The AI system.")
    owner: str = Field(min_length=1, description="The recipient.")
    p99_seconds: float = Field(gt=0, description="Objective of the latency's 99th percentile, in seconds.")
    availability: float = Field(gt=0, le=100, description="Objective of the share of answered requests, in percent.")


class Receiver(Closed):
    """Where alerts go."""

    port: Port = Field(description="Loopback port of the service that logs the alerts it is sent.")
    path: str = Field(default="/alerts", pattern=r"^/", description="Its path.")


class Learner(Closed):
    """Who is told of the alerts that have a cause for learning again."""

    port: Port = Field(description="Loopback port of the learning process.")
    token_file: str = Field(min_length=1, description="File with the bearer token that it asks for.")
    path: str = Field(default="/alerts", pattern=r"^/", description="Its path.")
