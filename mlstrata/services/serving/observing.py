"""What a prediction process is told of who looks at its predictions: the recorder, the explainer and the fallback."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from mlstrata.closed import Closed
from mlstrata.services.recording.spill_folder import Durability

SUBJECT_HEADER = "x-mlstrata-subject"
"""In a request: whom it is about. Only a keyed hash of it is kept."""
UNRECORDED, UNSURE = "unrecorded", "unsure"
"""Codes of an answer that was not recorded, and of one that a fallback gave."""


class RecordingSettings(Closed):
    """How predictions are recorded."""

    spill: Path = Field(description="Folder of this process's records until the recorder has committed them.")
    recorder: str = Field(pattern=r"^http://", description="Address of the recorder.")
    token_file: Path = Field(description="Holds the recorder's token, mode 0600.")
    key_file: Path = Field(description="Holds the environment's key for hashes of persons and pseudonyms, mode 0600.")
    durability: Durability = Field(
        default=Durability.INTERVAL,
        description="What a record outlives before its answer goes out: `group` a loss of power, `interval` the end of "
        "the process.",
    )
    required: bool = Field(default=False, description="Whether an answer that cannot be recorded is refused with 503.")
    exclude: tuple[str, ...] = Field(default=(), description="Inputs that are never stored.")
    pseudonymise: tuple[str, ...] = Field(default=(), description="Inputs that are stored as a keyed hash.")


class ExplainSettings(Closed):
    """How predictions are explained."""

    within_s: float = Field(gt=0, le=60, description="Seconds that it may add to a request; later there is none.")


class FallbackSettings(Closed):
    """What happens when the model is unsure."""

    below_confidence: float = Field(ge=0, le=1, description="Below this confidence an answer of it is not used.")
    to: Literal["human_review", "refuse"] = Field(description="Who decides then.")
