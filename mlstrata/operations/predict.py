"""One request through the gateway, as a consumer would send it."""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError

if TYPE_CHECKING:
    from mlstrata.environments import SystemSpec

SECONDS = 120.0


def ask(deployment: Deployment, system: SystemSpec, body: bytes, consumer: str | None = None) -> dict[str, Any]:
    """Send `body` to a system as one of its consumers and return the decoded answer.

    Raises:
        Failed: the gateway does not answer, or answers with another status than 200.
        UsageError: the system has no consumer, or the environment is not up.
    """
    import httpx

    from mlstrata.operations.tokens import mint

    local = deployment.target.here("predict")
    consumers = [one.name for one in system.serving.consumers]
    if consumer is None and not consumers:
        raise UsageError(f"{system.name} has no consumers: declare one under serving.consumers")
    url = f"{local.address('gateway')}/systems/{system.name}/v1/predict"
    token = mint(deployment, consumer or consumers[0], timedelta(minutes=5)).token
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    verify = trust(deployment)
    try:
        answer = httpx.post(url, content=body, headers=headers, timeout=SECONDS, trust_env=False, verify=verify)
    except httpx.HTTPError as error:
        raise Failed(f"{url} does not answer ({error}); `mlstrata status {deployment.name}` says why") from None
    if answer.status_code != httpx.codes.OK:
        raise Failed(f"{url} answered {answer.status_code}: {answer.text.strip()}")
    found: dict[str, Any] = answer.json()
    return found


def authority_file(deployment: Deployment) -> Path:
    """Return the file of the authority that signed the gateway's certificate."""
    from mlstrata.services.gateway.settings import CA_FILE

    return deployment.home / "config/gateway" / CA_FILE


def trust(deployment: Deployment) -> ssl.SSLContext:
    """Return what the gateway's certificate is checked against: the environment's own authority.

    Raises:
        Failed: the authority's file is not there.
    """
    path = authority_file(deployment)
    try:
        return ssl.create_default_context(cafile=str(path))
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}; `mlstrata up {deployment.name}` writes it again") from None
