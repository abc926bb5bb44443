"""Use of data: inside the EU where it must be, sensitive data apart, with lineage, owners and without bias."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import partial

from mlstrata.environments import Capability
from mlstrata.environments.regions import EU_REGIONS
from mlstrata.policies.core.dates import Duty
from mlstrata.policies.core.graph import Resource, System
from mlstrata.policies.core.live import LiveSystem
from mlstrata.policies.core.rule import (
    HIGH,
    Context,
    Domain,
    Level,
    Rule,
    Severity,
    Verdicts,
    fails,
    live,
    not_applicable,
    undeployed,
)
from mlstrata.policies.core.values import dig, listed
from mlstrata.policies.views.classification import point
from mlstrata.policies.views.documents import named, read
from mlstrata.policies.views.stores import CLOUD_STORES, STORES, own_key

FRESH = timedelta(days=180)
_REGIONS = f"target.region: eu for a cluster of your own that stands there, else one of {', '.join(EU_REGIONS)}"
SPECIAL = re.compile(
    r"religi|glaube|konfession|croyance|faith|belief|ethnic|ethnie|ethnisch|etnia|(?:^|_)race(?:$|_)|racial|rasse"
    r"|(?:^|_)razz?a|weltanschau|politica|politisch|politique|trade_union|gewerkschaft|syndicat|sind[ai]cat|sexual|sexuel"
    r"|sessual|genetic|genetisch|disabilit|discapaci|behinder|handicap|diagnos|disease|krankheit|maladie|enfermedad"
    r"|malattia|health(?!y_)|gesundheit|sant[eé]|(?:^|_)salu(?:d|te)(?:$|_)|(?:^|_)hiv(?:$|_)|biometri"
)
"""Names of columns that tell of a special category (GDPR Art. 9): advice, as a name proves nothing."""
FEATURE_STORES = ("kubernetes:feast.dev/v1:FeatureStore", "mlstrata:features:FeatureView")


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
    region, at = context.environment.region, f"/systems.{system.name}.data.{index}.region"
    if not region:
        yield fails(f"dataset '{name}' must stay in the EU, and target.region says nothing", _REGIONS, at)
    elif region not in EU_REGIONS and region.lower() != "eu":
        where = f"the environment is in {region}, no region of the EU that is known here"
        yield fails(f"dataset '{name}' must stay in the EU, and {where}", f"move it, or {_REGIONS}", at)
    for store in context.graph.of(*CLOUD_STORES):
        copies = [str(dig(copy, "regionName")) for copy in store.all("replicas")]
        for own in (store.get("region"), *copies):
            if not own or own in EU_REGIONS:
                continue
            yield fails(
                f"{store.kind} '{store.name}' is in {own}, and data must stay in the EU",
                "put it into a region of the EU",
                "/target.region",
                subject=store,
            )


def _isolated(context: Context) -> Verdicts:
    special = [one for one in context.graph.systems if any(dig(data, "special_categories") for data in one.all("data"))]
    recording = Capability.RECORDING in context.environment.capabilities or context.graph.part("recorder")
    if not special or not recording:
        yield not_applicable("no special category of personal data is recorded")
        return
    stores = context.graph.part("protected")
    if not stores:
        yield undeployed(
            f"{special[0].name} declares special categories",
            "keeps them apart",
            f"/systems.{special[0].name}.data",
            part="protected",
            fix="deploy a restricted store",
        )
    for store in stores:
        if store.type.startswith(STORES) and not own_key(store, context.graph):
            yield fails(
                f"{store.kind} '{store.name}' keeps special categories without a key of its own",
                "encrypt it with a KMS key",
                subject=store,
            )


def _lineage(system: System, context: Context) -> Verdicts:
    data = system.all("data")
    if not data:
        yield fails("no dataset is declared, so its training data are unknown", "declare data", "data")
    for index, one in enumerate(data):
        if not dig(one, "version") and Capability.LINEAGE not in context.environment.capabilities:
            yield fails(
                f"dataset '{dig(one, 'name')}' has no version, and nothing records one",
                "name its version, or switch on the capability lineage",
                f"data.{index}",
            )


def _features(view: Resource, _: Context) -> Verdicts:
    for label, what in (("mlstrata.io/owner", "who answers for it"), ("mlstrata.io/ttl", "how long a value holds")):
        if not view.label(label):
            yield fails(f"{view.kind} '{view.name}' does not say {what}", f"label it {label}")


def _unbiased(system: System, context: Context) -> Verdicts:
    if not system.all("model.protected"):
        yield from _unexamined(system, context)
        return
    if not system.get("monitor.fairness"):
        yield fails(
            "protected attributes are declared, and no limit on how far groups may differ",
            "declare monitor.fairness",
            "monitor",
        )
    path, known = system.get("documents.bias_report"), None
    if path:
        known, wrong = read(context, str(path), "bias report", "documents.bias_report")
        yield from wrong
    if known is not None and known.reviewed is not None:
        yield from _fresh(known.reviewed, context, "documents.bias_report")
    elif path and known is None:
        return
    elif context.environment.live is None:
        yield live("the registry keeps the bias report of each model version")
    else:
        yield from _measured(system, context.environment.live.of(system.name), context)


def _unexamined(system: System, context: Context) -> Verdicts:
    """Judge a system without protected attributes: a report must say how bias was examined, or why it cannot."""
    if not _about_people(system):
        yield not_applicable("it decides about no people")
        return
    path = system.get("documents.bias_report")
    if not path:
        yield fails(
            "it is about people, and neither a protected attribute nor a bias report is named (Art. 10(2)(f))",
            "declare model.protected, or name in documents.bias_report a report on why bias cannot be measured",
            "model",
        )
        return
    known, wrong = read(context, str(path), "bias report", "documents.bias_report")
    yield from wrong
    if known is not None and known.reviewed is not None:
        yield from _fresh(known.reviewed, context, "documents.bias_report")


def _about_people(system: System) -> bool:
    if system.get("risk.profiling"):
        return True  # it evaluates persons, even where its output is said to concern nobody
    affects = system.get("risk.affects")
    if affects is not None:
        return bool(list(affects))
    return point(system) not in ("", "2")


def _impact(system: System, context: Context) -> Verdicts:
    data = system.all("data")
    personal = any(dig(one, "classification") == "personal" or listed(one, "personal") for one in data)
    special = any(listed(one, "special_categories") or dig(one, "special_fields") for one in data)
    profiled = bool(system.get("risk.profiling"))
    # Profiling is of personal data (GDPR Art. 4(4)), whatever the datasets are said to hold.
    if not (special or profiled or (personal and system.get("risk.tier") == "high")):
        yield not_applicable("it neither profiles people nor uses special categories, nor personal data at high risk")
        return
    what = "data protection impact assessment"
    yield from named(system, context, "dpia", what, "GDPR Art. 35(3), AI Act Art. 26(9)")[1]


def _classified(system: System, _: Context) -> Verdicts:
    data = system.all("data")
    if not data:
        yield not_applicable("no dataset is declared")
    for index, one in enumerate(data):
        said = dig(one, "classification")
        if said != "personal" and any(dig(one, key) for key in ("personal", "special_categories", "special_fields")):
            yield fails(
                f"dataset '{dig(one, 'name')}' is classified '{said}' and declares personal columns",
                "classification: personal",
                f"data.{index}.classification",
            )


def _special_by_name(system: System, _: Context) -> Verdicts:
    data = system.all("data")
    if not data:
        yield not_applicable("no dataset is declared")
    for index, one in enumerate(data):
        known = set(dig(one, "special_fields", {}))
        named = (*listed(one, "personal"), *system.all("model.protected"), *dig(one, "format.kinds", {}))
        columns = list(map(str, named))
        for column in dict.fromkeys(columns):
            if column not in known and SPECIAL.search(column.lower()):
                yield fails(
                    f"column '{column}' of dataset '{dig(one, 'name')}' is by its name a special category of personal "
                    "data, and special_fields does not say so",
                    f"special_fields: {{{column}: CATEGORY}}, and special_categories",
                    f"data.{index}",
                )


def _measured(system: System, known: LiveSystem, context: Context) -> Verdicts:
    """Judge the report that the registry keeps with the version that answers."""
    if not known.version:
        yield not_applicable("no version is released")
        return
    train = f"`mlstrata train {context.environment.name} {system.name}` measures it"
    if missing := [str(name) for name in system.all("model.protected") if str(name) not in known.bias]:
        yield fails(f"version {known.version} answers, and bias by {', '.join(missing)} was not measured", train)
    elif known.bias_measured is None:
        yield fails(f"nobody knows when the bias of version {known.version} was measured", train)
    else:
        yield from _fresh(known.bias_measured, context, "")


def _fresh(day: date, context: Context, at: str) -> Verdicts:
    if (age := context.calendar.today - day) > FRESH:
        yield fails(f"the bias report is {age.days} days old (180 allowed)", "make a new one", at)


_rule = partial(Rule, domain=Domain.DATA)

RULES = (
    _rule(
        id="data-region-eu",
        title="Data that must stay in the EU is kept there.",
        holds="environment and stores are in the EU",
        references=("GDPR Art. 44", "AI Act Art. 10"),
        environment=_in_the_eu,
    ),
    _rule(
        id="data-special-category-isolated",
        title="Special categories of personal data are kept apart, in a restricted store.",
        holds="a restricted store keeps them apart",
        references=("GDPR Art. 9", "AI Act Art. 4a", "AI Act Art. 10"),
        severity=Severity.CRITICAL,
        environment=_isolated,
    ),
    _rule(
        id="data-lineage-declared",
        title="Every system declares its training data and their versions.",
        holds="its data and their versions are recorded",
        references=("AI Act Art. 10(2)", "Annex IV 2", "ISO/IEC 42001 A.7.5", "NIST AI RMF MAP 2.1"),
        level=Level.ADVISORY,
        severity=Severity.LOW,
        system=_lineage,
    ),
    _rule(
        id="data-feature-owner-ttl",
        title="Every feature view has an owner and a time to live.",
        holds="owner and time to live are set",
        references=("AI Act Art. 10", "ISO/IEC 42001 A.7.3"),
        types=FEATURE_STORES,
        level=Level.ADVISORY,
        severity=Severity.LOW,
        resource=_features,
    ),
    Rule(
        id="data-bias-report-fresh",
        title="A high-risk system about people has a limit on bias and a report of 180 days, or says why it cannot.",
        holds="limit and report exist",
        references=("AI Act Art. 10(2)(f)", "AI Act Art. 4a", "NIST AI RMF MEASURE 2.11"),
        domain=Domain.DATA,
        tiers=HIGH,
        duty=Duty.HIGH_RISK,
        system=_unbiased,
    ),
    Rule(
        id="data-dpia-present",
        title="Profiling, special categories and personal data at high risk have a data protection impact assessment.",
        holds="the assessment is there, and speaks of what Art. 35(7) asks",
        references=("GDPR Art. 35", "AI Act Art. 26(9)", "ISO/IEC 42001 A.5.4"),
        domain=Domain.DATA,
        system=_impact,
    ),
    _rule(
        id="data-classification-consistent",
        title="A dataset with personal columns is classified as personal.",
        holds="classification and columns agree",
        references=("GDPR Art. 4(1)", "GDPR Art. 9", "ISO/IEC 42001 A.7.2"),
        system=_classified,
    ),
    _rule(
        id="data-special-by-name",
        title="Columns that are special categories by their name are declared as such.",
        holds="no plain column has the name of a special category",
        references=("GDPR Art. 9", "AI Act Art. 10(5)", "AI Act Art. 4a"),
        level=Level.ADVISORY,
        severity=Severity.MEDIUM,
        system=_special_by_name,
    ),
)
