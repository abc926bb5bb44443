"""An environment in a cloud, layer by layer: its substrate first, then the platform on what that hands over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlstrata.operations.policy_check import together

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.operations.engines import Approval, Listener
    from mlstrata.operations.pending.watch import Told
    from mlstrata.operations.pulumi_cli import PulumiCli


@dataclass(frozen=True)
class Layered:
    """The Pulumi CLI, once for each layer.

    Attributes:
        layers: It, for each, in the order in which they are made.
    """

    layers: tuple[PulumiCli, ...]

    @property
    def name(self) -> str:
        """Return what it is called."""
        return self.layers[-1].name

    @property
    def waited(self) -> Sequence[Told]:
        """Return what was told of things that waited in the cluster."""
        return self.layers[-1].waited

    def up(self, listen: Listener, approve: Approval) -> pulumi_embedded.Result:
        """Make each layer once all of them are approved; one that fails ends it, as the next stands on it.

        Raises:
            ClusterError: the cluster does not answer; the platform was not changed.
        """
        first, *others = self.layers
        done = [first.up(listen, approve)]
        # What was approved is the plan of all layers.
        done += [layer.up(listen, lambda _plan: None) for layer in others]
        return together(tuple(done))

    def down(self, listen: Listener) -> pulumi_embedded.Result:
        """Delete each layer, the last first; what holds data stays."""
        return together(tuple(layer.down(listen) for layer in reversed(self.layers)))
