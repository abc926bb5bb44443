"""Property values: plain JSON-like Python with secrets and unknowns marked, and their wire and provider forms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pulumi_embedded.types import PropertyChange, Value
from pulumi_embedded.wire import ASSETS, OUTPUT, PROVIDER_KEY, REFERENCE, SECRET, SIGNATURE, UNKNOWN_TEXT, UNKNOWNS

if TYPE_CHECKING:
    from google.protobuf import struct_pb2


class _Unknown:
    """A value that is known only after the run."""

    _only: _Unknown | None = None

    def __new__(cls) -> _Unknown:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __repr__(self) -> str:
        return "[unknown]"

    def __deepcopy__(self, _memo: object) -> _Unknown:
        return self


UNKNOWN = _Unknown()


class Secret:
    """A value that must not be shown: only ``.value`` gives it away, never repr, str or format."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "[secret]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash(SECRET)


def number(value: float) -> int | float:
    """Give a whole number as int, as the checkpoint writes it."""
    return int(value) if value.is_integer() and abs(value) < 1e21 else value  # noqa: PLR2004 - Go's own limit


def from_wire(value: struct_pb2.Value) -> Value:
    """Convert one protobuf value."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if text in UNKNOWNS else text
    if kind == "number_value":
        return number(value.number_value)
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [from_wire(item) for item in value.list_value.values]
    if kind == "struct_value":
        return _from_fields(from_struct(value.struct_value))
    return None


def _from_fields(fields: dict[str, Any]) -> Value:
    signature = fields.get(SIGNATURE)
    if signature == SECRET:
        return Secret(fields.get("value"))
    if signature == OUTPUT:
        inner = fields.get("value", UNKNOWN)
        return Secret(inner) if fields.get("secret") else inner
    return fields


def from_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Convert a protobuf struct to a dict of values, its keys sorted: a struct has none in any order of its own."""
    return {key: from_wire(struct.fields[key]) for key in sorted(struct.fields)}


