"""`promotion.json`, kept with the version's run: where it comes from, what was found of it, who decided what."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from mlstrata.closed import Closed

FILE, EARLIER = "promotion.json", "promotions"
"""The record of the last promotion, and the folder of those before it, each by the environment that it led to."""


class Approval(Closed):
    """A decision about the version in the environment it comes from, as its audit log has it."""

    number: int = Field(description="Of the entry in that log.")
    sha256: str = Field(description="Of the entry and all before it.")
    action: str = Field(description="What was decided: release, rollback.")
    when: AwareDatetime = Field(description="When, UTC.")
    who: str = Field(description="Who decided.")
    reason: str = Field(description="Why.")


class Evidence(Closed):
    """All of a promotion."""

    system: str = Field(description="The system.")
    source: str = Field(description="The environment it comes from.")
    version: str = Field(description="Its version there.")
    run: str = Field(description="The run there that made it.")
    decided: AwareDatetime = Field(description="When it was promoted, UTC.")
    who: str = Field(description="Who promoted it.")
    reason: str = Field(description="Why.")
    approvals: tuple[Approval, ...] = Field(description="What was decided about it there.")
    files: dict[str, str] = Field(description="SHA-256 of every file that came with it, by path.")
