"""Whoever issues the tokens of an environment that is not on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata.operations.deployment import Deployment
    from mlstrata.operations.reporting import Reporter
    from mlstrata.operations.tokens.rotated import Rotated


@dataclass(frozen=True)
class Issuer:
    """Holds the keys; needs nothing of the environment but its file."""

    deployment: Deployment

    def mint(self, consumer: str, systems: list[str], ttl: timedelta) -> str:
        """Sign a token with the key of whoever issues them."""
        from mlstrata.operations.tokens.kubernetes import mint

        return mint(self.deployment, consumer, systems, ttl)

    def rotate(self, reporter: Reporter) -> Rotated:
        """Make another key, which signs from now on."""
        from mlstrata.operations.tokens.kubernetes import rotate

        return rotate(self.deployment, reporter)

    def retire(self, _reporter: Reporter, *, at_once: bool) -> Rotated:
        """Forget the older key."""
        from mlstrata.operations.tokens.kubernetes import retire

        return retire(self.deployment, at_once=at_once)


@dataclass(frozen=True)
class Unreached(Issuer):
    """An environment that this machine reaches by nothing but its Pulumi state: its tokens are issued, no more."""

    def __getattr__(self, name: str) -> object:
        """Refuse everything else that a target does.

        Raises:
            UsageError: always.
        """
        if name.startswith("__"):
            raise AttributeError(name)
        raise UsageError(
            f"{self.deployment.file}: target.kind: got '{self.deployment.spec.target.kind}'; what runs there is "
            "reached on 'local' and 'kubernetes' so far"
        )
