"""Stores of data: classified, encrypted, not public, and emptied when their time is over."""

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
    not_applicable,
    passes,
    spares,
    undeployed,
    violates,
)
from mlstrata.policies.core.values import UNKNOWN, Value, dig
from mlstrata.policies.fixtures.compliant_world import HIGH_RISK, LIMITED
from mlstrata.policies.fixtures.world import PROJECT, Edit, changed, cut, facts, having, nothing, put, without
from mlstrata.policies.remedies.stores import classified
from mlstrata.policies.views.retention import BUCKETS, expiry
from mlstrata.policies.views.stores import (
    CLASSES,
    CLASSIFICATION,
    CLOUD_STORES,
    DRIVERS,
    STORES,
    TABLES,
    is_personal,
    own_key,
    personal,
    processes_personal,
)


def _classified(store: Resource, context: Context) -> Verdicts:
    given = store.label(CLASSIFICATION)
    if given not in CLASSES:
        what = f"says '{given}'" if given else "does not say"
        yield fails(
            f"{store.kind} '{store.name}' {what} how its data is classified",
            f"label it {CLASSIFICATION}: one of {', '.join(CLASSES)}",
        )
        return
    for system in context.graph.systems:
        for index, one in enumerate(system.all("data")):
            if given != "personal" and is_personal(one) and _is_in(one, store):
                yield fails(
                    f"{store.kind} '{store.name}' says '{given}' and holds dataset '{dig(one, 'name')}' of "
                    f"{system.name}, which is declared personal",
                    f"label it {CLASSIFICATION}: personal",
                    f"/systems.{system.index}.data.{index}.classification",
                )


def _is_in(dataset: Value, store: Resource) -> bool:
    """Return whether a dataset is read from a bucket of this plan."""
    source = str(dig(dataset, "source", ""))
    scheme, _, rest = source.partition("://")
    names = [store.inputs.get(key) for key in ("bucket", "name")]
    return scheme in {"s3", "s3a"} and store.type.startswith(BUCKETS) and rest.partition("/")[0] in names


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
                subject=store,
            )


def _expires(store: Resource, context: Context) -> Verdicts:
    if store.part not in {"predictions", "protected"} and not personal(store):
        yield not_applicable("it keeps no records about people")
    elif expiry(store, context.graph, whole=True) is None and not store.get("ttl.enabled"):
        yield fails(
            f"'{store.name}' keeps records about people for good",
            "give it a lifecycle rule that expires them",
            "/retention.predictions",
        )


_OWN_RULES: dict[str, dict[str, Any]] = {
    "that is off": {"enabled": False},
    "for a prefix": {"prefix": "tmp/"},
    "for a tag": {"tags": {"a": "b"}},
    "without days": {"expiration": {}},
}
_THERE = {"name": "a", "source": "s3://example-documents/a", "version": "1"}
_TABLE, _VERSIONING = TABLES[0], "aws:s3/bucketVersioning:BucketVersioning"
_TAGS = {CLASSIFICATION: "personal", "mlstrata.io/owner": "a", "mlstrata.io/cost-centre": "1"}
_CLASS_KEY = {"encrypted": "true", "kmsKeyId": "k"}
_OWN = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": "k"}}
_CLAIM = {
    "metadata": {"labels": {CLASSIFICATION: "personal", DRIVERS: "k"}},
    "spec": {"storageClassName": "fast"},
}
_MORE: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (TABLES[0], "without a key", {"tags": _TAGS, "serverSideEncryption": {"enabled": True}}),
    ("aws:opensearch/domain:Domain", "not encrypted", {"tags": _TAGS, "encryptAtRest": {"kmsKeyId": "k"}}),
    ("aws:redshift/cluster:Cluster", "without a key", {"tags": _TAGS, "encrypted": True}),
    ("aws:elasticache/replicationGroup:ReplicationGroup", "not encrypted", {"tags": _TAGS, "kmsKeyId": "k"}),
    ("aws:efs/fileSystem:FileSystem", "not encrypted", {"tags": _TAGS, "kmsKeyId": "k"}),
)
_KEYED = "predictions-encryption"
_DEFAULT = "rules.0.applyServerSideEncryptionByDefault"


def _table(ttl: object = None, key: object = "k") -> dict[str, Any]:
    encrypted = {"enabled": True, "kmsKeyArn": key}
    return {"serverSideEncryption": encrypted, "tags": {**_TAGS, CLASSIFICATION: "personal"}, "ttl": ttl}


def _own_rule(**rule: object) -> Edit:
    return put("predictions", "lifecycleRules", [{"enabled": True, "expiration": {"days": 400}, **rule}])


