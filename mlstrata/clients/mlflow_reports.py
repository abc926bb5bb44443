"""The reports that a training run left in the registry, over plain HTTP."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError

from mlstrata.clients.mlflow_rest import TIMEOUT, RegistryError, ask

NAMES = ("evaluation", "gates", "quality", "tuning", "comparison")
_PROXIED = "mlflow-artifacts:/"
_LARGEST = 16 << 20
_NOT_FOUND = 404
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def reports_of(registry: str, access: Mapping[str, str], run: str) -> dict[str, dict[str, Any]]:
    """Return a run's reports by name; those that it did not write are left out.

    Args:
        registry: Its address.
        access: The header that says who asks.
        run: The registry's run; empty: nothing is known of it.

    Raises:
        RegistryError: the registry does not answer as it should, or a report is no JSON object.
    """
    if not run:
        return {}
    root = str(ask(registry, access, "runs/get", {"run_id": run})["run"]["info"]["artifact_uri"])
    if not root.startswith(_PROXIED):
        raise RegistryError(f"the registry at {registry} keeps files at {root}; only what it serves itself is read")
    found = {name: _report(registry, access, f"{root.removeprefix(_PROXIED).strip('/')}/{name}.json") for name in NAMES}
    return {name: report for name, report in found.items() if report is not None}


def _report(registry: str, access: Mapping[str, str], path: str) -> dict[str, Any] | None:
    address = f"{registry.rstrip('/')}/api/2.0/mlflow-artifacts/artifacts/{urllib.parse.quote(path)}"
    request = urllib.request.Request(address, headers=dict(access))  # noqa: S310 - a registry's address, of our own state
    try:
        with _DIRECT.open(request, timeout=TIMEOUT) as answer:
            document = json.loads(answer.read(_LARGEST))
    except HTTPError as error:
        if error.code == _NOT_FOUND:
            return None
        raise RegistryError(f"the registry at {registry} does not give out {path}: {error}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise RegistryError(f"{path} of the registry at {registry} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise RegistryError(f"{path} of the registry at {registry} is {type(document).__name__}, not an object")
    return document
