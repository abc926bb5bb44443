"""What Prometheus reads of the catalog."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, generate_latest


class Requests:
    """Counts what was asked."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._asked = Counter(
            "mlstrata_catalog_requests",
            "Requests to the catalog, by what was asked and HTTP status.",
            ("what", "status"),
            registry=self._registry,
        )

    def count(self, what: str, status: int) -> None:
        """Count a request for `pages`, `api` or `events`."""
        self._asked.labels(what, str(status)).inc()

    def exposition(self) -> bytes:
        """Write the counts in Prometheus' text format."""
        text: bytes = generate_latest(self._registry)
        return text
