"""What a catalog hands over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from mlstrata.components.site import Outputs


@dataclass(frozen=True)
class CatalogOutputs(Outputs):
    """The catalog.

    Attributes:
        url: Its address.
    """

    url: pulumi.Input[str]

    @property
    def urls(self) -> Mapping[str, pulumi.Input[str]]:
        """Its address."""
        return {"catalog": self.url}
