"""Ask the registry whether a version exists: an answer in milliseconds instead of MLflow's own import."""

from __future__ import annotations

import os

from mlstrata.clients.mlflow_access import header
from mlstrata.clients.mlflow_rest import RegistryError, ask


class RegistryUnavailable(Exception):
    """The registry did not answer, or refused."""


def version_with(tracking_uri: str, system: str, fingerprint: str) -> str | None:
    """Find the newest version of a system that these data, settings and code made.

    Args:
        tracking_uri: Address of the registry; who asks is said by the variables that MLflow's clients take.
        system: Name of the registered model.
        fingerprint: `mlstrata_steps.versioning.fingerprint`.

    Returns:
        The version's number, or None.

    Raises:
        RegistryUnavailable: The registry does not answer as it should.
    """
    query = {"filter": f"name = '{system}' AND tags.fingerprint = '{fingerprint}'", "max_results": "100"}
    try:
        found = ask(tracking_uri, header(os.environ), "model-versions/search", query).get("model_versions", [])
    except RegistryError as error:
        raise RegistryUnavailable(str(error)) from error
    ready = [int(version["version"]) for version in found if version.get("status", "READY") == "READY"]
    return str(max(ready)) if ready else None
