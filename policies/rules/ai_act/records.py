"""The AI Act on records: what is logged, and how long records and documents are kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlstrata.policies.core.dates import Duty
from mlstrata.policies.core.graph import Resource, System
from mlstrata.policies.core.rule import (
    HIGH,
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
from mlstrata.policies.core.values import SECRET, UNKNOWN
from mlstrata.policies.fixtures.compliant_world import HIGH_RISK, labels
from mlstrata.policies.fixtures.world import PROJECT, Edit, changed, cut, facts, having, put, without
from mlstrata.policies.remedies.cluster import RECORDED
from mlstrata.policies.remedies.stores import KEPT, SIX_MONTHS
from mlstrata.policies.views.retention import BUCKETS, days_kept
from mlstrata.policies.views.serving import logged, recorders, serving

TEN_YEARS = 3650
LOCKS = ("aws:s3/bucketObjectLockConfiguration",)


def _logging(system: System, context: Context) -> Verdicts:
    answering = serving(system)
    if not answering:
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
    found = list(_kept(context))
    for resource, days in found:
        if days is not None and days < SIX_MONTHS:
            yield fails(
                f"by {resource.kind} '{resource.name}' records are kept {days:g} days; at least {SIX_MONTHS} are asked",
                f"keep them {SIX_MONTHS} days or more",
                "/retention",
                subject=resource,
            )
    if not found:
        yield undeployed(
            "retention is declared",
            "keeps logs or predictions",
            "/retention",
            part="predictions or logs",
            fix="deploy the store",
        )


def _kept(context: Context) -> Iterator[tuple[Resource, float | None]]:
    for resource in context.graph.resources:
        if (days := days_kept(resource, context.graph)) is not None:
            yield resource, days


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
        if int(years) * 365 + int(kept) < TEN_YEARS:
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
    if not locks:
        yield undeployed(
            "documents are to be kept for ten years (Art. 18)",
            "keeps them where nobody can delete them",
            "/retention.documents",
            part="documents",
            fix=f"deploy a store whose objects are locked for {TEN_YEARS} days",
        )


def _rule(number: int, name: str, title: str, holds: str, references: tuple[str, ...], **fields: object) -> Rule:
    given = {"tiers": HIGH, "duty": Duty.HIGH_RISK, **fields}
    return Rule(
        number=number,
        id=name,
        title=title,
        holds=holds,
        references=references,
        domain=Domain.AI_ACT,
        **given,  # type: ignore[arg-type]
    )


def _settings(text: str) -> Edit:
    data = {"loki.yaml": text, "other": SECRET}
    return having("kubernetes:core/v1:ConfigMap", "loki-settings", {"metadata": {"namespace": "a"}, "data": data})


def _loki(limits: str, *, deletes: bool = True) -> Edit:
    return _settings(f"compactor: {{retention_enabled: {str(deletes).lower()}}}\nlimits_config: {{{limits}}}\n")


def _lock(retention: dict[str, Any]) -> Edit:
    return put("documents", "objectLockConfiguration", {"rule": {"defaultRetention": retention}})


def _prometheus(*arguments: object) -> Edit:
    inputs = {"name": "prometheus", "command": ["prometheus", *arguments]}
    return having("pulumi-python:dynamic/mlstrata:Service", "local", inputs)


def _inline(bucket: str, expiration: dict[str, int], *, enabled: bool = True) -> Edit:
    return put(bucket, "lifecycleRules", [{"enabled": enabled, "expiration": expiration}])


def _gateway_log(seconds: object) -> Edit:
    command = ["python", UNKNOWN, "--logs-seconds", seconds]
    return having("pulumi-python:dynamic/mlstrata:Service", "resources", {"name": "resources", "command": command})


def _kserve(logger: dict[str, str]) -> Edit:
    inputs = {"spec": {"predictor": {"logger": logger}}}
    return having("kubernetes:serving.kserve.io/v1beta1:InferenceService", "kserve", inputs, parent=HIGH_RISK)


def _sagemaker(**capture: object) -> tuple[Edit, Edit]:
    kept = {
        "enableCapture": True,
        "initialSamplingPercentage": 100,
        "destinationS3Uri": "s3://example-predictions",
        "captureOptions": [{"captureMode": "Input"}, {"captureMode": "Output"}],
        **capture,
    }
    return (
        having("aws:sagemaker/endpointConfiguration:EndpointConfiguration", "a", {"dataCaptureConfig": kept}),
        having("aws:sagemaker/endpoint:Endpoint", "endpoint", {"endpointConfigName": "a"}, parent=HIGH_RISK),
    )


_SERVING = having("mlstrata:serving:Serving", "own", {"labels": {"mlstrata.io/ai-disclosure": "x"}}, parent=HIGH_RISK)
_BOTH = {"captureMode": "InputAndOutput"}
_CONFIGURED = f"{PROJECT}aws:sagemaker/endpointConfiguration:EndpointConfiguration::a"
_MADE_HERE = (
    put("endpoint", "endpointConfigName", UNKNOWN),
    changed("endpoint", property_dependencies={"endpointConfigName": (_CONFIGURED,)}),
)
_NOT_ALL: dict[str, dict[str, Any]] = {
    "switched off": {"enableCapture": False},
    "some of them": {"initialSamplingPercentage": 99},
    "to nowhere": {"destinationS3Uri": ""},
    "what goes in alone": {"captureOptions": [{"captureMode": "Input"}]},
    "what comes out alone": {"captureOptions": [{"captureMode": "Output"}]},
}
_P0 = "spec.predictors.0"

RULES = (
    _rule(
        11,
        "aia-request-logging",
        "Every request to a high-risk system is recorded, and something takes the records in.",
        "every request is recorded",
        ("AI Act Art. 12", "AI Act Art. 19", "ISO/IEC 42001 A.6.2.8"),
        severity=Severity.CRITICAL,
        system=_logging,
        remedies=(RECORDED,),
        cases=(
            violates("no logger", cut("mortgage", f"{_P0}.graph.logger")),
            violates("only answers are logged", put("mortgage", f"{_P0}.graph.logger.mode", "response")),
            violates("nowhere to send them", cut("mortgage", f"{_P0}.graph.logger.url")),
            violates("declared, and no recorder", without("recorder")),
            violates("a recorder that runs nowhere", put("recorder", "spec.replicas", 0)),
            violates(
                "a recorder that is only words",
                without("recorder"),
                having("kubernetes:core/v1:ConfigMap", "recorder", {"metadata": {"labels": labels("", "recorder")}}),
            ),
            violates("no predictors", put("mortgage", "spec.predictors", []), companions=("aia-right-to-explanation",)),
            violates(
                "the second predictor has none",
                put("mortgage", "spec.predictors", [{"replicas": 2, "graph": {}, "explainer": {"type": "x"}}]),
            ),
            violates("our own serving, without its recorder", _SERVING, companions=("aia-right-to-explanation",)),
            passes("logger and recorder"),
            passes(
                "the logger of a unit below",
                put(
                    "mortgage",
                    f"{_P0}.graph",
                    {"name": "a", "children": [{"name": "b", "logger": {"mode": "all", "url": "http://r"}}]},
                ),
            ),
            passes("KServe's logger", _kserve({"mode": "all", "url": "http://r"}), companions=("*",)),
            *(
                violates(f"KServe's logger {how}", _kserve(logger), companions=("*",))
                for how, logger in (
                    ("of answers alone", {"mode": "response", "url": "http://r"}),
                    ("to nowhere", {"mode": "all"}),
                )
            ),
            passes(
                "our own serving with its recorder",
                _SERVING,
                having("mlstrata:recording:Recording", "own-recorder", {"labels": labels(HIGH_RISK)}),
                companions=("*",),
            ),
            passes(
                "a component around what records",
                _SERVING,
                having(
                    "kubernetes:serving.kserve.io/v1beta1:InferenceService",
                    "inner",
                    {"spec": {"predictor": {"logger": {"mode": "all", "url": "http://r"}}}},
                    parent="own",
                ),
                companions=("*",),
            ),
            passes("SageMaker that keeps both ways", *_sagemaker(), companions=("*",)),
            passes("SageMaker that keeps both at once", *_sagemaker(captureOptions=[_BOTH]), companions=("*",)),
            passes("a configuration of this plan", *_sagemaker(), *_MADE_HERE, companions=("*",)),
            violates(
                "another configuration", *_sagemaker(), put("endpoint", "endpointConfigName", "b"), companions=("*",)
            ),
            *(
                violates(f"SageMaker, {how}", *_sagemaker(**capture), companions=("*",))
                for how, capture in _NOT_ALL.items()
            ),
            spares("nothing answers", without("mortgage"), companions=("*",)),
            cannot_tell("a mode known later", put("mortgage", f"{_P0}.graph.logger.mode", UNKNOWN), companions=("*",)),
        ),
    ),
    _rule(
        12,
        "aia-log-retention-6m",
        "Records and logs of a high-risk system are kept at least 183 days.",
        "records and logs are kept at least 183 days",
        ("AI Act Art. 19", "AI Act Art. 26(6)"),
        tiers=(),
        environment=_log_retention,
        remedies=(KEPT,),
        cases=(
            violates("90 days declared", facts(retention={"predictions": 90.0, "logs": 200.0, "documents": 3650.0})),
            violates("logs of 182 days", facts(retention={"predictions": 400.0, "logs": 182.0, "documents": 3650.0})),
            violates("a bucket of 30 days", put("predictions-lifecycle", "rules.0.expiration.days", 30)),
            violates("a log group of 30 days", put("platform-logs", "retentionInDays", 30)),
            violates("Prometheus of 15 days", put("prometheus", "spec.retention", "15d")),
            violates("a local Prometheus of 30 days", _prometheus("--storage.tsdb.retention.time=30d")),
            violates("Prometheus as it comes", cut("prometheus", "spec.retention")),
            violates("a local Prometheus as it comes", _prometheus()),
            passes("a local Prometheus of 200 days", _prometheus("--storage.tsdb.retention.time=200d", UNKNOWN)),
            passes("a log group that keeps for good", cut("platform-logs", "retentionInDays")),
            passes("a bucket of something else", _inline("documents", {"days": 30})),
            violates("a bucket's own rule of 30 days", _inline("predictions", {"days": 30})),
            passes("a bucket's own rule that is off", _inline("predictions", {"days": 30}, enabled=False)),
            violates("Loki of 30 days", _loki("retention_period: 720h")),
            violates("Loki of 30 days for some", _loki("retention_period: 200d, retention_stream: [{period: 720h}]")),
            violates("a local gateway's log of 30 days", _gateway_log("2592000")),
            passes("Loki of 200 days", _loki("retention_period: 200d")),
            passes("Loki that keeps for good", _loki("retention_period: 0s")),
            passes("Loki that is told no period", _loki("volume_enabled: true")),
            passes("Loki that deletes nothing", _loki("retention_period: 720h", deletes=False)),
            passes("settings of something else", _settings("note: limits_config, retention_period 720h")),
            passes("settings that are a list", _settings("[limits_config]")),
            passes("a local gateway's log of half a year", _gateway_log("15811200")),
            cannot_tell("settings that nobody can read", _settings("limits_config: {")),
            cannot_tell("a local gateway's log of unknown age", _gateway_log(UNKNOWN)),
            violates(
                "declared, and no store",
                without("predictions-lifecycle", "protected-lifecycle", "platform-logs", "prometheus"),
                companions=("data-retention-lifecycle",),
            ),
            passes(
                "183 days",
                put("predictions-lifecycle", "rules.0.expiration.days", 183),
                facts(retention={"predictions": 183.0, "logs": 183.0, "documents": 3650.0}),
            ),
            spares("no high risk", without(HIGH_RISK), companions=("*",)),
            cannot_tell("days known later", put("platform-logs", "retentionInDays", UNKNOWN), companions=("*",)),
        ),
    ),
    _rule(
        13,
        "aia-docs-retention-10y",
        "Documents of a high-risk system are kept ten years, where nobody can delete them.",
        "documents are locked for ten years",
        ("AI Act Art. 18",),
        tiers=(),
        environment=_document_retention,
        cases=(
            violates("a year declared", facts(retention={"documents": 365.0, "predictions": 400.0, "logs": 200.0})),
            violates("a lock of nine years", put("documents-lock", "rule.defaultRetention", {"years": 9})),
            violates(
                "a day short of ten years", put("documents-lock", "rule.defaultRetention", {"years": 9, "days": 364})
            ),
            violates("a lock of a day less", put("documents-lock", "rule.defaultRetention.days", 3649)),
            violates("a lock that can be lifted", put("documents-lock", "rule.defaultRetention.mode", "GOVERNANCE")),
            violates("a lock of another bucket", put("documents-lock", "bucket", "example-other")),
            violates("declared, and no lock", without("documents-lock")),
            violates(
                "declared, and no store",
                without("documents-lock", "documents", "documents-closed", "documents-encryption"),
            ),
            *(
                violates(f"a bucket's own lock {how}", without("documents-lock"), _lock(retention))
                for how, retention in (
                    ("of nine years", {"mode": "COMPLIANCE", "years": 9}),
                    ("that can be lifted", {"mode": "GOVERNANCE", "years": 10}),
                )
            ),
            passes("a bucket's own lock", without("documents-lock"), _lock({"mode": "COMPLIANCE", "years": 10})),
            passes("ten years", put("documents-lock", "rule.defaultRetention", {"years": 10})),
            spares("no high risk", without(HIGH_RISK), companions=("*",)),
            cannot_tell("days known later", put("documents-lock", "rule", UNKNOWN), companions=("*",)),
        ),
    ),
)