def _versions(status: str) -> dict[str, Any]:
    return {"bucket": "example-predictions", "versioningConfiguration": {"status": status}}


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
            *(
                violates(
                    f"a declared dataset of people in a bucket that says otherwise: {scheme}",
                    put(HIGH_RISK, "data.0.source", f"{scheme}://example-documents/hmda.parquet"),
                )
                for scheme in ("s3", "s3a")
            ),
            violates(
                "one that is only said to name people",
                put(HIGH_RISK, "data.0", {"personal": ["name"], "source": "s3://example-documents/a", "version": "1"}),
            ),
            *(
                violates(f"one that is {next(iter(said))}", put(HIGH_RISK, "data.0", {**_THERE, **said}))
                for said in ({"classification": "personal"}, {"special_categories": ["health"]})
            ),
            passes("a dataset of nobody there", put(LIMITED, "data.0.source", "s3://example-documents/t.parquet")),
            passes(
                "a dataset in a bucket for people",
                put(HIGH_RISK, "data.0.source", "s3://example-predictions/hmda.parquet"),
            ),
            passes("a file with such a name", put(HIGH_RISK, "data.0.source", "file://example-documents/hmda.parquet")),
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
            violates(
                "the provider's key, by its alias",
                put(_KEYED, f"{_DEFAULT}.kmsMasterKeyId", "arn:aws:kms:eu-central-1:123456789012:alias/aws/s3"),
                changed(_KEYED, property_dependencies={}),
            ),
            violates("the provider's key, beside one of this plan", put(_KEYED, f"{_DEFAULT}.sseAlgorithm", "AES256")),
            violates(
                "a database with the provider's key",
                put("metadata", "tags.mlstrata~io/data-classification", "personal"),
                put("metadata", "kmsKeyId", "alias/aws/rds"),
                companions=("data-retention-lifecycle",),
            ),
            *(
                violates(
                    f"{kind}, {how}",
                    having(kind, "more", inputs, protect=True),
                    companions=("data-retention-lifecycle",),
                )
                for kind, how, inputs in _MORE
            ),
            violates(
                "a volume whose class has no key, whatever its label says",
                having("kubernetes:storage.k8s.io/v1:StorageClass", "fast", {"parameters": {"encrypted": "true"}}),
                having("kubernetes:core/v1:PersistentVolumeClaim", "pvc", _CLAIM, protect=True),
            ),
            violates(
                "a volume whose class is not encrypted",
                having("kubernetes:storage.k8s.io/v1:StorageClass", "fast", {"parameters": {"kmsKeyId": "k"}}),
                having("kubernetes:core/v1:PersistentVolumeClaim", "pvc", _CLAIM, protect=True),
            ),
            passes(
                "a volume whose class has a key",
                having("kubernetes:storage.k8s.io/v1:StorageClass", "fast", {"parameters": _CLASS_KEY}),
                having("kubernetes:core/v1:PersistentVolumeClaim", "pvc", _CLAIM, protect=True),
            ),
            violates(
                "a class that is called so within the cluster",
                having(
                    "kubernetes:storage.k8s.io/v1:StorageClass",
                    "any",
                    {"metadata": {"name": "fast"}, "parameters": {"encrypted": "true"}},
                ),
                having("kubernetes:core/v1:PersistentVolumeClaim", "pvc", _CLAIM, protect=True),
            ),
            passes(
                "a table with a key that this plan makes",
                having(_TABLE, "answers", _table(ttl={"enabled": True}, key=UNKNOWN), protect=True),
                changed(
                    "answers", property_dependencies={"serverSideEncryption": (f"{PROJECT}aws:kms/key:Key::data-key",)}
                ),
            ),
            passes(
                "a volume of a class from elsewhere",
                having("kubernetes:storage.k8s.io/v1:StorageClass", "slow", {"parameters": {}}),
                having("kubernetes:core/v1:PersistentVolumeClaim", "pvc", _CLAIM, protect=True),
            ),
            passes(
                "a table with a key", having(_TABLE, "answers", _table(ttl={"enabled": True}, key="k"), protect=True)
            ),
            passes(
                "a bucket that says so itself",
                without(_KEYED),
                put("predictions", "serverSideEncryptionConfiguration", {"rule": _OWN}),
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
            *(
                violates(f"a rule for some: {next(iter(some))}", put("predictions-lifecycle", "rules.0.filter", some))
                for some in ({"prefix": "tmp/"}, {"tag": {"key": "a", "value": "b"}}, {"and": {"prefix": "a"}})
            ),
            violates("a rule for a prefix", put("predictions-lifecycle", "rules.0.prefix", "tmp/")),
            violates("older versions stay", put("predictions", "versioning", {"enabled": True})),
            violates("older versions stay, by a switch", having(_VERSIONING, "versions", _versions("Enabled"))),
            violates(
                "a table whose items stay", having(_TABLE, "answers", _table()), companions=("rel-protect-stateful",)
            ),
            *(
                violates(f"a rule of its own {how}", without("predictions-lifecycle"), _own_rule(**rule))
                for how, rule in _OWN_RULES.items()
            ),
            violates(
                "a rule of its own, and older versions stay",
                without("predictions-lifecycle"),
                _own_rule(),
                put("predictions", "versioning", {"enabled": True}),
            ),
            *(
                passes(
                    f"a rule of its own, as {next(iter(older))}",
                    without("predictions-lifecycle"),
                    _own_rule(**older),
                    put("predictions", "versioning", {"enabled": True}),
                )
                for older in (
                    {"noncurrentVersionExpiration": {"days": 30}},
                    {
                        "noncurrentVersionExpirations": [{"days": 30}],
                        "expiration": None,
                        "expirations": [{"days": 400}],
                    },
                )
            ),
            violates("a rule without days", cut("predictions-lifecycle", "rules.0.expiration")),
            violates(
                "personal by its label alone", put("documents", "tags.mlstrata~io/data-classification", "personal")
            ),
            passes("both expire"),
            passes("a rule for all", put("predictions-lifecycle", "rules.0.filter", {"prefix": ""})),
            passes("no versions", having(_VERSIONING, "versions", _versions("Suspended"))),
            passes(
                "older versions expire too",
                put("predictions", "versioning", {"enabled": True}),
                put("predictions-lifecycle", "rules.0.noncurrentVersionExpiration", {"noncurrentDays": 30}),
            ),
            passes(
                "a table whose items expire", having(_TABLE, "answers", _table(ttl={"enabled": True}), protect=True)
            ),
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
)
