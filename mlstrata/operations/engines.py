"""What makes an environment real: the embedded engine on this machine, the Pulumi CLI everywhere else.

Both run the same program over the same state, follow the same events and give the same result.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mlstrata.operations.errors import UsageError
from mlstrata.operations.pulumi_cli import PULUMI, PulumiCli
from mlstrata.operations.reporting import SILENT

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.operations.deployment import Deployment
    from mlstrata.operations.pending.watch import Told
    from mlstrata.operations.reporting import Reporter

    Listener = Callable[[pulumi_embedded.Event], None]
    Approval = Callable[[pulumi_embedded.Result], None]

INSTALL = "curl -fsSL https://get.pulumi.com | sh"


class Engine(Protocol):
    """Makes and unmakes an environment."""

    @property
    def name(self) -> str:
        """Return what it is called."""

    @property
    def waited(self) -> Sequence[Told]:
        """Return what was told of things that waited in a cluster, by the run that went before."""

    def up(self, listen: Listener, approve: Approval) -> pulumi_embedded.Result:
        """Make the environment what its program says, unless `approve` raises on the plan, before anything changes."""

    def down(self, listen: Listener) -> pulumi_embedded.Result:
        """Delete every resource; what is retained stays where it is."""


def engine_of(deployment: Deployment, reporter: Reporter = SILENT) -> Engine:
    """Return the engine that an environment is made by.

    Args:
        deployment: The environment.
        reporter: Told at once what waits in a cluster, and for what.

    Raises:
        UsageError: it is the Pulumi CLI, and that is not there.
    """
    if deployment.is_local:
        return Embedded(deployment)
    if shutil.which(PULUMI) is None:
        raise UsageError(
            f"{PULUMI}: not on PATH; an environment on {deployment.spec.target.kind} is made by the Pulumi CLI: "
            f"install it with `{INSTALL}`, then run this again"
        )
    return PulumiCli(deployment, reporter)


@dataclass(frozen=True)
class Embedded:
    """The engine that needs nothing but Python."""

    deployment: Deployment
    name: str = "embedded engine"
    waited: Sequence[Told] = ()

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
