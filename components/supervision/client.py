"""Speaks to an environment's supervisord over its unix socket."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import Faults, SupervisorTransport  # type: ignore[import-untyped]

from mlstrata import waiting
from mlstrata.components.supervision.values import SupervisionError

UP = frozenset({"STARTING", "RUNNING"})
SETTLING = frozenset({"STARTING", "BACKOFF"})
_STOPPED = frozenset({"STOPPED", "EXITED", "FATAL", "UNKNOWN"})


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket, with a limit: a supervisor that hangs must not hang the run."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A supervised process: its supervisor state (RUNNING, FATAL, …), process id (0: none) and seconds alive."""

    state: str
    pid: int
    seconds: int
    note: str


class SupervisorClient:
    """One supervisord; every call opens its own connection, so threads can share a client."""

    def __init__(self, path: Path | str, seconds: float = 60.0) -> None:
        self.path = Path(path)
        self.seconds = seconds

    def _call(self, method: str, *arguments: object) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.path}")
        transport._get_connection = lambda: _Connection(str(self.path), self.seconds)
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
        try:
            function: Callable[..., Any] = getattr(proxy.supervisor, method)
            return function(*arguments)
        except (OSError, http.client.HTTPException) as error:
            raise SupervisionError(
                f"the supervisor at {self.path} does not answer ({error}); `mlstrata up` starts it again"
            ) from error
        finally:
            transport.close()

    def identity(self) -> str | None:
        """Return the name that the supervisor was started with; None when none answers."""
        try:
            return str(self._call("getIdentification"))
        except (SupervisionError, xmlrpc.client.Fault):
            return None

    def pid(self) -> int:
        """Return the supervisor's own process id."""
        return int(self._call("getPID"))

    def info(self, name: str) -> ProcessInfo | None:
        """Return a service's process, None when the supervisor does not know the service."""
        try:
            found = self._call("getProcessInfo", name)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == Faults.BAD_NAME:
                return None
            raise SupervisionError(f"the supervisor refused to describe {name}: {fault.faultString}") from fault
        running = max(0, int(found["now"]) - int(found["start"])) if found["statename"] == "RUNNING" else 0
        return ProcessInfo(found["statename"], int(found["pid"]), running, str(found["spawnerr"] or ""))

    def settled(self, name: str, seconds: float) -> ProcessInfo | None:
        """Return a service's process once it is neither starting nor backing off, or as it is after `seconds`."""
        info: ProcessInfo | None = None

        def is_settled() -> bool:
            nonlocal info
            info = self.info(name)
            return info is None or info.state not in SETTLING

        waiting.until(is_settled, seconds)
        return info

    def add(self, name: str) -> None:
        """Take up the service's program file and start it; returns without waiting for it."""
        try:
            self._call("reloadConfig")
            self._call("addProcessGroup", name)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != Faults.ALREADY_ADDED:
                raise SupervisionError(f"the supervisor could not take up {name}: {fault.faultString}") from fault

    def remove(self, name: str, seconds: float) -> None:
        """Stop a service, wait at most `seconds` for its end and forget it; one that is not known is fine."""
        self._stop(name, seconds)
        self._tolerate("removeProcessGroup", name)

    def _stop(self, name: str, seconds: float) -> None:
        self._tolerate("stopProcessGroup", name, False)
        info: ProcessInfo | None = None

        def is_stopped() -> bool:
            nonlocal info
            info = self.info(name)
            return info is None or info.state in _STOPPED

        if not waiting.until(is_stopped, seconds, 0.05) and info:
            raise SupervisionError(f"{name} (process {info.pid}) did not stop within {seconds:.0f} s")

    def restart(self, name: str, seconds: float) -> None:
        """Stop a service, wait at most `seconds` for its end, and start it; returns without waiting for it."""
        self._stop(name, seconds)
        self._tolerate("startProcessGroup", name, False)

    def signal(self, name: str, signal_name: str) -> bool:
        """Send a signal to a service; False when it does not run."""
        try:
            self._call("signalProcessGroup", name, signal_name)
        except xmlrpc.client.Fault:
            return False
        return True

    def shutdown(self) -> None:
        """Ask the supervisor to stop its services and itself; returns at once."""
        self._call("shutdown")

    def _tolerate(self, method: str, *arguments: object) -> None:
        try:
            self._call(method, *arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode not in {Faults.BAD_NAME, Faults.NOT_RUNNING, Faults.STILL_RUNNING}:
                raise SupervisionError(
                    f"the supervisor refused {method} {arguments[0]}: {fault.faultString}"
                ) from fault
