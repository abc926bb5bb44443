"""What may start a training, and where a training is: the words that inbox, policy, journal and loop share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

BY_HAND = "request"
"""The cause of a training that a person asked for; all others are `environments.spec.retrain.Cause`."""


@dataclass(frozen=True)
class Trigger:
    """One reason to train a system again.

    Attributes:
        key: What it is known by: sent again, it is the same one.
        system: The system.
        cause: What a monitor found, or `BY_HAND`.
        name: The alert's name, or who asked.
        reason: What the alert says, or the person.
    """

    key: str
    system: str
    cause: str
    name: str
    reason: str

    @property
    def text(self) -> str:
        """Say it in one line."""
        return f"{self.name}: {self.reason}" if self.reason else self.name


class State(StrEnum):
    """Axis: where a training is."""

    DECIDED = "decided"
    COMPOSED = "composed"
    TRAINED = "trained"
    ROLLING = "rolling"
    ENDED = "ended"


class Outcome(StrEnum):
    """Axis: how a training ended; the first alone gave consumers another model."""

    RELEASED = "released"
    IMPOSSIBLE = "impossible"
    FAILED = "failed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class Training:
    """One training that was decided on.

    Attributes:
        id: Its identity, and the run's that the runner does for it.
        system: The system.
        state: Where it is.
        started: When it was decided, in seconds since 1970.
        by_hand: A person asked for it.
        reason: What it was started for.
        request: What the runner is asked, as JSON; empty: not composed yet.
        named: Which data it learns from, in words.
        version: The version that it made; empty: none yet.
        rolled: When its version began to take over, in seconds since 1970; None: it has not.
        ended: When it ended, in seconds since 1970; None: it has not.
        outcome: How it ended.
        why: Why it ended so.
    """

    id: str
    system: str
    state: State
    started: float
    by_hand: bool
    reason: str
    request: str = ""
    named: str = ""
    version: str = ""
    rolled: float | None = None
    ended: float | None = None
    outcome: Outcome | None = None
    why: str = ""


@dataclass(frozen=True)
class Decision:
    """What was decided about a system's learning, and why.

    Attributes:
        number: Its place among all decisions, from 1.
        at: When, in seconds since 1970.
        system: The system.
        kind: What was decided: `accepted`, `started`, `waits`, `stopped`, `ignored`, or how a training went.
        reason: Why.
        training: The training that it is about; empty: none.
        version: The version that it is about; empty: none.
    """

    number: int
    at: float
    system: str
    kind: str
    reason: str
    training: str = ""
    version: str = ""
