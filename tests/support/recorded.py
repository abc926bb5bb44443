"""Records the graph of resources that a program registers, with no engine: what the tests of components assert on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from google.protobuf import struct_pb2
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.proto import resource_pb2


@dataclass(frozen=True)
class Registered:
    """One registered resource, as the engine would see it."""

    type: str
    name: str
    urn: str
    parent: str
    inputs: Mapping[str, Any]
    custom: bool
    protect: bool
    retained: bool
    dependencies: tuple[str, ...]
    secret_outputs: tuple[str, ...]
    providers: frozenset[str]
    object: Mapping[str, Any] = field(repr=False)

    @property
    def kind(self) -> str:
        """The last part of the type: `Service`, `Registry`."""
        return self.type.rpartition(":")[2]


@dataclass
class Graph:
    """What a program registered."""

    resources: list[Registered] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)

    def all(self, kind: str) -> list[Registered]:
        return [resource for resource in self.resources if resource.kind == kind]

    def one(self, kind: str, name: str) -> Registered:
        found = [resource for resource in self.all(kind) if resource.name == name]
        assert len(found) == 1, f"{len(found)} resources {kind} {name!r} among {[r.name for r in self.all(kind)]}"
        return found[0]

    def beneath(self, parent: Registered) -> list[Registered]:
        """Every descendant of a resource."""
        urns, found = {parent.urn}, []
        for resource in self.resources:
            if resource.parent in urns:
                urns.add(resource.urn)
                found.append(resource)
        return found


Respond = Callable[[Registered], Mapping[str, Any]]


class _Monitor(mocks.MockMonitor):
    """Sees what plain mocks do not: parents, protection, dependencies, secret outputs and secret markers."""

    def __init__(self, respond: Respond) -> None:
        super().__init__(_Nothing())
        self.graph = Graph()
        self.respond = respond

    def RegisterResource(self, request: Any) -> Any:
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            return resource_pb2.RegisterResourceResponse(urn=urn)
        inputs = rpc.deserialize_properties(request.object, keep_unknowns=True)
        registered = Registered(
            type=request.type,
            name=request.name,
            urn=urn,
            parent=request.parent,
            inputs=_revealed(inputs),
            custom=request.custom,
            protect=request.protect,
            retained=request.retainOnDelete,
            dependencies=tuple(request.dependencies),
            secret_outputs=tuple(request.additionalSecretOutputs),
            providers=frozenset({request.provider, *request.providers.values()} - {""}),
            object=inputs,
        )
        self.graph.resources.append(registered)
        answer = struct_pb2.Struct()
        answer.CopyFrom(request.object)
        given = dict(self.respond(registered)) if request.custom else {}
        own = given.pop("id", f"{request.name}-id")
        for key, value in given.items():
            secret = {rpc._special_sig_key: rpc._special_secret_sig, "value": value}
            answer.update({key: secret if key in registered.secret_outputs else value})
        return resource_pb2.RegisterResourceResponse(urn=urn, id=own, object=answer)

    def RegisterResourceOutputs(self, request: Any) -> Any:
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            self.graph.exports = _revealed(rpc.deserialize_properties(request.outputs, keep_unknowns=True))
        return super().RegisterResourceOutputs(request)


class _Nothing(mocks.Mocks):
    def call(self, args: Any) -> Any:
        if args.token == "pulumi:pulumi:readStackOutputs":
            return {}  # the engine's own: there is no other stack here
        raise AssertionError(f"the program invokes {args.token}: a plan must not need a provider's answer")

    def new_resource(self, args: Any) -> Any:
        raise AssertionError("registrations are answered by the monitor")


def _revealed(value: Any) -> Any:
    if rpc.is_rpc_secret(value):
        return _revealed(rpc.unwrap_rpc_secret(value))
    if isinstance(value, dict):
        return {key: _revealed(item) for key, item in value.items() if key != "__provider"}
    if isinstance(value, list):
        return [_revealed(item) for item in value]
    return value


def made(resource: Registered) -> Mapping[str, Any]:
    """Outputs as our providers would give them, without doing anything."""
    if resource.kind == "Ports":
        start = 20_000 + sum(map(ord, resource.name)) * 10
        return {
            "ports": {name: want or start + at for at, (name, want) in enumerate(resource.inputs["wanted"].items())}
        }
    if resource.kind == "Credential":
        jwks = '{"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "alg": "ES256", "x": "eA", "y": "eQ"}]}'
        return {
            "secret": f"plain-secret-of-{resource.name}",
            "public": jwks if resource.inputs["kind"] == "es256" else "",
        }
    if resource.kind == "SigningKeys":
        jwks = '{"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "alg": "ES256", "x": "eA", "y": "eQ"}]}'
        return {"secret": f"plain-secret-of-{resource.name}", "public": jwks}
    if resource.kind == "Certificate":
        return {"authority": "authority", "certificate": "certificate", "tls": f"plain-secret-of-{resource.name}"}
    return {"state": "running", "started": "1.0", "took": {}}


def record(
    program: Callable[[], None], *, stack: str = "local", respond: Respond = made, dry_run: bool = False
) -> Graph:
    """Run a program and return what it registered; `dry_run`: as a plan does."""
    monitor = _Monitor(respond)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    settings.reset_options()
    settings.configure(
        mocks.MockSettings(
            monitor=monitor,
            monitor_features={"secrets", "resourceReferences", "outputValues"},
            engine=mocks.MockEngine(None),
            project="mlstrata",
            stack=stack,
            dry_run=dry_run,
            callbacks=None,
        )
    )
    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(program))
    finally:
        settings.reset_options()
        loop.close()
        asyncio.set_event_loop(None)
    return monitor.graph
