"""Does what is due by a cron schedule; a member that fails stops no other."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic_core import PydanticCustomError

from mlstrata import files
from mlstrata.environments.spec.quantities import parse_cron

TICK = 5.0
"""Seconds between two rounds."""


class Memory(Protocol):
    """Remembers up to when a schedule was looked after; another cron is another schedule, new when first looked at."""

    def seen(self, cron: str, now: float) -> float:
        """Return up to when it was, in seconds since 1970; at the first look this is `now`, which is kept."""

    def note(self, cron: str, now: float) -> None:
        """Keep that it was up to `now`."""


@dataclass(frozen=True)
class FileMemory:
    """A memory in a JSON file of its own."""

    path: Path

    def seen(self, cron: str, now: float) -> float:
        """Return up to when it was looked after."""
        try:
            noted = json.loads(self.path.read_text(encoding="utf-8"))
            # What a clock noted that was ahead must not keep it from being due until then.
            if noted["cron"] == cron and 0 <= (at := float(noted["at"])) <= now:
                return at
        except (FileNotFoundError, ValueError, TypeError, KeyError, OverflowError):
            pass
        self.note(cron, now)
        return now

    def note(self, cron: str, now: float) -> None:
        """Keep that it was up to `now`."""
        files.write(self.path, json.dumps({"cron": cron, "at": now}))


@dataclass(frozen=True)
class Member:
    """One schedule.

    Attributes:
        name: Its name in the log.
        cron: When it is due, five fields, UTC.
        memory: Its memory.
        start: What is done then.
    """

    name: str
    cron: str
    memory: Memory
    start: Callable[[], object]


def is_cron(text: str) -> bool:
    """Say whether `text` is a schedule as an environment's file may have it."""
    try:
        parse_cron(text)
    except PydanticCustomError:
        return False
    return True


def is_due(member: Member, now: float) -> bool:
    """Say whether a member's time has come since it was last looked after; at the first look it has not.

    However many times have passed (the machine was off), it is due once for all of them.
    """
    from croniter import croniter

    upcoming = croniter(member.cron, member.memory.seen(member.cron, now), ret_type=float).get_next()
    return float(upcoming) <= now


def tick(members: Iterable[Member], now: float) -> list[str]:
    """Do one round: start what is due, and note it only then, so that what was cut off is due again.

    Returns:
        The names of the members that were started.
    """
    started = []
    for member in members:
        try:
            if is_due(member, now):
                member.start()
                member.memory.note(member.cron, now)
                started.append(member.name)
        except Exception:
            # What fails for one member, such as a folder that it may not write, concerns no other.
            logging.getLogger(__name__).exception("%s was not started; the next round tries again", member.name)
    return started
