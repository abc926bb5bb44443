"""An environment's secrets as ExternalSecrets, for a cluster whose own External Secrets takes them from a store."""

from __future__ import annotations

import yaml

from mlstrata.operations.errors import UsageError
from mlstrata.operations.secrets.expected import Secrets


def written(secrets: Secrets, store: str | None) -> str:
    """Return the ExternalSecrets as YAML.

    Args:
        secrets: What they make.
        store: The ClusterSecretStore; None: the one that the capability `secrets` takes.

    Raises:
        UsageError: the environment has them already.
    """
    from mlstrata.components.secrets.external import STORE, external_secret

    if secrets.stored:
        raise UsageError(
            f"{secrets.environment}: capabilities.on: has 'secrets', so the environment deploys its ExternalSecrets "
            "itself; leave out --for"
        )
    made = [
        external_secret(
            secrets.environment,
            one.namespace,
            one.name,
            [entry.key for entry in one.entries if not entry.optional],
            store or STORE,
        )
        for one in secrets.expected
        if one.kind == "Secret"
    ]
    return str(yaml.safe_dump_all(made, sort_keys=False))
