"""What a monitor hands over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pulumi

from mlstrata.components.site import Outputs


@dataclass(frozen=True)
class MonitorOutputs(Outputs):
    """The monitor.

    Attributes:
        url: Its address.
    """

    EXPORTED: ClassVar = {"monitor": "url"}

    url: pulumi.Input[str]
