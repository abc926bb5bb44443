"""The prediction process of a system on this machine: MLServer with our runtime class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pulumi

from components.host import LocalComponent, loopback
from components.serving.args import Endpoint, ServingArgs, serving_name
from components.supervision.service import File
from services.alerts.rules import service_rules, system_rules
from services.alerts.settings import Watched
from services.serving.settings import MODEL_FILE, SETTINGS_FILE, ServingSettings, command, environment, render_files


def releases_folder(home: Path, system: str) -> Path:
    """Return the folder of a system's releases and model versions, which only the rollout writes."""
    return home / "data/serving" / system


class Serving(LocalComponent):
    """Answers predictions of one AI system.

    Attributes:
        endpoint: Where it answers.
    """

    def __init__(self, name: str, args: ServingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("serving", name, args.host, opts)
        home, system, service = args.host.home, args.system, serving_name(args.system)
        folder = f"config/{service}"
        directory = releases_folder(home, system)

        def settings(ports: Mapping[str, float]) -> ServingSettings:
            return ServingSettings(
                system=system,
                directory=directory,
                http_port=int(ports["http"]),
                grpc_port=int(ports["grpc"]),
                metrics_port=int(ports["metrics"]),
                sla_p99_s=args.promise.p99_seconds,
                probability_range=args.probability_range,
            )

        def file(name: str) -> File:
            return File(args.ports.ports.apply(lambda ports: render_files(settings(ports))[name]))

        self.endpoint = Endpoint(system, args.ports.port("http"))
        self.run(
            service,
            health=loopback(self.endpoint.port, "/v2/health/ready"),
            ports={name: args.ports.port(name) for name in ("http", "grpc", "metrics")},
            command=command(args.host.binaries["mlserver"].parent, home / folder),
            environment=args.ports.ports.apply(lambda ports: environment(settings(ports))),
            files={f"{folder}/{name}": file(name) for name in (SETTINGS_FILE, MODEL_FILE)},
            folders=(f"data/serving/{system}",),
            stop_seconds=20,
        )
        self.scraped(service, args.ports.port("metrics"), system=system)
        self.alerting(service, service_rules(Watched(service=service, owner=args.promise.owner, system=system)))
        self.alerting(f"promise-{system}", system_rules(args.promise))
        self.register_outputs({"port": self.endpoint.port})
