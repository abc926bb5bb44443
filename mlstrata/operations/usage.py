"""Requests, errors and latency by system, consumer and version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.services.gateway.usage import Usage, read_usage

__all__ = ["Usage", "asked", "usage"]


def usage(deployment: Deployment, since: datetime | None = None) -> list[Usage]:
    """Count the gateway's access log and its archives, from `since` on.

    Raises:
        UsageError: the gateway has no log yet.
        Failed: an archive is damaged.
    """
    deployment.target.here("usage")
    return list(read_usage(_lines(deployment, since), since))


def asked(deployment: Deployment, system: str, since: Sequence[datetime]) -> dict[str, list[int]]:
    """Count each consumer's requests to a system since each of several moments; none where there is no gateway yet.

    Raises:
        Failed: an archive is damaged.
    """
    from mlstrata.services.gateway.usage import count_since

    try:
        return count_since(_lines(deployment, min(since)), system, since)
    except UsageError:
        return {}


def _lines(deployment: Deployment, since: datetime | None) -> Iterator[str]:
    from mlstrata.services.gateway.logfiles import LogDamagedError, lines
    from mlstrata.services.gateway.names import ACCESS_LOG

    name, path = deployment.name, deployment.home / ACCESS_LOG
    try:
        yield from lines(path, since)
    except FileNotFoundError:
        raise UsageError(f"{name} has no gateway yet ({path} is not there): `mlstrata up {name}` first") from None
    except LogDamagedError as error:
        raise Failed(f"{error}; put it back from a copy, or move it elsewhere to count without it") from None
