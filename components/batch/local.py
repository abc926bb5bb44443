"""The scheduled scoring on this machine: a clock that starts jobs."""

from __future__ import annotations

import pulumi

from mlstrata.components.batch.args import SERVICE, BatchArgs
from mlstrata.components.local_host import LocalComponent, loopback
from mlstrata.components.local_site import LocalSite
from mlstrata.components.monitoring.scraping import alerting, watched
from mlstrata.components.supervision.service import File
from mlstrata.services.alerts.rules import SCORING_FAILED, schedule_rules
from mlstrata.services.batch.jobs import scheduled
from mlstrata.services.batch.settings import WORKDIR, BatchSettings

_SETTINGS_FILE = f"config/{SERVICE}/batch.json"


class Batch(LocalComponent):
    """Scores the batch systems when it is time."""

    def __init__(self, name: str, args: BatchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("batch", name, args.host, opts)

        def settings(port: float) -> str:
            return BatchSettings(port=int(port), systems=tuple(args.systems)).model_dump_json(indent=1) + "\n"

        self.run(
            SERVICE,
            health=loopback(args.port, "/healthz"),
            ports={SERVICE: args.port},
            command=[
                str(args.host.binaries["python"]),
                *("-m", "mlstrata.services.batch", "serve", "--settings", str(args.host.home / _SETTINGS_FILE)),
            ],
            environment={"MLFLOW_DISABLE_TELEMETRY": "true"},
            files={_SETTINGS_FILE: File(pulumi.Output.from_input(args.port).apply(settings))},
            folders=(WORKDIR,),
            # A job that is cut off goes on at the next start.
            stop_seconds=5,
        )
        watched(self, SERVICE, args.port)
        owners = {scored.job.system: args.host.owner for scored in args.systems}
        alerting(self, "scoring-schedules", schedule_rules(owners, SCORING_FAILED))
        self.register_outputs({})


def build(site: LocalSite) -> None:
    """Build the clock of the systems that are scored by schedule."""
    systems = scheduled(site.spec, site.workspace.root, site.host.home)
    Batch("batch", BatchArgs(site.host, site.ports[SERVICE].port(SERVICE), systems))
