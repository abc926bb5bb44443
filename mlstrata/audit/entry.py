"""What one entry of the audit log says: figures of models and words of those who decide, nothing of data subjects."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, FiniteFloat, StringConstraints

from mlstrata.closed import Closed

Outcome = Literal["done", "failed", "interrupted"]

LONGEST = 1000
"""Characters of a reason: enough to say why, too few for a copy of the data."""

_SECRETS = {
    "a token": re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\."),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "an access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a password": re.compile(r"\b(?:password|passwd|secret|token)\s*[:=]\s*\S", re.IGNORECASE),
}


def plain_text(text: str) -> str:
    """Return `text`, which may stand in the log for ever.

    Raises:
        ValueError: it is too long, has control characters or lone surrogates, or looks like it holds a secret.
    """
    if len(text) > LONGEST:
        raise ValueError(f"got {len(text)} characters; at most {LONGEST} are kept; refer to a longer text")
    if any(not char.isprintable() for char in text):
        raise ValueError("got a line break or another control character; write one line of text")
    for what, pattern in _SECRETS.items():
        if pattern.search(text):
            raise ValueError(f"got what looks like {what}; the log is kept and read by many: leave it out")
    return text


def fitted(text: str, longest: int = 900) -> str:
    """Return what a program says as the log takes it: one line, not too long, nothing that looks like a secret."""
    plain = "".join(char if char.isprintable() else " " for char in text)[:longest]
    try:
        return plain_text(plain)
    except ValueError as error:
        return f"the reason is left out: {error}"


Text = Annotated[str, AfterValidator(plain_text)]


class Metrics(Closed):
    """What the decider could see of the two versions."""

    candidate: dict[str, FiniteFloat] = Field(default_factory=dict, description="Metrics of the version decided for.")
    champion: dict[str, FiniteFloat] = Field(default_factory=dict, description="Metrics of the version before it.")


class Entry(Closed):
    """One decision and what became of it."""

    id: str = Field(description="Names the decision; a decision recorded again after a crash has the same.")
    when: AwareDatetime = Field(description="When it was decided, UTC.")
    who: Text = Field(description="The person or job that decided.")
    action: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,31}$")] = Field(
        description="What was decided: release, rollback."
    )
    system: str = Field(description="The system it is about.")
    version_from: str | None = Field(description="The version that answered before; none at the first release.")
    version_to: str = Field(description="The version decided for.")
    reason: Text = Field(description="The reason given.")
    metrics: Metrics = Field(default_factory=Metrics, description="What the decider could see.")
    outcome: Outcome = Field(
        description="done: it took effect; failed: it was undone; interrupted: it died, and another decision followed."
    )
    problem: str | None = Field(default=None, description="What a failed decision failed with.")
