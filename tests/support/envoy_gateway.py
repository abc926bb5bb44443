"""Envoy Gateway's own translation of an environment's routes and policies, as one file that Envoy itself can run."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.cluster import Json
from tests.support.go_tools import programs
from tests.support.rendered import key

GROUPS = ("gateway.networking.k8s.io/", "gateway.envoyproxy.io/")
TYPED = "@type"


@dataclass(frozen=True)
class Beside:
    """What others bring to a cluster: people their keys, cert-manager the certificate, Seldon its services.

    Attributes:
        jwks: Public keys of consumers' tokens, as JSON.
        certificate: PEM.
        private: PEM.
    """

    jwks: str
    certificate: str
    private: str

    def objects(self, objects: list[Json]) -> list[Json]:
        """Return the objects that routes, policies and listeners refer to."""
        made: list[Json] = []
        for one in objects:
            space = one["metadata"].get("namespace")
            if one["kind"] == "SecurityPolicy":
                made.append(_object("ConfigMap", "token-keys", space, data={"jwks": self.jwks}))
            for listener in one["spec"].get("listeners", []) if one["kind"] == "Gateway" else []:
                pair = {"tls.crt": self.certificate, "tls.key": self.private}
                data = {name: base64.b64encode(text.encode()).decode() for name, text in pair.items()}
                names = [reference["name"] for reference in listener["tls"]["certificateRefs"]]
                made += [_object("Secret", name, space, type="kubernetes.io/tls", data=data) for name in names]
            for rule in one["spec"]["rules"] if one["kind"] == "HTTPRoute" else []:
                for backend in rule.get("backendRefs", []):
                    ports = [{"name": "http", "port": backend["port"], "protocol": "TCP"}]
                    spec = {"clusterIP": "127.0.0.1", "ports": ports}
                    made.append(_object("Service", backend["name"], space, spec=spec))
        return list({key(one): one for one in made}.values())


def _object(kind: str, name: str, namespace: str, **rest: Any) -> Json:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, **rest}


def ours(objects: list[Json]) -> list[Json]:
    """Return what of an environment is for the gateway, with the namespaces."""
    return [one for one in objects if one["apiVersion"].startswith(GROUPS) or one["kind"] == "Namespace"]


def translated(objects: list[Json], folder: Path) -> Json:
    """Have Envoy Gateway translate objects; return them with the state it gives each, and what it tells Envoy."""
    # Its command line reads no labels of namespaces, so a listener that selects by them would take no route.
    opened = json.loads(json.dumps(objects))
    for one in opened:
        for listener in one["spec"]["listeners"] if one["kind"] == "Gateway" else []:
            listener["allowedRoutes"] = {"namespaces": {"from": "All"}}
    source = folder / "gateway.yaml"
    source.write_text(yaml.safe_dump_all(opened), encoding="utf-8")
    command = ["x", "translate", "--from", "gateway-api", "--to", "gateway-api,xds", "-t", "all", "-o", "json"]
    done = subprocess.run(
        [str(programs("control-plane")["egctl"]), *command, "-f", str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: Json = json.loads(done.stdout)
    return found


def states(found: Json) -> dict[tuple[str, str], list[Json]]:
    """Return every condition of every object: of itself, of its listeners, of what it is attached to."""
    listed = [value if isinstance(value, list) else [value] for name, value in found.items() if name != "xds"]
    objects = [one for values in listed for one in values]
    return {(one["kind"], one["metadata"]["name"]): list(_conditions(one.get("status", {}))) for one in objects}


def _conditions(value: Any) -> list[Json]:
    if isinstance(value, list):
        return [condition for inner in value for condition in _conditions(inner)]
    if not isinstance(value, dict):
        return []
    beneath = [one for name in value if name != "conditions" for one in _conditions(value[name])]
    return [*value.get("conditions", []), *beneath]


def static(found: Json, beside: Beside, *, listen: int, backend: int) -> Json:
    """Return what Envoy is told as one file, on loopback ports, in place of a server that it would ask."""
    [told] = json.loads(json.dumps(found["xds"])).values()
    parts = {one[TYPED].rpartition(".")[2]: one for one in told["configs"]}
    routes = {
        one["routeConfig"]["name"]: _untyped(one["routeConfig"])
        for one in parts["RoutesConfigDump"]["dynamicRouteConfigs"]
    }
    listeners = [one["activeState"]["listener"] for one in parts["ListenersConfigDump"]["dynamicListeners"]]
    [door] = [_untyped(one) for one in listeners if "ready" not in one["name"]]
    door["address"] = _address(listen)
    for chain in door["filterChains"]:
        for one in chain["filters"]:
            if name := one["typedConfig"].pop("rds", {}).get("routeConfigName"):
                one["typedConfig"]["routeConfig"] = routes[name]
        if secure := chain.get("transportSocket"):
            context = secure["typedConfig"]["commonTlsContext"]
            del context["tlsCertificateSdsSecretConfigs"]
            pair = {"certificateChain": beside.certificate, "privateKey": beside.private}
            context["tlsCertificates"] = [{name: {"inlineString": text} for name, text in pair.items()}]
    placed = {
        one["endpointConfig"]["clusterName"]: _untyped(one["endpointConfig"])
        for one in parts["EndpointsConfigDump"]["dynamicEndpointConfigs"]
    }
    clusters = []
    for one in parts["ClustersConfigDump"]["dynamicActiveClusters"]:
        cluster = _untyped(one["cluster"])
        if service := cluster.pop("edsClusterConfig", {}).get("serviceName"):
            cluster.update(type="STATIC", loadAssignment=placed[service])
            for place in cluster["loadAssignment"]["endpoints"]:
                for end in place["lbEndpoints"]:
                    end["endpoint"]["address"] = _address(backend)
        clusters.append(cluster)
    return {"staticResources": {"listeners": [door], "clusters": clusters}}


def _untyped(resource: Json) -> Json:
    return {name: value for name, value in resource.items() if name != TYPED}


def _address(port: int) -> Json:
    return {"socketAddress": {"address": "127.0.0.1", "portValue": port}}
