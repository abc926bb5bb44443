"""What a learning process hands over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pulumi

from mlstrata.components.site import Outputs


@dataclass(frozen=True)
class LearningOutputs(Outputs):
    """The learning process.

    Attributes:
        url: Its address.
        port: Its loopback port, to which alerts with a cause go.
        token_file: The file with the token that it asks for.
    """

    EXPORTED: ClassVar = {"learning": "url"}

    url: pulumi.Input[str]
    port: pulumi.Input[int]
    token_file: str
