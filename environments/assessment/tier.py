"""From answers to the risk tier of the AI Act, with reasons; what a person must judge is said, not decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlstrata.environments.assessment.answers import Answers
from mlstrata.environments.assessment.kinds import NONE
from mlstrata.environments.assessment.questions import POINTS, PRACTICES
from mlstrata.environments.classification import classify, is_product, point_of, taken_out
from mlstrata.environments.spec.risk import AnnexIII, Tier


@dataclass(frozen=True)
class Judged:
    """A tier with its reasons.

    Attributes:
        tier: The tier.
        reasons: Why, a sentence each.
        exempt: A condition of Art. 6(3) takes it out of the high tier, and is documented.
    """

    tier: Tier
    reasons: tuple[str, ...]
    exempt: bool = False


def risk_of(answers: Answers) -> dict[str, Any]:
    """Return the answers as an environment's file has them beneath `risk`; what stays open is left out."""
    found: dict[str, Any] = {
        "practice": answers["practice"],
        "annex_iii": answers["annex_iii"],
        "annex_i": answers["annex_i"] == "yes",
        "profiling": answers["profiling"] == "yes",
        "contact": answers["contact"] == "talks",
    }
    if answers["contact"] == "makes":
        found["generates"] = ["text"]
    if answers["biometrics"] != "unknown":
        found["biometrics"] = answers["biometrics"]
    if answers["affects"]:
        found["affects"] = list(answers["affects"])
    found["role"] = ["provider", "deployer"] if answers["role"] == "both" else [answers["role"]]
    if answers["public"] != "no":
        found[f"public_{answers['public']}"] = True
    claimed = {"condition": answers["exemption"], "memo": answers["exemption_memo"]}
    if NONE not in claimed.values():
        found["exemption"] = claimed
    return found


def judge(answers: Answers) -> Judged:
    """Return the tier that the answers lead to."""
    risk = risk_of(answers)
    found = classify(risk)
    if found.tier is Tier.UNACCEPTABLE:
        practice = next(choice.means for choice in PRACTICES if choice.value == answers["practice"])
        return Judged(
            found.tier,
            (f"Article 5 prohibits a system that {practice}; there is no exemption and no way to deploy it.",),
        )
    exempt = bool(point_of(risk)) and taken_out(risk) and not is_product(risk)
    if found.tier is Tier.HIGH:
        return Judged(found.tier, tuple(_high(answers, risk)) or (f"{found.reasons[0].capitalize()}.",))
    reasons = []
    if exempt:
        reasons.append(
            f"{_point(answers)}, but condition ({answers['exemption']}) of Article 6(3) takes it out, as "
            f"{answers['exemption_memo']} documents; it must be registered all the same (Article 49(2))."
        )
    if found.tier is Tier.LIMITED:
        return Judged(found.tier, (*reasons, *(f"{why[0].upper()}{why[1:]}." for why in found.reasons)), exempt)
    return Judged(found.tier, (*reasons, "Nothing in the Act asks for more than an inventory and literacy."), exempt)


def _high(answers: Answers, risk: dict[str, Any]) -> Iterator[str]:
    if is_product(risk):
        yield "Article 6(1): it is, or keeps safe, a product under Annex I that others must assess."
    if point_of(risk) and not taken_out(risk):
        yield f"{_point(answers)}. {_not_exempt(answers)}".rstrip()


def _point(answers: Answers) -> str:
    return f"Annex III, point {answers['annex_iii']}: it {POINTS[AnnexIII(answers['annex_iii'])]}"


def _not_exempt(answers: Answers) -> str:
    """Say why Art. 6(3) does not take the system out of the high tier; empty where nobody claims it."""
    if answers["exemption"] == NONE:
        return ""
    if answers["profiling"] == "yes":
        return "Article 6(3) does not help: it profiles people."
    return "Article 6(3) does not help yet: Article 6(4) asks for a document that says why (exemption_memo)."
