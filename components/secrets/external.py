"""A secret as External Secrets takes it from an organisation's store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlstrata.components.manifests import manifest
from mlstrata.components.secrets.pull import DOCKER, KEY

API = "external-secrets.io/v1"
STORE = "mlstrata"
"""The ClusterSecretStore that the organisation makes: only it knows where its secrets are, and how to get in."""


def external_secret(
    environment: str, namespace: str, name: str, keys: Iterable[str], store: str = STORE
) -> dict[str, Any]:
    """Return the ExternalSecret that makes a secret of the store's `<environment>/<name>`, one property a key."""
    wanted = sorted(keys)
    target: dict[str, Any] = {"name": name, "creationPolicy": "Owner"}
    if wanted == [KEY]:
        # A kubelet takes the access to a registry from a secret of this type alone.
        target["template"] = {"type": DOCKER}
    at = f"{environment}/{name}"
    spec = {
        "refreshInterval": "1h",
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": store},
        "target": target,
        "data": [{"secretKey": key, "remoteRef": {"key": at, "property": key}} for key in wanted],
    }
    return manifest(API, "ExternalSecret", name, namespace, spec=spec)
