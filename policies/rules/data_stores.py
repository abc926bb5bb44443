"""Stores of data: classified, encrypted, not public, and emptied when their time is over."""

from __future__ import annotations

from typing import Any

from policies.graph import Resource
from policies.iam import open_to_everyone
from policies.remedies.stores import BLOCKED, BLOCKS, PRIVATE_ACL, PUBLIC_ACLS, classified
from policies.retention import BUCKETS, expiry
from policies.rule import (
    Context,
    Domain,
    Rule,
    Severity,
    Verdicts,
    cannot_tell,
    fails,
    not_applicable,
    passes,
    spares,
    undeployed,
    violates,
)
from policies.stores import (
    CLASSES,
    CLASSIFICATION,
    CLOUD_STORES,
    STORES,
    own_key,
    personal,
    processes_personal,
)
from policies.values import UNKNOWN, Value, dig
from policies.world import changed, cut, facts, having, nothing, put, without


def _classified(store: Resource, _: Context) -> Verdicts:
    given = store.label(CLASSIFICATION)
    if given not in CLASSES:
        what = f"says '{given}'" if given else "does not say"
        yield fails(
            f"{store.kind} '{store.name}' {what} how its data is classified",
            f"label it {CLASSIFICATION}: one of {', '.join(CLASSES)}",
        )


def _encrypted(context: Context) -> Verdicts:
    graph = context.graph
    stores = [store for store in graph.of(*STORES) if personal(store)]
    declared = [system for system in graph.systems if processes_personal(system)]
    if not stores and (not declared or context.environment.target not in {"aws", "kubernetes"}):
        yield not_applicable("no deployed store is labelled as one of personal data")
        return
    if not stores:
        yield undeployed(
            f"{declared[0].name} declares personal data",
            "is labelled as a store of it",
            f"/systems.{declared[0].index}.data",
            fix=f"deploy it with a key of your own and label it {CLASSIFICATION}: personal",
        )
    for store in stores:
        if not own_key(store, graph):
            yield fails(
                f"{store.kind} '{store.name}' holds personal data and is not encrypted with a key of your own",
                "encrypt it with a KMS key of this account",
                subject=store.name,
            )


def _expires(store: Resource, context: Context) -> Verdicts:
    if store.part not in {"predictions", "protected"} and not personal(store):
        yield not_applicable("it keeps no records about people")
    elif expiry(store, context.graph) is None:
        yield fails(
            f"'{store.name}' keeps records about people for good",
            "give it a lifecycle rule that expires them",
            "/retention.predictions",
        )


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
_KEYED = "predictions-encryption"
_DEFAULT = "rules.0.applyServerSideEncryptionByDefault"


def _granting(group: str) -> dict[str, Any]:
    grants = [{"grantee": {"type": "Group", "uri": f"{_GROUPS}{group}"}, "permission": "READ"}]
    return {"bucket": "example-predictions", "accessControlPolicy": {"grants": grants}}


def _bounded(condition: dict[str, Any]) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": "*", "Condition": condition}
    return {"bucket": "example-predictions", "policy": {"Statement": [statement]}}


