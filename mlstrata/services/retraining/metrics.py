"""What Prometheus reads of the learning process: counted in the journal, so a restart changes no number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from mlstrata.environments.spec.retrain import RetrainSpec
from mlstrata.services.retraining import names, policy
from mlstrata.services.retraining.journal import Journal
from mlstrata.services.retraining.trigger import Outcome, State


class LearningMetrics:
    """The journal in figures."""

    def __init__(self, journal: Journal, envelopes: Callable[[], dict[str, RetrainSpec]]) -> None:
        self._journal, self._envelopes = journal, envelopes

    def collect(self) -> Iterator[Metric]:
        """Give the families with their present values."""
        stopped = GaugeMetricFamily(names.STOPPED, "1: it stopped itself.", labels=("system",))
        failed = GaugeMetricFamily(
            names.UNRELEASED, "1: the newest training's model was not released.", labels=("system", "outcome")
        )
        ended = CounterMetricFamily(names.TRAININGS, "Trainings that ended, by how.", labels=("system", "outcome"))
        waiting = GaugeMetricFamily(names.WAITING, "Causes that started nothing yet.", labels=("system",))
        rolling = GaugeMetricFamily(names.ROLLING, "When the rollout under way began.", labels=("system",))
        for system, envelope in self._envelopes().items():
            past = self._journal.trainings(system)
            stopped.add_metric((system,), float(policy.has_stopped(envelope, past)))
            waiting.add_metric((system,), len(self._journal.waiting(system)))
            for outcome, number in Counter(one.outcome for one in past if one.outcome).items():
                ended.add_metric((system, outcome), number)
            last = past[-1] if past else None
            if last and last.outcome and last.outcome is not Outcome.RELEASED:
                failed.add_metric((system, last.outcome), 1)
            if last and last.state is State.ROLLING:
                rolling.add_metric((system,), last.rolled or last.started)
        yield from (stopped, failed, ended, waiting, rolling)


def exposition(journal: Journal, envelopes: Callable[[], dict[str, RetrainSpec]]) -> bytes:
    """Write the metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(LearningMetrics(journal, envelopes))
    text: bytes = generate_latest(registry)
    return text
