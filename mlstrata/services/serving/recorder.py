"""The recorder's part in a prediction process: a record of each request is on disk before its answer goes out.

Nobody who asks can switch it off. What is not to be stored is left out before anything is written. A record that cannot
be kept is counted; where the system's file requires one, its answer is not given out.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from mlstrata.services.recording import shipper
from mlstrata.services.recording.record import Instance, Record
from mlstrata.services.recording.spill import Spill, SpillError
from mlstrata.services.recording.subject import keyed_hash, subject_hash
from mlstrata.services.serving.metrics import DAMAGED, DROPPED, PENDING, RECORDED, SHIPPED
from mlstrata.services.serving.observing import UNRECORDED, RecordingSettings
from mlstrata.services.serving.prediction import Asked, Prediction, Row
from mlstrata.services.serving.problem import OverloadProblem, ProblemError

OBSERVER = "recorder"
_NO_VERSION = "none"
_NO_REQUESTS_OF_ITS_OWN = {UNRECORDED, "unknown_system"}
_SYNC_S, _AGAIN_S, _HANDOVER_S = 5.0, 1.0, 5.0
_log = logging.getLogger(__name__)


class Recorder:
    """Records the requests of one process. For one event loop."""

    def __init__(self, system: str, settings: RecordingSettings) -> None:
        self._system, self._settings = system, settings
        self._minimiser = Minimiser(settings)
        self._spill: Spill | None = None
        self._shipper: shipper.Shipper | None = None
        self._tried_at = float("-inf")
        DROPPED.labels(system, OBSERVER)  # that none is missing is worth telling, too
        RECORDED.labels(system)
        PENDING.labels(system).set_function(lambda: self._spill.pending if self._spill else 0)
        DAMAGED.labels(system).set_function(lambda: self._spill.damaged if self._spill else 0)
        for name in ("sent", "refused", "failures"):
            SHIPPED.labels(system, name).set_function(partial(self._shipped, name))

    def start(self) -> None:
        """Open the spill and begin to send what is in it; what fails is tried again by the requests that need it."""
        with suppress(SpillError):
            self._opened(_HANDOVER_S)

    def stop(self, within: float) -> None:
        """Send what is left, for so many seconds at most; what is not sent is sent by the next process."""
        if self._shipper is not None and not self._shipper.stop(within):
            _log.warning(
                "%d records of %s wait for the recorder", self._spill.pending if self._spill else 0, self._system
            )

    async def answered(self, asked: Asked, prediction: Prediction) -> None:
        """Record an answer.

        Raises:
            ProblemError: 503, where the answer must not be given out without a record.
        """
        try:
            await self._keep(asked, prediction.model.version, 200, "", prediction.rows)
        except Exception as error:
            self._dropped(asked, error)
            if self._settings.required:
                problem = ProblemError(
                    503, UNRECORDED, "the prediction cannot be recorded now, so it is not given out; try again shortly"
                )
                problem.version = prediction.model.version
                raise problem from error

    async def refused(self, asked: Asked, problem: ProblemError) -> None:
        """Record a request that got no prediction, unless only too much was asked, or recording is what failed."""
        if isinstance(problem, OverloadProblem) or problem.code in _NO_REQUESTS_OF_ITS_OWN:
            return
        try:
            await self._keep(asked, problem.version or _NO_VERSION, problem.status, problem.code, problem.rows)
        except Exception as error:  # noqa: BLE001 - it is answered as it would have been
            self._dropped(asked, error)

    async def _keep(self, asked: Asked, version: str, status: int, problem: str, rows: Sequence[Row]) -> None:
        record = Record(
            id=asked.id,
            at=asked.at,
            system=self._system,
            version=version,
            status=status,
            ms=round(asked.ms, 3),
            api=asked.api,
            consumer=asked.consumer,
            subject=self._minimiser.subject(asked.subject),
            shadow=asked.shadow,
            problem=problem,
            instances=tuple(self._minimiser.instance(row) for row in rows),
        )
        # Beside the event loop: what a process left may be much to read.
        spill = self._spill if self._spill is not None else await asyncio.to_thread(self._opened, 0.0)
        written = spill.append(record.to_bytes())
        if not written.done():
            await asyncio.wait_for(asyncio.wrap_future(written), _SYNC_S)
        written.result()
        RECORDED.labels(self._system).inc()

    def _opened(self, wait_s: float) -> Spill:
        if self._spill is None:
            if time.monotonic() - self._tried_at < _AGAIN_S:
                raise SpillError(f"{self._settings.spill} could not be opened a moment ago")
            self._tried_at = time.monotonic()
            settings = self._settings
            try:
                self._spill = Spill(settings.spill, durability=settings.durability, wait_s=wait_s)
            except SpillError as error:
                _log.error("nothing is recorded: %s", error)
                raise
            self._shipper = shipper.Shipper(self._spill, shipper.Recorder(settings.recorder, settings.token_file))
            self._shipper.start()
        return self._spill

    def _dropped(self, asked: Asked, error: Exception) -> None:
        DROPPED.labels(self._system, OBSERVER).inc()
        _log.error("request %s is not recorded: %s: %s", asked.id, type(error).__name__, error)

    def _shipped(self, name: str) -> float:
        return float(getattr(self._shipper.shipped, name)) if self._shipper else 0.0


class Minimiser:
    """Leaves out and hashes what a file says is not to be stored."""

    def __init__(self, settings: RecordingSettings) -> None:
        self._exclude, self._pseudonymise = frozenset(settings.exclude), frozenset(settings.pseudonymise)
        self._hidden = self._exclude | self._pseudonymise
        self._key_file, self._key = settings.key_file, ""

    def subject(self, named: str) -> str:
        """Return how the person concerned is known; empty where none is named.

        Raises:
            OSError: The environment's key cannot be read.
            ValueError: It is empty.
        """
        return subject_hash(self._read_key(), named) if named else ""

    def instance(self, row: Row) -> Instance:
        """Return a row as it is stored.

        Raises:
            OSError: The environment's key is needed and cannot be read.
            ValueError: It is empty.
        """
        why = row.explanation.contributions if row.explanation else None
        return Instance(
            inputs=self.inputs(row.inputs),
            output=dict(row.output) if row.output is not None else None,
            source=row.source,
            # What a column adds would tell its value.
            explanation=None if why is None else {name: one for name, one in why.items() if name not in self._hidden},
            flags=row.flags,
        )

    def inputs(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs that are stored.

        Raises:
            OSError: The environment's key is needed and cannot be read.
            ValueError: It is empty.
        """
        return {
            name: self._hashed(name, cell) if name in self._pseudonymise and cell is not None else cell
            for name, cell in given.items()
            if name not in self._exclude
        }

    def _hashed(self, name: str, cell: object) -> str:
        return keyed_hash(self._read_key(), f"column {name}", str(cell))

    def _read_key(self) -> str:
        if not self._key:
            self._key = Path(self._key_file).read_text(encoding="utf-8").strip()
        return self._key
