"""The pipelines on this machine: a runner of the compiled pipelines, with its schedule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pulumi

from mlstrata.components.local_host import LocalComponent, loopback
from mlstrata.components.local_site import LocalSite
from mlstrata.components.monitoring.scraping import alerting, watched
from mlstrata.components.pipelines.args import PipelinesArgs
from mlstrata.components.pipelines.outputs import PipelinesOutputs
from mlstrata.components.registry.outputs import RegistryOutputs
from mlstrata.components.supervision.credential import Credential
from mlstrata.components.supervision.service import File
from mlstrata.services.alerts.rules import TRAINING_FAILED, schedule_rules
from mlstrata.services.runner.contract import RunnerSettings, Schedule
from mlstrata.services.runner.requests import training_request

SERVICE = "runner"
TOKEN_FILE = f"config/{SERVICE}/token"
_SETTINGS_FILE = f"config/{SERVICE}/runner.json"


class Pipelines(LocalComponent):
    """Runs pipelines when asked and when it is time.

    Attributes:
        url: The runner's address.
        token: The credential that it asks for.
    """

    def __init__(self, name: str, args: PipelinesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipelines", name, args.host, opts)
        home = args.host.home
        self.token = Credential(f"{SERVICE}-token", kind="token", opts=self.child())
        self.url = loopback(args.port)
        self.run(
            SERVICE,
            health=loopback(args.port, "/healthz"),
            ports={SERVICE: args.port},
            command=[
                str(args.host.binaries["python"]),
                *("-m", "mlstrata.services.runner", "--settings", str(home / _SETTINGS_FILE)),
            ],
            environment=args.registry_access.apply(lambda access: {**access, "MLFLOW_DISABLE_TELEMETRY": "true"}),
            files={
                _SETTINGS_FILE: File(pulumi.Output.all(args.port, args.tracking_uri).apply(_settings(args))),
                TOKEN_FILE: File(self.token.secret),
            },
            folders=("data/runner", "logs/runs"),
            # A run that is under way gets its own time to end.
            stop_seconds=30,
        )
        watched(self, SERVICE, args.port)
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
