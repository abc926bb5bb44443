"""Tokens of an environment on this machine: its keys are in its state, encrypted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata.operations.deployment import Deployment

KEYS = "gateway-keys"


def mint(
    deployment: Deployment, consumer: str, systems: list[str], lifetime: timedelta, *, key: int | None = None
) -> str:
    """Sign a token with the environment's own key, which only the state holds, and note when it ends.

    Args:
        deployment: The environment.
        consumer: On whose behalf.
        systems: What it opens.
        lifetime: How long it is good for.
        key: Number of the key; None for the one that signs now.

    Raises:
        UsageError: the environment is not up.
    """
    from mlstrata.services.gateway import tokens
    from mlstrata.services.gateway.rotation import Rotation

    keys = signing_keys(deployment)
    rotation = Rotation.read(deployment.home)
    number = rotation.signing if key is None else key
    if number not in keys:
        raise UsageError(f"{deployment.name} has no signing key {number} yet: `mlstrata up {deployment.name}` makes it")
    minted = tokens.mint(keys[number], f"mlstrata/{deployment.name}", consumer, systems, lifetime)
    if number == rotation.signing:
        rotation.signed(datetime.now(UTC) + lifetime).write(deployment.home)
    return minted


def signing_keys(deployment: Deployment) -> dict[int, str]:
    """Return the private keys by number, from the state as it is now.

    Raises:
        UsageError: the environment is not up.
    """
    import pulumi_embedded

    passphrase = pulumi_embedded.Passphrase(deployment.passphrase())
    snapshot = pulumi_embedded.resources(deployment.workspace.project, deployment.name, deployment.backend, passphrase)
    for resource in snapshot.resources:
        if resource.urn.endswith(f":SigningKeys::{KEYS}") and not resource.delete:
            found = resource.outputs["secret"]
            text = found.value if isinstance(found, pulumi_embedded.Secret) else found
            return {int(number): key for number, key in json.loads(text).items()}
    raise UsageError(f"{deployment.name} is not up: `mlstrata up {deployment.name}` first")
