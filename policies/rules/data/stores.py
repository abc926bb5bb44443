"""Stores of data: classified, encrypted, not public, and emptied when their time is over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import partial

from mlstrata.policies.core.graph import Graph, Resource, System
from mlstrata.policies.core.rule import (
    Context,
    Domain,
    Rule,
    Severity,
    Verdicts,
    fails,
    not_applicable,
    one_by_one,
    undeployed,
)
from mlstrata.policies.core.values import Value, dig
from mlstrata.policies.remedies.stores import classified
from mlstrata.policies.views.retention import BUCKETS, expiry, forgets
from mlstrata.policies.views.stores import (
    CLASSES,
    CLASSIFICATION,
    CLOUD_STORES,
    STORES,
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
    if given == "personal" or not store.type.startswith(BUCKETS):
        return
    held = context.graph.memo("personal data by bucket", _personal_data)
    for name in dict.fromkeys(store.inputs.get(key) for key in ("bucket", "name")):
        for system, index, one in held.get(name, ()) if isinstance(name, str) else ():
            yield fails(
                f"{store.kind} '{store.name}' says '{given}' and holds dataset '{dig(one, 'name')}' of "
                f"{system.name}, which is declared personal",
                f"label it {CLASSIFICATION}: personal",
                f"/systems.{system.name}.data.{index}.classification",
            )


def _personal_data(graph: Graph) -> Mapping[str, list[tuple[System, int, Value]]]:
    """Return the name of a bucket to the datasets of people that are read from it, each with its system and place."""
    found: dict[str, list[tuple[System, int, Value]]] = defaultdict(list)
    for system in graph.systems:
        for index, one in enumerate(system.all("data")):
            scheme, _, rest = str(dig(one, "source", "")).partition("://")
            if scheme in {"s3", "s3a"} and is_personal(one):
                found[rest.partition("/")[0]].append((system, index, one))
    return found


def _encrypted(context: Context) -> Verdicts:
    graph = context.graph
    stores: list[Resource] = []
    said = list(one_by_one(graph.of(*STORES), partial(_own_key, stores)))
    yield from said
    if stores or said:
        return
    declared = [system for system in graph.systems if processes_personal(system)]
    if not declared or context.environment.target not in {"aws", "kubernetes"}:
        yield not_applicable("no deployed store is labelled as one of personal data")
    elif not context.environment.storage_key:
        yield undeployed(
            f"{declared[0].name} declares personal data",
            "is labelled as a store of it",
            f"/systems.{declared[0].name}.data",
            fix="name your own key that encrypts the storage in storage.encryption_key, or deploy a store with one and "
            f"label it {CLASSIFICATION}: personal",
        )


def _own_key(stores: list[Resource], store: Resource) -> Verdicts:
    """Judge the encryption of a store, and add it to `stores` where it is one of personal data."""
    if not personal(store):
        return
    stores.append(store)
    if not own_key(store, store.graph):
        yield fails(
            f"{store.kind} '{store.name}' holds personal data and is not encrypted with a key of your own",
            "encrypt it with a KMS key of this account",
            subject=store,
        )


def _expires(store: Resource, context: Context) -> Verdicts:
    if store.part not in {"predictions", "protected"} and not personal(store):
        yield not_applicable("it keeps no records about people")
    elif store.part == "artifacts" and store.type.startswith(BUCKETS):
        # A model is kept for as long as it may be released again; whoever erases it must find it gone.
        if not forgets(store, context.graph):
            yield fails(
                f"what is erased from '{store.name}' stays there as an older version",
                "give it a lifecycle rule for all of it with noncurrentVersionExpiration",
            )
    elif expiry(store, context.graph, whole=True) is None and not store.get("ttl.enabled"):
        yield fails(
            f"'{store.name}' keeps records about people without expiry",
            "give it a lifecycle rule that expires them",
            "/retention.predictions",
        )


_rule = partial(Rule, domain=Domain.DATA)

RULES = (
    _rule(
        id="data-classification-tag",
        title="Every store has a data classification.",
        holds="its data is classified",
        references=("GDPR Art. 5(1)(f)", "ISO/IEC 42001 A.7.2", "AI Act Art. 10"),
        types=STORES,
        severity=Severity.MEDIUM,
        resource=_classified,
        remedies=(classified(STORES, CLASSIFICATION, CLASSES),),
    ),
    _rule(
        id="data-pii-encrypted-cmk",
        title="Stores of personal data are encrypted with a key of the customer.",
        holds="stores of personal data are encrypted with a key of the customer",
        references=("GDPR Art. 32", "AI Act Art. 15(5)", "ISO/IEC 42001 A.7.2"),
        severity=Severity.CRITICAL,
        environment=_encrypted,
    ),
    _rule(
        id="data-retention-lifecycle",
        title="Records about people expire.",
        holds="its records expire",
        references=("GDPR Art. 5(1)(e)", "ISO/IEC 42001 A.7.2"),
        types=CLOUD_STORES,
        resource=_expires,
    ),
)
