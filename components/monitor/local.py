"""The monitor on this machine: one service for all systems, and rules for each."""

from __future__ import annotations

from collections.abc import Callable

import pulumi

from mlstrata.components.local_host import LocalComponent
from mlstrata.components.local_service import LocalService
from mlstrata.components.local_site import LocalSite
from mlstrata.components.monitor.args import MonitorArgs, WatchArgs
from mlstrata.components.monitor.outputs import MonitorOutputs
from mlstrata.components.monitoring.scraping import alerting
from mlstrata.components.supervision.service import File
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.environments.stages import Capability
from mlstrata.services.alerts.rules import service_rounds
from mlstrata.services.catalog.settings import Declared
from mlstrata.services.monitor.names import DECLARED_FILE, SERVICE, TOKEN_FILE, WORKDIR
from mlstrata.services.monitor.rules import fairness_rules, monitoring_rules, promise_rules
from mlstrata.services.monitor.settings import MonitorSettings

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""It adds up counts; threads of a library would only burn what they wait with."""


class Monitor(LocalService):
    """Watches every system of an environment."""

    def __init__(self, name: str, args: MonitorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("monitor", name, args.host, opts)
        home = args.host.home

        def settings(port: float) -> str:
            made = MonitorSettings(
                port=int(port), token_file=home / TOKEN_FILE, home=home, declared=home / DECLARED_FILE
            )
            return made.model_dump_json(indent=1) + "\n"

        self.serve(
            SERVICE,
            "mlstrata.services.monitor",
            args.port,
            pulumi.Output.from_input(args.port).apply(settings),
            environment=_ONE_THREAD,
            # The service reads it again by itself: another limit or system needs no restart.
            files={DECLARED_FILE: File(Declared.of(args.spec).text(), restart=False)},
            folders=(WORKDIR,),
            stop_seconds=10,
        )
        alerting(self, f"{SERVICE}-rounds", service_rounds(SERVICE, args.host.owner))
        self.register_outputs({"url": self.url})


class Watch(LocalComponent):
    """The rules about one system."""

    def __init__(self, name: str, args: WatchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("monitor", name, args.host, opts)
        for file, rules in args.rules.items():
            alerting(self, file, rules)
        self.register_outputs({"system": args.system.name})


def build(site: LocalSite) -> MonitorOutputs:
    """Build the monitor of the environment, with the rules about each system that answers requests."""
    port = site.ports[SERVICE].port(SERVICE)
    monitor = Monitor(SERVICE, MonitorArgs(site.host, port, site.spec))
    _watch(site, "monitor", monitoring_rules)
    return MonitorOutputs(monitor.url)


def fairness(site: LocalSite) -> None:
    """Have differences between groups alerted on, of the systems that have groups."""
    _watch(site, "fairness", fairness_rules, lambda system: bool(system.model.protected))


def promises(site: LocalSite) -> None:
    """Have a missed promise alerted on, where the monitor measures it."""
    if Capability.MONITORING in site.spec.capabilities:
        _watch(site, "promise", promise_rules)


def _watch(
    site: LocalSite,
    kind: str,
    rules: Callable[[SystemSpec, str], str],
    wanted: Callable[[SystemSpec], bool] = lambda _: True,
) -> None:
    for system in site.realtime:
        if wanted(system):
            file = f"{kind}-{system.name}"
            args = WatchArgs(site.host, system, {file: rules(system, site.owner_of(system))})
            Watch(f"{file}-rules", args, site.systems[system.name].child())
