"""Two deployments side by side: every field of every resource, secrets opened, without what is new in each run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi_embedded
from pulumi_embedded.secrets import SecretBox, SecretsManager
from pulumi_embedded.state import Snapshot

# When, and where in the program: neither says what there is.
_PASSING = ("created", "modified")
_NOTES = ("sourcePosition", "stackTrace", "hideDiff")


def deployment(checkpoint: Path) -> Mapping[str, Any]:
    """Return the deployment in a checkpoint's file."""
    found: Mapping[str, Any] = json.loads(checkpoint.read_text(encoding="utf-8"))["checkpoint"].get("latest") or {}
    return found


def compared(checkpoint: Path, passphrase: str) -> dict[str, Any]:
    """Return each resource of a checkpoint by its URN, whatever the order; marked when another generation replaced it.

    Secrets are opened and stay marked. The ids of default providers are random: they are the same one for all.
    """
    latest = deployment(checkpoint)
    salt = (latest.get("secrets_providers") or {}).get("state", {}).get("salt")
    box = SecretBox(SecretsManager(pulumi_embedded.Passphrase(passphrase), salt, str(checkpoint)))
    snapshot = Snapshot.load(latest, box)
    defaults = {f"{one.urn}::{one.id}": f"{one.urn}::<id>" for one in snapshot.resources if _is_default(one)}
    found: dict[str, Any] = {}
    for one in snapshot.resources:
        row = {key: value for key, value in vars(one).items() if not key.startswith("_") and key not in _PASSING}
        row["provider"] = defaults.get(one.provider, one.provider)
        row["dependencies"] = sorted(one.dependencies)  # the SDK keeps them in a set
        row["property_dependencies"] = {key: sorted(urns) for key, urns in one.property_dependencies.items()}
        row["id"] = "<id>" if _is_default(one) else one.id
        row["inputs"], row["outputs"] = opened(one.inputs), opened(one.outputs)
        row["extra"] = {key: value for key, value in one.extra.items() if key not in _NOTES}
        found[f"{one.urn}{' (replaced)' if one.delete else ''}"] = row
    found["(pending)"] = sorted(f"{one.type} {one.resource.urn}" for one in snapshot.operations)
    return found


def _is_default(one: Any) -> bool:
    return one.is_provider and "::default" in one.urn


def opened(value: Any) -> Any:
    """Return a value with its secrets open and marked."""
    if isinstance(value, pulumi_embedded.Secret):
        return {"secret": opened(value.value)}
    if isinstance(value, dict):
        return {key: opened(item) for key, item in value.items()}
    return [opened(item) for item in value] if isinstance(value, list) else value


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Say where two values differ, a line each, deepest path first found."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in [*ours, *(key for key in theirs if key not in ours)]:
            if key not in theirs:
                yield f"{path}{key}: theirs has none, ours {ours[key]!r}"
            elif key not in ours:
                yield f"{path}{key}: ours has none, theirs {theirs[key]!r}"
            else:
                yield from differences(ours[key], theirs[key], f"{path}{key} > ")
    elif ours != theirs:
        yield f"{path[:-3]}: ours {ours!r}, theirs {theirs!r}"
