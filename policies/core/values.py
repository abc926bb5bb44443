"""Values that a plan does not know yet, or that must not be shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

Value = Any
"""A property's value: JSON-like, with UNKNOWN and SECRET inside."""


class UnknownValueError(Exception):
    """A check needs a value that is known only after the deployment, or that is inside a secret.

    Attributes:
        path: Where the value is, as far as it is known.
        reason: What is in the way, in a sentence.
    """

    def __init__(self, path: str = "", *, secret: bool = False) -> None:
        super().__init__(path)
        self.path = path
        what = f"'{path}'" if path else "a value it needs"
        self.reason = f"{what} is inside a secret" if secret else f"{what} is known only after the deployment"


class Unknown:
    """A value known only after the deployment; whatever a check does with it tells the check so.

    It may be stored, passed on and compared by identity; everything else raises, so that no check can take it for
    an ordinary value by mistake.
    """

    __slots__ = ()
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return "[unknown]"

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise UnknownValueError

    __bool__ = __len__ = __iter__ = __getitem__ = __contains__ = __int__ = __float__ = __format__ = __str__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __add__ = __radd__ = _refuse

    def __copy__(self) -> Unknown:
        return self

    def __deepcopy__(self, _memo: object) -> Unknown:
        return self

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)  # copying and printing probe for such names
        raise UnknownValueError


class Secret:
    """A value that is known and never shown: a check may see that it is there, and no more."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "[secret]"


UNKNOWN = Unknown()
SECRET = Secret()


def declared(properties: Mapping[str, Value]) -> dict[str, Value]:
    """Return a map of properties as every way of running the policies hands it to them.

    Providers keep names with `__` to themselves, and the Pulumi CLI shows no policy pack any; a null says as much
    as nothing, and providers drop it. Protocols order no map, so what a check says must not follow its order.
    """
    return {
        key: properties[key] for key in sorted(properties) if not key.startswith("__") and properties[key] is not None
    }


def dig(value: Value, path: str, default: Value = None) -> Value:
    """Return what `path` (`spec.rules.0.host`) leads to inside `value`; `default` where there is nothing.

    Raises:
        UnknownValueError: the value is unknown, or one on the way to it is, or is a secret.
    """
    at = value
    for key in path.split("."):
        if isinstance(at, (dict, Mapping)):  # nearly all are dicts, and those are told at once
            at = at.get(key)
        elif isinstance(at, Unknown):
            raise UnknownValueError(path)
        elif isinstance(at, list | tuple) and key.isdigit() and int(key) < len(at):
            at = at[int(key)]
        elif at is SECRET:
            raise UnknownValueError(path, secret=True)
        else:
            return default
    if isinstance(at, Unknown):
        raise UnknownValueError(path)
    return default if at is None else at


def listed(value: Value, path: str) -> list[Value]:
    """Return the list at `path`; empty where there is none, and a single value as a list of one.

    Raises:
        UnknownValueError: the list itself is unknown or a secret.
    """
    found = dig(value, path)
    if found is None:
        return []
    if found is SECRET:
        raise UnknownValueError(path, secret=True)
    return list(found) if isinstance(found, list | tuple) else [found]


def leaves(value: Value, path: str = "") -> Iterator[tuple[str, Value]]:
    """Yield every scalar inside `value` with its path; UNKNOWN and SECRET are scalars."""
    todo = [(path, value)]
    while todo:
        at, found = todo.pop()
        if isinstance(found, str):
            yield at, found
        elif isinstance(found, Mapping):
            todo += [(f"{at}.{key}" if at else str(key), inner) for key, inner in reversed(list(found.items()))]
        elif isinstance(found, list | tuple):
            todo += [(f"{at}.{index}" if at else str(index), found[index]) for index in reversed(range(len(found)))]
        else:
            yield at, found
