"""Ends what a dead run or a dead supervisor left running."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from mlstrata.components.supervision.values import SupervisionError
from mlstrata.services.exporter.processes import MarkedProcess, marked_processes
from mlstrata.waiting import until

_FORCED_SECONDS = 60.0


def end_marked(home: Path, *, service: str | None = None, seconds: float = 10.0) -> None:
    """End the marked processes of a home, politely for `seconds`, then by force; return when none is left.

    Args:
        home: The environment's home folder.
        service: Only this service's processes; None for all, the supervisor's own included.
        seconds: How long they have to end after the polite request.

    Raises:
        SupervisionError: A process survived both.
    """

    def left() -> list[MarkedProcess]:
        own = os.getpid()
        return [p for p in marked_processes(home) if p.pid != own and (service is None or p.service == service)]

    for number, limit in ((signal.SIGTERM, seconds), (signal.SIGKILL, _FORCED_SECONDS)):
        for process in left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
        if until(lambda: not left(), limit, 0.03):
            return
    survivors = ", ".join(f"{process.service} ({process.pid})" for process in left())
    if survivors:
        raise SupervisionError(f"these processes of {home} do not end: {survivors}; end them by hand and run again")
