"""The services of an environment: which are declared, and which of them have a process."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from mlstrata.services.exporter.measure import services as measured

_DECLARED = "config/supervisor.d"
"""Where the supervisor's programs lie, from the environment's home: one file a service."""


@dataclass(frozen=True)
class Running:
    """One service.

    Attributes:
        name: Its name.
        processes: How many it has; 0: it does not run.
        since: When the first of them started, in seconds since 1970; None: none runs.
        resident_bytes: Memory that they hold.
        problem: Summary of the alert that fires about it; empty: none does.
    """

    name: str
    processes: int = 0
    since: float | None = None
    resident_bytes: int = 0
    problem: str = ""

    @property
    def up(self) -> float | None:
        """Return how long it has run, in seconds; None: it does not."""
        return None if self.since is None else max(0.0, time.time() - self.since)

    @property
    def state(self) -> str:
        """Return in one word how it is."""
        if not self.processes:
            return "down"
        return "alert" if self.problem else "running"


def running_services(home: Path, problems: dict[str, str] | None = None) -> tuple[Running, ...]:
    """Return the declared services of the environment in `home`, by name; none where no supervisor is.

    Processes are found by the mark that each carries, so nothing is asked over the network.

    Args:
        home: The environment's home folder.
        problems: Service to the summary of the alert that fires about it.

    Raises:
        OSError: The supervisor's folder cannot be read.
    """
    folder = home / _DECLARED
    if not folder.is_dir():
        return ()
    uses, said = measured(home), problems or {}
    found = []
    for name in sorted(path.stem for path in folder.glob("*.conf")):
        use = uses.get(name)
        if use is None:
            found.append(Running(name, problem=said.get(name, "")))
        else:
            since = use.start_seconds or None
            found.append(Running(name, use.processes, since, use.resident_bytes, said.get(name, "")))
    return tuple(found)
