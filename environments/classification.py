"""The tier of the AI Act that answers lead to; the questionnaire and the policies derive it here.

Source: Regulation (EU) 2024/1689 as amended by Regulation (EU) 2026/1744, Art. 5, 6 and 50, Annexes I and III.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlstrata.environments.spec.risk import Tier
from mlstrata.environments.spec.settings import TRAINING

RANKS = (Tier.MINIMAL, Tier.LIMITED, Tier.HIGH, Tier.UNACCEPTABLE)
NONE = "none"
OF_BIOMETRICS = {"identification": "1a", "categorisation": "1b", "emotion_recognition": "1c"}
"""What is done with biometric data to the point of Annex III; verification is under none."""
SELF_ASSESSED = {"medical_devices": ("i",), "in_vitro_devices": ("a",)}
"""Law of Annex I to the classes, in small letters, that no third party assesses."""


@dataclass(frozen=True)
class Classified:
    """A tier with its reasons.

    Attributes:
        tier: The tier.
        reasons: Why, a clause each, without values that may be secret.
        at: The answer that decides, beneath `risk`; empty where none does.
    """

    tier: Tier
    reasons: tuple[str, ...] = ()
    at: str = ""


def point_of(risk: Mapping[str, Any]) -> str:
    """Return the point of Annex III that is declared; empty where none applies, or nobody said."""
    point = risk.get("annex_iii")
    return "" if point is None or point == NONE else str(point)


def is_product(risk: Mapping[str, Any]) -> bool:
    """Return whether it is, or keeps safe, a product under Annex I that a third party assesses (Art. 6(1))."""
    return bool(risk.get("annex_i")) or _third_party(risk.get("product") or {})


def _third_party(product: Mapping[str, Any]) -> bool:
    said = product.get("third_party")
    if said is not None or not product:
        return bool(said)
    known = str(product.get("device_class", "")).lower().removeprefix("class ").strip()
    return known not in SELF_ASSESSED.get(str(product.get("law")), ())


def taken_out(risk: Mapping[str, Any]) -> bool:
    """Return whether Art. 6(3) takes a system under Annex III out of the high tier, as far as answers tell.

    Profiling must be denied in so many words, and the assessment of Art. 6(4) be named with its condition.
    """
    claimed = risk.get("exemption") or {}
    return bool(claimed.get("condition") and claimed.get("memo")) and risk.get("profiling") is False


def classify(risk: Mapping[str, Any], *, generates: bool = False) -> Classified:
    """Return the tier that answers lead to; what is not answered adds nothing.

    Args:
        risk: The answers, as the environment's file has them beneath `risk`.
        generates: The model's task is to make content.
    """
    practice = risk.get("practice")
    if practice is not None and practice != NONE:
        return Classified(Tier.UNACCEPTABLE, (f"practice {practice} is prohibited (Art. 5)",), "practice")
    high = list(_high(risk))
    if high:
        return Classified(Tier.HIGH, tuple(why for _, why in high), high[0][0])
    limited = list(_limited(risk, generates))
    if limited:
        return Classified(Tier.LIMITED, tuple(why for _, why in limited), limited[0][0])
    return Classified(Tier.MINIMAL)


def _high(risk: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    if is_product(risk):
        at = "annex_i" if risk.get("annex_i") else "product"
        found.append((at, "a product under Annex I, or its safety component, that a third party assesses is high risk"))
    declared, inferred = point_of(risk), OF_BIOMETRICS.get(str(risk.get("biometrics")))
    for point, at in ((declared, "annex_iii"), (inferred, "biometrics")):
        if not point or taken_out(risk) or (at == "biometrics" and declared):
            continue
        void = " and Art. 6(3) does not help where people are profiled, or nobody said that they are not"
        claimed = "," + void if risk.get("exemption") else ""
        found.append((at, f"Annex III point {point} is high risk{claimed}"))
    return found


def _limited(risk: Mapping[str, Any], generates: bool) -> list[tuple[str, str]]:
    found = []
    if risk.get("contact"):
        found.append(("contact", "people interact with it (Art. 50(1))"))
    if risk.get("generates") or generates:
        found.append(("generates", "it makes synthetic content (Art. 50(2))"))
    if risk.get("biometrics") in ("categorisation", "emotion_recognition"):
        found.append(("biometrics", "it categorises people or reads emotions (Art. 50(3))"))
    return found


def trained_here(model: Mapping[str, Any]) -> bool:
    """Return whether a pipeline of the environment trains the model."""
    own_pipeline = (model.get("pipeline") or TRAINING) != TRAINING
    return not model.get("source") and bool(model.get("target") or model.get("schedule") or own_pipeline)


def roles_of(risk: Mapping[str, Any], model: Mapping[str, Any]) -> frozenset[str]:
    """Return what the organisation is to a system.

    Whoever runs it is a deployer where nothing else is declared; whoever trains it and puts it into service is its
    provider (Art. 3(3)), unless `risk.provider` names somebody else. A provider who runs it uses it under its own
    authority, so is its deployer too (Art. 3(4)), unless `risk.deployer` names somebody else.
    """
    found = set(declared_roles(risk)) or {"deployer"}
    if trained_here(model) and not risk.get("provider"):
        found.add("provider")
    if "provider" in found and not risk.get("deployer"):
        found.add("deployer")
    return frozenset(found)


def declared_roles(risk: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the roles that the file declares; one may be written as a word."""
    given = risk.get("role") or ()
    return (given,) if isinstance(given, str) else tuple(map(str, given))
