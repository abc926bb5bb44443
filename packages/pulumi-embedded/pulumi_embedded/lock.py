"""One run at a time: Pulumi's lock file for the CLI to see, and a kernel lock that dies with its owner."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import getpass
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pulumi_embedded.backend import Backend, replace_file, write_error
from pulumi_embedded.errors import StackLocked
from pulumi_embedded.state import now


@contextlib.contextmanager
def hold(backend: Backend, project: str, stack: str) -> Iterator[list[str]]:
    """Hold the stack's lock; yields a sentence for each dead owner's lock that was removed.

    Raises:
        StackLocked: another live run, or one of another machine, holds it.
        StateWriteFailed: the lock file cannot be written.
    """
    folder = backend.locks(project, stack)
    own = folder / f"{uuid.uuid4()}.json"
    with _kernel_lock(backend, project, stack):
        removed = _clear(folder, f"{project}/{stack}")
        owner = {"pid": os.getpid(), "username": _user(), "hostname": socket.gethostname(), "timestamp": now()}
        replace_file(own, json.dumps(owner))
        try:
            others = [path for path in folder.glob("*.json") if path != own]
            if others:  # the CLI took its lock between our look and our write
                raise _locked(f"{project}/{stack}", others[0])
            yield removed
        finally:
            own.unlink(missing_ok=True)


@contextlib.contextmanager
def _kernel_lock(backend: Backend, project: str, stack: str) -> Iterator[None]:
    """Lock a file of our own: the CLI takes every file of its lock folder for a lock, so it lies elsewhere."""
    path = backend.home / "engine" / f"{project}.{stack}.flock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise write_error(path, error) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = sorted(backend.locks(project, stack).glob("*.json"))
            raise _locked(f"{project}/{stack}", found[0] if found else None) from None
        yield
    finally:
        os.close(descriptor)


def _clear(folder: Path, stack: str) -> list[str]:
    """Remove the locks of dead owners of this machine; we hold the kernel lock, so no live engine owns one."""
    removed = []
    for path in sorted(folder.glob("*.json")):
        owner = _owner(path)
        if owner.get("hostname") != socket.gethostname() or _alive(owner):
            raise _locked(stack, path)
        path.unlink(missing_ok=True)
        removed.append(f"removed the lock of process {owner.get('pid')}, which is dead")
    return removed


def _owner(path: Path) -> dict[str, Any]:
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _locked(stack: str, path: Path | None) -> StackLocked:
    owner = _owner(path) if path is not None else {}
    pid = owner.get("pid")
    return StackLocked(
        stack,
        pid if isinstance(pid, int) else 0,
        str(owner.get("hostname", "")),
        str(owner.get("timestamp", "")),
        path,
    )


def _alive(owner: dict[str, Any]) -> bool:
    """Whether the very process that wrote the lock still runs (its number may have been given to another)."""
    pid = owner.get("pid")
    if not isinstance(pid, int) or pid <= 0:
        return True  # unreadable: be careful
    if pid == os.getpid():
        return False  # we hold the kernel lock and wrote none yet: an earlier process had our number
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = _stat(pid)
    # One that was killed keeps its number until its parent asks for it, which not every parent does.
    if stat[:1] in (["Z"], ["X"]):
        return False
    started, written = _started(stat), _written(owner)
    return started is None or written is None or started <= written + 1


def _stat(pid: int) -> list[str]:
    """Return what /proc tells of a process, from its state on (proc(5)); nothing where it tells none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return []


def _started(stat: list[str]) -> float | None:
    """Start of a process in Unix seconds, where /proc tells."""
    try:
        uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        ticks = int(stat[19])
    except (OSError, ValueError, IndexError):
        return None
    return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")


def _written(owner: dict[str, Any]) -> float | None:
    try:
        text = str(owner["timestamp"])
        head, dot, fraction = text.rstrip("Z").partition(".")
        zone = fraction[len(fraction.rstrip("0123456789:+-")) :] if not dot else ""
        return datetime.datetime.fromisoformat(f"{head}{zone}").replace(tzinfo=datetime.UTC).timestamp() + 1
    except (KeyError, ValueError):
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
