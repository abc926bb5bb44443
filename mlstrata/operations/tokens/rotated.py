"""What a change of signing keys comes to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlstrata.services.gateway.rotation import Rotation


@dataclass(frozen=True)
class Keys:
    """What has a cluster's gateway know tokens.

    Attributes:
        file: The private key that signs.
        jwks: The public keys that are accepted.
        objects: The ConfigMaps with them, one for each namespace with a system that answers.
    """

    file: Path
    jwks: dict[str, Any]
    objects: tuple[dict[str, Any], ...]

    @property
    def namespaces(self) -> list[str]:
        """Return where the ConfigMaps belong."""
        return [one["metadata"]["namespace"] for one in self.objects]


@dataclass(frozen=True)
class Rotated:
    """The keys after a change.

    Attributes:
        rotation: Which key signs, and which are accepted.
        keys: On a cluster, what its gateway is to be given; None where it has been given it.
    """

    rotation: Rotation
    keys: Keys | None = None
