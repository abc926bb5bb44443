"""Stores that are closed: no bucket is public."""

from __future__ import annotations

from typing import Any

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.rule import (
    Context,
    Domain,
    Rule,
    Severity,
    Verdicts,
    cannot_tell,
    fails,
    passes,
    spares,
    violates,
)
from mlstrata.policies.core.values import UNKNOWN, Value, dig
from mlstrata.policies.fixtures.world import having, nothing, put, without
from mlstrata.policies.remedies.stores import BLOCKED, BLOCKS, PRIVATE_ACL, PUBLIC_ACLS
from mlstrata.policies.views.iam import open_to_everyone
from mlstrata.policies.views.retention import BUCKETS


def _closed(bucket: Resource, context: Context) -> Verdicts:
    graph = context.graph
    policies = graph.referring(bucket, "bucket", "aws:s3/bucketPolicy:BucketPolicy", "aws:s3/accessPoint:AccessPoint")
    for acl in (bucket, *graph.referring(bucket, "bucket", "aws:s3/bucketAcl")):
        if acl.get("acl") in PUBLIC_ACLS or any(map(_for_a_group_of_all, _grants(acl))):
            yield fails(f"the ACL of '{acl.name}' makes '{bucket.name}' public", "remove it")
    for policy in (bucket, *policies):
        if open_to_everyone(policy.get("policy")):
            yield fails(f"the policy of '{policy.name}' opens '{bucket.name}' to everyone", "name who may use it")
    blocks = [
        *graph.referring(bucket, "bucket", "aws:s3/bucketPublicAccessBlock"),
        *graph.of("aws:s3/accountPublicAccessBlock"),
    ]
    if not any(all(block.get(one) is True for one in BLOCKS) for block in blocks):
        yield fails(f"nothing blocks public access to '{bucket.name}'", f"block it: {', '.join(BLOCKS)}")


def _grants(acl: Resource) -> list[Value]:
    """Return whom an ACL, or a bucket itself, grants something."""
    grantees = [dig(grant, "grantee", {}) for grant in acl.all("accessControlPolicy.grants")]
    return [*grantees, *acl.all("grants")]


def _for_a_group_of_all(grantee: Value) -> bool:
    return str(dig(grantee, "uri", "")).endswith(("/AllUsers", "/AuthenticatedUsers"))


_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
_OPEN = '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]}'
_ACCOUNT = "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock"
_GROUPS = "http://acs.amazonaws.com/groups/global/"
_BOUNDING_NOBODY: dict[str, dict[str, Any]] = {
    "TLS": {"Bool": {"aws:SecureTransport": "true"}},
    "any address": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "0.0.0.0/0"]}},
    "any principal": {"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}},
    "all but some": {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}},
    "only if it is said": {"StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}},
    "said or not": {"Null": {"aws:SourceVpc": "false"}},
    "nothing": {"StringEquals": {"aws:SourceVpc": []}},
}
_BOUNDING: dict[str, dict[str, Any]] = {
    "network": {"StringEquals": {"aws:SourceVpce": "vpce-1"}},
    "organisation": {"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:PrincipalOrgID": "o-1"}},
    "address": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
}


def _granting(group: str) -> dict[str, Any]:
    grants = [{"grantee": {"type": "Group", "uri": f"{_GROUPS}{group}"}, "permission": "READ"}]
    return {"bucket": "example-predictions", "accessControlPolicy": {"grants": grants}}


def _for(principal: dict[str, str]) -> dict[str, Any]:
    return {"bucket": "example-predictions", "policy": {"Statement": {"Effect": "Allow", "Principal": principal}}}


def _bounded(condition: dict[str, Any]) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": "*", "Condition": condition}
    return {"bucket": "example-predictions", "policy": {"Statement": [statement]}}


RULES = (
    Rule(
        number=34,
        id="data-no-public-store",
        title="No bucket is public.",
        holds="it is closed to the public",
        domain=Domain.DATA,
        references=("GDPR Art. 32", "AI Act Art. 15(5)"),
        types=BUCKETS,
        severity=Severity.CRITICAL,
        resource=_closed,
        remedies=(BLOCKED, PRIVATE_ACL),
        cases=(
            violates("no block", without("predictions-closed")),
            *(violates(f"{one} is off", put("predictions-closed", one, False)) for one in BLOCKS),
            violates("a public ACL", put("predictions", "acl", "public-read")),
            violates("an ACL for every account", put("predictions", "acl", "authenticated-read")),
            violates(
                "an ACL beside it",
                having(
                    "aws:s3/bucketAcl:BucketAcl", "acl", {"bucket": "example-predictions", "acl": "public-read-write"}
                ),
            ),
            violates(
                "a policy for everyone", having(_POLICY, "opened", {"bucket": "example-predictions", "policy": _OPEN})
            ),
            violates(
                "a policy for every account",
                having(
                    _POLICY,
                    "opened",
                    {
                        "bucket": "example-predictions",
                        "policy": {"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}}},
                    },
                ),
            ),
            *(
                violates(f"a policy for every {kind}", having(_POLICY, "opened", _for({kind: "*"})))
                for kind in ("CanonicalUser", "Federated")
            ),
            *(
                violates(f"an ACL's grant to {group}", having("aws:s3/bucketAcl:BucketAcl", "acl", _granting(group)))
                for group in ("AllUsers", "AuthenticatedUsers")
            ),
            violates("a grant of its own", put("predictions", "grants", [{"uri": f"{_GROUPS}AllUsers"}])),
            violates("a policy of its own", put("predictions", "policy", _OPEN)),
            *(
                violates(f"a policy that bounds nobody: {name}", having(_POLICY, "opened", _bounded(condition)))
                for name, condition in _BOUNDING_NOBODY.items()
            ),
            violates(
                "a policy for all but one",
                having(
                    _POLICY,
                    "opened",
                    {
                        "bucket": "example-predictions",
                        "policy": {"Statement": {"Effect": "Allow", "NotPrincipal": {"AWS": "arn:aws:iam::1:root"}}},
                    },
                ),
            ),
            violates(
                "a policy of an access point",
                having("aws:s3/accessPoint:AccessPoint", "way", {"bucket": "example-predictions", "policy": _OPEN}),
            ),
            violates(
                "a block of the account that leaves one out",
                without("predictions-closed"),
                having(_ACCOUNT, "account", {**dict.fromkeys(BLOCKS, True), "blockPublicAcls": False}),
            ),
            passes("closed"),
            passes(
                "closed for the account",
                without("predictions-closed"),
                having(_ACCOUNT, "account", dict.fromkeys(BLOCKS, True)),
            ),
            passes("a grant to its owner", put("predictions", "grants", [{"id": "owner"}])),
            *(
                passes(f"a policy that bounds by {name}", having(_POLICY, "bounded", _bounded(condition)))
                for name, condition in _BOUNDING.items()
            ),
            passes(
                "everyone is denied",
                having(
                    _POLICY,
                    "denied",
                    {"bucket": "example-predictions", "policy": {"Statement": [{"Effect": "Deny", "Principal": "*"}]}},
                ),
            ),
            spares("no buckets", nothing),
            cannot_tell(
                "a policy known later",
                having(_POLICY, "opened", {"bucket": "example-predictions", "policy": UNKNOWN}),
            ),
            cannot_tell(
                "a policy that is no JSON", having(_POLICY, "odd", {"bucket": "example-predictions", "policy": "?"})
            ),
        ),
    ),
)
