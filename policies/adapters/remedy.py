"""Remediation: what a policy would write instead, where one resource alone decides it and no person need choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.kinds import is_of
from mlstrata.policies.core.values import UnknownValueError, Value

Options = Mapping[str, str]
"""What a person chose for a policy's remedies, in Pulumi's configuration of the pack."""


@dataclass(frozen=True)
class Remedy:
    """How a policy mends resources of some types.

    Attributes:
        types: The resource types it mends, or their groups, as a rule names its own.
        mend: Resource and options to its inputs as they should be; the very same inputs where nothing is to be mended
            or a person must. Pure, and mending twice is mending once.
        options: What must be chosen first, each with what it says; nothing is mended without.
    """

    types: tuple[str, ...]
    mend: Callable[[Resource, Options], Mapping[str, Value]]
    options: Mapping[str, str] = field(default_factory=dict)

    def of(self, resource: Resource, options: Options) -> Mapping[str, Value] | None:
        """Return what the resource's inputs should be; None where it leaves them as they are."""
        if not is_of(resource.type, self.types) or any(not options.get(name) for name in self.options):
            return None
        try:
            mended = self.mend(resource, options)
        except (UnknownValueError, AttributeError, TypeError, ValueError, KeyError):
            return None  # what is not known, or not shaped as its kind is, is nobody's to mend
        return None if mended is resource.inputs else mended


def changed(inputs: Mapping[str, Value], path: str, new: Value) -> Mapping[str, Value]:
    """Return `inputs` with `new` at `path` (`spec.rules.0.host`); all beside it is the same object as before.

    Maps on the way are made where they are missing. A key that holds dots cannot be a part of the path.

    Raises:
        TypeError: what is on the way is neither the list nor the map that the path asks for.
    """
    found: Mapping[str, Value] = _changed(inputs, path.split("."), new)
    return found


def _changed(value: Value, path: list[str], new: Value) -> Value:
    if not path:
        return new
    key, *rest = path
    if isinstance(value, list | tuple) and key.isdigit():
        return [_changed(one, rest, new) if at == int(key) else one for at, one in enumerate(value)]
    if key.isdigit() or not isinstance(value, Mapping | None):
        raise TypeError(key)  # a list was wanted, or a map: a person must say what was meant
    held = value or {}
    return {**held, key: _changed(held.get(key), rest, new)}
