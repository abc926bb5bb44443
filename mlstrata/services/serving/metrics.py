"""What Prometheus learns of the predictions.

A module of its own: MLServer reloads the module of the runtime, and a metric may be registered only once.
"""

from __future__ import annotations

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

# Parts and multiples of the promised latency: fine below it, and the promise itself is a bucket's end.
_SHARES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0, 10.0)

REQUESTS = Counter("mlstrata_predict_requests", "Requests for predictions.", ["system", "version", "code"])
INSTANCES = Counter("mlstrata_predict_instances", "Instances predicted.", ["system", "version"])
IMPLAUSIBLE_COUNT = Counter(
    "mlstrata_predict_implausible", "Requests whose predictions were withheld.", ["system", "version", "reason"]
)
REFUSED = Counter(
    "mlstrata_predict_refused", "Requests that were not computed since more came than could be.", ["system", "reason"]
)
WAITING = Gauge("mlstrata_predict_waiting", "Requests that wait for their turn.", ["system"])
FALLBACKS = Counter(
    "mlstrata_onnx_fallbacks", "Loads of a version whose ONNX form could not be computed here.", ["version"]
)
DROPPED = Counter("mlstrata_observer_dropped", "What an observer of predictions missed.", ["system", "observer"])
RECORDED = Counter("mlstrata_predict_recorded", "Requests of which a record is on disk.", ["system"])
PENDING = Gauge("mlstrata_spill_pending", "Records that the recorder has not committed yet.", ["system"])
SHIPPED = Gauge("mlstrata_spill_shipped", "Records, or failed attempts, since the start.", ["system", "what"])
DAMAGED = Gauge("mlstrata_spill_damaged", "Records that the disk changed before they were sent.", ["system"])
FLAGGED = Counter("mlstrata_predict_flagged", "Instances of which something was noticed.", ["system", "flag"])
HANDED = Counter("mlstrata_predict_fallback", "Instances that the model does not answer.", ["system", "to", "reason"])
EXPLAINED = Counter("mlstrata_predict_explained", "Instances with an explanation.", ["system", "method"])
LOADED = Gauge("mlstrata_version_loaded", "1 while the version is in memory.", ["system", "version"])


@cache
def latency(sla_p99_s: float) -> Histogram:
    """Return the histogram of latencies, in seconds, with a bucket that ends at the promised one."""
    buckets = [round(share * sla_p99_s, 6) for share in _SHARES]
    return Histogram(
        "mlstrata_predict_seconds",
        "Seconds from a request's last byte to its answer.",
        ["system", "version"],
        buckets=buckets,
    )
