"""The AI Act on documents: there, complete, fresh, and about what is deployed.

A check proves that a document is named, present and recent, never that it is legally adequate.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from mlstrata.policies.core.dates import Duty
from mlstrata.policies.core.facts import Document
from mlstrata.policies.core.graph import System
from mlstrata.policies.core.rule import (
    HIGH,
    Context,
    Domain,
    Rule,
    Severity,
    Verdicts,
    fails,
    live,
    not_applicable,
    unknown,
)
from mlstrata.policies.views.classification import asked_of, point, product, roles
from mlstrata.policies.views.documents import named
from mlstrata.policies.views.serving import serving

FRESH = timedelta(days=180)
ANNEX_IV = frozenset(range(1, 10))
FRIA_POINTS = ("5b", "5c")
OF_PUBLIC_BODIES = ("5a", "5d", "6", "7", "8a")
"""Points of Annex III whose systems, in its own words, are used by public bodies or on their behalf."""
INFRASTRUCTURE = "2"  # needs no FRIA, and is registered nationally
_EU_DATABASE = ("entry in the EU database", "Art. 49")
MODEL_VERSION = "mlstrata.io/model-version"


def _present(key: str, what: str, article: str) -> Callable[[System, Context], Verdicts]:
    def check(system: System, context: Context) -> Verdicts:
        yield from named(system, context, key, what, article)[1]

    return check


def _risk_register(system: System, context: Context) -> Verdicts:
    document, wrong = named(system, context, "risk_register", "risk register", "Art. 9")
    yield from wrong
    if document is None:
        return
    if document.reviewed is None:
        at = "documents.risk_register"
        yield unknown("the risk register does not say when it was reviewed", "write a line `Reviewed: YYYY-MM-DD`", at)
    elif (age := context.calendar.today - document.reviewed) > FRESH:
        yield fails(
            f"the risk register was last reviewed {age.days} days ago; Art. 9 makes it a continuous process (180 days)",
            "review it and write the day",
            "documents.risk_register",
        )


def _annex_iv(system: System, context: Context) -> Verdicts:
    document, wrong = named(system, context, "technical_file", "technical documentation", "Art. 11 and Annex IV")
    yield from wrong
    if document is None:
        return
    at = "documents.technical_file"
    if missing := sorted(ANNEX_IV - document.sections):
        numbers = ", ".join(map(str, missing))
        yield fails(f"sections {numbers} of Annex IV are missing or empty", "fill them in", at)


def _same_model(system: System, context: Context) -> Verdicts:
    path = system.get("documents.technical_file")
    document = context.environment.documents.get(str(path), Document())
    if not path:
        yield not_applicable("there is no technical documentation to compare (see aia-annex-iv-complete)")
        return
    deployed = {version for one in serving(system) if (version := one.label(MODEL_VERSION))}
    if (platform := context.environment.live) is not None:
        deployed |= {platform.of(system.name).version} - {""}
        if not deployed:
            yield not_applicable("no version is released")
            return
    elif not document.model_version or not deployed:
        yield live("the registry knows which model version answers, and the documentation must name it")
        return
    if not document.model_version:
        yield fails(
            f"model version {', '.join(sorted(deployed))} is deployed, and the documentation names none",
            "write a line `Model version: N` into it",
            "documents.technical_file",
        )
        return
    if other := sorted(deployed - {document.model_version}):
        yield fails(
            f"model version {', '.join(other)} is deployed, and the documentation describes {document.model_version}",
            "bring the documentation up to date before the release",
            "documents.technical_file",
        )


def _fria(system: System, context: Context) -> Verdicts:
    at = point(system)
    public = _of_a_public_body(system, at) or system.get("risk.public_service")
    if at in ("", INFRASTRUCTURE) or not (public or at in FRIA_POINTS):
        yield not_applicable(f"Art. 27 asks it of public services and of points {' and '.join(FRIA_POINTS)}")
    else:
        document, wrong = named(system, context, "fria", "fundamental rights impact assessment", "Art. 27")
        yield from wrong
        if document is not None and document.notified is None:
            yield fails(
                "the impact assessment does not say when the authority was notified (Art. 27(3))",
                "notify it, and write a line `Notified: YYYY-MM-DD`",
                "documents.fria",
            )


def _workers_told(system: System, context: Context) -> Verdicts:
    if "workers" not in system.all("risk.affects") and point(system) != "4b":
        yield not_applicable("it is not used on people at work")
    else:
        what = "notice to workers and their representatives"
        yield from named(system, context, "notice_workers", what, "Art. 26(7)")[1]


def _persons_told(system: System, context: Context) -> Verdicts:
    affects = system.get("risk.affects")
    about_nobody = affects is not None and not list(affects) and not system.get("risk.profiling")
    if point(system) in ("", INFRASTRUCTURE) or about_nobody:
        yield not_applicable("Art. 26(11) asks it of systems under Annex III that decide about people, or help to")
    else:
        yield from named(system, context, "notice_persons", "notice to the persons concerned", "Art. 26(11)")[1]


def _of_a_public_body(system: System, at: str) -> bool:
    return bool(system.get("risk.public_body")) or at.startswith(OF_PUBLIC_BODIES)


def _conformity(system: System, context: Context) -> Verdicts:
    if product(system):
        route = "that of the product's own law, Art. 43(3)"
    else:
        route = "Annex VI or VII" if point(system).startswith("1") else "Annex VI"
    yield from named(system, context, "conformity", f"conformity assessment ({route})", "Art. 43")[1]


def _declaration(system: System, context: Context) -> Verdicts:
    if context.environment.before_production:
        yield not_applicable("required before production")
    else:
        yield from named(system, context, "declaration", "EU declaration of conformity", "Art. 47 and 48")[1]


def _registered(system: System, context: Context) -> Verdicts:
    claimed, held = bool(system.get("risk.exemption")), roles(system)
    at = point(system)
    # Systems that are high risk as products under Annex I alone are registered nowhere.
    high, national = system.get("risk.tier") == "high" and at, at == INFRASTRUCTURE
    deployed = "deployer" in held and _of_a_public_body(system, at) and not national
    provided = not held.isdisjoint({"provider", "authorised_representative"})
    if context.environment.before_production:
        yield not_applicable("required before production")
    elif not claimed and not (high and (provided or deployed)):
        yield not_applicable("Art. 49 asks it of providers, public bodies and those that claim Art. 6(3)")
    else:
        what, article = ("entry in the national register", "Art. 49(5)") if national else _EU_DATABASE
        yield from named(system, context, "registration", what, article)[1]


_high_risk = partial(Rule, domain=Domain.AI_ACT, tiers=HIGH, duty=Duty.HIGH_RISK)

RULES = (
    _high_risk(
        id="aia-risk-register-fresh",
        title="The risk register of a high-risk system was reviewed within 180 days.",
        holds="the risk register exists and was reviewed within 180 days",
        references=("AI Act Art. 9", "Annex IV 5", "ISO/IEC 42001 6.1", "NIST AI RMF MANAGE 1.3"),
        system=asked_of("Art. 9", _risk_register, "provider"),
    ),
    _high_risk(
        id="aia-annex-iv-complete",
        title="The technical documentation has all nine sections of Annex IV.",
        holds="all nine sections hold text",
        references=("AI Act Art. 11", "AI Act Annex IV", "ISO/IEC 42001 A.6.2.7"),
        system=asked_of("Art. 11", _annex_iv, "provider"),
    ),
    _high_risk(
        id="aia-docs-match-model",
        title="The technical documentation describes the model version that is deployed.",
        holds="documentation and deployment name the same model version",
        references=("AI Act Art. 11(1)", "Annex IV 6"),
        system=asked_of("Art. 11", _same_model, "provider"),
    ),
    _high_risk(
        id="aia-ifu-published",
        title="A high-risk system has instructions for use.",
        holds="instructions for use are there, and speak of what Art. 13 asks",
        references=("AI Act Art. 13", "AI Act Art. 26(1)", "ISO/IEC 42001 A.8.2"),
        system=_present("instructions", "instructions for use", "Art. 13"),
    ),
    _high_risk(
        id="aia-fria-present",
        title="A deployer under points 5(b) and 5(c), or for a public body or service, assessed the impact on rights.",
        holds="the assessment is there, and the authority was notified",
        references=("AI Act Art. 27", "ISO/IEC 42001 A.5.2"),
        system=asked_of("Art. 27", _fria, "deployer"),
    ),
    _high_risk(
        id="aia-conformity-route",
        title="A provider assessed the conformity of a high-risk system.",
        holds="the conformity assessment is there",
        references=("AI Act Art. 43", "Annex IV 7"),
        system=asked_of("Art. 43", _conformity, "provider", "importer", "authorised_representative"),
    ),
    _high_risk(
        id="aia-declaration-before-prod",
        title="A provider declares the conformity of a high-risk system before production.",
        holds="the declaration is there",
        references=("AI Act Art. 47", "AI Act Art. 48", "Annex IV 8"),
        system=asked_of("Art. 47", _declaration, "provider", "importer", "distributor", "authorised_representative"),
    ),
    _high_risk(
        id="aia-workers-told",
        title="Workers and their representatives are told before a high-risk system is used on them.",
        holds="the notice to workers is there",
        references=("AI Act Art. 26(7)",),
        severity=Severity.MEDIUM,
        system=asked_of("Art. 26(7)", _workers_told, "deployer"),
    ),
    _high_risk(
        id="aia-persons-told",
        title="Persons about whom a high-risk system decides, or helps to decide, are told.",
        holds="the notice to persons is there",
        references=("AI Act Art. 26(11)", "GDPR Art. 13"),
        severity=Severity.MEDIUM,
        system=asked_of("Art. 26(11)", _persons_told, "deployer"),
    ),
    Rule(
        id="aia-eu-db-registered",
        title="The system is in the EU database before production where Art. 49 asks for it.",
        holds="the entry is written down",
        references=("AI Act Art. 49", "AI Act Annex VIII"),
        domain=Domain.AI_ACT,
        duty=Duty.HIGH_RISK,
        severity=Severity.MEDIUM,
        system=_registered,
    ),
)
