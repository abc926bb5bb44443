"""What a consumer shows the gateway, and the keys that sign it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mlstrata.operations.errors import UsageError
from mlstrata.services.gateway.names import TOKEN_HOURS

if TYPE_CHECKING:
    from mlstrata.operations.deployment import Deployment

__all__ = ["TOKEN_HOURS", "Minted", "callable_systems", "mint", "naming"]


@dataclass(frozen=True)
class Minted:
    """A token.

    Attributes:
        token: What the consumer shows.
        consumer: On whose behalf.
        systems: What it opens.
        lifetime: How long it is good for.
    """

    token: str
    consumer: str
    systems: tuple[str, ...]
    lifetime: timedelta


def mint(deployment: Deployment, consumer: str, lifetime: timedelta) -> Minted:
    """Sign a token with which a consumer may call the systems that declare it.

    Raises:
        UsageError: no system declares the consumer, the environment is not up, or there is no key.
    """
    systems = callable_systems(deployment, consumer)
    token = deployment.target.mint(consumer, systems, lifetime)
    return Minted(token, consumer, tuple(systems), lifetime)


def callable_systems(deployment: Deployment, consumer: str) -> list[str]:
    """Return the systems that declare `consumer`.

    Raises:
        UsageError: none does; the message lists the consumers there are.
    """
    from mlstrata.environments.spec.base import choice  # which a start of the command has no need of

    declared = {system.name: [one.name for one in system.serving.consumers] for system in deployment.spec.systems}
    systems = [system for system, consumers in declared.items() if consumer in consumers]
    if not systems:
        known = sorted({one for consumers in declared.values() for one in consumers})
        raise UsageError(
            f"{deployment.file}: no system has a consumer '{consumer}'; {choice(consumer, known)}; "
            "declare it under systems[…].serving.consumers"
        )
    return systems


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
