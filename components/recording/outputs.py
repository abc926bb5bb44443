"""What a recorder hands over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pulumi

from mlstrata.components.site import Outputs


@dataclass(frozen=True)
class RecordingOutputs(Outputs):
    """The recorder.

    Attributes:
        url: Its address.
        ready: What sends to it waits for, on a cluster.
    """

    EXPORTED: ClassVar = {"recorder": "url"}

    url: pulumi.Input[str]
    ready: Sequence[pulumi.Resource] = ()
