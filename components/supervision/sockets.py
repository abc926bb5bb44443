"""Loopback ports: which are free, and who holds those that are not."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable
from pathlib import Path

from mlstrata.services.exporter.processes import process_of

LOOPBACK = "127.0.0.1"
_LISTENING = "0A"
_SHOWN = 80


def is_free(port: int) -> bool:
    """Say whether a service could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections that linger after a stop do not hold the port, a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def pick(taken: Iterable[int]) -> int:
    """Return a free port of the system's choice that is not among `taken`."""
    avoided = set(taken)
    with contextlib.ExitStack() as held:
        while True:
            probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
            if port not in avoided:
                return port


def holder(port: int) -> int | None:
    """Return the id of the process that listens on a port; None when nobody does or the system does not tell."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (Path("/proc/net") / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    if not inodes:
        return None
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(descriptor.readlink()) in inodes:
                        return int(process.name)
    return None


def foreign_holder(port: int, home: Path) -> str | None:
    """Describe who uses a port, None when it is free or used by the environment whose home is `home`."""
    if is_free(port):
        return None
    pid = holder(port)
    if pid is None:
        return "another process"
    mark = process_of(pid)
    if mark is not None and mark.home == str(home):
        return None
    with contextlib.suppress(OSError):
        command = (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        other = f" of the environment at {mark.home}" if mark is not None else ""
        return f"process {pid}{other} ({_short(command)})"
    return f"process {pid}"


def _short(command: str) -> str:
    """Return a command in one line that a message can hold."""
    line = " ".join(command.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
