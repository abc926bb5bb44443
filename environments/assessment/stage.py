"""From answers to the stage: the highest that any wanted capability, or one it needs, belongs to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from mlstrata.environments.assessment.answers import Answers
from mlstrata.environments.assessment.questions import QUESTIONS
from mlstrata.environments.floor import FLOOR
from mlstrata.environments.spec.risk import Tier
from mlstrata.environments.stages import ENTRIES, Stage, capabilities_of, missing_needs, stage_of

_ABOUT_TIER = "the tier"


@dataclass(frozen=True)
class Wanted:
    """A capability that something asks for.

    Attributes:
        capability: The capability.
        stage: The stage that brings it; None where it is switched on.
        because: The question that was answered so, or the tier.
        answer: The answer, as text.
        why: Why it asks for it.
    """

    capability: str
    stage: Stage | None
    because: str
    answer: str
    why: str


def wanted(answers: Answers, tier: Tier) -> tuple[Wanted, ...]:
    """Return every capability that the answers and the tier ask for, each with its first reason."""
    found: dict[str, Wanted] = {}
    for capability in FLOOR[tier]:
        why = f"The Act asks it of a system of {tier} risk."
        found[capability] = Wanted(capability, stage_of(capability), _ABOUT_TIER, str(tier), why)
    for question in QUESTIONS:
        answer = answers[question.id]
        capabilities, why = question.wanted(answer)
        text = ", ".join(answer) if isinstance(answer, tuple) else str(answer)
        for capability in capabilities:
            found.setdefault(capability, Wanted(capability, stage_of(capability), question.id, text, why))
    return tuple(found.values())


def closed(capabilities: Iterable[str]) -> frozenset[str]:
    """Return capabilities with all that they need."""
    found: set[str] = set()
    todo = list(capabilities)
    while todo:
        capability = todo.pop()
        if capability not in found:
            found.add(capability)
            todo += ENTRIES[capability].needs
    return frozenset(found)


def left_out(stage: Stage, asked: Iterable[str], built: Collection[str] | None) -> frozenset[str]:
    """Return what a file must switch off for its target, with all that cannot do without it.

    Args:
        stage: The file's stage.
        asked: The capabilities that are asked for.
        built: Those that its target has; None: all.
    """
    present = capabilities_of(stage) | frozenset(asked)
    there = present if built is None else present & frozenset(built)
    while broken := {one for one, _ in missing_needs(there)}:
        there -= broken
    return present - there


def stage_for(capabilities: Iterable[str]) -> Stage:
    """Return the lowest stage that has all of some capabilities that any stage has, and what they need."""
    stages = [stage for capability in closed(capabilities) if (stage := stage_of(capability)) is not None]
    return max(stages, key=lambda stage: stage.rank, default=Stage.PREREQUISITES)