RULES = (
    Rule(
        number=28,
        id="data-classification-tag",
        title="Every store says how its data is classified.",
        holds="its data is classified",
        domain=Domain.DATA,
        references=("GDPR Art. 5(1)(f)", "ISO/IEC 42001 A.7.2", "AI Act Art. 10"),
        types=STORES,
        severity=Severity.MEDIUM,
        resource=_classified,
        remedies=(classified(STORES, CLASSIFICATION, CLASSES),),
        cases=(
            violates("a bucket without", cut("documents", "tags.mlstrata~io/data-classification")),
            violates("no class of ours", put("documents", "tags.mlstrata~io/data-classification", "secret")),
            violates(
                "a volume without",
                having("kubernetes:core/v1:PersistentVolumeClaim", "pvc", {}),
                companions=("rel-protect-stateful",),
            ),
            passes("all of them"),
            spares("no stores", nothing),
            cannot_tell("known later", put("documents", "tags.mlstrata~io/data-classification", UNKNOWN)),
        ),
    ),
    Rule(
        number=29,
        id="data-pii-encrypted-cmk",
        title="Stores of personal data are encrypted with a key of the customer.",
        holds="stores of personal data are encrypted with a key of the customer",
        domain=Domain.DATA,
        references=("GDPR Art. 32", "AI Act Art. 15(5)", "ISO/IEC 42001 A.7.2"),
        severity=Severity.CRITICAL,
        environment=_encrypted,
        cases=(
            violates("a bucket without", without(_KEYED)),
            violates(
                "the provider's key",
                put(_KEYED, f"{_DEFAULT}.sseAlgorithm", "AES256"),
                changed(_KEYED, property_dependencies={}),
            ),
            violates(
                "no key named", cut(_KEYED, f"{_DEFAULT}.kmsMasterKeyId"), changed(_KEYED, property_dependencies={})
            ),
            violates(
                "a database without",
                put("metadata", "tags.mlstrata~io/data-classification", "personal"),
                put("metadata", "storageEncrypted", False),
                companions=("data-retention-lifecycle",),
            ),
            violates(
                "declared, and no such store",
                put("predictions", "tags.mlstrata~io/data-classification", "internal"),
                put("protected", "tags.mlstrata~io/data-classification", "internal"),
            ),
            violates(
                "a volume whose class names no key",
                having(
                    "kubernetes:core/v1:PersistentVolumeClaim",
                    "pvc",
                    {"metadata": {"labels": {CLASSIFICATION: "personal"}}},
                    protect=True,
                ),
            ),
            violates(
                "declared on a cluster, and no such store",
                facts(target="kubernetes"),
                put("predictions", "tags.mlstrata~io/data-classification", "internal"),
                put("protected", "tags.mlstrata~io/data-classification", "internal"),
            ),
            passes("a key by its name", changed(_KEYED, property_dependencies={})),
            passes(
                "a key that this plan makes",
                put(_KEYED, f"{_DEFAULT}.kmsMasterKeyId", UNKNOWN),
            ),
            spares("nothing personal", nothing),
            spares(
                "a machine of one's own",
                facts(target="local"),
                without("predictions", "protected"),
                companions=("*",),
            ),
            cannot_tell(
                "a key from elsewhere",
                put(_KEYED, f"{_DEFAULT}.kmsMasterKeyId", UNKNOWN),
                changed(_KEYED, property_dependencies={}),
            ),
        ),
    ),
    Rule(
        number=33,
        id="data-retention-lifecycle",
        title="Records about people expire.",
        holds="its records expire",
        domain=Domain.DATA,
        references=("GDPR Art. 5(1)(e)", "ISO/IEC 42001 A.7.2"),
        types=CLOUD_STORES,
        resource=_expires,
        cases=(
            violates("no lifecycle", without("predictions-lifecycle")),
            *(
                violates(
                    f"{part} by their part alone",
                    put(part, "tags.mlstrata~io/data-classification", "internal"),
                    without(f"{part}-lifecycle"),
                )
                for part in ("predictions", "protected")
            ),
            violates("a rule that is off", put("predictions-lifecycle", "rules.0.status", "Disabled")),
            violates("a rule without days", cut("predictions-lifecycle", "rules.0.expiration")),
            violates(
                "personal by its label alone", put("documents", "tags.mlstrata~io/data-classification", "personal")
            ),
            passes("both expire"),
            spares(
                "records about nobody",
                without("predictions", "predictions-lifecycle", "protected", "protected-lifecycle"),
                companions=("*",),
            ),
            cannot_tell(
                "days known later", put("protected-lifecycle", "rules.0.expiration.days", UNKNOWN), companions=("*",)
            ),
        ),
    ),
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
