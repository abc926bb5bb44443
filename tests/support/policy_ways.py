"""The ways in which a program's resources come to the policies, and what each way says in the same words.

`mlstrata check` and the gate of `up` take the embedded engine's graph. The Pulumi CLI asks the pack over the Analyzer
protocol: of each resource, once its provider has checked what it is given, whether it is to be mended (with all of its
properties) and what there is to say about it (without those that providers keep to themselves); at the end about the
whole stack, in no order, by what each resource outputs.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from google.protobuf import struct_pb2
from pulumi.runtime.proto import analyzer_pb2

import pulumi_embedded
from mlstrata.policies.core.evaluate import Report
from mlstrata.policies.core.graph import Record
from mlstrata.policies.core.values import SECRET, UNKNOWN
from mlstrata.policies.reports.json import document
from mlstrata.policies.reports.places import Places
from pulumi_embedded import GraphResource, wire

MANDATORY = analyzer_pb2.EnforcementLevel.Value("MANDATORY")
_MARKUP = re.compile(r"<\{%[^%]*%\}>")
PLAIN_TEXT = "plain text of a secret"
SERVER_SIDE = {"status": pulumi_embedded.UNKNOWN, "apiVersion": "v1", "generation": 1}
"""What a cluster's server adds to whatever it is given."""

Verdict = tuple[str, str, bool, str]
"""Policy, URN, whether it blocks, and the words."""


def graph_of(records: Iterable[Record]) -> list[GraphResource]:
    """Return records as the embedded engine's graph has them."""
    return [
        GraphResource(
            urn=one.urn,
            type=one.type,
            name=one.name,
            parent=one.parent,
            custom=not one.type.startswith("mlstrata:"),
            remote=False,
            inputs=_engines(dict(one.inputs)),
            provider="",
            options={"protect": True} if one.protect else {},
            dependencies=one.dependencies,
            property_dependencies=one.property_dependencies,
        )
        for one in records
    ]


def said_by_check(report: Report) -> list[Verdict]:
    """Return what `mlstrata check` says, of what there is something to say about."""
    return told_by_check(document(report, Places()))


def told_by_check(told: Mapping[str, Any]) -> list[Verdict]:
    """Return the same of a document that `mlstrata check --json` has written."""
    verdicts = [
        (one["policy"], one["urn"], one["blocking"], sentence(one))
        for one in told["results"]
        if one["outcome"] not in ("pass", "not_applicable")
    ]
    verdicts += [("exemptions", "", True, error) for error in told["errors"]]
    verdicts += [("exemptions", "", False, warning) for warning in told["warnings"]]
    return sorted(verdicts)


def said_by_pack(pack: Any, graph: Iterable[GraphResource], outputs: Mapping[str, Any] | None = None) -> list[Verdict]:
    """Return what the pack says where the CLI asks it about the resources of a graph.

    Args:
        pack: The pack's servicer, or a stub of it.
        graph: The resources, as the embedded engine has them.
        outputs: URN of a component, or of a dynamic resource, to what it outputs; one that is not here outputs what it
            is given.
    """
    found = list(graph)
    for one in found:
        asked = analyzer_pb2.AnalyzeRequest(
            urn=one.urn, type=one.type, name=one.name, properties=_struct(one.inputs), options=_options(one)
        )
        mended = list(_called(pack.Remediate, asked).remediations)
        properties = mended[-1].properties if mended else _struct(one.inputs)
        asked.properties.CopyFrom(_shown(properties))
        response = _called(pack.Analyze, asked)
        assert not response.diagnostics, "every policy is judged over the whole stack"
    stack = analyzer_pb2.AnalyzeStackRequest(resources=[_in_stack(one, outputs or {}) for one in found])
    kinds = sorted({one.type.split(":")[0] for one in found if one.custom})
    stack.resources.extend(_default_provider(found[0].urn, kind) for kind in kinds)
    # The CLI keeps them in a map without order; by their digests they are in one that tells nothing of the program.
    mixed = sorted(stack.resources, key=lambda one: hashlib.sha256(one.urn.encode()).digest())
    response = _called(pack.AnalyzeStack, analyzer_pb2.AnalyzeStackRequest(resources=mixed))
    return said_over_the_protocol(response.diagnostics)


def said_over_the_protocol(diagnostics: Iterable[Any]) -> list[Verdict]:
    """Return the diagnostics of the protocol."""
    return sorted((one.policyName, one.urn, one.enforcementLevel == MANDATORY, one.message) for one in diagnostics)


