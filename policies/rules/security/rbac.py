"""Rights: roles that name what they allow, for whom they name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.rule import Context, Domain, Rule, Severity, Verdict, Verdicts, fails
from mlstrata.policies.core.values import Unknown, Value, dig, listed
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
_ANY = frozenset({"get", "list", "watch", "create", "update", "patch"})
_CHANGING = frozenset({"create", "update", "patch"})
WEBHOOKS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
POWERS: tuple[tuple[str, tuple[str, ...], frozenset[str], str], ...] = (
    ("", ("secrets",), frozenset({"get", "list", "watch"}), "read every secret of the cluster"),
    ("", ("nodes/proxy",), _ANY, "ask every node's kubelet for anything"),
    ("", ("pods/exec", "pods/attach"), frozenset({"get", "create"}), "run commands in every pod"),
    ("", ("pods/ephemeralcontainers",), _CHANGING, "put a container into every pod"),
    ("", ("persistentvolumes",), frozenset({"create"}), "mount any file of any node, by a volume of its own"),
    ("", ("serviceaccounts/token",), frozenset({"create"}), "make a token of every service account"),
    ("admissionregistration.k8s.io", WEBHOOKS, _CHANGING, "change what the cluster admits, and see all of it"),
    ("certificates.k8s.io", ("certificatesigningrequests/approval",), _CHANGING, "approve a certificate of any user"),
)
"""API group, resources and verbs by which a role of a whole cluster takes it over, and how; names bound it."""
ALL_RIGHTS = {"cluster-admin", "admin"}
MASTERS = "system:masters"
"""The group that the API server asks no role about."""
EVERYBODY = {"system:authenticated", "system:unauthenticated", "system:anonymous", "system:serviceaccounts"}
_SHAPED = "write it as the API of its kind has it"
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
    if not isinstance(binding.get("roleRef"), Mapping) or not all(map(_is_one, binding.all("subjects"))):
        yield fails(f"'{binding.name}' does not say which role it grants, and to whom", _SHAPED)
        return
    role = binding.get("roleRef.name")
    if role in ALL_RIGHTS and binding.get("roleRef.kind") == "ClusterRole":
        yield fails(
            f"'{binding.name}' grants all permissions, those of {role}", "bind a role that names its permissions"
        )
    for subject in binding.all("subjects"):
        if (name := dig(subject, "name")) == MASTERS and dig(subject, "kind") == "Group":
            yield fails(f"'{binding.name}' counts on {MASTERS}, which no role bounds", "bind a group of your own")
        if name in EVERYBODY:
            yield fails(f"'{binding.name}' grants its permissions to everybody in {name}", "name who has them")


def _role_of_a_cluster(role: Resource) -> Iterator[Verdict]:
    for rule in role.all("rules"):
        if not _is_one(rule):
            yield fails(f"'{role.name}' has a rule that is none, so nobody knows what it allows", _SHAPED)
        for what in ("verbs", "resources", "apiGroups", "nonResourceURLs"):
            if any(str(one).startswith("*") for one in listed(rule, what)):
                yield fails(f"'{role.name}' allows all {what} ('*')", f"name the {what} that are needed")
        if taking := sorted(TAKING_OVER & set(listed(rule, "verbs"))):
            yield fails(
                f"'{role.name}' may {', '.join(taking)}, and so gain any permission",
                "grant only the permissions that it needs",
            )
        if role.kind == "ClusterRole":
            yield from _powers(role, rule)
    for selector in role.all("aggregationRule.clusterRoleSelectors"):
        if not dig(selector, "matchLabels"):
            yield fails(
                f"'{role.name}' aggregates the permissions of roles that are not named", "select them by a label"
            )


def _is_one(entry: Value) -> bool:
    """Return whether an entry of a list is a mapping, as far as is known yet."""
    return isinstance(entry, Mapping | Unknown)


def _powers(role: Resource, rule: Value) -> Iterator[Verdict]:
    if listed(rule, "resourceNames"):
        return
    groups, resources, verbs = (set(listed(rule, what)) for what in ("apiGroups", "resources", "verbs"))
    for group, of, by, what in POWERS:
        if group in groups and resources.intersection(of) and verbs & by:
            yield fails(
                f"'{role.name}' may {what}", "give it in the namespaces that need it, by a Role, or name resourceNames"
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
