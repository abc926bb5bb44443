"""Finds the processes of an environment by the mark that each of them carries in its environment variables.

A process keeps its mark over a fork, a new parent and the death of its supervisor, so what a dead run left behind is
found whoever owns it now. Reads /proc, so it finds nothing on a system without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HOME_MARK = "MLSTRATA_SUPERVISED"
"""Environment variable: the home folder of the environment that the process belongs to."""
SERVICE_MARK = "MLSTRATA_SERVICE"
"""Environment variable: the service's name within that environment."""

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class MarkedProcess:
    """A live process that carries the mark of an environment."""

    pid: int
    home: str
    service: str


def process_of(pid: int) -> MarkedProcess | None:
    """Return the mark of a process; None when it has none, is gone or belongs to another user."""
    try:
        raw = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return None
    if HOME_MARK.encode() not in raw:
        return None
    pairs = (entry.partition(b"=") for entry in raw.split(b"\0"))
    variables = {key: value.decode(errors="replace") for key, _, value in pairs}
    home = variables.get(HOME_MARK.encode())
    return MarkedProcess(pid, home, variables.get(SERVICE_MARK.encode(), "")) if home else None


def marked_processes(home: Path) -> list[MarkedProcess]:
    """List the live processes of the environment whose home folder is `home`."""
    try:
        pids = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    except OSError:
        return []
    found = (process_of(pid) for pid in pids)
    return [process for process in found if process is not None and process.home == str(home)]
