"""The graph of a run of the embedded engine as the resources that the policies take."""

from __future__ import annotations

from collections.abc import Iterable

import pulumi_embedded
from mlstrata.policies.core.graph import Record
from mlstrata.policies.core.values import SECRET, UNKNOWN, Value, declared
from pulumi_embedded import wire
from pulumi_embedded.values import flatten


def records(graph: Iterable[pulumi_embedded.GraphResource]) -> list[Record]:
    """Return an engine's resources as the policies take them; secrets lose their value here."""
    return [
        Record(
            urn=one.urn,
            type=one.type,
            name=one.name,
            parent=one.parent,
            inputs=_plain(dict(one.inputs)),
            dependencies=tuple(one.dependencies),
            property_dependencies=one.property_dependencies,
            protect=bool(one.options.get("protect")),
        )
        for one in graph
    ]


def _plain(value: Value) -> Value:
    if isinstance(value, dict):
        if value.get(wire.SIGNATURE) == wire.REFERENCE:
            return _plain(flatten(value))
        return declared({key: _plain(inner) for key, inner in value.items()})
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if value is pulumi_embedded.UNKNOWN:
        return UNKNOWN
    return SECRET if isinstance(value, pulumi_embedded.Secret) else value
