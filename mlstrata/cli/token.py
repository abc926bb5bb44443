"""`mlstrata token`: what a consumer shows the gateway, and the keys that sign it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from mlstrata.cli.console import UsageError, say, say_json
from mlstrata.operations.environment import Context

KEYS = "gateway-keys"


def token(name: str, consumer: str, *, hours: float, as_json: bool) -> None:
    """Mint and print a token, nothing else, so that it can be used in `$(…)`."""
    context = Context.open(name)
    systems, ttl = callable_systems(context, consumer), timedelta(hours=hours)
    if context.spec.target.kind == "local":
        minted = mint_token(context, consumer, ttl)
    else:
        from mlstrata.operations.tokens.kubernetes import mint_with_key

        minted = mint_with_key(context, consumer, systems, ttl)
    if as_json:
        say_json({"token": minted, "consumer": consumer, "systems": systems, "expires_in": int(hours * 3600)})
    else:
        say(minted)


def mint_token(context: Context, consumer: str, ttl: timedelta, *, key: int | None = None) -> str:
    """Sign a token with the environment's own key, which only the state holds, and note when it ends.

    Args:
        context: The environment.
        consumer: On whose behalf.
        ttl: How long it is good for.
        key: Number of the key; None for the one that signs now.

    Raises:
        UsageError: no system declares the consumer, or the environment is not up.
    """
    from mlstrata.services.gateway.rotation import Rotation
    from mlstrata.services.gateway.tokens import mint

    systems = callable_systems(context, consumer)
    keys = signing_keys(context)
    rotation = Rotation.read(context.home)
    number = rotation.signing if key is None else key
    if number not in keys:
        raise UsageError(f"{context.name} has no signing key {number} yet: `mlstrata up {context.name}` makes it")
    minted = mint(keys[number], f"mlstrata/{context.name}", consumer, systems, ttl)
    if number == rotation.signing:
        rotation.signed(datetime.now(UTC) + ttl).write(context.home)
    return minted


def signing_keys(context: Context) -> dict[int, str]:
    """Return the private keys by number, from the state, where they are encrypted.

    Raises:
        UsageError: the environment is not up.
    """
    import pulumi_embedded

    passphrase = pulumi_embedded.Passphrase(context.passphrase())
    for resource in pulumi_embedded.resources(
        context.workspace.project, context.name, context.backend, passphrase
    ).resources:
        if resource.urn.endswith(f":SigningKeys::{KEYS}") and not resource.delete:
            found = resource.outputs["secret"]
            text = found.value if isinstance(found, pulumi_embedded.Secret) else found
            return {int(number): key for number, key in json.loads(text).items()}
    raise UsageError(f"{context.name} is not up: `mlstrata up {context.name}` first")


@contextmanager
def naming(context: Context) -> Iterator[None]:
    """Have what a rotation refuses name the environment in the commands that it tells.

    Raises:
        UsageError: in place of the rotation's own error.
    """
    from mlstrata.services.gateway.rotation import RotationError

    try:
        yield
    except RotationError as error:
        raise UsageError(str(error).replace("ENV", context.name)) from None


def callable_systems(context: Context, consumer: str) -> list[str]:
    """Return the systems that declare `consumer`.

    Raises:
        UsageError: none does; the message lists the consumers there are.
    """
    declared = {system.name: [one.name for one in system.serving.consumers] for system in context.spec.systems}
    systems = [system for system, consumers in declared.items() if consumer in consumers]
    if not systems:
        known = sorted({one for consumers in declared.values() for one in consumers})
        where = context.workspace.environment_file(context.name)
        raise UsageError(
            f"{where}: no system has a consumer '{consumer}'; allowed {', '.join(known) or 'none yet'}; "
            "declare it under systems[…].serving.consumers"
        )
    return systems
