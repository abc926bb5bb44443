"""What pipelines hand over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from mlstrata.components.site import Outputs


@dataclass(frozen=True)
class PipelinesOutputs(Outputs):
    """What runs pipelines.

    Attributes:
        service: What runs them: `runner` on this machine, `kubeflow` on a cluster.
        url: Its address.
    """

    service: str
    url: pulumi.Input[str]

    @property
    def urls(self) -> Mapping[str, pulumi.Input[str]]:
        """Its address."""
        return {self.service: self.url}
