"""What a catalog hands over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pulumi

from mlstrata.components.site import Outputs


@dataclass(frozen=True)
class CatalogOutputs(Outputs):
    """The catalog.

    Attributes:
        url: Its address.
    """

    EXPORTED: ClassVar = {"catalog": "url"}

    url: pulumi.Input[str]
