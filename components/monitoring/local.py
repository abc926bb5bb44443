"""The monitoring on this machine: Prometheus, Alertmanager, and what measures the services and logs their alerts."""

from __future__ import annotations

import pulumi

from mlstrata.components.learning.outputs import LearningOutputs
from mlstrata.components.local_host import LocalComponent, loopback, text
from mlstrata.components.local_site import LocalSite
from mlstrata.components.monitoring.args import MonitoringArgs
from mlstrata.components.monitoring.outputs import MonitoringOutputs
from mlstrata.components.monitoring.scraping import PROMETHEUS, PROMETHEUS_FOLDER, alerting, watched
from mlstrata.components.registry.outputs import RegistryOutputs
from mlstrata.components.supervision.service import File
from mlstrata.environments.installation import interpreter
from mlstrata.environments.stages import Capability
from mlstrata.services.alerts import alertmanager, prometheus
from mlstrata.services.alerts.rules import machine_rules, upkeep_rules
from mlstrata.services.alerts.settings import Learner, Receiver
from mlstrata.services.retention.settings import RetentionSettings

ALERTMANAGER, RESOURCES = "alertmanager", "resources"
_ALERTMANAGER_FOLDER = "config/alertmanager"
_RETENTION_FILE = "config/resources/retention.json"


class Monitoring(LocalComponent):
    """Metrics, alerts and their log, the archives of the gateway's, and what removes what has been kept long enough.

    Attributes:
        urls: Addresses of Prometheus and Alertmanager; empty where the environment leaves alerts out.
    """

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("monitoring", name, args.host, opts)
        ports = {RESOURCES: args.resources_port}
        if args.alerts is not None:
            ports |= dict(zip((PROMETHEUS, ALERTMANAGER), args.alerts, strict=True))
        for service, port in ports.items():
            watched(self, service, port)
        alerting(self, "machine", machine_rules(args.host.owner))
        self._run_resources(args)
        self.urls: dict[str, pulumi.Output[str]] = {}
        if args.alerts is not None:
            prometheus_port, alertmanager_port = args.alerts
            self._run_alertmanager(args, alertmanager_port)
            self._run_prometheus(args, prometheus_port, alertmanager_port)
            self.urls = {PROMETHEUS: loopback(prometheus_port), ALERTMANAGER: loopback(alertmanager_port)}
        self.register_outputs(self.urls)

    def _run_resources(self, args: MonitoringArgs) -> None:
        home = str(args.host.home)
        archiving: list[pulumi.Input[str]] = []
        if args.gateway_admin is not None:
            alerting(self, "gateway-upkeep", upkeep_rules(args.host.owner))
            kept = f"{args.retention.total_seconds():.0f}"
            archiving = ["--gateway-admin", text(args.gateway_admin), "--logs-seconds", kept]
        self.run(
            RESOURCES,
            health=loopback(args.resources_port, "/healthz"),
            ports={RESOURCES: args.resources_port},
            # Each round reads it anew.
            files={_RETENTION_FILE: File(args.keeping, restart=False)},
            command=[
                *(
                    str(interpreter()),
                    "-m",
                    "mlstrata.services.exporter",
                    "--home",
                    home,
                    "--port",
                    text(args.resources_port),
                    "--retention",
                    f"{home}/{_RETENTION_FILE}",
                ),
                *archiving,
            ],
        )

    def _run_alertmanager(self, args: MonitoringArgs, port: pulumi.Input[int]) -> None:
        home = args.host.home
        learning_port, token_file = args.learner or (0, "")
        config = pulumi.Output.all(args.resources_port, learning_port).apply(
            lambda ports: alertmanager.render_config(
                Receiver(port=int(ports[0])),
                Learner(port=int(ports[1]), token_file=token_file) if token_file else None,
            )
        )
        listen = text(port).apply(lambda number: f"--web.listen-address=127.0.0.1:{number}")
        path = f"{_ALERTMANAGER_FOLDER}/{alertmanager.CONFIG_FILE}"
        self.run(
            ALERTMANAGER,
            health=loopback(port, "/-/ready"),
            ports={ALERTMANAGER: port},
            command=[
                str(args.host.binaries["alertmanager"]),
                f"--config.file={home}/{path}",
                f"--storage.path={home}/data/alertmanager",
                listen,
                # Alone: it opens no port for a cluster of its kind.
                "--cluster.listen-address=",
            ],
            files={path: File(config)},
            folders=("data/alertmanager",),
        )

    def _run_prometheus(
        self, args: MonitoringArgs, port: pulumi.Input[int], alertmanager_port: pulumi.Input[int]
    ) -> None:
        home = args.host.home
        config = pulumi.Output.from_input(alertmanager_port).apply(lambda number: prometheus.render_config(int(number)))
        listen = text(port).apply(lambda number: f"--web.listen-address=127.0.0.1:{number}")
        days = max(1, args.retention.days)
        path = f"{PROMETHEUS_FOLDER}/{prometheus.CONFIG_FILE}"
        self.run(
            PROMETHEUS,
            health=loopback(port, "/-/ready"),
            ports={PROMETHEUS: port},
            command=[
                str(args.host.binaries["prometheus"]),
                f"--config.file={home}/{path}",
                f"--storage.tsdb.path={home}/data/prometheus",
                f"--storage.tsdb.retention.time={days}d",
                listen,
            ],
            files={path: File(config)},
            folders=("data/prometheus",),
            stop_seconds=20,
            after=list(args.host.contributions),
        )


def build(site: LocalSite) -> MonitoringOutputs:
    """Build the monitoring of all that was built before."""
    gateway, alerts = site.ports.get("gateway"), None
    if Capability.ALERTS in site.spec.capabilities:
        alerts = (site.ports[PROMETHEUS].port(PROMETHEUS), site.ports[ALERTMANAGER].port(ALERTMANAGER))
    registry, learning = site.find(RegistryOutputs), site.find(LearningOutputs)
    uri = pulumi.Output.from_input(registry.uri if registry else "")
    args = MonitoringArgs(
        host=site.host,
        keeping=uri.apply(
            lambda known: RetentionSettings.of(site.spec, site.host.home, known).model_dump_json(indent=1) + "\n"
        ),
        alerts=alerts,
        resources_port=site.ports[RESOURCES].port(RESOURCES),
        retention=site.spec.retention.logs,
        gateway_admin=gateway.port("gateway_admin") if gateway else None,
        learner=(learning.port, learning.token_file) if learning else None,
    )
    return MonitoringOutputs(Monitoring("monitoring", args).urls)
