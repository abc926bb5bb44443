"""The door of an environment on a cluster: Envoy Gateway with TLS, and what it does for every system alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from mlstrata.components.certificates.kubernetes import Certificates, CertificatesArgs
from mlstrata.components.cluster import Cluster, ClusterComponent
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.gateway.outputs import NAME, ClusterGatewayOutputs, owned_by
from mlstrata.components.manifests import manifest
from mlstrata.components.network_policies import ANYWHERE, incoming, names, outgoing, pods

API, ENVOY = "gateway.networking.k8s.io/v1", "gateway.envoyproxy.io/v1alpha1"
CERTIFICATE = "gateway-tls"
HTTPS, INSIDE, ADMIN = 443, 10443, 19001
"""Its port, the port of Envoy's pods behind it, and the port of their statistics."""
COPIES = 2
_FROM_OUTSIDE = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
CONTROL = (18000, 18001)


@dataclass(frozen=True)
class GatewayArgs:
    """Arguments of `Gateway`.

    Attributes:
        cluster: Where.
        operators: Namespace of Envoy Gateway, in which Envoy's pods run too.
        shared: That is somebody else's: nothing but what selects this environment's own pods is put there.
        balancer: What of its service is the cloud's; empty: the cluster's own load balancer knows what to do.
        watched: What must be there before it is scraped.
        after: What must be there before it: Envoy Gateway, the certificate.
    """

    cluster: Cluster
    operators: str
    shared: bool = False
    balancer: Mapping[str, Any] = field(default_factory=dict)
    watched: Sequence[pulumi.Resource] = ()
    after: Sequence[pulumi.Resource] = ()


