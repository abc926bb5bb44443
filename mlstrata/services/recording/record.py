"""One prediction as it is recorded: the contract between what serves, the spill, the recorder and its stores."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field

from mlstrata.closed import Closed

MODEL = "model"
"""The source of an answer that is the model's own; of any other it is what `serving.fallback.to` says."""


class Instance(Closed):
    """One row of a request, with what was answered of it."""

    inputs: dict[str, Any] = Field(description="Column to value, without what the file says is not to be stored.")
    output: dict[str, Any] | None = Field(description="The answer as the model's output contract has it; None: none.")
    source: str = Field(default=MODEL, description="Who answered: `model`, or what a fallback handed it to.")
    explanation: dict[str, float] | None = Field(
        default=None, description="Column to its contribution to the output, from the mean; None: none was made."
    )
    flags: tuple[str, ...] = Field(
        default=(), description="What was noticed: `unseen:COLUMN`, `range:COLUMN`, `confidence`, `outlier`."
    )


class Record(Closed):
    """One request, answered or failed. Its key is (id, version): sending it again changes nothing."""

    id: str = Field(min_length=1, max_length=128, description="The request's id, which the gateway gave.")
    at: float = Field(description="When it came, in seconds since 1970.")
    system: str = Field(description="The AI system.")
    version: str = Field(description="The version that answered; `none` where none did.")
    status: int = Field(description="HTTP status of the answer.")
    ms: float = Field(ge=0, description="Milliseconds from the whole request to the answer.")
    api: str = Field(default="v1", description="Version of the interface, `v2-protocol` for the V2 protocol.")
    consumer: str = Field(default="", description="Who asked, from the token; empty: not through the gateway.")
    subject: str = Field(default="", description="Keyed hash of the person concerned, for erasure; empty: not said.")
    shadow: bool = Field(default=False, description="Whether nobody was given the answer.")
    problem: str = Field(default="", description="Code of the refusal or failure; empty: none.")
    instances: tuple[Instance, ...] = Field(default=(), description="The rows; none where the request was refused.")

    @property
    def key(self) -> tuple[str, str]:
        """Return what it is known by: of one id a champion and its shadow each leave one."""
        return self.id, self.version

    def to_bytes(self) -> bytes:
        """Return it as one line of JSON, without its end."""
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True), separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Record:
        """Read what `to_bytes` gave.

        Raises:
            ValueError: it is none.
        """
        return cls.model_validate_json(data)
