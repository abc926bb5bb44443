"""What Prometheus reads: counted in the store, so that a restart changes no number."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from mlstrata.services.alerts.rules import TRAINING_FAILED
from mlstrata.services.runner.contract import State
from mlstrata.services.runner.store import Store


class RunMetrics:
    """Runs by system and state."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        """Give the families with their present values."""
        ended = CounterMetricFamily("mlstrata_runner_runs", "Runs that have ended, by how.", labels=("system", "state"))
        waiting = GaugeMetricFamily(
            "mlstrata_runner_active_runs", "Runs queued or running.", labels=("system", "state")
        )
        when = GaugeMetricFamily(
            "mlstrata_runner_last_run_timestamp_seconds",
            "End of the last run that ended so.",
            labels=("system", "state"),
        )
        length = GaugeMetricFamily(
            "mlstrata_runner_last_run_duration_seconds",
            "Length of the last run that ended so.",
            labels=("system", "state"),
        )
        for (system, state), number in self._store.counts().items():
            (ended if state.ended else waiting).add_metric((system, state), number)
        for (system, state), (end, seconds) in self._store.last().items():
            when.add_metric((system, state), end)
            length.add_metric((system, state), seconds)
        failed = GaugeMetricFamily(
            TRAINING_FAILED, "1 when the newest run that a schedule started failed.", labels=("system",)
        )
        for system, state in self._store.scheduled().items():
            failed.add_metric((system,), float(state is State.FAILED))
        yield from (ended, waiting, when, length, failed)


def exposition(store: Store) -> bytes:
    """Write the metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(RunMetrics(store))
    text: bytes = generate_latest(registry)
    return text
