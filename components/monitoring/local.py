"""The monitoring on this machine: Prometheus, Alertmanager, and what measures the services and logs their alerts."""

from __future__ import annotations

import sys

import pulumi

from components.host import PROMETHEUS, PROMETHEUS_FOLDER, LocalComponent, loopback, text
from components.monitoring.args import MonitoringArgs
from components.supervision.service import File
from services.alerts import alertmanager, prometheus
from services.alerts.rules import machine_rules, service_rules
from services.alerts.settings import Receiver, Watched

ALERTMANAGER, RESOURCES = "alertmanager", "resources"
_ALERTMANAGER_FOLDER = "config/alertmanager"


class Monitoring(LocalComponent):
    """Metrics, alerts and their log.

    Attributes:
        prometheus: Address of Prometheus.
        alertmanager: Address of Alertmanager.
    """

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("monitoring", name, args.host, opts)
        ports = {
            PROMETHEUS: args.prometheus_port,
            ALERTMANAGER: args.alertmanager_port,
            RESOURCES: args.resources_port,
        }
        for service, port in ports.items():
            self.scraped(service, port)
            self.alerting(service, service_rules(Watched(service=service, owner=args.host.owner)))
        self.alerting("machine", machine_rules(args.host.owner))
        self._run_resources(args)
        self._run_alertmanager(args)
        self._run_prometheus(args)
        self.prometheus = loopback(args.prometheus_port)
        self.alertmanager = loopback(args.alertmanager_port)
        self.register_outputs({"prometheus": self.prometheus, "alertmanager": self.alertmanager})

    def _run_resources(self, args: MonitoringArgs) -> None:
        home = str(args.host.home)
        self.run(
            RESOURCES,
            health=loopback(args.resources_port, "/healthz"),
            ports={RESOURCES: args.resources_port},
            command=[
                *(sys.executable, "-m", "services.resources", "--home", home, "--port", text(args.resources_port)),
            ],
        )

    def _run_alertmanager(self, args: MonitoringArgs) -> None:
        home = args.host.home
        config = pulumi.Output.from_input(args.resources_port).apply(
            lambda port: alertmanager.render_config(Receiver(port=int(port)))
        )
        listen = text(args.alertmanager_port).apply(lambda port: f"--web.listen-address=127.0.0.1:{port}")
        path = f"{_ALERTMANAGER_FOLDER}/{alertmanager.CONFIG_FILE}"
        self.run(
            ALERTMANAGER,
            health=loopback(args.alertmanager_port, "/-/ready"),
            ports={ALERTMANAGER: args.alertmanager_port},
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

    def _run_prometheus(self, args: MonitoringArgs) -> None:
        home = args.host.home
        config = pulumi.Output.from_input(args.alertmanager_port).apply(
            lambda port: prometheus.render_config(int(port))
        )
        listen = text(args.prometheus_port).apply(lambda port: f"--web.listen-address=127.0.0.1:{port}")
        path = f"{PROMETHEUS_FOLDER}/{prometheus.CONFIG_FILE}"
        self.run(
            PROMETHEUS,
            health=loopback(args.prometheus_port, "/-/ready"),
            ports={PROMETHEUS: args.prometheus_port},
            command=[
                str(args.host.binaries["prometheus"]),
                f"--config.file={home}/{path}",
                f"--storage.tsdb.path={home}/data/prometheus",
                f"--storage.tsdb.retention.time={args.retention_days}d",
                listen,
            ],
            files={path: File(config)},
            folders=("data/prometheus",),
            stop_seconds=20,
            after=[*args.contributions, *self.contributions],
        )
