"""Data: classified, encrypted, inside the EU where it must be, not public, and gone when its time is over."""

from __future__ import annotations

import json
from datetime import timedelta

from environments import Capability
from policies.dates import Duty
from policies.facts import Document
from policies.graph import Resource, System
from policies.retention import BUCKETS, expiry
from policies.rule import (
    HIGH,
    Context,
    Domain,
    Level,
    Rule,
    Severity,
    Verdicts,
    cannot_tell,
    fails,
    live,
    not_applicable,
    passes,
    spares,
    violates,
)
from policies.samples import HIGH_RISK, LIMITED, TODAY
from policies.stores import (
    CLASSES,
    CLASSIFICATION,
    CLOUD_STORES,
    EU_REGIONS,
    STORES,
    own_key,
    personal,
    processes_personal,
)
from policies.values import UNKNOWN, UnknownValueError, dig
from policies.world import changed, cut, documented, facts, having, nothing, put, without

FRESH = timedelta(days=180)
PUBLIC_ACLS = ("public-read", "public-read-write", "authenticated-read")
BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
FEATURE_STORES = ("kubernetes:feast.dev/v1:FeatureStore", "mlstrata:features:FeatureView")


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
        yield fails(
            f"{declared[0].name} declares personal data, and no deployed store is labelled as one of it",
            f"deploy it with a key of your own and label it {CLASSIFICATION}: personal",
            f"/systems.{declared[0].index}.data",
        )
    for store in stores:
        if not own_key(store, graph):
            yield fails(
                f"{store.kind} '{store.name}' holds personal data and is not encrypted with a key of your own",
                "encrypt it with a KMS key of this account",
                subject=store.name,
            )


def _in_the_eu(context: Context) -> Verdicts:
    bound = [
        (system, index, dig(one, "name"))
        for system in context.graph.systems
        for index, one in enumerate(system.all("data"))
        if str(dig(one, "region", "")).lower().startswith("eu")
    ]
    if not bound:
        yield not_applicable("no dataset is declared that must stay in the EU")
        return
    system, index, name = bound[0]
    region, at = context.environment.region, f"/systems.{system.index}.data.{index}.region"
    if not region:
        yield fails(f"dataset '{name}' must stay in the EU, and target.region says nothing", "name the region", at)
    elif region not in EU_REGIONS and region.lower() != "eu":
        yield fails(f"dataset '{name}' must stay in the EU, and the environment is in {region}", "move it", at)
    for store in context.graph.of(*CLOUD_STORES):
        own = store.get("region")
        if own and own not in EU_REGIONS:
            yield fails(
                f"{store.kind} '{store.name}' is in {own}, and data must stay in the EU",
                "put it into a region of the EU",
                "/target.region",
                subject=store.name,
            )


def _isolated(context: Context) -> Verdicts:
    special = [one for one in context.graph.systems if any(dig(data, "special_categories") for data in one.all("data"))]
    recording = Capability.RECORDING in context.environment.capabilities or context.graph.part("recorder")
    if not special or not recording:
        yield not_applicable("no special category of personal data is recorded")
        return
    stores = context.graph.part("protected")
    if not stores:
        yield fails(
            f"{special[0].name} declares special categories, and no deployed store keeps them apart",
            "deploy a restricted store, labelled mlstrata.io/part: protected",
            f"/systems.{special[0].index}.data",
        )
    for store in stores:
        if store.type.startswith(STORES) and not own_key(store, context.graph):
            yield fails(
                f"{store.kind} '{store.name}' keeps special categories without a key of its own",
                "encrypt it with a KMS key",
                subject=store.name,
            )


