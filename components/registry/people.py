"""Who trains and releases a system from another machine: a group of people, and an account for a pipeline."""

from __future__ import annotations

from typing import Any

from mlstrata.components.manifests import group, service_account


def account(system: str) -> str:
    """Return the name of the account, and of the Role, that releases a system; no pod may run as it."""
    return f"release-{system}"


def people(environment: str, system: str) -> dict[str, Any]:
    """Return the group of people who release a system, as a subject of a role."""
    return group(f"mlstrata:{environment}:{system}:release")


def releasers(environment: str, system: str, namespace: str) -> list[dict[str, Any]]:
    """Return both, as subjects of a role."""
    return [people(environment, system), service_account(account(system), namespace)]


def rule(kind: str, names: list[str], verbs: list[str]) -> dict[str, Any]:
    """Return a right to objects of the core group; no names: to all of them in the role's namespace."""
    named = {"resourceNames": names} if names else {}
    return {"apiGroups": [""], "resources": [kind], **named, "verbs": verbs}
