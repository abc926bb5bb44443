"""The pipelines on this machine: a runner of the compiled pipelines, with its schedule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pulumi

from mlstrata.components.local_service import LocalService
from mlstrata.components.local_site import LocalSite
from mlstrata.components.monitoring.scraping import alerting
from mlstrata.components.pipelines.args import PipelinesArgs
from mlstrata.components.pipelines.outputs import PipelinesOutputs
from mlstrata.components.registry.outputs import RegistryOutputs
from mlstrata.services.alerts.rules import TRAINING_FAILED, schedule_rules
from mlstrata.services.http import token_file
from mlstrata.services.runner.contract import RunnerSettings, Schedule
from mlstrata.services.runner.requests import training_request

SERVICE = "runner"
TOKEN_FILE = token_file(SERVICE)


class Pipelines(LocalService):
    """Runs pipelines when asked and when it is time."""

    def __init__(self, name: str, args: PipelinesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipelines", name, args.host, opts)
        self.serve(
            SERVICE,
            "mlstrata.services.runner",
            args.port,
            pulumi.Output.all(args.port, args.tracking_uri).apply(_settings(args)),
            environment=args.registry_access.apply(lambda access: {**access, "MLFLOW_DISABLE_TELEMETRY": "true"}),
            folders=("data/runner", "logs/runs"),
            # A run that is under way gets its own time to end.
            stop_seconds=30,
        )
        if owners := {one.name: one.owner or args.host.owner for one in args.systems if one.model.schedule}:
            alerting(self, "training-schedules", schedule_rules(owners, TRAINING_FAILED))
        self.register_outputs({"url": self.url})


def _settings(args: PipelinesArgs) -> Callable[[Sequence[Any]], str]:
    """Return what renders the runner's settings once its port and the registry's address are known."""

    def render(values: Sequence[Any]) -> str:
        port, tracking_uri = values
        home = args.host.home
        requests = tuple(
            training_request(args.environment, system, root=args.root, home=home, tracking_uri=tracking_uri)
            for system in args.systems
        )
        schedules = tuple(
            Schedule(system=system.name, cron=system.model.schedule) for system in args.systems if system.model.schedule
        )
        settings = RunnerSettings(
            port=int(port),
            database=home / "data/runner/runner.db",
            logs=home / "logs/runs",
            token_file=home / TOKEN_FILE,
            requests=requests,
            schedules=schedules,
        )
        return settings.model_dump_json(indent=1) + "\n"

    return render


def build(site: LocalSite) -> PipelinesOutputs:
    """Build the runner of pipelines."""
    registry = site.require(RegistryOutputs)
    args = PipelinesArgs(
        host=site.host,
        environment=site.spec.name,
        root=site.workspace.root,
        port=site.ports[SERVICE].port(SERVICE),
        tracking_uri=registry.uri,
        registry_access=registry.sealing,
        systems=[system for system in site.spec.systems if system.untrainable() is None],
    )
    return PipelinesOutputs(SERVICE, Pipelines("pipelines", args).url)
