"""What all environments have in common that are not on this machine: who makes them, and who issues their tokens."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.operations.beside.ask import Fit
    from mlstrata.operations.deploy import Deployed
    from mlstrata.operations.deployment import Deployment
    from mlstrata.operations.engines import Engine
    from mlstrata.operations.reporting import Reporter
    from mlstrata.operations.tokens.rotated import Keys, Rotated

INSTALL = "curl -fsSL https://get.pulumi.com | sh"
_INSTEAD = {
    "backup": "on a cluster the job `backup` copies each night (capabilities.on: [backup])",
    "restore": "on a cluster `kubectl create job --from=cronjob/backup-restore NAME` puts the newest copy of the "
    "databases back, and before it --from=cronjob/backup-restore-objects the objects of a store of the cluster's own",
}
"""What does on a cluster what a command does on this machine."""


@dataclass(frozen=True)
class Elsewhere:
    """Made by the Pulumi CLI; whoever issues its tokens needs nothing of it but its file."""

    deployment: Deployment

    def here(self, command: str) -> NoReturn:
        """Refuse a command that works on this machine's own environments only.

        Raises:
            UsageError: always.
        """
        one, instead = self.deployment, f"; {_INSTEAD[command]}" if command in _INSTEAD else ""
        raise UsageError(
            f"{one.file}: target.kind: got '{one.spec.target.kind}'; "
            f"`mlstrata {command}` works on 'local' so far{instead}"
        )

    def engine(self, reporter: Reporter) -> Engine:
        """Return the Pulumi CLI.

        Raises:
            UsageError: it is not there.
        """
        from mlstrata.operations.layered import Layered
        from mlstrata.operations.pulumi_cli import PULUMI, PulumiCli

        if shutil.which(PULUMI) is None:
            kind = self.deployment.spec.target.kind
            raise UsageError(
                f"{PULUMI}: not on PATH; an environment on {kind} is made by the Pulumi CLI: "
                f"install it with `{INSTALL}`, then run this again"
            )
        layers = tuple(PulumiCli(layer, reporter) for layer in self.deployment.layers)
        return layers[0] if len(layers) == 1 else Layered(layers)

    def refuse_to_begin(self) -> None:
        """Refuse nothing: the environment needs no room on this machine."""

    def prepare(self, reporter: Reporter) -> None:
        """Do nothing: an image holds what a system needs."""

    def make(self, run: Callable[[], Deployed]) -> Deployed:
        """Make the environment: the cluster may have changed, so nothing that an earlier run left is relied on."""
        return run()

    def unmake(
        self,
        run: Callable[[], Mapping[str, int]],
        *,
        agree: Callable[[], None],
        keep_data: bool,  # noqa: ARG002 - what holds data is retained, whatever is asked
    ) -> Mapping[str, int]:
        """Destroy the environment; this machine's records of it stay."""
        agree()
        return run()

    def kept(self, *, keep_data: bool) -> str:  # noqa: ARG002 - as above
        """Say where the data are once the environment is gone."""
        return "what holds data stays in the cluster"

    def not_inspected(self, result: pulumi_embedded.Result) -> tuple[str, ...]:
        """Name the charts and bundles whose objects no plan of ours shows, as `check` does."""
        from mlstrata.policies.adapters.embedded_graph import records
        from mlstrata.policies.core.graph import Graph

        return tuple(one.name for one in Graph(records(result.graph)).not_inspected)

    def fit(self, result: pulumi_embedded.Result) -> Fit | None:
        """Ask the cluster whether a plan fits what is there already."""
        from mlstrata.operations.beside.ask import fit

        return fit(self.deployment, result)

    def objects(self) -> pulumi_embedded.Result:
        """Plan the environment's objects as new, beside its state."""
        from mlstrata.operations.policy_check import planned

        return planned(self.deployment)

    def mint(self, consumer: str, systems: list[str], ttl: timedelta) -> str:
        """Sign a token with the key of whoever issues them."""
        from mlstrata.operations.tokens.kubernetes import mint

        return mint(self.deployment, consumer, systems, ttl)

    def keys(self, reporter: Reporter) -> Keys:
        """Return the ConfigMaps by which the gateway knows tokens; make the key that signs them where there is none."""
        from mlstrata.operations.tokens.kubernetes import keys

        return keys(self.deployment, reporter)

    def rotate(self, reporter: Reporter) -> Rotated:
        """Make another key, which signs from now on."""
        from mlstrata.operations.tokens.kubernetes import rotate

        return rotate(self.deployment, reporter)

    def retire(self, _reporter: Reporter, *, at_once: bool) -> Rotated:
        """Forget the older key."""
        from mlstrata.operations.tokens.kubernetes import retire

        return retire(self.deployment, at_once=at_once)
