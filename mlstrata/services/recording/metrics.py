"""What Prometheus reads of the recorder."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from mlstrata.services.alerts.rules import MISSING, RECORDED
from mlstrata.services.recording.store import Queue, Store

_FRESH_SECONDS = 15.0
"""How long what takes counting is shown again: Prometheus asks every few seconds."""


class Seen:
    """What the service has been sent since it started. Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def add(self, what: str, count: int = 1) -> None:
        """Count more of one thing."""
        with self._lock:
            self._counts[what] = self._counts.get(what, 0) + count

    def counts(self) -> Mapping[str, int]:
        """Return all counts."""
        with self._lock:
            return dict(self._counts)


class RecorderMetrics:
    """What is recorded, what waits and what is missing."""

    def __init__(self, store: Store, seen: Seen, missing: Callable[[], Mapping[str, int]] | None) -> None:
        self._store, self._seen, self._missing = store, seen, missing
        self._counted: tuple[float, dict[str, int], dict[tuple[Queue, str], int]] | None = None

    def collect(self) -> Iterator[Metric]:
        """Give the families with their present values."""
        yield from self._records()
        if self._missing is not None:
            missing = GaugeMetricFamily(
                MISSING, "Answers of the last day, over 30 s old, that are not recorded.", labels=("system",)
            )
            for system, count in self._missing().items():
                missing.add_metric((system,), count)
            yield missing
        joined, waiting = self._slow()
        feedback = GaugeMetricFamily(
            "mlstrata_recorder_feedback_rows",
            "Rows with feedback; of system `` their prediction has not come.",
            labels=("system",),
        )
        for system, count in joined.items():
            feedback.add_metric((system,), count)
        queues = GaugeMetricFamily(
            "mlstrata_recorder_queue_rows", "Rows that wait for a person.", labels=("queue", "system")
        )
        for (queue, system), count in waiting.items():
            queues.add_metric((queue, system), count)
        yield from (feedback, queues)
        sent = CounterMetricFamily(
            "mlstrata_recorder_received", "What was sent since the start, by what became of it.", labels=("what",)
        )
        for what, count in self._seen.counts().items():
            sent.add_metric((what,), count)
        yield sent
        yield GaugeMetricFamily(
            "mlstrata_recorder_store_bytes", "What the store takes of the disk.", self._store.size()
        )

    def _records(self) -> Iterator[Metric]:
        labels = ("system", "version")
        recorded = CounterMetricFamily(RECORDED, "Records, ever.", labels=labels)
        removed = CounterMetricFamily("mlstrata_recorder_removed", "Of these, what is gone again.", labels=labels)
        newest = GaugeMetricFamily(
            "mlstrata_recorder_newest_timestamp_seconds", "When the newest was predicted.", labels=labels
        )
        for one in self._store.counts():
            recorded.add_metric((one.system, one.version), one.recorded)
            removed.add_metric((one.system, one.version), one.removed)
            newest.add_metric((one.system, one.version), one.newest)
        yield from (recorded, removed, newest)

    def _slow(self) -> tuple[dict[str, int], dict[tuple[Queue, str], int]]:
        now = time.monotonic()
        if self._counted is None or self._counted[0] + _FRESH_SECONDS < now:
            self._counted = (now, self._store.joined(), self._store.lengths())
        return self._counted[1:]


def exposition(metrics: RecorderMetrics) -> bytes:
    """Write the metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(metrics)
    text: bytes = generate_latest(registry)
    return text