def told_by_cli(events: Path) -> list[Verdict]:
    """Return what the pack said in an event log of the CLI; of what is about no resource, without the stack's URN."""
    told = [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines() if line.strip()]
    return sorted(
        (
            one["policyName"],
            "" if "::pulumi:pulumi:Stack::" in one["resourceUrn"] else one["resourceUrn"],
            one["enforcementLevel"] == "mandatory",
            _MARKUP.sub("", one["message"]).strip(),
        )
        for one in (one["policyEvent"] for one in told if "policyEvent" in one)
    )


def _called(method: Any, request: Any) -> Any:
    return method(request, None) if hasattr(method, "__self__") else method(request)


def sentence(one: Mapping[str, Any]) -> str:
    """Return a result of `mlstrata check --json` in the pack's words."""
    exemption = ""
    if given := one["exemption"]:
        exemption = f"until {given['expires']} ({given['ticket']}, approved by {given['approver']}): {given['reason']}"
    what = "" if one["outcome"] == "fail" else f"{one['outcome']}: "
    when = f" ({one['when']})" if one["when"] else ""
    fix = f"; fix: {one['fix']}" if one["fix"] and not exemption else ""
    return f"{one['subject']}: {what}{exemption or one['reason']}{when}{fix}"


def _in_stack(one: GraphResource, outputs: Mapping[str, Any]) -> Any:
    message = analyzer_pb2.AnalyzerResource(
        urn=one.urn, type=one.type, name=one.name, parent=one.parent, options=_options(one)
    )
    message.properties.CopyFrom(_shown(_struct(_outputs(one, outputs))))
    message.dependencies.extend(one.dependencies)
    for key, urns in one.property_dependencies.items():
        if urns:
            message.propertyDependencies[key].urns.extend(urns)
    return message


def _outputs(one: GraphResource, outputs: Mapping[str, Any]) -> Mapping[str, Any]:
    if one.urn in outputs:
        return outputs[one.urn]
    found = {**one.inputs, **(SERVER_SIDE if one.type.startswith("kubernetes:") else {})}
    hidden = one.options.get("additional_secret_outputs", ())
    return {key: pulumi_embedded.Secret(value) if key in hidden else value for key, value in found.items()}


def _options(one: GraphResource) -> Any:
    """Return the options that the protocol has: that a resource is retained is none of them."""
    return analyzer_pb2.AnalyzerResourceOptions(protect=bool(one.options.get("protect")), parent=one.parent)


def _default_provider(urn: str, package: str) -> Any:
    head = "::".join(urn.split("::")[:2])
    kind = f"pulumi:providers:{package}"
    provider = analyzer_pb2.AnalyzerResource(urn=f"{head}::{kind}::default", type=kind, name="default")
    provider.properties.update({"version": "1.0.0"})
    return provider


def _struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    found = struct_pb2.Struct()
    found.update({key: _on_wire(value) for key, value in properties.items()})
    return found


def _shown(properties: struct_pb2.Struct) -> struct_pb2.Struct:
    """Return properties without those that providers keep to themselves, on every level."""
    found = struct_pb2.Struct()
    for key, value in properties.fields.items():
        if not key.startswith("__"):
            found.fields[key].CopyFrom(_shown_value(value))
    return found


def _shown_value(value: struct_pb2.Value) -> struct_pb2.Value:
    if value.HasField("struct_value"):
        return struct_pb2.Value(struct_value=_shown(value.struct_value))
    if value.HasField("list_value"):
        values = [_shown_value(inner) for inner in value.list_value.values]
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=values))
    return value


def _on_wire(value: Any) -> Any:
    """Return a value as the protocol writes it."""
    if value is pulumi_embedded.UNKNOWN:
        return wire.UNKNOWN_TEXT
    if isinstance(value, pulumi_embedded.Secret):
        return {wire.SIGNATURE: wire.SECRET, "value": PLAIN_TEXT}
    if isinstance(value, dict):
        return {key: _on_wire(inner) for key, inner in value.items()}
    return [_on_wire(inner) for inner in value] if isinstance(value, list | tuple) else value


def _engines(value: Any) -> Any:
    if value is UNKNOWN:
        return pulumi_embedded.UNKNOWN
    if value is SECRET:
        return pulumi_embedded.Secret(PLAIN_TEXT)
    if isinstance(value, dict):
        return {key: _engines(inner) for key, inner in value.items()}
    return [_engines(inner) for inner in value] if isinstance(value, list | tuple) else value
