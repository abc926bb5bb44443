"""Several processes of one system: which of them is asked, and when one is left out."""

from __future__ import annotations

from typing import Any

from mlstrata.services.serving.settings import READY_PATH

_EVERY = "1s"
_PATIENCE = "2s"
# A process that loads a model answers late now and then; one that is gone refuses, which a request notices itself.
_MISSED = 2
_FAILURES = 5
_LEFT_OUT = "5s"


def balancing() -> dict[str, Any]:
    """Return what a cluster of several processes has more than a cluster of one.

    With one there is none to go to instead, so it is asked however it seems to be.
    """
    return {
        # In turn. Not whoever has least to do: that is the one that has just died, until somebody notices.
        "lb_policy": "ROUND_ROBIN",
        "health_checks": [
            {
                "timeout": _PATIENCE,
                "interval": _EVERY,
                # Also while nobody asks: the first request must not find out.
                "no_traffic_interval": _EVERY,
                "no_traffic_healthy_interval": _EVERY,
                "unhealthy_threshold": _MISSED,
                "healthy_threshold": 1,
                "http_health_check": {"host": "gateway", "path": READY_PATH},
            }
        ],
        "outlier_detection": {
            "interval": _EVERY,
            "base_ejection_time": _LEFT_OUT,
            "max_ejection_time": "60s",
            # A process may say that it is well and fail every request all the same.
            "successful_active_health_check_uneject_host": False,
            # Half of them go on, whatever a bad request makes all of them answer.
            "max_ejection_percent": 50,
            # What it answers, and whether it can be reached, are told apart.
            "split_external_local_origin_errors": True,
            "consecutive_5xx": _FAILURES,
            "consecutive_local_origin_failure": _FAILURES,
            # Statistics over many hosts mean nothing with a few.
            "enforcing_success_rate": 0,
            "enforcing_local_origin_success_rate": 0,
        },
        # Only if none seems well all are asked: a wrong check must not be what takes a system down.
        "common_lb_config": {
            "healthy_panic_threshold": {"value": 1.0},
            # What was found out counts at once: gathering changes for a second only helps where hosts are many.
            "update_merge_window": "0s",
        },
    }


def elsewhere() -> dict[str, Any]:
    """Return what the retries of a route to several processes have more: not to the one that just failed."""
    return {
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {
                    "@type": (
                        "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                    )
                },
            }
        ],
        "host_selection_retry_max_attempts": 5,
    }
