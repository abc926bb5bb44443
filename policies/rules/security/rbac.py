"""Rights: roles that name what they allow, for whom they name."""

from __future__ import annotations

from collections.abc import Iterator

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.rule import Context, Domain, Rule, Severity, Verdict, Verdicts, fails
from mlstrata.policies.core.values import dig, listed
from mlstrata.policies.views.iam import FULL_ACCESS, open_to_everyone, too_wide

ROLES = ("kubernetes:rbac.authorization.k8s.io/v1:Role", "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole")
BINDINGS = (
    "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding",
)
IAM = (
    *("aws:iam/policy:Policy", "aws:iam/rolePolicy:RolePolicy"),
    *("aws:iam/userPolicy:UserPolicy", "aws:iam/groupPolicy:GroupPolicy"),
)
ATTACHMENTS = (
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:iam/userPolicyAttachment:UserPolicyAttachment",
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment",
    "aws:iam/policyAttachment:PolicyAttachment",
)
ROLE = "aws:iam/role:Role"
TAKING_OVER = {"escalate", "bind", "impersonate"}
"""Verbs by which a role makes itself any other."""
ALL_RIGHTS = {"cluster-admin", "admin"}
EVERYBODY = {"system:authenticated", "system:unauthenticated", "system:anonymous", "system:serviceaccounts"}
_NAME_THEM = "name the actions that are needed"


def _named_rights(role: Resource, _: Context) -> Verdicts:
    if role.type.startswith(IAM):
        for what in dict.fromkeys(too_wide(role.get("policy"))):
            yield fails(f"'{role.name}' {what}", _NAME_THEM)
    elif role.type.startswith(ATTACHMENTS):
        yield from _full(role, role.get("policyArn"))
    elif role.type == ROLE:
        yield from _role_of_aws(role)
    elif role.type.startswith(BINDINGS):
        yield from _bound(role)
    else:
        yield from _role_of_a_cluster(role)


def _full(role: Resource, policy: object) -> Iterator[Verdict]:
    if FULL_ACCESS.search(str(policy)):
        yield fails(f"'{role.name}' has {str(policy).rpartition('/')[2]}, every action of a service", _NAME_THEM)


def _role_of_aws(role: Resource) -> Iterator[Verdict]:
    for own in role.all("inlinePolicies"):
        for what in dict.fromkeys(too_wide(dig(own, "policy"))):
            yield fails(f"'{role.name}' {what}", _NAME_THEM)
    for policy in role.all("managedPolicyArns"):
        yield from _full(role, policy)
    if open_to_everyone(role.get("assumeRolePolicy")):
        yield fails(
            f"the role '{role.name}' can be assumed by any principal",
            "name the principals, or the subject of the token",
        )


def _bound(binding: Resource) -> Iterator[Verdict]:
    role = binding.get("roleRef.name")
    if role in ALL_RIGHTS and binding.get("roleRef.kind") == "ClusterRole":
        yield fails(
            f"'{binding.name}' grants all permissions, those of {role}", "bind a role that names its permissions"
        )
    for subject in binding.all("subjects"):
        if (name := dig(subject, "name")) in EVERYBODY:
            yield fails(f"'{binding.name}' grants its permissions to everybody in {name}", "name who has them")


def _role_of_a_cluster(role: Resource) -> Iterator[Verdict]:
    for rule in role.all("rules"):
        for what in ("verbs", "resources", "apiGroups", "nonResourceURLs"):
            if any(str(one).startswith("*") for one in listed(rule, what)):
                yield fails(f"'{role.name}' allows all {what} ('*')", f"name the {what} that are needed")
        if taking := sorted(TAKING_OVER & set(listed(rule, "verbs"))):
            yield fails(
                f"'{role.name}' may {', '.join(taking)}, and so gain any permission",
                "grant only the permissions that it needs",
            )
    for selector in role.all("aggregationRule.clusterRoleSelectors"):
        if not dig(selector, "matchLabels"):
            yield fails(
                f"'{role.name}' aggregates the permissions of roles that are not named", "select them by a label"
            )


RULES = (
    Rule(
        id="sec-no-wildcard-rbac",
        title="No role allows everything, and no subject is bound to one that does.",
        holds="its permissions are named",
        references=("AI Act Art. 15(5)", "AI Act Art. 20"),
        domain=Domain.SECURITY,
        types=(*ROLES, *BINDINGS, *IAM, *ATTACHMENTS, ROLE),
        severity=Severity.CRITICAL,
        resource=_named_rights,
    ),
)
