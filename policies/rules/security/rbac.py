"""Rights: roles that name what they allow, for whom they name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.rule import (
    Context,
    Domain,
    Rule,
    Severity,
    Verdict,
    Verdicts,
    cannot_tell,
    fails,
    passes,
    spares,
    violates,
)
from mlstrata.policies.core.values import UNKNOWN, dig, listed
from mlstrata.policies.fixtures.world import having, nothing, put
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
        yield fails(f"anybody may take the role '{role.name}'", "name who may, or the subject of the token")


def _bound(binding: Resource) -> Iterator[Verdict]:
    role = binding.get("roleRef.name")
    if role in ALL_RIGHTS and binding.get("roleRef.kind") == "ClusterRole":
        yield fails(f"'{binding.name}' gives all rights, those of {role}", "bind a role that names its rights")
    for subject in binding.all("subjects"):
        if (name := dig(subject, "name")) in EVERYBODY:
            yield fails(f"'{binding.name}' gives its rights to everybody in {name}", "name who has them")


def _role_of_a_cluster(role: Resource) -> Iterator[Verdict]:
    for rule in role.all("rules"):
        for what in ("verbs", "resources", "apiGroups", "nonResourceURLs"):
            if any(str(one).startswith("*") for one in listed(rule, what)):
                yield fails(f"'{role.name}' allows all {what} ('*')", f"name the {what} that are needed")
        if taking := sorted(TAKING_OVER & set(listed(rule, "verbs"))):
            yield fails(f"'{role.name}' may {', '.join(taking)}, and so take any right", "give it the rights it needs")
    for selector in role.all("aggregationRule.clusterRoleSelectors"):
        if not dig(selector, "matchLabels"):
            yield fails(f"'{role.name}' gathers the rights of roles that nobody named", "select them by a label")


def _selecting(selector: dict[str, Any]) -> dict[str, Any]:
    return {"clusterRoleSelectors": [selector]}


def _binding(role: str, group: str = "") -> dict[str, Any]:
    subjects = [{"kind": "Group", "name": group}] if group else []
    return {"roleRef": {"kind": "ClusterRole", "name": role}, "subjects": subjects}


def _allowing(action: str, resource: str = "*", **more: object) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Action": [action], "Resource": resource, **more}]}


def _trusting(principal: object, condition: object = None) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Principal": principal, "Condition": condition}]}


_TAKING = ("escalate", "bind", "impersonate")
_CLUSTER = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole"
_BOUND = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding"
_BOUND_HERE = "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"
_ATTACHING = (
    *("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "aws:iam/userPolicyAttachment:UserPolicyAttachment"),
    *("aws:iam/groupPolicyAttachment:GroupPolicyAttachment", "aws:iam/policyAttachment:PolicyAttachment"),
)
_OURS = {"matchLabels": {"team.example/aggregate": "view"}}
_AWS = "arn:aws:iam::aws:policy/"
_ADMINISTRATOR = _AWS + "AdministratorAccess"
_PROVIDER = {"Federated": "arn:aws:iam::123456789012:oidc-provider/token.example.com"}
_POLICIES = ("aws:iam/rolePolicy:RolePolicy", "aws:iam/userPolicy:UserPolicy", "aws:iam/groupPolicy:GroupPolicy")

RULES = (
    Rule(
        number=42,
        id="sec-no-wildcard-rbac",
        title="No role allows everything, and nobody is bound to one that does.",
        holds="its rights are named",
        domain=Domain.SECURITY,
        references=("AI Act Art. 15(5)", "AI Act Art. 20"),
        types=(*ROLES, *BINDINGS, *IAM, *ATTACHMENTS, ROLE),
        severity=Severity.CRITICAL,
        resource=_named_rights,
        cases=(
            violates("all verbs", put("reader", "rules.0.verbs", ["*"])),
            violates("all resources", put("reader", "rules.0.resources", ["pods", "*"])),
            violates(
                "every action", put("reader-policy", "policy", '{"Statement": {"Effect": "Allow", "Action": "*"}}')
            ),
            violates(
                "every action of a service",
                put("reader-policy", "policy", {"Statement": [{"Effect": "Allow", "Action": ["s3:*"]}]}),
            ),
            violates(
                "a role of the whole cluster",
                having("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", "all", {"rules": [{"verbs": ["*"]}]}),
            ),
            *(
                violates(kind, having(kind, "all", {"policy": {"Statement": {"Effect": "Allow", "Action": "s3:*"}}}))
                for kind in _POLICIES
            ),
            violates("resources beneath all", put("reader", "rules.0.resources", ["*/status"])),
            violates("all groups", put("reader", "rules.0.apiGroups", ["*"])),
            violates("all addresses", put("reader", "rules.0", {"nonResourceURLs": ["*"], "verbs": ["get"]})),
            *(violates(f"the verb {verb}", put("reader", "rules.0.verbs", ["get", verb])) for verb in _TAKING),
            violates("whatever roles there are", having(_CLUSTER, "all", {"aggregationRule": _selecting({})})),
            violates(
                "whatever roles have an expression's label",
                having(_CLUSTER, "all", {"aggregationRule": _selecting({"matchExpressions": [{"key": "x"}]})}),
            ),
            *(
                violates(f"bound to {role}", having(_BOUND, "all", _binding(role)))
                for role in ("cluster-admin", "admin")
            ),
            violates("bound in a namespace", having(_BOUND_HERE, "all", _binding("cluster-admin"))),
            *(
                violates(f"bound for {group}", having(_BOUND, "all", _binding("view", group)))
                for group in ("system:authenticated", "system:unauthenticated", "system:serviceaccounts")
            ),
            violates("bound for whoever is nobody", having(_BOUND, "all", _binding("view", "system:anonymous"))),
            *(
                violates(f"actions such as {action}", put("reader-policy", "policy", _allowing(action)))
                for action in ("*:*", "s3:**", "s*:GetObject", "iam:PassRole", "sts:AssumeRole")
            ),
            violates(
                "every action but some",
                put("reader-policy", "policy", {"Statement": [{"Effect": "Allow", "NotAction": ["iam:CreateUser"]}]}),
            ),
            violates(
                "inside a role",
                having("aws:iam/role:Role", "role", {"inlinePolicies": [{"name": "all", "policy": _allowing("s3:*")}]}),
            ),
            violates("a role of AWS in a role", having(ROLE, "role", {"managedPolicyArns": [_ADMINISTRATOR]})),
            *(
                violates(f"a role of AWS by {kind}", having(kind, "attached", {"policyArn": _ADMINISTRATOR}))
                for kind in _ATTACHING
            ),
            violates(
                "full access to a service",
                having(ATTACHMENTS[0], "attached", {"policyArn": _AWS + "AmazonS3FullAccess"}),
            ),
            violates(
                "a role that anybody may take", having(ROLE, "role", {"assumeRolePolicy": _trusting({"AWS": "*"})})
            ),
            violates(
                "a role for every account of a provider",
                having(ROLE, "role", {"assumeRolePolicy": _trusting(_PROVIDER, {"StringLike": {"x:sub": "repo:*"}})}),
            ),
            *(
                violates(
                    f"a role for every {subject}",
                    having(
                        ROLE, "role", {"assumeRolePolicy": _trusting(_PROVIDER, {"StringLike": {"x:sub": subject}})}
                    ),
                )
                for subject in ("system:serviceaccount:*:*", "repo:*/*")
            ),
            violates(
                "a role for all whom a provider names",
                having(ROLE, "role", {"assumeRolePolicy": _trusting(_PROVIDER, {"StringEquals": {"x:aud": "sts"}})}),
            ),
            passes("named"),
            passes("a role that selects by a label", having(_CLUSTER, "some", {"aggregationRule": _selecting(_OURS)})),
            passes("bound to a named role", having(_BOUND, "some", _binding("reader", "team"))),
            passes(
                "a group named like a role of all",
                having(_BOUND, "some", {**_binding("reader"), "roleRef": {"kind": "Role", "name": "cluster-admin"}}),
            ),
            passes("actions by their beginning", put("reader-policy", "policy", _allowing("s3:Get*"))),
            passes("one role", put("reader-policy", "policy", _allowing("iam:PassRole", "arn:aws:iam::1:role/job"))),
            passes(
                "a role under a condition",
                put("reader-policy", "policy", _allowing("iam:PassRole", Condition={"StringEquals": {"x": "y"}})),
            ),
            passes(
                "a role of AWS that is named", having(ATTACHMENTS[0], "some", {"policyArn": _AWS + "ReadOnlyAccess"})
            ),
            passes(
                "a role for one subject",
                having(ROLE, "role", {"assumeRolePolicy": _trusting(_PROVIDER, {"StringEquals": {"x:sub": "job"}})}),
            ),
            passes("a role for a service", having(ROLE, "role", {"assumeRolePolicy": _trusting({"Service": "ec2"})})),
            passes(
                "everything is denied",
                put("reader-policy", "policy", {"Statement": [{"Effect": "Deny", "Action": ["s3:*"]}]}),
            ),
            spares("no roles", nothing),
            cannot_tell("verbs known later", put("reader", "rules.0.verbs", UNKNOWN)),
            cannot_tell("a policy that is no JSON", put("reader-policy", "policy", "?")),
        ),
    ),
)
