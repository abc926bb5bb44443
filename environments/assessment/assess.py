"""The whole of it: answers in; tier, stage, capabilities, notes and an environment's file out."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from mlstrata.environments.assessment.answers import Answers
from mlstrata.environments.assessment.questions import QUESTIONS
from mlstrata.environments.assessment.stage import Wanted, left_out, stage_for, wanted
from mlstrata.environments.assessment.tier import Judged, judge
from mlstrata.environments.assessment.yaml_text import scorable, yaml_text
from mlstrata.environments.floor import FLOOR
from mlstrata.environments.spec.risk import Tier
from mlstrata.environments.stages import ENTRIES, Capability, Stage


@dataclass(frozen=True)
class Assessment:
    """What answers lead to.

    Attributes:
        answers: The answers.
        judged: Tier and reasons.
        wanted: The capabilities that are asked for, each with why.
        stage: The stage recommended; None where nothing may be deployed.
        left_out: What the stage has or was asked for and the file switches off, as its target does not have it.
        notes: What a person should know before following it.
        yaml: The environment's file; None where nothing may be deployed.
    """

    answers: Answers
    judged: Judged
    wanted: tuple[Wanted, ...]
    stage: Stage | None
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    yaml: str | None

    def document(self) -> dict[str, Any]:
        """Return it as a JSON document."""
        return {
            "tier": self.judged.tier.value,
            "reasons": list(self.judged.reasons),
            "stage": self.stage.value if self.stage else None,
            "capabilities": [
                {
                    "capability": str(one.capability),
                    "stage": one.stage.value if one.stage else None,
                    "question": one.because,
                    "answer": one.answer,
                    "why": one.why,
                }
                for one in self.wanted
            ],
            "answers": {
                question.id: {
                    "answer": self.answers[question.id],
                    "capabilities": [one.value for one in question.wanted(self.answers[question.id])[0]],
                }
                for question in QUESTIONS
            },
            "left_out": list(self.left_out),
            "notes": list(self.notes),
            "assumed": list(self.answers.assumed),
            "environment": self.yaml,
        }


def assess(answers: Answers, built: Collection[str] | None = None) -> Assessment:
    """Judge answers.

    Args:
        answers: The answers.
        built: The capabilities that the target of the answers has, for a file that can be planned; None: all.
    """
    judged = judge(answers)
    if judged.tier is Tier.UNACCEPTABLE:
        return Assessment(answers, judged, (), None, (), (), None)
    asked = wanted(answers, judged.tier)
    stage = stage_for(one.capability for one in asked)
    there = built
    if not scorable(answers):
        there = frozenset(ENTRIES if built is None else built) - {Capability.BATCH}
    missing = left_out(stage, (one.capability for one in asked), there)
    ordered = tuple(one for one in map(str, ENTRIES) if one in missing)
    notes = (*_notes(answers, judged, stage), *_about_left_out(answers, judged, missing))
    return Assessment(answers, judged, asked, stage, ordered, notes, yaml_text(answers, judged, stage, asked, ordered))


def _about_left_out(answers: Answers, judged: Judged, missing: frozenset[str]) -> Iterator[str]:
    target = answers["target"]
    if lacking := [str(one) for one in FLOOR[judged.tier] if one in missing]:
        yield (
            f"The Act asks {', '.join(lacking)} of a system of {judged.tier} risk, which target {target} does not have "
            "yet: `mlstrata check` says so until it has."
        )
    if Capability.BACKUP in missing and target == "local":
        yield "Target local makes no copies by itself; `mlstrata backup` makes one whenever it is asked."
    if Capability.BATCH in missing:
        yield "Scoring is off until its dataset has a source that scoring reads; name one, then remove it from off."


def _notes(answers: Answers, judged: Judged, stage: Stage) -> Iterator[str]:
    later = stage.rank >= Stage.SCALE.rank
    if later and answers["skills"] == "notebooks":
        yield f"Stage {stage} runs services around the clock; people who work in notebooks need help to run it."
    if later and answers["ci"] == "none":
        yield f"Stage {stage} moves versions by itself; nothing tests the code before it does: set up CI first."
    if later and answers["budget"] == "minimal":
        yield f"Stage {stage} takes more than one existing machine, above all people's time."
    if answers["target"] == "aws" and answers["budget"] == "minimal":
        yield "Target aws is paid for by the hour; a minimal budget fits target local."
    if answers["accelerators"] != "no" and answers["target"] == "local":
        yield "Target local uses the GPUs that the machine has, as one node; pools come and go on clusters only."
    if answers["retraining"] == "hours" and answers["data_cadence"] in ("never", "monthly"):
        yield "A model within hours needs data that is as new; it comes monthly or never."
    if answers["traffic"] != "all_at_once" and answers["serving"] == "batch":
        yield "No traffic is moved for a batch system: its versions change between two jobs."
    if answers["framework"] != "scikit-learn" or answers["request_format"] != "rows":
        yield "The training pipeline that comes along makes scikit-learn classifiers of tables; bring your own here."
    if judged.tier is Tier.HIGH:
        yield "High risk: the duties of Chapter III apply from 2027-12-02 (Annex I products: 2028-08-02)."
