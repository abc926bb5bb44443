"""What makes an environment real: the embedded engine on this machine, the Pulumi CLI everywhere else.

Both run the same program over the same state, follow the same events and give the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.operations.deployment import Deployment
    from mlstrata.operations.pending.watch import Told

    Listener = Callable[[pulumi_embedded.Event], None]
    Approval = Callable[[pulumi_embedded.Result], None]


class Engine(Protocol):
    """Makes and unmakes an environment."""

    @property
    def name(self) -> str:
        """Return what it is called."""

    @property
    def waited(self) -> Sequence[Told] | None:
        """Return what was told of things that waited in a cluster, by the run that went before; None: there is none."""

    def up(self, listen: Listener, approve: Approval) -> pulumi_embedded.Result:
        """Make the environment what its program says, unless `approve` raises on the plan, before anything changes."""

    def down(self, listen: Listener) -> pulumi_embedded.Result:
        """Delete every resource; what is retained stays where it is."""


@dataclass(frozen=True)
class Embedded:
    """The engine that needs nothing but Python."""

    deployment: Deployment
    name: str = "embedded engine"
    waited: None = None

    def up(self, listen: Listener, approve: Approval) -> pulumi_embedded.Result:
        """Make the environment; the plan that is approved is the one that is carried out."""
        import pulumi_embedded

        one = self.deployment
        options = one.options(create=True, refresh=one.checkpoint.exists(), on_event=listen, approve=approve)
        return pulumi_embedded.up(one.program, one.backend, options)

    def down(self, listen: Listener) -> pulumi_embedded.Result:
        """Delete every resource."""
        import pulumi_embedded

        one = self.deployment
        return pulumi_embedded.destroy(one.program, one.backend, one.options(on_event=listen))
