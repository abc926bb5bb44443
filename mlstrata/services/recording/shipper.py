"""The way from a spill to the recorder: a batch at a time, and none is forgotten before the recorder has committed it.

Sending again is harmless, as a record's key is its request's id and its version; so whatever is not known to have
arrived is sent again.
"""

from __future__ import annotations

import http.client
import logging
import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mlstrata.services.recording.spill import Batch, Spill, SpillError
from mlstrata.services.recording.spill_folder import set_aside

PATH = "/records"
BATCH, BATCH_BYTES = 500, 2**20
"""Records, and about so many bytes, that are sent at once."""
_OK, _TOO_LARGE = 200, 413
_NEVER_TAKEN = {400, _TOO_LARGE, 422}
_FIRST_S, _LONGEST_S = 0.1, 10.0
_GATHER_S, _LOOK_S = 0.05, 1.0
_LONGEST_ANSWER = 4096
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recorder:
    """Where records go.

    Attributes:
        url: Address of the recorder, `http://HOST:PORT`.
        token_file: Its bearer token, read at each attempt.
        seconds: How long an answer may take.
    """

    url: str
    token_file: Path
    seconds: float = 30.0


@dataclass
class Shipped:
    """What became of records; read by the metrics.

    Attributes:
        sent: Records that the recorder has committed.
        refused: Records that it will never take; they are kept beside the spill.
        failures: Attempts that failed.
    """

    sent: int = 0
    refused: int = 0
    failures: int = 0


class Shipper:
    """Sends what a spill holds, in a thread of its own, until it is stopped."""

    def __init__(self, spill: Spill, recorder: Recorder, sleep: Callable[[float], object] | None = None) -> None:
        """Begin nothing yet.

        Args:
            spill: What is sent; nobody else reads or trims it.
            recorder: Where to.
            sleep: Waits after a failure; a test puts its own here.
        """
        self._spill, self._recorder = spill, recorder
        self._stopping = threading.Event()
        self._sleep = sleep or self._stopping.wait
        self._until = float("inf")
        self._connection: http.client.HTTPConnection | None = None
        self._largest = BATCH
        self._thread = threading.Thread(target=self._run, name="spill-shipper", daemon=True)
        self.shipped = Shipped()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, within: float) -> bool:
        """Send what is left, for so many seconds at most; return whether the recorder has everything.

        What it has not stays in the spill, for the next process.
        """
        self._until = time.monotonic() + within
        self._stopping.set()
        self._thread.join(within + 0.1)
        if self._thread.is_alive() and (connection := self._connection) is not None and connection.sock is not None:
            # It waits for an answer that does not come; nothing is lost by not waiting.
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
            self._thread.join(1.0)
        return self._spill.pending == 0

    def _run(self) -> None:
        wait = _FIRST_S
        while True:
            if self._stopping.is_set() and (time.monotonic() >= self._until or not self._spill.pending):
                break
            try:
                done = self._round()
            except (SpillError, OSError, http.client.HTTPException, ValueError) as error:
                self.shipped.failures += 1
                self._hang_up()
                _log.warning("records of %s are not sent yet: %s", self._spill.folder, error)
                done = False
            if done:
                wait = _FIRST_S
                continue
            pause = wait * random.uniform(0.5, 1.0)  # noqa: S311 - so that not all processes come back at once
            if self._stopping.is_set():
                # Not `sleep`, which is over at once: what is asked again and again is the recorder.
                time.sleep(min(_FIRST_S, max(0.0, self._until - time.monotonic())))
            else:
                self._sleep(pause)
            wait = min(_LONGEST_S, 2 * wait)
        self._hang_up()

    def _round(self) -> bool:
        """Send a batch, or wait for one; return whether the recorder is well."""
        if not self._stopping.is_set():
            if not self._spill.wait(_LOOK_S):
                self._spill.trim(self._spill.committed)
                return True
            # A batch costs the recorder little more than a record.
            self._stopping.wait(_GATHER_S)
        batch = self._spill.read(self._largest, BATCH_BYTES)
        if not batch.payloads:
            self._spill.trim(batch.upto)
            return True
        status, said = self._post(batch)
        if status == _OK:
            self._spill.trim(batch.upto)
            self.shipped.sent += len(batch.payloads)
            self._largest = min(BATCH, 2 * self._largest)
            return True
        if status in _NEVER_TAKEN and len(batch.payloads) > 1:
            # One of them is the reason; the others are not to wait for it.
            self._largest = len(batch.payloads) // 2
            return True
        if status in _NEVER_TAKEN:
            self._set_aside(batch, status, said)
            return True
        self.shipped.failures += 1
        _log.warning("the recorder answers %d: %s", status, said)
        return False

    def _set_aside(self, batch: Batch, status: int, said: str) -> None:
        file = set_aside(self._spill.folder, batch.payloads)
        self._spill.trim(batch.upto)
        self.shipped.refused += len(batch.payloads)
        _log.error("the recorder does not take a record (%d: %s); it is kept in %s", status, said, file)

    def _post(self, batch: Batch) -> tuple[int, str]:
        token = self._recorder.token_file.read_text(encoding="utf-8").strip()
        headers = {"authorization": f"Bearer {token}", "content-type": "application/x-ndjson"}
        connection = self._connected()
        connection.request("POST", PATH, b"".join(one + b"\n" for one in batch.payloads), headers)
        answer = connection.getresponse()
        said = answer.read(_LONGEST_ANSWER).decode(errors="replace").strip()
        if answer.read(1) or answer.will_close:
            self._hang_up()
        return answer.status, said

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            parts = urlsplit(self._recorder.url)
            if parts.scheme != "http" or not parts.hostname:
                raise ValueError(f"recorder: got {self._recorder.url!r}; allowed http://HOST:PORT")
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=self._recorder.seconds)
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
