"""The prediction process of a system on this machine: MLServer with our runtime class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pulumi

from mlstrata.components.governance.part import Part, PartArgs
from mlstrata.components.local_host import LocalComponent, loopback
from mlstrata.components.local_site import LocalSite
from mlstrata.components.monitoring.scraping import alerting, watched
from mlstrata.components.serving.args import ServingArgs
from mlstrata.components.serving.observers import Way, observers_of, settings_of
from mlstrata.components.serving.outputs import Endpoint, ServingOutputs, copies, serving_name
from mlstrata.components.supervision.credential import Credential
from mlstrata.components.supervision.ports import Ports
from mlstrata.components.supervision.service import File
from mlstrata.environments.requirements import sha256_of
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.environments.stages import Capability
from mlstrata.services.alerts.rules import system_rules
from mlstrata.services.alerts.settings import ServiceLevel
from mlstrata.services.recording import names
from mlstrata.services.serving.folders import releases_folder, secret_file, spill_folder
from mlstrata.services.serving.settings import (
    MODEL_FILE,
    SETTINGS_FILE,
    ServingSettings,
    answers_path,
    command,
    environment,
    render_files,
)


class Serving(LocalComponent):
    """Answers predictions of one AI system.

    Attributes:
        endpoint: Where it answers.
    """

    def __init__(self, name: str, args: ServingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("serving", name, args.host, opts)
        self.endpoint = Endpoint(args.system, tuple(ports.port("http") for ports in args.ports))
        secret = Credential(f"serving-secret-{args.system}", kind="token", opts=self.child()).secret
        place = secret_file(args.host.home, args.system).relative_to(args.host.home)
        # The first process owns it, and the others start after that one; it is read at each use.
        self._shared = {str(place): File(secret, restart=False)}
        for number, ports in enumerate(args.ports, 1):
            self._process(args, serving_name(args.system, number), ports)
        if args.observers.explain is not None:
            Part(
                f"explainer-{args.system}", PartArgs("explainer", serving_name(args.system), args.system), self.child()
            )
        alerting(self, f"service-level-{args.system}", system_rules(args.service_level))
        self.register_outputs({"port": self.endpoint.ports[0]})

    def _process(self, args: ServingArgs, service: str, ports: Ports) -> None:
        home, folder, seen = args.host.home, f"config/{service}", args.observers
        # The recorder's port is no port of this process, and its settings name it.
        known = pulumi.Output.all(ports.ports, *([] if seen.recorder is None else [seen.recorder]))

        def settings(given: Mapping[str, float], *recorder: float) -> ServingSettings:
            return ServingSettings(
                system=args.system,
                directory=releases_folder(home, args.system),
                http_port=int(given["http"]),
                grpc_port=int(given["grpc"]),
                metrics_port=int(given["metrics"]),
                secret_file=secret_file(home, args.system),
                sla_p99_s=args.service_level.p99_seconds,
                output_range=args.output_range,
                **settings_of(seen, _way(home, service, args.system, int(recorder[0])) if recorder else None),
            )

        def file(name: str) -> File:
            return File(known.apply(lambda found: render_files(settings(found[0], *found[1:]))[name]))

        self.run(
            service,
            health=loopback(ports.port("http"), answers_path(args.system)),
            # One after another: what restarts them leaves the others answering meanwhile.
            after=self.ready[-1:],
            ports={name: ports.port(name) for name in ("http", "grpc", "metrics")},
            command=command(args.host.binaries["python"].parent, home / folder, args.lock, home),
            environment=ports.ports.apply(lambda given: {**environment(settings(given)), **_held(args.lock)}),
            files={
                **{f"{folder}/{name}": file(name) for name in (SETTINGS_FILE, MODEL_FILE)},
                **({} if self.ready else self._shared),
            },
            folders=(f"data/serving/{args.system}",),
            stop_seconds=20,
        )
        watched(self, service, ports.port("metrics"), system=args.system, owner=args.service_level.owner)


def _way(home: Path, service: str, system: str, port: int) -> Way:
    """Return the way of a process to the recorder of this machine."""
    return Way(
        spill_folder(home, system, service), f"http://127.0.0.1:{port}", home / names.TOKEN_FILE, home / names.KEY_FILE
    )


def _held(lock: Path | None) -> dict[str, str]:
    """Say what the lock of a process comes to, so that it starts anew with another one."""
    return {"MLSTRATA_REQUIREMENTS": sha256_of(lock)} if lock else {}


def build(site: LocalSite) -> ServingOutputs:
    """Build the prediction processes of every system that answers requests."""
    return ServingOutputs({system.name: _endpoint(site, system) for system in site.realtime})


def _endpoint(site: LocalSite, system: SystemSpec) -> Endpoint:
    sla = system.serving.sla
    service_level = ServiceLevel(
        system=system.name,
        owner=site.owner_of(system),
        p99_seconds=sla.p99.total_seconds(),
        availability=sla.availability,
    )
    ports = [site.ports[serving_name(system.name, number)] for number in copies(system)]
    own = system.model.requirements
    lock = site.workspace.root / own if own else None
    recorder = site.ports[names.SERVICE].port(names.SERVICE) if Capability.RECORDING in site.spec.capabilities else None
    observers = replace(observers_of(site.spec, system), recorder=recorder)
    args = ServingArgs(site.host, system.name, ports, service_level, system.output_range, lock, observers)
    return Serving(serving_name(system.name), args, site.systems[system.name].child()).endpoint
