"""What releases.json says beside the champion: the rollout that runs, the last step of it, and the kill switch."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from mlstrata.closed import Closed

Version = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,8}$")]
Share = Annotated[int, Field(ge=0, le=100)]

Moved = Literal[
    "rollout-begin",
    "rollout-advance",
    "rollout-shares",
    "rollout-approve",
    "rollout-abort",
    "stop",
    "resume",
    "retire",
    "unhold",
]
"""What is decided about a system that puts no other version in place; the audit log's word for it."""


class Running(Closed):
    """A rollout under way: a candidate that gets some of the traffic, or a copy of it."""

    strategy: Literal["canary", "shadow", "ab", "bandit"] = Field(description="How traffic moves to the candidate.")
    candidate: Version = Field(description="The version that is tried.")
    step: int = Field(default=0, ge=0, description="Which of the declared steps this is, from 0.")
    share: Share = Field(description="Percent of the requests that the candidate answers; 0: a shadow gets copies.")
    begun: datetime = Field(description="When the rollout began, UTC.")
    since: datetime = Field(description="When this step began, UTC; older records say nothing of it.")
    approved_by: str = Field(default="", description="Who approved the promotion; empty: nobody has.")
    who: str = Field(description="The person or job that began it.")
    why: str = Field(description="The reason given.")
    metrics: dict[str, float] = Field(default_factory=dict, description="The candidate's figures when it began.")
    digest: str = Field(default="", description="Of the candidate's files; empty: nobody recorded one.")
    own_code: bool = Field(default=False, description="Whether the candidate may bring code of its own.")

    @property
    def in_words(self) -> str:
        """Return what is tried, and how."""
        share = "gets copies" if self.strategy == "shadow" else f"answers {self.share} %"
        return f"version {self.candidate} {share} ({self.strategy}, step {self.step + 1})"


class Move(BaseModel):
    """The last decision that put no other version in place, for whoever records it after a crash."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: Moved = Field(description="What was decided.")
    when: datetime = Field(description="When, UTC.")
    who: str = Field(description="The person or job that decided.")
    why: str = Field(description="The reason, in words and figures.")
    from_: Version | None = Field(alias="from", description="The champion at that moment.")
    to: Version = Field(description="The version that it is about.")
    metrics: dict[str, float] = Field(default_factory=dict, description="What the decider could see of it.")


class Stopped(Closed):
    """The kill switch: the gateway refuses every request until somebody resumes, and of a retired system says so."""

    when: datetime = Field(description="Since when, UTC.")
    who: str = Field(description="The person who stopped it.")
    why: str = Field(description="The reason given.")
    retired: bool = Field(default=False, description="Whether it was retired, and is to answer no more.")
