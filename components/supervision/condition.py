"""How a supervised service is at this moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mlstrata.components.supervision.client import UP, SupervisorClient

_SETTLE_SECONDS = 60.0


def identity(home: Path) -> str:
    """Return the name by which an environment knows its own supervisor."""
    return f"mlstrata:{home}"


def condition(
    home: Path, socket: Path, name: str, *, edited: Callable[[], Sequence[str]], is_current: Callable[[], bool]
) -> str:
    """Say how a service is: `running`, or what is wrong with it, in a few words.

    Args:
        home: The environment's home folder.
        socket: Its supervisor's unix socket.
        name: The service.
        edited: Names its files that are not as declared.
        is_current: Says whether its process was started from what is declared.
    """
    client = SupervisorClient(socket)
    if client.identity() != identity(home):
        return "stopped: its supervisor is dead"
    # A killed service is back within a second or two: that is healing, not drift.
    info = client.settled(name, _SETTLE_SECONDS)
    if info is None:
        return "missing"
    if info.state not in UP:
        return f"{info.state.lower()}: {info.note}" if info.note else info.state.lower()
    if found := edited():
        return f"edited: {', '.join(found)}"
    return "running" if is_current() else "started from another definition"
