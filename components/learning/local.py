"""The learning process on this machine: alerts and wishes in, trainings and rollouts out."""

from __future__ import annotations

from collections.abc import Callable

import pulumi

from mlstrata.components.learning.args import LearningArgs
from mlstrata.components.learning.outputs import LearningOutputs
from mlstrata.components.local_service import LocalService
from mlstrata.components.local_site import LocalSite
from mlstrata.components.monitoring.scraping import alerting
from mlstrata.services.alerts.rules import learning_rules, service_rounds
from mlstrata.services.http import token_file
from mlstrata.services.retraining.dataset import JOURNAL, WORKDIR
from mlstrata.services.retraining.settings import LearningSettings

SERVICE = "learning"
TOKEN_FILE = token_file(SERVICE)


class Learning(LocalService):
    """Has systems learn again, inside what their file allows."""

    def __init__(self, name: str, args: LearningArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(SERVICE, name, args.host, opts)
        self.serve(
            SERVICE,
            "mlstrata.operations.learning",
            args.port,
            pulumi.Output.from_input(args.port).apply(_settings(args)),
            folders=(WORKDIR,),
            # A release that is under way is ended, or undone, first.
            stop_seconds=30,
        )
        if args.owners:
            alerting(self, "learning-loop", learning_rules(args.owners))
        alerting(self, f"{SERVICE}-rounds", service_rounds(SERVICE, args.host.owner))
        self.register_outputs({"url": self.url})


def _settings(args: LearningArgs) -> Callable[[float], str]:
    """Return what renders the process's settings once its port is known."""

    def render(port: float) -> str:
        home = args.host.home
        settings = LearningSettings(
            port=int(port),
            token_file=home / TOKEN_FILE,
            environment=args.environment,
            workspace=args.root,
            journal=home / JOURNAL,
        )
        return settings.model_dump_json(indent=1, exclude_defaults=True) + "\n"

    return render


def build(site: LocalSite) -> LearningOutputs:
    """Build the learning process of the environment."""
    port = site.ports[SERVICE].port(SERVICE)
    args = LearningArgs(
        host=site.host,
        environment=site.spec.name,
        root=site.workspace.root,
        port=port,
        owners={one.name: site.owner_of(one) for one in site.spec.systems if one.untrainable() is None},
    )
    return LearningOutputs(Learning(SERVICE, args).url, port, str(site.host.home / TOKEN_FILE))
