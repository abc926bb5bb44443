"""`mlstrata predict`: one request through the gateway, as a consumer would send it."""

from __future__ import annotations

import json
import ssl
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.cli.console import say, say_json
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.stack_state import address

if TYPE_CHECKING:
    from mlstrata.environments import SystemSpec

SECONDS = 30.0


def predict(name: str, system: str, file: str, *, consumer: str | None, as_json: bool) -> None:
    """Send the request in `file` and show the answer; exit 1 when it is not a prediction."""
    deployment = Deployment.open(name)
    deployment.require_local("predict")
    answer = ask(deployment, find_system(deployment, system), _body(file), consumer)
    if as_json:
        say_json(answer)
    else:
        say(json.dumps(answer))


def ask(deployment: Deployment, system: SystemSpec, body: bytes, consumer: str | None = None) -> dict[str, Any]:
    """Send `body` to a system as one of its consumers and return the decoded answer.

    Raises:
        Failed: the gateway does not answer, or answers with another status than 200.
        UsageError: the system has no consumer, or the environment is not up.
    """
    import httpx

    from mlstrata.cli.token import mint_token

    consumers = [one.name for one in system.serving.consumers]
    if consumer is None and not consumers:
        raise UsageError(f"{system.name} has no consumers: declare one under serving.consumers")
    url = f"{address(deployment, 'gateway')}/systems/{system.name}/v1/predict"
    token = mint_token(deployment, consumer or consumers[0], timedelta(minutes=5))
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    try:
        answer = httpx.post(
            url, content=body, headers=headers, timeout=SECONDS, trust_env=False, verify=trust(deployment)
        )
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


def find_system(deployment: Deployment, name: str) -> SystemSpec:
    """Return the declared system `name`.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    for system in deployment.spec.systems:
        if system.name == name:
            return system
    known = ", ".join(system.name for system in deployment.spec.systems) or "none yet"
    where = deployment.workspace.environment_file(deployment.name)
    raise UsageError(f"{where}: no system '{name}'; allowed {known}")


def _body(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise UsageError(
            f"{file}: cannot read the request ({error.strerror}); name a JSON file, or - for input"
        ) from None
