"""`releases.json`: which version of a system serves, which are in memory, and who decided it when.

Written by the rollout only; read by the prediction process and by the renderer of the routes.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlstrata.closed import Closed
from mlstrata.files import damaged
from mlstrata.services.serving.running import Move, Running, Stopped, Version

FILE = "releases.json"


class HistoryEntry(BaseModel):
    """One decision: a release or a rollback."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: Literal["release", "rollback"] = Field(description="Whether it was a release or a rollback.")
    when: datetime = Field(description="When it took effect here, UTC.")
    who: str = Field(description="The person or job that decided.")
    why: str = Field(description="The reason given.")
    from_: Version | None = Field(alias="from", description="The champion before; none at the first release.")
    to: Version = Field(description="The champion after.")
    metrics: dict[str, float] = Field(default_factory=dict, description="Metrics of `to` the decider could see.")
    digest: str = Field(default="", description="Of the files of `to`; empty: nobody recorded one.")
    own_code: bool = Field(default=False, description="Whether `to` may bring code of its own.")


class Releases(Closed):
    """The state of one system's releases."""

    champion: Version | None = Field(default=None, description="The version that answers.")
    challenger: Version | None = Field(default=None, description="The version compared with the champion.")
    shadow: Version | None = Field(
        default=None, description="The version that receives traffic and whose answers are not returned."
    )
    loaded: tuple[Version, ...] = Field(default=(), description="Versions in memory; the previous one, to go back.")
    history: tuple[HistoryEntry, ...] = Field(default=(), description="Decisions, oldest first.")
    rollout: Running | None = Field(default=None, description="The rollout under way; none: the champion has it all.")
    stopped: Stopped | None = Field(default=None, description="Why no request is answered; none: they are.")
    held: tuple[Version, ...] = Field(
        default=(),
        description="Versions that a rollout or rollback took back: their files stay until a person lets go of them.",
    )
    moved: Move | None = Field(
        default=None, description="The last decision, where it put no other version in place; else none."
    )
    settled: bool = Field(
        default=True,
        description="False from the last decision until routes and registry follow it; a rollout that died stays so.",
    )

    def before_champion(self) -> Version | None:
        """Return the version to go back to: the one released before the champion, going back counted as undoing."""
        released: list[Version] = []
        for entry in self.history:
            if entry.kind == "release":
                released.append(entry.to)
                continue
            while released and released[-1] != entry.to:
                released.pop()
        earlier = [version for version in released if version != self.champion]
        return earlier[-1] if earlier else None

    @classmethod
    def read(cls, directory: Path) -> Releases:
        """Read the releases of the system whose data lie in `directory`; nothing released yet when there is no file.

        Raises:
            ValueError: the file is not what the rollout writes; the message names it and what is wrong in it.
        """
        path = directory / FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return cls()
        except ValidationError as error:
            raise ValueError(damaged(path, "release", error)) from None

    def to_json(self) -> str:
        """Return the text of the file."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"
