"""The registry over plain HTTP: importing MLflow's own client takes longer than what is asked of it here."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError

TIMEOUT = 10.0
"""Seconds to wait for the registry."""
MISSING = "RESOURCE_DOES_NOT_EXIST"
"""MLflow's code of what it does not know."""
_REASON = 300
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Past any proxy: the registry of an environment on this machine is on its loopback address."""


class RegistryError(Exception):
    """The registry does not answer, or not as a registry does.

    Attributes:
        code: MLflow's own code of what is wrong, such as `RESOURCE_DOES_NOT_EXIST`; empty where it gave none.
    """

    def __init__(self, message: str, code: str = "") -> None:
        self.code = code
        super().__init__(message)


def ask(
    registry: str,
    access: Mapping[str, str],
    what: str,
    values: Mapping[str, object],
    *,
    method: str = "GET",
) -> dict[str, Any]:
    """Ask one thing of MLflow's REST interface.

    Args:
        registry: Its address.
        access: The header that says who asks.
        what: The endpoint, such as `runs/get`.
        values: The query of a GET, else what is in the body.
        method: The HTTP method.

    Raises:
        RegistryError: it does not answer as it should, or refuses.
    """
    address = f"{registry.rstrip('/')}/api/2.0/mlflow/{what}"
    body = None
    if method == "GET":
        address = f"{address}?{urllib.parse.urlencode(values)}"
    else:
        body = json.dumps(dict(values)).encode()
    headers = {**access, "Content-Type": "application/json"}
    request = urllib.request.Request(address, data=body, headers=headers, method=method)  # noqa: S310 - our own
    try:
        with _DIRECT.open(request, timeout=TIMEOUT) as answer:
            document = json.load(answer)
    except HTTPError as error:
        raise _refusal(registry, error) from error
    except (OSError, HTTPException, ValueError) as error:
        raise RegistryError(f"the registry at {registry} does not answer: {error}") from error
    if not isinstance(document, dict):
        raise RegistryError(f"the registry at {registry} answers {what} with {type(document).__name__}, not an object")
    return document


def _refusal(registry: str, error: HTTPError) -> RegistryError:
    """Return what MLflow says is wrong; what is not from MLflow is told by its status alone."""
    try:
        said = json.load(error)
        code, reason = str(said["error_code"]), str(said.get("message", "")).partition("\n")[0][:_REASON]
    except (OSError, HTTPException, ValueError, KeyError, TypeError, AttributeError):
        code, reason = "", str(error)
    return RegistryError(f"the registry at {registry} does not do what is asked: {reason or code}", code)
