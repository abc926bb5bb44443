"""What a store of objects hands over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from mlstrata.components.site import Outputs


@dataclass(frozen=True)
class StorageOutputs(Outputs):
    """A store of the environment's own on this machine.

    Attributes:
        endpoint: The address that S3 clients take.
        ready: What its clients wait for.
    """

    endpoint: pulumi.Output[str]
    ready: Sequence[pulumi.Resource]


@dataclass(frozen=True)
class ClusterStorageOutputs(Outputs):
    """A store of the cluster's own.

    Attributes:
        ready: What its clients wait for.
    """

    ready: Sequence[pulumi.Resource]
