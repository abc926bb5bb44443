"""Property paths of ``ignore_changes`` and ``replace_on_changes``: ``a.b[0]["c.d"]`` with ``*`` for any key."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

from pulumi_embedded.types import Value
from pulumi_embedded.values import Secret

Path = tuple[str | int, ...]
_TOKEN = re.compile(r"""\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|([^.\[\]]+)|\.""")
_ABSENT = object()


def parse(path: str) -> Path:
    """Split a path into keys and indexes.

    Raises:
        ValueError: the path is malformed.
    """
    parts: list[str | int] = []
    position = 0
    while position < len(path):
        found = _TOKEN.match(path, position)
        if found is None:
            message = f"property path {path!r} cannot be read at character {position + 1}"
            raise ValueError(message)
        position = found.end()
        quoted, index, key = found.groups()
        if quoted is not None:
            parts.append(quoted.replace('\\"', '"'))
        elif index is not None:
            parts.append(index if index == "*" else int(index))
        elif key is not None:
            parts.append(key)
    return tuple(parts)


def contains(rule: Path, changed: Path) -> bool:
    """Whether a change at ``changed`` is at or inside what ``rule`` names."""
    return len(rule) <= len(changed) and all(part in ("*", found) for part, found in zip(rule, changed, strict=False))


def _keys(*holders: Value) -> list[str | int]:
    found: dict[str | int, None] = {}
    for holder in holders:
        if isinstance(holder, dict):
            found.update(dict.fromkeys(holder))
        elif isinstance(holder, list):
            found.update(dict.fromkeys(range(len(holder))))
    return list(found)


def _get(holder: Value, key: str | int) -> Value:
    if isinstance(holder, dict):
        return holder.get(str(key), _ABSENT)
    if isinstance(holder, list) and isinstance(key, int) and key < len(holder):
        return holder[key]
    return _ABSENT


def _restore(old: Value, new: Value, path: Path) -> None:
    old = old.value if isinstance(old, Secret) else old
    new = new.value if isinstance(new, Secret) else new
    key, rest = path[0], path[1:]
    for name in _keys(old, new) if key == "*" else [key]:
        before, after = _get(old, name), _get(new, name)
        if rest:
            if before is not _ABSENT and after is not _ABSENT:
                _restore(before, after, rest)
        elif before is not _ABSENT:
            if isinstance(new, dict):
                new[str(name)] = copy.deepcopy(before)
            elif isinstance(new, list) and isinstance(name, int) and name < len(new):
                new[name] = copy.deepcopy(before)
        elif after is not _ABSENT and isinstance(new, dict):
            del new[name]


def keep_old(old: dict[str, Any], new: dict[str, Any], ignored: Sequence[str]) -> dict[str, Any]:
    """Put the old values back at the ignored paths; what the old inputs lack is removed from the new ones."""
    if not ignored:
        return new
    kept = copy.deepcopy(new)
    for path in ignored:
        parts = parse(path)
        if parts:
            _restore(old, kept, parts)
    return kept
