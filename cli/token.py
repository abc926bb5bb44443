"""`mlstrata token`: what a consumer shows the gateway."""

from __future__ import annotations

from datetime import timedelta

from cli.console import UsageError, say, say_json
from cli.context import PROJECT, Context

KEY = "gateway-key"


def token(name: str, consumer: str, *, hours: float, as_json: bool) -> None:
    """Mint and print a token, nothing else, so that it can be used in `$(…)`."""
    context = Context.open(name)
    systems = callable_systems(context, consumer)
    minted = mint_token(context, consumer, timedelta(hours=hours))
    if as_json:
        say_json({"token": minted, "consumer": consumer, "systems": systems, "expires_in": int(hours * 3600)})
    else:
        say(minted)


def mint_token(context: Context, consumer: str, ttl: timedelta) -> str:
    """Sign a token with the environment's own key, which only the state holds.

    Raises:
        UsageError: no system declares the consumer, or the environment is not up.
    """
    import engine
    from services.gateway.tokens import mint

    systems = callable_systems(context, consumer)
    passphrase = engine.Passphrase(context.passphrase())
    for resource in engine.resources(PROJECT, context.name, context.backend, passphrase).resources:
        if resource.urn.endswith(f":Credential::{KEY}") and not resource.delete:
            key = resource.outputs["secret"]
            value = key.value if isinstance(key, engine.Secret) else key
            return mint(value, f"mlstrata/{context.name}", consumer, systems, ttl)
    raise UsageError(f"{context.name} is not up: `mlstrata up {context.name}` first")


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
