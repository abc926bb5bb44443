"""What is kept of each prediction."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mlstrata.environments.spec.base import Spec
from mlstrata.environments.spec.quantities import Share
from mlstrata.environments.spec.text import Column, Unique


class RecordingSpec(Spec):
    """What is kept of each prediction, and what happens where it cannot be kept."""

    exclude: Annotated[tuple[Column, ...], Unique] = Field(
        default=(), description="Inputs that are never stored; none, as drift and truth need them."
    )
    pseudonymise: Annotated[tuple[Column, ...], Unique] = Field(
        default=(), description="Inputs stored as a keyed hash, so that equal ones stay equal; none by default."
    )
    required: bool | None = Field(
        default=None,
        description="Whether an answer that cannot be recorded is refused with 503; none: of a high-risk system.",
    )
    label_share: Share = Field(
        default=0.0,
        description="Share of answers, 0 to 1, put into the queue for labelling by a person; 0, nobody labels.",
    )
