"""What callers of an outgoing version are told: RFC 9745 `Deprecation`, RFC 8594 `Sunset`, `Link` to its successor."""

from __future__ import annotations

from collections.abc import Container
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any

from mlstrata.services.gateway.settings import GatewaySystem


def deprecation_headers(system: GatewaySystem, api: str) -> list[dict[str, Any]]:
    """Return the headers for answers of version `api` of the interface of `system`; none while both are to stay."""
    outgoing = {one.api: one for one in system.deprecations}
    headers: dict[str, str] = {}
    found = outgoing.get(api)
    if found is not None:
        headers["deprecation"] = f"@{int(_midnight(found.since).timestamp())}"
    # Whichever ends first: the version, or the whole system.
    ends = [day for day in (found.sunset if found else None, system.sunset) if day is not None]
    if ends:
        headers["sunset"] = format_datetime(_midnight(min(ends)), usegmt=True)
    if follows := _successor(system, api if found else None, outgoing):
        headers["link"] = f'<{follows}>; rel="successor-version"'
    return [
        {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        for key, value in headers.items()
    ]


def _successor(system: GatewaySystem, api: str | None, outgoing: Container[str]) -> str:
    """Return where callers go: to what takes over a system that ends, else to a later version of the interface."""
    if system.successor or api is None:
        return system.successor
    later = sorted(
        (one for one in system.api_versions if one not in outgoing and _number(one) > _number(api)), key=_number
    )
    return f"/systems/{system.name}/{later[-1]}/predict" if later else ""


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _number(api: str) -> int:
    return int(api.removeprefix("v"))
