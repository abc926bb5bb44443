"""The gateway on this machine: an Envoy that reads its files again whenever one is renamed into its folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi

from mlstrata.components.gateway.args import GatewayArgs, LocalRoute
from mlstrata.components.gateway.certificate import Certificate
from mlstrata.components.gateway.ending import Ending
from mlstrata.components.gateway.keys import SigningKeys
from mlstrata.components.gateway.outputs import GatewayOutputs
from mlstrata.components.gateway.routes import Routes
from mlstrata.components.governance.part import Part, PartArgs
from mlstrata.components.local_host import LocalComponent, loopback
from mlstrata.components.local_site import LocalSite
from mlstrata.components.monitoring.scraping import watched
from mlstrata.components.serving.outputs import Endpoint, ServingOutputs
from mlstrata.components.supervision.service import File
from mlstrata.environments import EnvironmentSpec, SystemSpec
from mlstrata.environments.spec.serving import ConsumerSpec
from mlstrata.services.gateway.names import ACCESS_LOG
from mlstrata.services.gateway.render import command, render_files
from mlstrata.services.gateway.rotation import Rotation
from mlstrata.services.gateway.settings import (
    BOOTSTRAP_FILE,
    CA_FILE,
    CLUSTERS_FILE,
    LISTENERS_FILE,
    QUOTAS_FILE,
    RATES_FILE,
    ROUTES_FILE,
    SETTINGS_FILE,
    TLS_FILE,
    TOKENS_FILE,
    Consumer,
    Deprecation,
    GatewaySettings,
    GatewaySystem,
)
from mlstrata.services.serving.folders import releases_folder

SERVICE = "gateway"
FOLDER = f"config/{SERVICE}"
_OWNED = (SETTINGS_FILE, CLUSTERS_FILE, TOKENS_FILE, RATES_FILE, QUOTAS_FILE, LISTENERS_FILE, BOOTSTRAP_FILE)


class Gateway(LocalComponent):
    """The one way in.

    Attributes:
        url: The address that consumers call.
        keys: What signs their tokens.
        certificate: What they trust.
    """

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gateway", name, args.host, opts)
        home = args.host.home
        self.keys = SigningKeys(
            f"{name}-keys", oldest=args.rotation.oldest, newest=args.rotation.newest, opts=self.child()
        )
        self.certificate = Certificate(f"{name}-certificate", authority_name=args.issuer, opts=self.child())
        self.url = loopback(args.ports.port("gateway"), scheme="https")
        settings = self._settings(args)
        rendered = settings.apply(lambda text: render_files(GatewaySettings.model_validate_json(text), {}))
        service = self.run(
            SERVICE,
            health=loopback(args.ports.port("gateway"), "/healthz", scheme="https"),
            authority=f"{FOLDER}/{CA_FILE}",
            ports={port: args.ports.port(port) for port in ("gateway", "gateway_admin")},
            command=command(args.host.binaries["envoy"].parent, home / FOLDER),
            # Only its bootstrap is read once; Envoy watches the others, so a new system restarts nothing.
            files={
                f"{FOLDER}/{CA_FILE}": File(self.certificate.authority, restart=False),
                f"{FOLDER}/{TLS_FILE}": File(self.certificate.tls, restart=False),
                **{f"{FOLDER}/{file}": File(_part(rendered, file), restart=file == BOOTSTRAP_FILE) for file in _OWNED},
            },
            # Envoy does not serve before it has routes; from then on they are Routes' and the rollout's.
            seeds={f"{FOLDER}/{ROUTES_FILE}": File(_part(rendered, ROUTES_FILE))},
        )
        routes = Routes(
            f"{name}-routes",
            directory=home / FOLDER,
            settings=settings,
            releases={way.endpoint.system: releases_folder(home, way.endpoint.system) for way in args.routes},
            opts=self.child(after=[service]),
        )
        for way in args.routes:
            system = way.endpoint.system
            # `mlstrata stop` has every route of a system refuse at once.
            Part(f"kill-switch-{system}", PartArgs("kill-switch", ROUTES_FILE, system), self.child(after=[routes]))
        watched(self, SERVICE, args.ports.port("gateway_admin"), path="/stats/prometheus")
        self.register_outputs({"url": self.url})

    def _settings(self, args: GatewayArgs) -> pulumi.Output[str]:
        """Return the settings as text; ports and key set are known only once they are made."""
        home = args.host.home

        def render(values: Sequence[Any]) -> str:
            ports, jwks, answering = values
            systems = tuple(
                GatewaySystem(
                    name=way.endpoint.system,
                    upstream_port=int(upstream[0]),
                    copies=tuple(int(port) for port in upstream[1:]),
                    consumers=way.consumers,
                    timeout_s=way.timeout_s,
                    body_limit=way.body_limit,
                    api_versions=way.api_versions,
                    deprecations=way.deprecations,
                    sunset=way.ending.sunset,
                    successor=way.ending.successor,
                )
                for way, upstream in zip(args.routes, answering, strict=True)
            )
            return GatewaySettings(
                port=int(ports["gateway"]),
                admin_port=int(ports["gateway_admin"]),
                issuer=args.issuer,
                jwks=jwks,
                directory=home / FOLDER,
                access_log=home / ACCESS_LOG,
                systems=systems,
                tls=True,
            ).to_json()

        upstreams = pulumi.Output.all(*(pulumi.Output.all(*way.endpoint.ports) for way in args.routes))
        return pulumi.Output.all(args.ports.ports, pulumi.Output.json_loads(self.keys.public), upstreams).apply(render)


def _part(rendered: pulumi.Output[dict[str, str]], file: str) -> pulumi.Output[str]:
    return rendered.apply(lambda files: files[file])


def build(site: LocalSite) -> GatewayOutputs:
    """Build the way in to every system that answers."""
    serving = site.find(ServingOutputs) or ServingOutputs()
    routes = [
        _route(site.spec, system, serving.endpoints[system.name])
        for system in site.realtime
        if system.name in serving.endpoints
    ]
    issuer, rotation = f"mlstrata/{site.spec.name}", Rotation.read(site.host.home)
    return GatewayOutputs(Gateway("gateway", GatewayArgs(site.host, site.ports[SERVICE], issuer, routes, rotation)).url)


def _route(spec: EnvironmentSpec, system: SystemSpec, endpoint: Endpoint) -> LocalRoute:
    serving = system.serving
    return LocalRoute(
        endpoint=endpoint,
        consumers=tuple(map(_consumer, serving.consumers)),
        timeout_s=serving.limits.timeout.total_seconds(),
        body_limit=serving.limits.body_bytes,
        api_versions=serving.api_versions,
        deprecations=tuple(Deprecation(**one.model_dump()) for one in serving.deprecations),
        ending=Ending.of(spec, system),
    )


def _consumer(consumer: ConsumerSpec) -> Consumer:
    rate, quota = consumer.rate, consumer.quota
    bounded = {} if quota is None else {"quota": quota.count, "quota_seconds": quota.per_seconds}
    return Consumer(name=consumer.name, count=rate.count, per_seconds=rate.per_seconds, **bounded)
