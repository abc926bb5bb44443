"""What policies of AWS allow, and to whom: the same questions of a bucket's policy, a role's and a trust."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from mlstrata.policies.core.values import UnknownValueError, Value, dig, listed

ANY = re.compile(r"^[*?]+$|^[^:]*:[*?]+$|^[^:]*[*?][^:]*:")
"""Actions that are all of a service, or reach into services that nobody named."""
TAKING_OVER = ("iam:passrole", "sts:assumerole")
"""Actions that, on every role, are as good as all actions."""
FULL_ACCESS = re.compile(r"/(AdministratorAccess|PowerUserAccess|IAMFullAccess|[A-Za-z0-9]+FullAccess)$")
BOUNDS = re.compile(
    r"^(aws:(sourcevpc|sourcevpce|sourcearn|sourceaccount|sourceip|sourceorgid|sourceorgpaths|principalarn"
    r"|principalaccount|principalorgid|principalorgpaths|userid)|[^:]+:(sub|aud)|sts:externalid"
    r"|s3:dataaccesspointaccount)$",
    re.IGNORECASE,
)
"""Keys of conditions that bound who may do it; how it is done (TLS, an agent's name) bounds nobody."""
SUBJECTS = re.compile(r":sub$", re.IGNORECASE)
"""Keys of conditions that name the subject of a token."""
EVERYWHERE = {"0.0.0.0/0", "::/0"}


def statements(policy: Value) -> list[Value]:
    """Return a policy's statements, of its text or its object.

    Raises:
        UnknownValueError: it is no JSON, or known only after the deployment.
    """
    try:
        return listed(json.loads(policy) if isinstance(policy, str) else policy, "Statement")
    except ValueError:
        raise UnknownValueError("policy") from None


def too_wide(policy: Value) -> Iterator[str]:
    """Yield what a policy of rights allows beyond what it names."""
    for statement in statements(policy):
        if dig(statement, "Effect") != "Allow":
            continue
        if dig(statement, "NotAction"):
            yield "allows every action but some"
        actions = [str(action) for action in listed(statement, "Action")]
        if any(ANY.search(action) for action in actions):
            yield "allows every action of a service"
        everything = "*" in listed(statement, "Resource") and not dig(statement, "Condition")
        if everything and any(action.lower() in TAKING_OVER for action in actions):
            yield "may take any role"


def open_to_everyone(policy: Value) -> bool:
    """Return whether a policy on a resource, or a role's trust, lets in whom it does not name."""
    return any(_everyone(statement) for statement in statements(policy))


def _everyone(statement: Value) -> bool:
    if dig(statement, "Effect") != "Allow":
        return False
    principal = dig(statement, "Principal")
    named = principal if isinstance(principal, Mapping) else {"AWS": principal}
    stars = any("*" in listed(named, kind) for kind in ("AWS", "CanonicalUser", "Federated"))
    if dig(statement, "NotPrincipal") or stars:
        return not _bounded(dig(statement, "Condition"), BOUNDS)
    # Whoever an identity provider knows is everyone it knows, unless the subject is named.
    known = any(":oidc-provider/" in str(one) for one in listed(named, "Federated"))
    return known and not _bounded(dig(statement, "Condition"), SUBJECTS)


def _bounded(condition: Value, keys: re.Pattern[str]) -> bool:
    """Return whether a condition holds only for some: all of its tests must hold, so one that bounds is enough."""
    for operator, tests in condition.items() if isinstance(condition, Mapping) else ():
        negated = "Not" in str(operator) or str(operator).endswith("IfExists") or operator == "Null"
        for key in tests if isinstance(tests, Mapping) and not negated else ():
            values = listed({"of": tests[key]}, "of")
            if keys.search(str(key)) and values and not any(map(_wide, values)):
                return True
    return False


def _wide(value: Value) -> bool:
    """Return whether a value of a condition is met by anybody."""
    text = str(value)
    return text in EVERYWHERE or not re.sub(r"[*?:/]|arn|aws|iam|role|user|root|repo|system|serviceaccount", "", text)
