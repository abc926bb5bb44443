"""Figures over time, as Prometheus kept them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

_SECONDS = 4.0
POINTS = 60
"""Of a course: as many as a small plot can show."""

Points = Sequence[tuple[float, float]]


def by_label(url: str, metric: str, system: str, label: str, *, now: float, window: float) -> Mapping[str, Points]:
    """Return the course of a metric of a system, by one of its labels; of several versions the largest.

    Args:
        url: Address of Prometheus.
        metric: The metric.
        system: The system.
        label: The label.
        now: Where the course ends, in seconds since 1970.
        window: How far it goes back, s.

    Raises:
        ValueError: Prometheus does not answer, or not with a course; the message says so.
    """
    import httpx

    query = f"max by ({label}) ({metric}{{system={json.dumps(system)}}})"
    asked = {"query": query, "start": f"{now - window}", "end": f"{now}", "step": f"{max(1.0, window / POINTS):.0f}"}
    try:
        answer = httpx.get(f"{url}/api/v1/query_range", params=asked, timeout=_SECONDS, trust_env=False)
    except httpx.HTTPError as error:
        raise ValueError(f"Prometheus does not answer ({type(error).__name__})") from error
    if answer.status_code != HTTPStatus.OK:
        raise ValueError(f"Prometheus answers with {answer.status_code}")
    try:
        return {
            str(one["metric"].get(label, "")): [(float(at), float(value)) for at, value in one["values"]]
            for one in answer.json()["data"]["result"]
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("Prometheus answers with no course") from error