def _lineage(system: System, context: Context) -> Verdicts:
    data = system.all("data")
    if not data:
        yield fails("no dataset is declared, so nobody can say what it learnt from", "declare data", "data")
    for index, one in enumerate(data):
        if not dig(one, "version") and Capability.LINEAGE not in context.environment.capabilities:
            yield fails(
                f"dataset '{dig(one, 'name')}' has no version, and nothing records one",
                "name its version, or switch on the capability lineage",
                f"data.{index}",
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
    if bucket.get("acl") in PUBLIC_ACLS:
        yield fails(f"the ACL of '{bucket.name}' makes it public", "remove it")
    for acl in graph.referring(bucket, "bucket", "aws:s3/bucketAcl"):
        if acl.get("acl") in PUBLIC_ACLS:
            yield fails(f"the ACL '{acl.name}' makes '{bucket.name}' public", "remove it")
    for policy in graph.referring(bucket, "bucket", "aws:s3/bucketPolicy:BucketPolicy"):
        if _for_everyone(policy.get("policy")):
            yield fails(f"the policy '{policy.name}' opens '{bucket.name}' to everyone", "name who may use it")
    blocks = graph.referring(bucket, "bucket", "aws:s3/bucketPublicAccessBlock")
    if not any(all(block.get(one) is True for one in BLOCKS) for block in blocks):
        yield fails(f"nothing blocks public access to '{bucket.name}'", f"block it: {', '.join(BLOCKS)}")


def _for_everyone(policy: object) -> bool:
    try:
        document = json.loads(policy) if isinstance(policy, str) else policy
    except ValueError:
        raise UnknownValueError("policy") from None
    statements = dig(document, "Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = dig(statement, "Principal")
        everyone = principal == "*" or "*" in _texts(dig(principal, "AWS"))
        if dig(statement, "Effect") == "Allow" and everyone and not dig(statement, "Condition"):
            return True
    return False


def _texts(value: object) -> list[str]:
    return [value] if isinstance(value, str) else list(value) if isinstance(value, list) else []


def _features(view: Resource, _: Context) -> Verdicts:
    for label, what in (("mlstrata.io/owner", "who answers for it"), ("mlstrata.io/ttl", "how long a value holds")):
        if not view.label(label):
            yield fails(f"{view.kind} '{view.name}' does not say {what}", f"label it {label}")


def _unbiased(system: System, context: Context) -> Verdicts:
    if not system.all("model.protected"):
        yield not_applicable("it declares no protected attribute")
        return
    if not system.get("monitor.fairness"):
        yield fails(
            "protected attributes are declared, and no limit on how far groups may differ",
            "declare monitor.fairness",
            "monitor",
        )
    path = system.get("documents.bias_report")
    known = context.environment.documents.get(str(path), Document())
    if known.exists is False:
        yield fails(f"the bias report {path} does not exist", "write it", "documents.bias_report")
    elif known.reviewed is None:
        yield live("the registry keeps the bias report of each model version")
    elif (age := context.calendar.today - known.reviewed) > FRESH:
        yield fails(f"the bias report is {age.days} days old (180 allowed)", "make a new one", "documents.bias_report")


_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
_OPEN = '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]}'
_FEATURE = having(
    FEATURE_STORES[0], "view", {"metadata": {"labels": {"mlstrata.io/owner": "a", "mlstrata.io/ttl": "1d"}}}
)
_BIAS, _DAY = "docs/bias.md", TODAY
_KEYED = "predictions-encryption"
_DEFAULT = "rules.0.applyServerSideEncryptionByDefault"


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
        number=30,
        id="data-region-eu",
        title="Data that must stay in the EU is kept there.",
        holds="environment and stores are in the EU",
        domain=Domain.DATA,
        references=("GDPR Art. 44", "AI Act Art. 10"),
        environment=_in_the_eu,
        cases=(
            violates("an American environment", facts(region="us-east-1")),
            violates("London", facts(region="eu-west-2")),
            violates("a region nobody names", facts(region="")),
            violates("an American bucket", put("predictions", "region", "us-west-2")),
            passes("Frankfurt"),
            passes("the EU, no further said", facts(region="eu")),
            spares("no dataset must", cut(HIGH_RISK, "data.0.region")),
            cannot_tell("a bucket's region known later", put("predictions", "region", UNKNOWN)),
        ),
    ),
    Rule(
        number=31,
        id="data-special-category-isolated",
        title="Special categories of personal data are kept apart, in a restricted store.",
        holds="a restricted store keeps them apart",
        domain=Domain.DATA,
        references=("GDPR Art. 9", "AI Act Art. 4a", "AI Act Art. 10"),
        severity=Severity.CRITICAL,
        environment=_isolated,
        cases=(
            violates(
                "declared, and no such store",
                without("protected", "protected-closed", "protected-encryption", "protected-lifecycle"),
            ),
            violates("no key of its own", without("protected-encryption"), companions=("data-pii-encrypted-cmk",)),
            violates(
                "a recorder alone asks for it",
                facts(capabilities=frozenset({Capability.RELEASE})),
                without("protected", "protected-closed", "protected-encryption", "protected-lifecycle"),
                companions=("aia-stage-supports-tier",),
            ),
            passes("a store with its key"),
            spares("no special category", put(HIGH_RISK, "data.0.special_categories", [])),
            spares(
                "nothing records",
                without("recorder"),
                facts(capabilities=frozenset({Capability.RELEASE})),
                companions=("*",),
            ),
            cannot_tell("known later", put(HIGH_RISK, "data.0.special_categories", UNKNOWN), companions=("*",)),
        ),
    ),
    Rule(
        number=32,
        id="data-lineage-declared",
        title="Every system says which data, in which version, it learnt from.",
        holds="its data and their versions are recorded",
        domain=Domain.DATA,
        references=("AI Act Art. 10(2)", "Annex IV 2", "ISO/IEC 42001 A.7.5", "NIST AI RMF MAP 2.1"),
        level=Level.ADVISORY,
        severity=Severity.LOW,
        system=_lineage,
        cases=(
            violates("no data", put(LIMITED, "data", [])),
            violates(
                "no version, and nothing records one",
                cut(LIMITED, "data.0.version"),
                facts(capabilities=frozenset({Capability.RELEASE})),
                companions=("aia-stage-supports-tier",),
            ),
            passes("versions"),
            passes("lineage records it", cut(LIMITED, "data.0.version")),
            spares("no system", without(HIGH_RISK, LIMITED), companions=("*",)),
            cannot_tell("data known later", put(LIMITED, "data", UNKNOWN), companions=("*",)),
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
        cases=(
            violates("no block", without("predictions-closed")),
            *(violates(f"{one} is off", put("predictions-closed", one, False)) for one in BLOCKS),
            violates("a public ACL", put("predictions", "acl", "public-read")),
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
            passes("closed"),
            passes(
                "everyone, under a condition",
                having(
                    _POLICY,
                    "bounded",
                    {
                        "bucket": "example-predictions",
                        "policy": {
                            "Statement": [{"Effect": "Allow", "Principal": "*", "Condition": {"Bool": {"x": "y"}}}]
                        },
                    },
                ),
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
    Rule(
        number=35,
        id="data-feature-owner-ttl",
        title="Every feature view has an owner and a time its values hold.",
        holds="owner and time to live are there",
        domain=Domain.DATA,
        references=("AI Act Art. 10", "ISO/IEC 42001 A.7.3"),
        types=FEATURE_STORES,
        level=Level.ADVISORY,
        severity=Severity.LOW,
        resource=_features,
        cases=(
            violates("no owner", _FEATURE, cut("view", "metadata.labels.mlstrata~io/owner")),
            violates("no time to live", _FEATURE, cut("view", "metadata.labels.mlstrata~io/ttl")),
            passes("both", _FEATURE),
            spares("no features"),
            cannot_tell("known later", _FEATURE, put("view", "metadata.labels.mlstrata~io/owner", UNKNOWN)),
        ),
    ),
    Rule(
        number=36,
        id="data-bias-report-fresh",
        title="A high-risk system with protected attributes has a limit on bias and a report of the last 180 days.",
        holds="limit and report are there",
        domain=Domain.DATA,
        references=("AI Act Art. 10(2)(f)", "AI Act Art. 4a", "NIST AI RMF MEASURE 2.11"),
        tiers=HIGH,
        duty=Duty.HIGH_RISK,
        system=_unbiased,
        cases=(
            violates("no limit", cut(HIGH_RISK, "monitor.fairness")),
            violates("no report there", documented(_BIAS, Document(exists=False))),
            violates("181 days old", documented(_BIAS, Document(exists=True, reviewed=_DAY - timedelta(days=181)))),
            passes("180 days old", documented(_BIAS, Document(exists=True, reviewed=_DAY - timedelta(days=180)))),
            spares("nothing protected", put(HIGH_RISK, "model.protected", [])),
            cannot_tell("needs --live: no report is named", cut(HIGH_RISK, "documents.bias_report")),
            cannot_tell("known later", put(HIGH_RISK, "model.protected", UNKNOWN)),
        ),
    ),
)
