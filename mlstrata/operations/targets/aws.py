"""An environment in an AWS account, as operations ask it: what is recorded of its layers, and who issues its tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlstrata.operations.errors import UsageError
from mlstrata.operations.targets.elsewhere import Elsewhere

if TYPE_CHECKING:
    from mlstrata.operations.deployment import Deployment
    from mlstrata.operations.status import LayerStatus, Status


@dataclass(frozen=True)
class Aws(Elsewhere):
    """An environment that this machine reaches by nothing but its Pulumi state: no operation asks what runs there."""

    def kept(self, *, keep_data: bool) -> str:  # noqa: ARG002 - what holds data is protected, whatever is asked
        """Say where the data are once the environment is gone."""
        return "what holds data, and what that stands on, stays in the account: docs/aws.md says how to delete it"

    def status(self) -> Status:
        """Say of each layer what is recorded of it."""
        from mlstrata.operations.status import Status

        layers = tuple(_recorded(one) for one in self.deployment.layers)
        return Status(healthy=all(one.resources for one in layers), layers=layers)

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


def _recorded(layer: Deployment) -> LayerStatus:
    from mlstrata.operations.pulumi_cli import PulumiCli
    from mlstrata.operations.status import LayerStatus

    return LayerStatus(layer.layer, layer.stack, PulumiCli(layer).recorded())
