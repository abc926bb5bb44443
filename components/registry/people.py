"""Who trains and releases a system from another machine: a group of people, and an account for a pipeline."""

from __future__ import annotations

from typing import Any

RBAC = "rbac.authorization.k8s.io"


def account(system: str) -> str:
    """Return the name of the account, and of the Role, that releases a system; no pod may run as it."""
    return f"release-{system}"


def people(environment: str, system: str) -> dict[str, str]:
    """Return the group of people who release a system, as a subject of a role."""
    return {"apiGroup": RBAC, "kind": "Group", "name": f"mlstrata:{environment}:{system}:release"}


def releasers(environment: str, system: str, namespace: str) -> list[dict[str, str]]:
    """Return both, as subjects of a role."""
    return [
        people(environment, system),
        {"kind": "ServiceAccount", "name": account(system), "namespace": namespace},
    ]


def rule(kind: str, names: list[str], verbs: list[str]) -> dict[str, Any]:
    """Return a right to objects of the core group; no names: to all of them in the role's namespace."""
    named = {"resourceNames": names} if names else {}
    return {"apiGroups": [""], "resources": [kind], **named, "verbs": verbs}


def role(
    name: str, namespace: str, rules: list[dict[str, Any]], subjects: list[dict[str, str]]
) -> list[dict[str, Any]]:
    """Return a role and its binding to subjects, both of one name."""
    metadata = {"name": name, "namespace": namespace}
    return [
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
            "subjects": subjects,
        },
    ]
