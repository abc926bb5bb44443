"""The AI Act on records: what is logged, and how long records and documents are kept."""

from __future__ import annotations

from functools import partial
from math import ceil

from mlstrata.policies.core.dates import Duty
from mlstrata.policies.core.graph import Resource, System
from mlstrata.policies.core.rule import (
    HIGH,
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
from mlstrata.policies.remedies.cluster import RECORDED
from mlstrata.policies.remedies.stores import KEPT, SIX_MONTHS
from mlstrata.policies.views.retention import BUCKETS, days_kept
from mlstrata.policies.views.serving import logged, recorders, scores, serving

TEN_YEARS = 3653
"""Days: the longest ten years of the calendar, with three leap days."""
LOCKS = ("aws:s3/bucketObjectLockConfiguration",)


def _logging(system: System, context: Context) -> Verdicts:
    answering = serving(system)
    if not answering and not scores(system):
        yield not_applicable("nothing deployed answers for it")
        return
    for resource in answering:
        if not logged(resource, system):
            yield fails(
                f"requests to {resource.kind} '{resource.name}' are not recorded (Art. 12)",
                "switch its request logger on for all requests and name where it sends them",
                "serving",
            )
    if not recorders(context.graph):
        yield undeployed(
            "its requests must be recorded (Art. 12)",
            "takes the records in",
            "/capabilities",
            part="recorder",
            capability="recording",
        )


def _log_retention(context: Context) -> Verdicts:
    if not any(system.get("risk.tier") == "high" for system in context.graph.systems):
        yield not_applicable("no AI system at tier high is declared")
        return
    for what in ("predictions", "logs"):
        days = context.environment.retention.get(what)
        if days is not None and days < SIX_MONTHS:
            yield fails(
                f"{what} are kept {days:g} days; Art. 19 and 26(6) ask for at least {SIX_MONTHS}",
                f"retention.{what}: {SIX_MONTHS}d or more",
                f"/retention.{what}",
                subject=what,
            )
    stores: list[Resource] = []
    said = list(one_by_one(context.graph.resources, partial(_kept_long, stores)))
    yield from said
    if not stores and not said:
        yield undeployed(
            "retention is declared",
            "keeps logs or predictions",
            "/retention",
            part="predictions or logs",
            fix="deploy the store",
        )


def _kept_long(stores: list[Resource], resource: Resource) -> Verdicts:
    """Judge for how long a resource keeps records, and add it to `stores` where it keeps any."""
    days = days_kept(resource, resource.graph)
    if days is None:
        return
    stores.append(resource)
    if days < SIX_MONTHS:
        yield fails(
            f"by {resource.kind} '{resource.name}' records are kept {days:g} days; at least {SIX_MONTHS} are asked",
            f"keep them {SIX_MONTHS} days or more",
            "/retention",
            subject=resource,
        )


def _document_retention(context: Context) -> Verdicts:
    if not any(system.get("risk.tier") == "high" for system in context.graph.systems):
        yield not_applicable("no AI system at tier high is declared")
        return
    days = context.environment.retention.get("documents")
    if days is not None and days < TEN_YEARS:
        yield fails(
            f"documents are kept {days:g} days; Art. 18 asks for ten years ({TEN_YEARS})",
            "retention.documents: 10y",
            "/retention.documents",
        )
    locks = [(lock, "rule.defaultRetention") for lock in context.graph.of(*LOCKS)]
    # A bucket's own inputs hold one, too.
    own_locks = [bucket for bucket in context.graph.of(*BUCKETS) if bucket.get("objectLockConfiguration.rule")]
    locks += [(bucket, "objectLockConfiguration.rule.defaultRetention") for bucket in own_locks]
    for lock, at in locks:
        years, kept = lock.get(f"{at}.years", 0), lock.get(f"{at}.days", 0)
        if ceil(int(years) * 365.25) + int(kept) < TEN_YEARS:
            yield fails(
                f"the object lock '{lock.name}' holds documents under ten years",
                f"lock them {TEN_YEARS} days",
                "/retention.documents",
                subject=lock,
            )
        if lock.get(f"{at}.mode") == "GOVERNANCE":
            yield fails(
                f"whoever has the right for it can lift the object lock '{lock.name}'",
                "mode: COMPLIANCE",
                "/retention.documents",
                subject=lock,
            )
    for store in context.graph.part("documents"):
        locked = store in own_locks or context.graph.referring(store, "bucket", *LOCKS)
        if locks and store.type.startswith(BUCKETS) and not locked:
            yield fails(
                f"the store '{store.name}' of documents has no object lock",
                f"lock its objects {TEN_YEARS} days",
                "/retention.documents",
                subject=store,
            )
    if not locks and context.environment.documents_days < TEN_YEARS:
        yield undeployed(
            "documents are to be kept for ten years (Art. 18)",
            "keeps them locked against deletion",
            "/retention.documents",
            part="documents",
            fix=f"deploy a store whose objects are locked for {TEN_YEARS} days",
        )


_rule = partial(Rule, domain=Domain.AI_ACT)

RULES = (
    Rule(
        id="aia-request-logging",
        title="Every request to a high-risk system is recorded, by a recorder that is deployed.",
        holds="every request is recorded",
        references=("AI Act Art. 12", "AI Act Art. 19", "ISO/IEC 42001 A.6.2.8"),
        domain=Domain.AI_ACT,
        tiers=HIGH,
        duty=Duty.HIGH_RISK,
        severity=Severity.CRITICAL,
        system=_logging,
        remedies=(RECORDED,),
    ),
    _rule(
        id="aia-log-retention-6m",
        title=f"Records and logs of a high-risk system are kept at least {SIX_MONTHS} days.",
        holds=f"records and logs are kept at least {SIX_MONTHS} days",
        references=("AI Act Art. 19", "AI Act Art. 26(6)"),
        tiers=(),
        duty=Duty.HIGH_RISK,
        environment=_log_retention,
        remedies=(KEPT,),
    ),
    _rule(
        id="aia-docs-retention-10y",
        title="Documents of a high-risk system are kept for ten years in a store that is locked against deletion.",
        holds="documents are locked for ten years",
        references=("AI Act Art. 18",),
        tiers=(),
        duty=Duty.HIGH_RISK,
        environment=_document_retention,
    ),
)
