"""What a recorder hands over."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pulumi

from mlstrata.components.site import Outputs
from mlstrata.components.supervision.ready import Ready


@dataclass(frozen=True)
class RecordingOutputs(Outputs):
    """The recorder.

    Attributes:
        url: Its address.
        token_file: File with the token that it asks for.
        key_file: File with the environment's key of pseudonyms and of persons' hashes.
        ready: That it answers, for what starts after it.
    """

    EXPORTED: ClassVar = {"recorder": "url"}

    url: pulumi.Input[str]
    token_file: Path
    key_file: Path
    ready: tuple[Ready, ...]