class Gateway(ClusterComponent):
    """The one door.

    Attributes:
        ready: What attaches to it waits for.
    """

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gateway", name, args.cluster, opts)
        self.space, self.operators = args.cluster.namespace, args.operators
        self.envoys = owned_by(self.space)
        after = list(args.after)
        proxy = self.add("proxy", self._object(ENVOY, "EnvoyProxy", NAME, self._proxy(args.balancer)), after=after)
        reference = {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": NAME, "namespace": self.space}
        spec = {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller", "parametersRef": reference}
        kind = self.add("class", manifest(API, "GatewayClass", self.space, spec=spec), after=[proxy])
        ways = self._openings()
        if args.shared:
            ways["names"] = names(self.operators, f"{self.space}-gateway-names", of=self.envoys, dns=self.cluster.dns)
        openings = [self.add(role, policy, after=after) for role, policy in ways.items()]
        gateway = self.add(
            "", self._object(API, "Gateway", NAME, self._listeners()), part="gateway", after=[kind, *openings]
        )
        client = self._object(ENVOY, "ClientTrafficPolicy", NAME, self._clients())
        scraped: dict[str, Any] = {
            "podMetricsEndpoints": [{"port": "metrics", "path": "/stats/prometheus", "interval": "15s"}],
            "selector": {"matchLabels": self.envoys},
        }
        named = f"{self.space}-gateway"
        if args.shared:
            # Prometheus reads what is in the environment's own namespaces.
            scraped["namespaceSelector"] = {"matchNames": [self.operators]}
        where = self.space if args.shared else self.operators
        monitor = manifest("monitoring.coreos.com/v1", "PodMonitor", named, where, spec=scraped)
        self.watch(monitor, after=args.watched)
        self.ready: list[pulumi.Resource] = [gateway, self.add("clients", client, after=[gateway])]
        self.register_outputs({})

    def _object(self, version: str, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        return manifest(version, kind, name, self.space, spec=spec)

    def _proxy(self, balancer: Mapping[str, Any]) -> dict[str, Any]:
        container = {
            "image": self.cluster.image("envoy"),
            "resources": self.cluster.size("gateway").manifest(),
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        }
        line = {
            "request_id": "%REQ(X-REQUEST-ID)%",
            "consumer": "%REQ(X-MLSTRATA-CONSUMER)%",
            "method": "%REQ(:METHOD)%",
            "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
            "status": "%RESPONSE_CODE%",
            "flags": "%RESPONSE_FLAGS%",
            "duration_ms": "%DURATION%",
            "upstream": "%UPSTREAM_CLUSTER%",
        }
        return {
            "provider": {
                "type": "Kubernetes",
                "kubernetes": {
                    "envoyDeployment": {"replicas": COPIES, "container": container},
                    "envoyPDB": {"minAvailable": 1},
                    "envoyService": {
                        key: value for key, value in {**_FROM_OUTSIDE, **balancer}.items() if value is not None
                    },
                },
            },
            "telemetry": {
                "accessLog": {
                    "settings": [
                        {
                            "format": {"type": "JSON", "json": line},
                            "sinks": [{"type": "File", "file": {"path": "/dev/stdout"}}],
                        }
                    ]
                }
            },
        }

    def _listeners(self) -> dict[str, Any]:
        ours = {"matchLabels": {"mlstrata.io/environment": self.cluster.environment}}
        listener = {
            "name": "https",
            "port": HTTPS,
            "protocol": "HTTPS",
            "tls": {"mode": "Terminate", "certificateRefs": [{"group": "", "kind": "Secret", "name": CERTIFICATE}]},
            "allowedRoutes": {"namespaces": {"from": "Selector", "selector": ours}},
        }
        return {"gatewayClassName": self.space, "listeners": [listener]}

    def _clients(self) -> dict[str, Any]:
        return {
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": NAME}],
            "tls": {"minVersion": "1.2"},
            "timeout": {"http": {"requestReceivedTimeout": "30s", "idleTimeout": "300s"}},
            "connection": {"connectionLimit": {"value": 10_000}},
            # A caller cannot claim to be somebody else, nor choose the version that answers.
            "headers": {
                "earlyRequestHeaders": {"remove": ["x-mlstrata-consumer", "x-mlstrata-version"]},
                "requestID": "PreserveOrGenerate",
            },
        }

    def _openings(self) -> dict[str, dict[str, Any]]:
        """Return the ways of Envoy's pods, which run beside their operator."""
        space, envoys, prefix = self.operators, self.envoys, f"{self.space}-gateway"
        operator = pods(labels={"control-plane": "envoy-gateway"})
        serving = pods(environment=self.cluster.environment)
        return {
            "callers": incoming(f"{prefix}-callers", space, to=envoys, ports=[INSIDE], peers=[ANYWHERE]),
            "scrapes": incoming(
                f"{prefix}-scrapes", space, to=envoys, ports=[ADMIN], peers=[pods(namespace=self.cluster.monitoring)]
            ),
            "control": outgoing(f"{prefix}-control", space, of=envoys, ports=CONTROL, peers=[operator]),
            "serving": outgoing(f"{prefix}-serving", space, of=envoys, ports=[8000, 9000], peers=[serving]),
        }


def build(site: ClusterSite) -> ClusterGatewayOutputs:
    """Build the gateway and the certificate at its door."""
    service = f"{NAME}.{site.cluster.namespace}.svc"
    doors = {CERTIFICATE: [service, f"{service}.cluster.local"]}
    issued = Certificates(
        "certificates",
        CertificatesArgs(site.cluster, doors, [*site.upstream("cert-manager").ready, *site.ready]),
        site.opts,
    )
    envoy = site.upstream("envoy-gateway")
    after = [*envoy.ready, *issued.ready, *site.ready]
    watched = [*site.watched, *envoy.ready]
    args = GatewayArgs(
        site.cluster,
        envoy.package.namespace,
        shared=envoy.package.exists,
        balancer=site.inputs.balancer,
        watched=watched,
        after=after,
    )
    return ClusterGatewayOutputs(Gateway("gateway", args, site.opts).ready)
