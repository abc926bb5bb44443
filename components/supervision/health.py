"""Asks services whether they are healthy."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlstrata.components.supervision.client import SupervisorClient
from mlstrata.components.supervision.files import read_json, tail
from mlstrata.components.supervision.values import SupervisionError, plain

# A process that hangs is found by it, and nothing else: on a busy machine one that is well answers in seconds.
_ANSWER_SECONDS = 30.0
_RESTARTS = 5  # more than the supervisor itself tries (startretries), so that its own verdict comes first


@dataclass(frozen=True)
class Check:
    """How to ask one service: an HTTP address on the loopback interface and the status code that means healthy.

    For HTTPS, `authority` is the file of who signed its certificate.
    """

    service: str
    url: str
    expect: int = 200
    authority: str | None = None

    @classmethod
    def all_of(cls, checks: Mapping[str, Mapping[str, Any]]) -> list[Check]:
        """Read checks from resource properties: service name -> {url, expect}."""
        return [
            cls(name, str(check["url"]), plain(check.get("expect") or 200), check.get("authority"))
            for name, check in checks.items()
        ]

    def complaint(self) -> str | None:
        """Ask once; return None when it is healthy, else what is wrong."""
        address = urlsplit(self.url)
        connection: http.client.HTTPConnection | None = None
        try:
            connection = self._connection()
            connection.request("GET", address.path or "/")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return f"{self.url} does not answer ({error or type(error).__name__})"
        finally:
            if connection is not None:
                connection.close()
        return None if status == self.expect else f"{self.url} answers {status}, not {self.expect}"

    def _connection(self) -> http.client.HTTPConnection:
        address = urlsplit(self.url)
        host = address.hostname or ""
        if address.scheme != "https":
            return http.client.HTTPConnection(host, address.port, timeout=_ANSWER_SECONDS)
        context = ssl.create_default_context(cafile=self.authority)
        return http.client.HTTPSConnection(host, address.port, timeout=_ANSWER_SECONDS, context=context)

    def settled(self, client: SupervisorClient, grace: float) -> str | None:
        """Ask; one that was started less than `grace` seconds ago is asked again until it is that old."""
        while True:
            complaint = self.complaint()
            if complaint is None:
                return None
            try:
                info = client.settled(self.service, grace)
            except SupervisionError:
                return complaint
            if info is None or info.state != "RUNNING" or info.seconds >= grace:
                return complaint
            time.sleep(0.2)


def wait(check: Check, home: Path, client: SupervisorClient, seconds: float) -> float:
    """Wait until a service is healthy.

    Returns:
        The seconds from its start until then.

    Raises:
        SupervisionError: It gave up, or is not healthy after `seconds`; with its last log lines.
    """
    began = time.time()
    deadline = time.monotonic() + seconds
    complaint = check.complaint()
    looked = 0.0
    seen: set[int] = set()
    while complaint is not None:
        now = time.monotonic()
        if now - looked > 1.0:
            looked = now
            info = client.info(check.service)
            if info is None or info.state in {"FATAL", "STOPPED"}:
                state = info.state.lower() if info else "unknown to the supervisor"
                raise SupervisionError(_report(check, home, f"gave up ({state}) after {time.time() - began:.0f} s"))
            # One that dies later than the supervisor's own patience is started again for ever.
            seen |= {info.pid} - {0}
            if len(seen) > _RESTARTS:
                raise SupervisionError(_report(check, home, f"keeps ending: started {len(seen)} times"))
        if now >= deadline:
            raise SupervisionError(_report(check, home, f"is not healthy after {seconds:.0f} s: {complaint}"))
        time.sleep(0.1)
        complaint = check.complaint()
    stamp = read_json(home / "run" / f"{check.service}.stamp")
    return max(0.0, time.time() - float(stamp.get("started") or began))


def _report(check: Check, home: Path, what: str) -> str:
    log = home / "logs" / f"{check.service}.log"
    return f"{check.service} {what}; the last lines of {log}:\n{tail(log)}"