def to_wire(value: Value) -> Value:
    """Give a value the JSON form of the wire: markers for secrets and unknowns."""
    if value is UNKNOWN:
        return UNKNOWN_TEXT
    if isinstance(value, Secret):
        return {SIGNATURE: SECRET, "value": to_wire(value.value)}
    if isinstance(value, Mapping):
        return {key: to_wire(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_wire(item) for item in value]
    return value


def to_struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """Convert a dict of values to a protobuf struct."""
    from google.protobuf import struct_pb2

    struct = struct_pb2.Struct()
    struct.update(to_wire(values))
    return struct


def to_provider(value: Value) -> Value:
    """Give a value as a dynamic provider sees it: no secret markers, whole numbers as floats (as over the wire).

    A key whose value is None is not there: the SDK, which reads the wire for a provider, has it so at every depth.
    """
    if value is UNKNOWN:
        return UNKNOWN_TEXT
    if isinstance(value, Secret):
        return to_provider(value.value)
    if isinstance(value, Mapping):
        given = {key: to_provider(item) for key, item in value.items()}
        return {key: item for key, item in given.items() if item is not None}
    if isinstance(value, list | tuple):
        return [to_provider(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def from_provider(value: Value, where: str) -> Value:
    """Normalise what a dynamic provider returned.

    Raises:
        TypeError: a value that no property can hold, with its path.
    """
    if value is None or isinstance(value, bool | Secret) or value is UNKNOWN:
        return value
    if isinstance(value, str):
        return UNKNOWN if value in UNKNOWNS else str(value)
    if isinstance(value, int | float):
        return number(float(value)) if isinstance(value, float) else int(value)
    if isinstance(value, Mapping):
        plain = {str(key): from_provider(item, f"{where}.{key}") for key, item in value.items()}
        return _from_fields(plain) if SIGNATURE in plain else plain
    if isinstance(value, list | tuple):
        return [from_provider(item, f"{where}[{index}]") for index, item in enumerate(value)]
    message = f"{where}: a provider returned {type(value).__name__}; properties are str, number, bool, list or dict"
    raise TypeError(message)


def contains(value: Value, marker: type | _Unknown) -> bool:
    """Whether a secret (``Secret``) or an unknown (``UNKNOWN``) is anywhere inside."""
    if value is marker or (isinstance(marker, type) and isinstance(value, marker)):
        return True
    if isinstance(value, Secret):
        return contains(value.value, marker)
    if isinstance(value, dict):
        return any(contains(item, marker) for item in value.values())
    if isinstance(value, list | tuple):
        return any(contains(item, marker) for item in value)
    return False


def has_asset(value: Value) -> bool:
    """Whether an asset or archive is anywhere inside."""
    if isinstance(value, Secret):
        return has_asset(value.value)
    if isinstance(value, dict):
        return value.get(SIGNATURE) in ASSETS or any(has_asset(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_asset(item) for item in value)
    return False


def annotate(outputs: dict[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Mark as secret each output whose input of the same key is: a provider sees and returns plain values."""
    marked = dict(outputs)
    for key, given in inputs.items():
        if key not in marked:
            continue
        found = marked[key]
        if isinstance(found, dict) and isinstance(given, Mapping) and SIGNATURE not in given:
            marked[key] = annotate(found, given)
        elif not isinstance(found, Secret) and contains(given, Secret):
            marked[key] = Secret(reveal(found))
    return marked


def flatten(value: Value) -> Value:
    """Put ids (or, of components, URNs) for resource references, as for any provider that takes none."""
    if isinstance(value, Secret):
        return Secret(flatten(value.value))
    if isinstance(value, dict):
        if value.get(SIGNATURE) == REFERENCE:
            return (value["id"] or UNKNOWN) if "id" in value else value.get("urn")
        return {key: flatten(item) for key, item in value.items()}
    if isinstance(value, list):
        return [flatten(item) for item in value]
    return value


def hide(outputs: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Make the outputs of these keys secret (additional_secret_outputs)."""
    hidden = dict(outputs)
    for key in keys:
        if key in hidden and not isinstance(hidden[key], Secret):
            hidden[key] = Secret(reveal(hidden[key]))
    return hidden


def reveal(value: Value) -> Value:
    """Take the secret markers off."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, dict):
        return {key: reveal(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [reveal(item) for item in value]
    return value


def same(old: Value, new: Value) -> bool:
    """Deep equality; an unknown equals nothing, not even itself; secrecy counts."""
    if old is UNKNOWN or new is UNKNOWN:
        return False
    if isinstance(old, Secret) or isinstance(new, Secret):
        return isinstance(old, Secret) and isinstance(new, Secret) and same(old.value, new.value)
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(same(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(same(*pair) for pair in zip(old, new, strict=True))
    return type(old) is type(new) and bool(old == new) if isinstance(old, bool) != isinstance(new, bool) else old == new


def changes(old: Value, new: Value, path: str = "", *, secret: bool = False) -> Iterator[PropertyChange]:
    """List the properties that differ, deepest path first found; the provider's pickle is left out."""
    if same(old, new):
        return
    secret = secret or isinstance(old, Secret) or isinstance(new, Secret)
    if not secret and isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            if path or key != PROVIDER_KEY:
                step = f"{path}.{key}" if path else key
                yield from changes(old.get(key), new.get(key), step)
        return
    if not secret and isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else None
            after = new[index] if index < len(new) else None
            yield from changes(before, after, f"{path}[{index}]")
        return
    if secret or contains(old, Secret) or contains(new, Secret):
        yield PropertyChange(path, _hidden(old), _hidden(new), secret=True)
    else:
        yield PropertyChange(path, old, new)


def _hidden(value: Value) -> Value:
    return value if value is None or isinstance(value, Secret) else Secret(value)
