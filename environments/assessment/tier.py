"""From answers to the risk tier of the AI Act, with reasons; what a person must judge is said, not decided."""

from __future__ import annotations

from dataclasses import dataclass

from mlstrata.environments.assessment.answers import Answers
from mlstrata.environments.assessment.kinds import NONE
from mlstrata.environments.assessment.questions import POINTS, PRACTICES
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


def judge(answers: Answers) -> Judged:
    """Return the tier that the answers lead to."""
    if answers["practice"] != NONE:
        practice = next(choice.means for choice in PRACTICES if choice.value == answers["practice"])
        return Judged(
            Tier.UNACCEPTABLE,
            (f"Article 5 prohibits a system that {practice}; there is no exemption and no way to deploy it.",),
        )
    high = []
    exempt = False
    if answers["annex_i"] == "yes":
        high.append("Article 6(1): it is, or keeps safe, a product under Annex I that others must assess.")
    if answers["annex_iii"] != NONE:
        point = f"Annex III, point {answers['annex_iii']}: it {POINTS[AnnexIII(answers['annex_iii'])]}"
        refused = _not_exempt(answers)
        exempt = refused is None and not high
        if refused is not None:
            high.append(f"{point}. {refused}".rstrip())
    if high:
        return Judged(Tier.HIGH, tuple(high))
    reasons = []
    if exempt:
        reasons.append(
            f"{point}, but condition ({answers['exemption']}) of Article 6(3) takes it out, as "
            f"{answers['exemption_memo']} documents; it must be registered all the same (Article 49(2))."
        )
    if answers["contact"] != "no":
        what = "people talk to it and must know it" if answers["contact"] == "talks" else "what it makes must be marked"
        return Judged(Tier.LIMITED, (*reasons, f"Article 50: {what}."), exempt)
    return Judged(Tier.MINIMAL, (*reasons, "Nothing in the Act asks for more than an inventory and literacy."), exempt)


def _not_exempt(answers: Answers) -> str | None:
    """Say why Art. 6(3) does not take the system out of the high tier; None where it does."""
    if answers["exemption"] == NONE:
        return ""
    if answers["profiling"] == "yes":
        return "Article 6(3) does not help: it profiles people."
    if answers["exemption_memo"] == NONE:
        return "Article 6(3) does not help yet: Article 6(4) asks for a document that says why (exemption_memo)."
    return None
