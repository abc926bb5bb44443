"""What callers of an outgoing version are told: RFC 9745 `Deprecation`, RFC 8594 `Sunset`, `Link` to its successor."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any

from mlstrata.services.gateway.settings import GatewaySystem


def deprecation_headers(system: GatewaySystem, api: str) -> list[dict[str, Any]]:
    """Return the headers for answers of version `api` of the interface of `system`; none while it is current."""
    outgoing = {one.api: one for one in system.deprecations}
    if (found := outgoing.get(api)) is None:
        return []
    headers = {"deprecation": f"@{int(_midnight(found.since).timestamp())}"}
    if found.sunset is not None:
        headers["sunset"] = format_datetime(_midnight(found.sunset), usegmt=True)
    if later := sorted(
        (one for one in system.api_versions if one not in outgoing and _number(one) > _number(api)), key=_number
    ):
        headers["link"] = f'</systems/{system.name}/{later[-1]}/predict>; rel="successor-version"'
    return [
        {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        for key, value in headers.items()
    ]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _number(api: str) -> int:
    return int(api.removeprefix("v"))
