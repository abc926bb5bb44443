"""Figures over time, as Prometheus kept them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

from mlstrata.services.alerts.prometheus import TARGETS_FOLDER

_SECONDS = 4.0
POINTS = 60
"""Of a course: as many as a small plot can show."""

Points = Sequence[tuple[float, float]]


def prometheus(home: Path) -> str | None:
    """Return the address of the environment's Prometheus; None where it has none.

    It is read where Prometheus finds itself: the catalog's settings do not have it, as alerts that are switched on or
    off restart nothing else.

    Raises:
        ValueError: The file is not as `up` writes it.
    """
    path = home / "config/prometheus" / TARGETS_FOLDER / "prometheus.json"
    try:
        return f"http://{json.loads(path.read_bytes())[0]['targets'][0]}"
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{path.relative_to(home)} is not as `up` writes it") from error


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
