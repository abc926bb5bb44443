"""Plain values and the one error of this package, for those who do without Pulumi: its import takes a while."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PROVIDER_KEY = "__provider"


class SupervisionError(Exception):
    """A local service, port or supervisor is not as it must be; the message says what, where and how to mend it."""


def plain(value: Any) -> Any:
    """Return `value` with whole floats as integers: the wire knows only floats, ports and modes are integers."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items() if key != PROVIDER_KEY}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
