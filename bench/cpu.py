"""The CPU time of a process, by Linux."""

from __future__ import annotations

import os
from pathlib import Path


def cpu_seconds(pid: int, *, children: bool) -> float:
    """Return the CPU seconds of a process, its own and the kernel's for it.

    Args:
        pid: The process.
        children: Whether those of its children that ended, and that it waited for, are counted, too.

    Raises:
        OSError: There is no such process.
    """
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11 : 15 if children else 13]) / os.sysconf("SC_CLK_TCK")
