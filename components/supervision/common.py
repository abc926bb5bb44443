"""What the dynamic providers of this package share: their base and how they compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pulumi.dynamic import DiffResult, ResourceProvider

from mlstrata.components.supervision.values import plain


class StatelessProvider(ResourceProvider):
    """A provider without state: pickled as a reference to its class, so it is the same in every run and folder."""

    serialize_as_secret_always = False


def changed_keys(olds: Mapping[str, Any], news: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    """Name the properties among `keys` whose value differs; an absent one equals an empty one."""
    return [key for key in keys if (plain(olds.get(key)) or None) != (plain(news.get(key)) or None)]


def difference(
    olds: Mapping[str, Any],
    news: Mapping[str, Any],
    *,
    inputs: Iterable[str],
    identity: Iterable[str] = (),
    healthy: str | None = None,
) -> DiffResult:
    """Compare a resource's recorded state with its wanted inputs.

    Args:
        olds: Its outputs as recorded or just read.
        news: Its wanted inputs; unknown ones count as changed.
        inputs: The properties to compare.
        identity: The properties among them whose change makes another resource of it.
        healthy: What the output `state` must be; anything else is drift and calls for an update.
    """
    replaces = changed_keys(olds, news, identity)
    changes = bool(changed_keys(olds, news, inputs)) or (healthy is not None and olds.get("state") != healthy)
    return DiffResult(changes=changes or bool(replaces), replaces=replaces, stables=[], delete_before_replace=True)
