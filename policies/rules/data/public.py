"""Stores that are closed: no bucket is public."""

from __future__ import annotations

from mlstrata.policies.core.graph import Resource
from mlstrata.policies.core.rule import Context, Domain, Rule, Severity, Verdicts, fails
from mlstrata.policies.core.values import Value, dig
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


RULES = (
    Rule(
        id="data-no-public-store",
        title="No bucket is public.",
        holds="it is closed to the public",
        references=("GDPR Art. 32", "AI Act Art. 15(5)"),
        domain=Domain.DATA,
        types=BUCKETS,
        severity=Severity.CRITICAL,
        resource=_closed,
        remedies=(BLOCKED, PRIVATE_ACL),
    ),
)
