"""A system's place behind the gateway: its paths, who may take them how often, and the switch that stops it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pulumi

from mlstrata.components.cluster import Cluster, ClusterComponent, Ownership
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.gateway.ending import Ending
from mlstrata.components.gateway.kubernetes import API, ENVOY
from mlstrata.components.gateway.outputs import NAME, Backend, ClusterGatewayOutputs
from mlstrata.components.manifests import group, manifest, rights
from mlstrata.components.namespaces.outputs import NamespacesOutputs
from mlstrata.components.naming.forms import stop_right, stop_route, stopped
from mlstrata.components.serving.outputs import ClusterServingOutputs
from mlstrata.environments.spec.serving import ServingSpec
from mlstrata.services.gateway.deprecation import deprecation_headers
from mlstrata.services.gateway.settings import (
    AUDIENCE,
    FEW_RETRIES,
    RETRIES,
    RETRY_SHARE,
    SCHEMES,
    UNBEGUN,
    Breaker,
    Deprecation,
    GatewaySystem,
)
from mlstrata.services.serving.problem import RETRY_AFTER_S
from mlstrata.services.serving.settings import LEAVING_HEADER, OVERLOADED_HEADER, TIMEOUT_HEADER, UNTOUCHED_HEADER

CONSUMER = "x-mlstrata-consumer"
KEYS = "token-keys"
"""The ConfigMap with the public keys of tokens (`jwks`), in the namespace of every system."""
PROVIDER = "mlstrata"
_UNITS = {1: "Second", 60: "Minute", 3600: "Hour", 86400: "Day"}
_TOLD_THE_GATEWAY = (LEAVING_HEADER, OVERLOADED_HEADER, UNTOUCHED_HEADER)
"""What a pod tells the gateway in an answer, and nobody else."""
_AGAIN = {"name": "retry-after", "value": f"%CEL(response.headers[':status'] == '503' ? '{RETRY_AFTER_S}' : '')%"}
"""Whoever is refused, by a pod or by Envoy itself, is told when to ask again; an empty header is left out."""


@dataclass(frozen=True)
class SystemRouteArgs:
    """Arguments of `SystemRoute`.

    Attributes:
        cluster: Where.
        namespace: The system's namespace.
        ownership: Whose it is.
        system: The system.
        serving: What its file says of consumers, limits and versions.
        backends: What answers.
        stoppable: It has a switch that stops it (oversight.kill_switch).
        ending: When it is retired, and what takes over.
        after: What must be there before it: the gateway, the namespace.
    """

    cluster: Cluster
    namespace: str
    ownership: Ownership
    system: str
    serving: ServingSpec
    backends: Sequence[Backend]
    stoppable: bool = False
    ending: Ending = field(default_factory=Ending)
    after: Sequence[pulumi.Resource] = ()


class SystemRoute(ClusterComponent):
    """A system behind the gateway."""

    def __init__(self, name: str, args: SystemRouteArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gateway", name, args.cluster, opts, ownership=args.ownership)
        self.args, self.space, self.system = args, args.namespace, args.system
        route = self.add("", self._route(self.system, [self._rule()]), part="route", after=args.after)
        after = [*args.after, route]
        self.add("access", self._object("SecurityPolicy", self._access()), after=after)
        self.add("limits", self._object("BackendTrafficPolicy", self._limits()), after=after)
        if args.stoppable:
            self._switch()
        self.register_outputs({})

    def _object(self, kind: str, spec: Mapping[str, Any], name: str = "") -> dict[str, Any]:
        return manifest(ENVOY, kind, name or self.system, self.space, spec=dict(spec))

    def _route(self, name: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
        gateway = {
            "group": "gateway.networking.k8s.io",
            "kind": "Gateway",
            "name": NAME,
            "namespace": self.cluster.namespace,
            "sectionName": "https",
        }
        return manifest(API, "HTTPRoute", name, self.space, spec={"parentRefs": [gateway], "rules": rules})

    def _rule(self) -> dict[str, Any]:
        """Return the one rule of all versions of the API.

        Envoy counts by the match of a rule: with one a version, a consumer would have its rate as often as there are
        versions.
        """
        versions = self.args.serving.api_versions
        if len(versions) == 1:
            match = self._match(versions[0])
        else:
            path = f"/systems/{self.system}/({'|'.join(versions)})/predict"
            match = {"path": {"type": "RegularExpression", "value": path}, "method": "POST"}
        rule: dict[str, Any] = {"matches": [match], "backendRefs": [self._backend(one) for one in self.args.backends]}
        # How long its caller waits: what comes to its turn later is not computed.
        waits = {"name": TIMEOUT_HEADER, "value": str(self._timeout_ms())}
        told: dict[str, Any] = {"remove": list(_TOLD_THE_GATEWAY), "set": [*self._told(), _AGAIN]}
        rule["filters"] = [
            {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [waits]}},
            {"type": "ResponseHeaderModifier", "responseHeaderModifier": told},
        ]
        return rule

    def _timeout_ms(self) -> int:
        return self.args.serving.limits.timeout // timedelta(milliseconds=1)

    def _told(self) -> list[dict[str, str]]:
        """Return the headers by which answers of a version on its way out say so, and no other's.

        Envoy works their values out by the path that was asked for, and leaves an empty one out.
        """
        serving = self.args.serving
        system = GatewaySystem(
            name=self.system,
            upstream_port=self.args.backends[0].port,
            api_versions=serving.api_versions,
            deprecations=tuple(Deprecation(**one.model_dump()) for one in serving.deprecations),
            sunset=self.args.ending.sunset,
            successor=self.args.ending.successor,
        )
        values: dict[str, str] = {}
        for version in serving.api_versions:
            asked = self._path(version)
            for one in deprecation_headers(system, version):
                name, value = one["header"]["key"], one["header"]["value"]
                values[name] = values.get(name, "") + f"request.url_path == '{asked}' ? '{value}' : "
        return [{"name": name, "value": f"%CEL({choice}'')%"} for name, choice in values.items()]

    def _path(self, version: str) -> str:
        return f"/systems/{self.system}/{version}/predict"

    def _match(self, version: str, **more: Any) -> dict[str, Any]:
        return {"path": {"type": "Exact", "value": self._path(version)}, "method": "POST", **more}

    def _backend(self, backend: Backend) -> dict[str, Any]:
        return {"group": "", "kind": "Service", "name": backend.service, "port": backend.port, "weight": backend.weight}

    def _targets(self) -> list[dict[str, str]]:
        return [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": self.system}]

    def _access(self) -> dict[str, Any]:
        """Return who may call: a token of the environment, with a consumer of the file and this system in it."""
        provider = {
            "name": PROVIDER,
            "issuer": f"mlstrata/{self.cluster.environment}",
            "audiences": [AUDIENCE],
            "localJWKS": {"type": "ValueRef", "valueRef": {"group": "", "kind": "ConfigMap", "name": KEYS}},
            "extractFrom": {"headers": [{"name": "Authorization", "valuePrefix": scheme} for scheme in SCHEMES]},
            "claimToHeaders": [{"claim": "sub", "header": CONSUMER}],
        }
        self.needs_keys()
        rules = [
            {
                "name": consumer.name,
                "action": "Allow",
                "principal": {
                    "jwt": {
                        "provider": PROVIDER,
                        "claims": [
                            {"name": "sub", "valueType": "String", "values": [consumer.name]},
                            {"name": "systems", "valueType": "StringArray", "values": [self.system]},
                        ],
                    }
                },
            }
            for consumer in self.args.serving.consumers
        ]
        authorization: dict[str, Any] = {"defaultAction": "Deny"}
        if rules:
            authorization["rules"] = rules
        return {"targetRefs": self._targets(), "jwt": {"providers": [provider]}, "authorization": authorization}

    def needs_keys(self) -> None:
        """Record that the public keys of tokens must be in the namespace."""
        self.needs(self.space, KEYS, ("jwks",), "public keys of consumers' tokens: a ConfigMap, not a secret")

    def _limits(self) -> dict[str, Any]:
        """Return how much: a consumer's rate (each Envoy counts by itself), a request's size and time, its retries."""
        serving, breaker = self.args.serving, Breaker()
        pods = serving.replicas.max
        rules = [
            {
                "clientSelectors": [{"headers": [{"name": CONSUMER, "type": "Exact", "value": consumer.name}]}],
                "limit": {"requests": consumer.rate.count, "unit": _UNITS[consumer.rate.per_seconds]},
            }
            for consumer in serving.consumers
        ]
        spec: dict[str, Any] = {
            "targetRefs": self._targets(),
            "timeout": {"http": {"requestTimeout": f"{self._timeout_ms()}ms"}},
            "requestBuffer": {"limit": str(serving.limits.body_bytes)},
            # What a slow model cannot take is refused at once, instead of waiting until it is too late. Each Envoy
            # counts by itself, and there may be as many pods as the file allows; each pod bounds what it takes, too.
            "circuitBreaker": {
                "maxConnections": breaker.connections * pods,
                "maxPendingRequests": breaker.pending * pods,
                "maxParallelRequests": breaker.requests * pods,
                # What is asked again adds to what is asked: no more than a part of it.
                "retryBudget": {"percent": {"numerator": RETRY_SHARE}, "minRetryConcurrency": FEW_RETRIES},
            },
            # A pod that was killed is taken out within seconds; until then its connections are refused.
            "retry": {"numRetries": RETRIES, "retryOn": {"triggers": list(UNBEGUN)}},
        }
        if rules:
            spec["rateLimit"] = {"type": "Local", "local": {"rules": rules}}
        return spec

    def _switch(self) -> None:
        """Declare the switch: the same paths with one condition more, so that it wins over the route.

        Its condition is met by nobody; `stop` replaces it by one that every request meets.
        """
        reply = {"statusCode": 503, "contentType": "application/json", "body": {"type": "Inline", "inline": _STOPPED}}
        named = stopped(self.system)
        replies = self._object("HTTPRouteFilter", {"directResponse": reply}, named)
        answer = self.add("stopped", replies, after=self.args.after)
        reference = {"group": "gateway.envoyproxy.io", "kind": "HTTPRouteFilter", "name": named}
        filters = [{"type": "ExtensionRef", "extensionRef": reference}]
        matches = [self._match(version, headers=[OFF]) for version in self.args.serving.api_versions]
        rules = [{"matches": matches, "filters": filters}]
        route = self._route(stop_route(self.system), rules)
        # Whoever stops the system changes this route, and no later deployment starts it again.
        made = self.add("stop", route, part="kill-switch", after=[*self.args.after, answer], ignore=["spec.rules"])
        self._stoppers(stop_route(self.system), made)

    def _stoppers(self, route: str, made: pulumi.Resource) -> None:
        """Let whoever watches over the system change that route, and do nothing else."""
        rule = {
            "apiGroups": ["gateway.networking.k8s.io"],
            "resources": ["httproutes"],
            "resourceNames": [route],
            "verbs": ["get", "patch"],
        }
        people = group(f"mlstrata:{self.cluster.environment}:{self.system}:stop")
        role, binding = rights(stop_right(self.system), self.space, [rule], [people])
        self.add("stoppers", binding, after=[self.add("stopping", role, after=[made])])


_STOPPED = '{"error": {"code": "stopped", "message": "this system was stopped by its human overseer"}}'
OFF = {"name": "x-mlstrata-stopped", "type": "Exact", "value": "nobody-sends-this"}
ON = {"name": "x-request-id", "type": "RegularExpression", "value": ".*"}
"""Every request has an id, as the gateway gives it one."""


def build(site: ClusterSite) -> None:
    """Build the way to every system that answers."""
    namespaces, gateway = site.require(NamespacesOutputs), site.require(ClusterGatewayOutputs)
    serving = site.require(ClusterServingOutputs)
    for system in site.realtime:
        namespace = site.namespace_of(system)
        args = SystemRouteArgs(
            cluster=site.cluster,
            namespace=namespace,
            ownership=site.ownership_of(system),
            system=system.name,
            serving=system.serving,
            backends=serving.backends[system.name],
            stoppable=system.oversight.kill_switch,
            ending=Ending.of(site.spec, system),
            after=[*namespaces.by_name[namespace].ready, *site.ready, *gateway.ready],
        )
        SystemRoute(f"route-{system.name}", args, site.systems[system.name].child())
