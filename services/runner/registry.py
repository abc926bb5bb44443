"""Ask MLflow, over plain HTTP, whether a version exists: an answer in milliseconds instead of MLflow's own import."""

from __future__ import annotations

import base64
import json
import os
import urllib.error
import urllib.parse
import urllib.request

TIMEOUT = 10.0
"""Seconds to wait for MLflow."""


class RegistryUnavailable(Exception):  # noqa: N818 - says what is the case
    """MLflow did not answer, or refused."""


def version_with(tracking_uri: str, system: str, fingerprint: str) -> str | None:
    """Find the newest version of a system that these data, settings and code made.

    Args:
        tracking_uri: Address of MLflow.
        system: Name of the registered model.
        fingerprint: `mlstrata_steps.versioning.fingerprint`.

    Returns:
        The version's number, or None.

    Raises:
        RegistryUnavailable: MLflow does not answer as MLflow does.
    """
    query = {"filter": f"name = '{system}' AND tags.fingerprint = '{fingerprint}'", "max_results": "100"}
    url = f"{tracking_uri.rstrip('/')}/api/2.0/mlflow/model-versions/search?{urllib.parse.urlencode(query)}"
    request = urllib.request.Request(url, headers=_credentials())  # noqa: S310 - the contract allows http(s) only
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
            found = json.load(answer).get("model_versions", [])
    except (OSError, ValueError) as error:
        raise RegistryUnavailable(f"MLflow at {tracking_uri} does not answer: {error}") from error
    ready = [int(version["version"]) for version in found if version.get("status", "READY") == "READY"]
    return str(max(ready)) if ready else None


def _credentials() -> dict[str, str]:
    """Take the same variables as MLflow's client does."""
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    user, password = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_PASSWORD")
    if user and password:
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
    return {}
