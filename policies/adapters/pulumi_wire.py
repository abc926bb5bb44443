"""Property values as Pulumi's protocol writes them, read into plain ones and written back.

Unknown values and secrets are markers on both sides. What a remedy leaves alone goes back exactly as it came, so a
secret that no policy ever sees in plain text stays one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import struct_pb2

from mlstrata.policies.core.graph import Record
from mlstrata.policies.core.values import SECRET, UNKNOWN, Value, declared
from pulumi_embedded import wire

Message = Any
"""A message of the protocol: protobuf makes its classes at run time."""


def record(resource: Message) -> Record:
    """Return a resource of a request as the policies take it; secrets lose their value here."""
    return Record(
        urn=resource.urn,
        type=resource.type,
        name=resource.name,
        parent=getattr(resource, "parent", ""),
        inputs=_of_fields(resource.properties.fields),
        dependencies=tuple(getattr(resource, "dependencies", ())),
        property_dependencies={
            key: tuple(of.urns) for key, of in getattr(resource, "propertyDependencies", {}).items()
        },
        protect=resource.options.protect,
    )


def plain(value: Message) -> Value:
    """Return a property's value with UNKNOWN and SECRET inside."""
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _of_fields(value.struct_value.fields)
    if kind == "list_value":
        return [plain(inner) for inner in value.list_value.values]
    held = None if kind in (None, "null_value") else getattr(value, kind)
    if isinstance(held, str) and held in wire.UNKNOWNS:
        return UNKNOWN
    return int(held) if isinstance(held, float) and held.is_integer() else held


def mended(properties: Message, before: Mapping[str, Value], after: Mapping[str, Value]) -> Message:
    """Return `properties` with what differs between `before`, read from them, and `after`."""
    found = struct_pb2.Struct()
    found.CopyFrom(properties)
    _write(found.fields, before, after)
    return found


def _of_fields(fields: Message) -> Value:
    signature = fields[wire.SIGNATURE].string_value if wire.SIGNATURE in fields else ""
    hidden = "secret" in fields and fields["secret"].bool_value
    if signature == wire.SECRET or (signature == wire.OUTPUT and hidden):
        return SECRET
    if signature == wire.OUTPUT:
        return plain(fields["value"]) if "value" in fields else UNKNOWN
    if signature == wire.REFERENCE:
        return plain(fields["id"]) or UNKNOWN if "id" in fields else plain(fields["urn"])
    return declared({key: plain(inner) for key, inner in fields.items()})


def _write(fields: Message, before: Mapping[str, Value], after: Mapping[str, Value]) -> None:
    for key, new in after.items():
        old = before.get(key)
        if new is not old:
            _put(fields[key], old, new)  # a map of messages makes the entry that is not there yet


def _put(message: Message, old: Value, new: Value) -> None:
    """Write `new` over a message that holds `old`; what is the same object in both stays as it is written."""
    if isinstance(new, Mapping) and isinstance(old, Mapping) and message.WhichOneof("kind") == "struct_value":
        inner = message.struct_value.fields
        # An output that is known is written as a wrapper around its value.
        wrapped = wire.SIGNATURE in inner
        _put(inner["value"], old, new) if wrapped else _write(inner, old, new)
    elif isinstance(new, list) and isinstance(old, list) and len(new) == len(old) and message.HasField("list_value"):
        for at, (was, now) in enumerate(zip(old, new, strict=True)):
            if was is not now:
                _put(message.list_value.values[at], was, now)
    else:
        message.CopyFrom(_message(new))


def _message(value: Value) -> Message:
    """Return a value that a remedy wrote: plain, but for what it took over unknown."""
    if isinstance(value, Mapping):
        struct = struct_pb2.Struct()
        for key, inner in value.items():
            struct.fields[key].CopyFrom(_message(inner))
        return struct_pb2.Value(struct_value=struct)
    if isinstance(value, list | tuple):
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[_message(inner) for inner in value]))
    if value is UNKNOWN or value is SECRET:
        raise ValueError("a remedy moved a value that it cannot see")
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    return (
        struct_pb2.Value(number_value=value) if isinstance(value, int | float) else struct_pb2.Value(string_value=value)
    )
