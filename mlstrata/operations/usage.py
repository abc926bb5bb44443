"""Requests, errors and latency by system, consumer and version."""

from __future__ import annotations

from datetime import datetime

from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.services.gateway.usage import Usage, read_usage

__all__ = ["Usage", "usage"]


def usage(deployment: Deployment, since: datetime | None = None) -> list[Usage]:
    """Count the gateway's access log and its archives, from `since` on.

    Raises:
        UsageError: the gateway has no log yet.
        Failed: an archive is damaged.
    """
    from mlstrata.services.gateway.logfiles import LogDamagedError, lines
    from mlstrata.services.gateway.names import ACCESS_LOG

    deployment.target.here("usage")
    name, path = deployment.name, deployment.home / ACCESS_LOG
    try:
        return list(read_usage(lines(path, since), since))
    except FileNotFoundError:
        raise UsageError(f"{name} has no gateway yet ({path} is not there): `mlstrata up {name}` first") from None
    except LogDamagedError as error:
        raise Failed(f"{error}; put it back from a copy, or move it elsewhere to count without it") from None
