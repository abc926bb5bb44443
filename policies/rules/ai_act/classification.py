"""The AI Act on what a system is: declared, allowed, in a known role, run by people who know."""

from __future__ import annotations

import re
from typing import Any

from mlstrata.policies.core.dates import Duty
from mlstrata.policies.core.graph import SYSTEM_LABEL, System
from mlstrata.policies.core.rule import (
    Context,
    Domain,
    Level,
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
from mlstrata.policies.core.values import UNKNOWN
from mlstrata.policies.fixtures.compliant_world import HIGH_RISK, LIMITED, labels
from mlstrata.policies.fixtures.world import cut, having, nothing, put, without
from mlstrata.policies.views.serving import is_serving, makes_content

ROLES = ("provider", "deployer", "importer", "distributor")
PROHIBITED = {
    "social scoring": r"social(ly)?[ -](scor|rank)",
    "subliminal or manipulative techniques": r"subliminal|manipulat\w+ (people|persons|behaviou?r)",
    "exploiting a vulnerability": r"exploit\w* (a |the )?vulnerab",
    "predicting crime from profiling alone": r"predict\w* (whether|that|who) .{0,40}commit\w* (a )?crime",
    "scraping faces": r"scrap\w+ .{0,30}(face|facial)",
    "emotions at work or in education": r"(emotion\w*).{0,40}(employee|worker|student|pupil|workplace|school)",
    "intimate content without consent": r"undress|nudif|non-?consensual intimate|child sexual",
    "sorting people by what their bodies tell of their beliefs": r"(infer|deduc|categori[sz]|classif)\w* .{0,60}"
    r"(race|religio|sexual orientation|political opinion|trade union)\w* .{0,40}(face|voice|biometr|gait|photo)",
    "remote identification as it happens": r"(real[- ]time|live) .{0,40}(biometric|facial|face) (identif|recogn)",
}


def _declared(context: Context) -> Verdicts:
    serving = [resource for resource in context.graph.resources if is_serving(resource)]
    if not serving and not context.graph.systems:
        yield not_applicable("nothing answers with predictions and no AI system is declared")
    for resource in serving:
        # Where a manifest's system is declared, the manifest does not hold: its label says which one it is.
        elsewhere = resource.record.file and resource.label(SYSTEM_LABEL)
        if resource.urn not in context.graph.owners and not elsewhere:
            yield fails(
                f"{resource.kind} '{resource.name}' answers with predictions and belongs to no declared AI system",
                "declare the system, and put the resource beneath it or label it mlstrata.io/system",
                subject=resource,
            )
    for system in context.graph.systems:
        for field in ("purpose", "risk.tier"):
            if not system.get(field):
                fix, at = f"declare {field}", f"/systems.{system.index}.{field}"
                yield fails(f"no {field} is declared", fix, at, subject=system.name)


def _prohibited(system: System, _: Context) -> Verdicts:
    if str(system.get("risk.tier", "")).strip().lower() == "unacceptable":
        yield fails("the system is declared 'unacceptable', a practice that Art. 5 prohibits", "remove it", "risk.tier")
    purpose = str(system.get("purpose", "")).lower()
    for practice, pattern in PROHIBITED.items():
        if re.search(pattern, purpose):
            yield fails(
                f"its purpose reads like a prohibited practice: {practice}",
                "remove the system, or say what it is for so that it cannot be taken for that",
                "purpose",
            )


def _safeguards(system: System, _: Context) -> Verdicts:
    if not makes_content(system):
        yield not_applicable("it makes no images, sounds or films")
    elif not system.part("content-filter"):
        yield undeployed(
            "it makes content",
            "keeps it from making intimate or abusive material",
            "model",
            part="content-filter",
            fix="deploy a filter of its output",
        )


def _role(system: System, _: Context) -> Verdicts:
    role = system.get("risk.role")
    if role not in ROLES:
        yield fails("no role in the Act's sense is declared", f"declare risk.role: one of {', '.join(ROLES)}", "risk")


def _literacy(system: System, _: Context) -> Verdicts:
    if not system.get("documents.literacy"):
        yield fails(
            "no record says that those who work with it were made literate in AI",
            "name documents.literacy",
            "documents",
        )


_DEPLOYMENT = "kubernetes:apps/v1:Deployment"
_SERVERS = (
    "docker.io/seldonio/mlserver:1.7.1",
    "nvcr.io/nvidia/tritonserver:25.01-py3",
    "tensorflow/serving",
    "vllm/vllm-openai@sha256:0",
    "ghcr.io/huggingface/text-generation-inference:3",
    "pytorch/torchserve-kfs:0.9",
    "kserve/sklearnserver:v0.14",
)


def _serves(image: object, part: str = "") -> dict[str, Any]:
    """Return a Deployment of an image, outside the fixtures' namespace."""
    spec = {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}
    return {"metadata": {"labels": labels("", part)}, "spec": spec}


RULES = (
    Rule(
        number=1,
        id="aia-system-declared",
        title="Whatever answers with predictions belongs to a declared AI system.",
        holds="whatever answers with predictions belongs to a declared system",
        domain=Domain.AI_ACT,
        references=("AI Act Art. 3(1)", "AI Act Art. 6", "ISO/IEC 42001 A.4.2", "NIST AI RMF GOVERN 1.6"),
        duty=Duty.BANS,
        environment=_declared,
        cases=(
            violates(
                "a deployment that serves for nobody",
                having(
                    "kubernetes:machinelearning.seldon.io/v1:SeldonDeployment",
                    "stray",
                    {
                        "metadata": {"namespace": "lending", "labels": labels()},
                        "spec": {"predictors": [{"replicas": 2, "graph": {}}]},
                    },
                ),
            ),
            *(
                violates(
                    f"a server of models for nobody: {image}",
                    having(_DEPLOYMENT, "stray", _serves(image)),
                    companions=("*",),
                )
                for image in _SERVERS
            ),
            violates("a system without a purpose", cut(HIGH_RISK, "purpose")),
            violates("a system without a tier", cut(LIMITED, "risk.tier")),
            violates(
                "something that serves, and no system",
                nothing,
                having("kubernetes:machinelearning.seldon.io/v1:SeldonDeployment", "stray", {}),
                companions=("*",),
            ),
            passes("systems that nothing serves yet", without("mortgage", "tickets"), companions=("*",)),
            passes("two systems, and all that serves is theirs"),
            passes(
                "a label joins where the parent does not",
                having(
                    "aws:sagemaker/endpoint:Endpoint",
                    "joined",
                    {"tags": labels(LIMITED, **{"mlstrata.io/ai-disclosure": "x"})},
                ),
            ),
            passes("an image known later", having(_DEPLOYMENT, "tool", _serves(UNKNOWN)), companions=("*",)),
            passes(
                "a tool with a name like a server's",
                having(_DEPLOYMENT, "tool", _serves("a/mlserverless:1")),
                companions=("*",),
            ),
            passes(
                "an explainer that runs a server",
                having(_DEPLOYMENT, "x", _serves(_SERVERS[0], "explainer")),
                companions=("*",),
            ),
            spares("nothing at all", nothing),
            cannot_tell("a purpose known later", put(HIGH_RISK, "purpose", UNKNOWN), companions=("*",)),
        ),
    ),
    Rule(
        number=2,
        id="aia-prohibited-practice",
        title="No practice that Art. 5 prohibits is deployed; nobody can exempt one.",
        holds="neither tier nor purpose names a practice that Art. 5 prohibits",
        domain=Domain.AI_ACT,
        references=("AI Act Art. 5", "NIST AI RMF MAP 1.1"),
        duty=Duty.BANS,
        severity=Severity.CRITICAL,
        system=_prohibited,
        cases=(
            violates("an unacceptable system", put(LIMITED, "risk.tier", "unacceptable")),
            violates("social scoring", put(HIGH_RISK, "purpose", "A social scoring of all citizens.")),
            violates("subliminal techniques", put(HIGH_RISK, "purpose", "Place subliminal cues in films.")),
            violates("a weakness exploited", put(HIGH_RISK, "purpose", "Exploit the vulnerability of old people.")),
            violates("crime foretold", put(HIGH_RISK, "purpose", "Predict who will commit a crime.")),
            violates("faces scraped", put(HIGH_RISK, "purpose", "Scrape photos for a facial database.")),
            violates("emotions at work", put(HIGH_RISK, "purpose", "Infer emotions of each employee.")),
            violates("people manipulated", put(HIGH_RISK, "purpose", "Manipulate people who hesitate.")),
            violates("intimate content", put(HIGH_RISK, "purpose", "Make non-consensual intimate pictures.")),
            violates("nudity made", put(HIGH_RISK, "purpose", "Undress people in photos.")),
            violates("abuse", put(HIGH_RISK, "purpose", "Make child sexual material.")),
            violates("beliefs from faces", put(HIGH_RISK, "purpose", "Classify the religion of people by a photo.")),
            violates("faces in public", put(HIGH_RISK, "purpose", "Real-time police facial recognition in streets.")),
            violates("declared in capitals", put(LIMITED, "risk.tier", "UNACCEPTABLE"), companions=("*",)),
            passes("ordinary purposes"),
            spares("no system", without(HIGH_RISK, LIMITED), companions=("*",)),
            cannot_tell("a purpose known later", put(HIGH_RISK, "purpose", UNKNOWN), companions=("*",)),
        ),
    ),
    Rule(
        number=3,
        id="aia-intimate-csam-safeguards",
        title="A system that makes content has a filter against intimate and abusive material.",
        holds="a filter stands between the model and its users",
        domain=Domain.AI_ACT,
        references=("AI Act Art. 5(1)(ba)", "AI Act Art. 5(1)(bb)"),
        duty=Duty.INTIMATE_CONTENT,
        severity=Severity.CRITICAL,
        system=_safeguards,
        cases=(
            violates(
                "declared, and no filter",
                put(LIMITED, "model.task", "generation"),
                companions=("aia-content-marking",),
            ),
            violates(
                "a film maker without a filter",
                put(LIMITED, "model", {"modality": "video"}),
                companions=("aia-content-marking",),
            ),
            violates(
                "a maker of sounds without a filter",
                put(LIMITED, "model", {"modality": "audio"}),
                companions=("aia-content-marking",),
            ),
            passes(
                "a filter",
                put(LIMITED, "model.task", "generation"),
                having("mlstrata:serving:Filter", "filter", {"labels": labels(LIMITED, "content-filter")}),
                companions=("aia-content-marking",),
            ),
            spares("nothing is made"),
            spares("what is said is only sorted", put(LIMITED, "model.modality", "audio")),
            cannot_tell("a task known later", put(LIMITED, "model.task", UNKNOWN), companions=("*",)),
        ),
    ),
    Rule(
        number=6,
        id="aia-role-declared",
        title="The organisation's role to the system is declared.",
        holds="a role is declared",
        domain=Domain.AI_ACT,
        references=("AI Act Art. 3", "AI Act Art. 25", "ISO/IEC 42001 A.10.2"),
        duty=Duty.GENERAL,
        severity=Severity.MEDIUM,
        system=_role,
        cases=(
            violates("no role", cut(LIMITED, "risk.role")),
            violates("no role of the Act", put(LIMITED, "risk.role", "user")),
            passes("deployers"),
            passes("an importer", put(LIMITED, "risk.role", "importer")),
            spares("no system", without(HIGH_RISK, LIMITED), companions=("*",)),
            cannot_tell("a role known later", put(LIMITED, "risk.role", UNKNOWN), companions=("*",)),
        ),
    ),
    Rule(
        number=7,
        id="aia-literacy-record",
        title="A record of AI literacy training is named.",
        holds="a record of AI literacy is named",
        domain=Domain.AI_ACT,
        references=("AI Act Art. 4", "ISO/IEC 42001 7.2", "NIST AI RMF GOVERN 2.2"),
        duty=Duty.BANS,
        level=Level.ADVISORY,
        severity=Severity.LOW,
        system=_literacy,
        cases=(
            violates("no record", cut(LIMITED, "documents.literacy")),
            passes("records"),
            spares("no system", without(HIGH_RISK, LIMITED), companions=("*",)),
            cannot_tell("documents known later", put(LIMITED, "documents", UNKNOWN), companions=("*",)),
        ),
    ),
)
