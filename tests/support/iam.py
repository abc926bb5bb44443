"""Whether a policy of IAM allows a call: the part of AWS's rules that our policies use, as an oracle for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

TESTS = {
    "StringEquals": lambda got, wanted: got == wanted,
    "StringLike": fnmatchcase,
    "ArnLike": fnmatchcase,
    "Bool": lambda got, wanted: str(got).lower() == str(wanted).lower(),
}


def allows(policy: str, action: str, resource: str, context: Mapping[str, Any] | None = None) -> bool:
    """Return whether a policy allows an action on a resource: one statement does, and none denies it.

    Args:
        policy: Its text.
        action: Such as `s3:GetObject`.
        resource: Its ARN.
        context: Keys of conditions to their values; a key that is missing meets no condition.
    """
    effects = {
        one["Effect"]
        for one in json.loads(policy)["Statement"]
        if any(fnmatchcase(action.lower(), each.lower()) for each in _listed(one["Action"]))
        and any(fnmatchcase(resource, each) for each in _listed(one["Resource"]))
        and _holds(one.get("Condition", {}), context or {})
    }
    return effects == {"Allow"}


def _holds(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, Any]) -> bool:
    return all(
        _meets(operator, context.get(key), _listed(wanted))
        for operator, tests in conditions.items()
        for key, wanted in tests.items()
    )


def _meets(operator: str, got: Any, wanted: list[str]) -> bool:
    which, _, test = operator.rpartition(":")
    values = _listed(got)
    met = [any(TESTS[test](value, one) for one in wanted) for value in values]
    if which == "ForAllValues":
        return all(met)
    return any(met) if which == "ForAnyValue" else bool(met) and all(met)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
