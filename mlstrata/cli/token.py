"""`mlstrata token`: what a consumer shows the gateway, and the keys that sign it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from mlstrata.cli.console import say, say_json
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError

KEYS = "gateway-keys"


def token(name: str, consumer: str, *, hours: float, as_json: bool) -> None:
    """Mint and print a token, nothing else, so that it can be used in `$(…)`."""
    deployment = Deployment.open(name)
    systems, ttl = callable_systems(deployment, consumer), timedelta(hours=hours)
    if deployment.spec.target.kind == "local":
        minted = mint_token(deployment, consumer, ttl)
    else:
        from mlstrata.operations.tokens.kubernetes import mint_with_key

        minted = mint_with_key(deployment, consumer, systems, ttl)
    if as_json:
        say_json({"token": minted, "consumer": consumer, "systems": systems, "expires_in": int(hours * 3600)})
    else:
        say(minted)


def mint_token(deployment: Deployment, consumer: str, ttl: timedelta, *, key: int | None = None) -> str:
    """Sign a token with the environment's own key, which only the state holds, and note when it ends.

    Args:
        deployment: The environment.
        consumer: On whose behalf.
        ttl: How long it is good for.
        key: Number of the key; None for the one that signs now.

    Raises:
        UsageError: no system declares the consumer, or the environment is not up.
    """
    from mlstrata.services.gateway.rotation import Rotation
    from mlstrata.services.gateway.tokens import mint

    systems = callable_systems(deployment, consumer)
    keys = signing_keys(deployment)
    rotation = Rotation.read(deployment.home)
    number = rotation.signing if key is None else key
    if number not in keys:
        raise UsageError(f"{deployment.name} has no signing key {number} yet: `mlstrata up {deployment.name}` makes it")
    minted = mint(keys[number], f"mlstrata/{deployment.name}", consumer, systems, ttl)
    if number == rotation.signing:
        rotation.signed(datetime.now(UTC) + ttl).write(deployment.home)
    return minted


def signing_keys(deployment: Deployment) -> dict[int, str]:
    """Return the private keys by number, from the state, where they are encrypted.

    Raises:
        UsageError: the environment is not up.
    """
    import pulumi_embedded

    passphrase = pulumi_embedded.Passphrase(deployment.passphrase())
    for resource in pulumi_embedded.resources(
        deployment.workspace.project, deployment.name, deployment.backend, passphrase
    ).resources:
        if resource.urn.endswith(f":SigningKeys::{KEYS}") and not resource.delete:
            found = resource.outputs["secret"]
            text = found.value if isinstance(found, pulumi_embedded.Secret) else found
            return {int(number): key for number, key in json.loads(text).items()}
    raise UsageError(f"{deployment.name} is not up: `mlstrata up {deployment.name}` first")


@contextmanager
def naming(deployment: Deployment) -> Iterator[None]:
    """Have what a rotation refuses name the environment in the commands that it tells.

    Raises:
        UsageError: in place of the rotation's own error.
    """
    from mlstrata.services.gateway.rotation import RotationError

    try:
        yield
    except RotationError as error:
        raise UsageError(str(error).replace("ENV", deployment.name)) from None


def callable_systems(deployment: Deployment, consumer: str) -> list[str]:
    """Return the systems that declare `consumer`.

    Raises:
        UsageError: none does; the message lists the consumers there are.
    """
    declared = {system.name: [one.name for one in system.serving.consumers] for system in deployment.spec.systems}
    systems = [system for system, consumers in declared.items() if consumer in consumers]
    if not systems:
        known = sorted({one for consumers in declared.values() for one in consumers})
        where = deployment.workspace.environment_file(deployment.name)
        raise UsageError(
            f"{where}: no system has a consumer '{consumer}'; allowed {', '.join(known) or 'none yet'}; "
            "declare it under systems[…].serving.consumers"
        )
    return systems
